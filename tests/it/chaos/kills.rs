//! F1: `kill -9` right after a 202, again and again under load: every accepted event is decided exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::chaos;
use super::process::{KEY, Process, Site};
use crate::journeys::world::assert_dense;
use crate::store::Place;

chaos!(an_accepted_event_is_decided_exactly_once_however_often_the_process_is_killed);

/// How many requests are under way at once.
const SENDERS: u64 = 4;

/// How many customers the load is about, and keys of each.
const CUSTOMERS: u64 = 40;
const KEYS: u64 = 2;

/// Opens a conversation a key and lets later ones join; a second one hears every other event.
const STEADY: &str = r#"
playbook: steady
on:
  - event: steady.opened
limits: { per_customer: 10 per 24h }
open:
  key: event.data.id
  within: 24h
  say: "Something happened to {{ event.data.id }}."
"#;
const EVEN: &str = r#"
playbook: even
on:
  - event: steady.opened
    when: event.data.n % 2 == 0
limits: { per_customer: 10 per 24h }
open:
  key: event.data.id
  within: 24h
  say: "Something even happened to {{ event.data.id }}."
"#;

/// An event that was answered 202.
pub(super) struct Accepted {
    event: String,
    customer: String,
    key: String,
    even: bool,
}

/// Senders under way.
pub(super) struct Load {
    shared: Arc<Shared>,
    senders: Vec<tokio::task::JoinHandle<()>>,
}

/// What senders share.
struct Shared {
    http: reqwest::Client,
    url: watch::Receiver<String>,
    next: AtomicU64,
    /// Answers 202 so far.
    answered: watch::Sender<u64>,
    /// Up to how many answers they go on; so that a slow start does not make the load grow without bound.
    wanted: watch::Sender<u64>,
    enough: AtomicBool,
    accepted: Mutex<BTreeMap<String, Accepted>>,
}

impl Load {
    /// Adds the playbooks to a site, before it is started.
    pub(super) fn listen(site: &Site) {
        site.file("playbooks/steady.yaml", STEADY);
        site.file("playbooks/even.yaml", EVEN);
    }

    pub(super) fn start(url: watch::Receiver<String>) -> Load {
        let shared = Arc::new(Shared {
            http: reqwest::Client::new(),
            url,
            next: AtomicU64::new(0),
            answered: watch::Sender::new(0),
            wanted: watch::Sender::new(0),
            enough: AtomicBool::new(false),
            accepted: Mutex::default(),
        });
        let senders = (0..SENDERS).map(|_| tokio::spawn(send(Arc::clone(&shared)))).collect();
        Load { shared, senders }
    }

    /// Waits for so many more answers 202; some more requests are under way then.
    pub(super) async fn answered(&self, more: u64) {
        let mut answered = self.shared.answered.subscribe();
        let until = *answered.borrow_and_update() + more;
        self.shared.wanted.send_replace(until + 5 * SENDERS);
        answered.wait_for(|answered| *answered >= until).await.unwrap();
    }

    /// The events that were accepted so far.
    pub(super) fn so_far(&self) -> Vec<String> {
        self.shared.accepted.lock().unwrap().values().map(|one| one.event.clone()).collect()
    }

    /// Lets the requests under way be answered, and answers what was accepted by the sender's ids.
    pub(super) async fn end(self) -> BTreeMap<String, Accepted> {
        self.shared.enough.store(true, Ordering::Relaxed);
        self.shared.wanted.send_replace(u64::MAX);
        for sender in self.senders {
            sender.await.unwrap();
        }
        std::mem::take(&mut *self.shared.accepted.lock().unwrap())
    }
}

async fn an_accepted_event_is_decided_exactly_once_however_often_the_process_is_killed(place: Place) {
    let kills: u32 = std::env::var("BECKON_KILLS").map_or(8, |kills| kills.parse().expect("BECKON_KILLS is a number"));
    let site = Site::new(place, None);
    Load::listen(&site);
    let mut process = site.start();
    let (urls, url) = watch::channel(process.url.clone());
    let load = Load::start(url);
    for kill in 0..kills {
        load.answered(rand::random_range(0..30)).await;
        // Every other process gets to decide what it found: an input that two in a row began and did not end would be
        // taken for what killed them, and put aside. The load comes to rest by itself, and goes on before the kill.
        if kill % 2 == 1 {
            site.until(&process, "all is decided", "/readyz", |ready| ready["undecided_inputs"] == 0).await;
            load.answered(rand::random_range(1..10)).await;
        }
        process.kill();
        process = site.start();
        urls.send_replace(process.url.clone());
    }
    let accepted = load.end().await;
    let ready = site.rest_comes(&process).await;
    assert_eq!(ready["dead_letters"], 0, "{}", site.log());
    check(&site, &process, &accepted).await;
    println!("{kills} kills, {} events accepted", accepted.len());
}

/// Sends batches and single events; each until it is answered 202, whichever process answers.
async fn send(load: Arc<Shared>) {
    let mut wanted = load.wanted.subscribe();
    loop {
        wanted.wait_for(|wanted| *wanted > *load.answered.borrow()).await.unwrap();
        if load.enough.load(Ordering::Relaxed) {
            return;
        }
        let count = if rand::random() { 1 } else { rand::random_range(2..6) };
        let from = load.next.fetch_add(count, Ordering::Relaxed);
        let events: Vec<Value> = (from..from + count).map(event).collect();
        let (kind, body) = match events.as_slice() {
            [one] => ("application/cloudevents+json", one.to_string()),
            _ => ("application/cloudevents-batch+json", Value::Array(events.clone()).to_string()),
        };
        let results = loop {
            let url = format!("{}/v1/events", load.url.borrow().clone());
            let request = load.http.post(url).bearer_auth(KEY).header("content-type", kind).body(body.clone());
            // A broken connection, or a body cut short: not known, so the same again.
            let Ok(response) = request.send().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let status = response.status().as_u16();
            let Ok(answer) = response.json::<Value>().await else { continue };
            match status {
                202 => break answer["results"].as_array().unwrap().clone(),
                503 => continue,
                _ => panic!("{status}: {answer}"),
            }
        };
        assert_eq!(results.len(), events.len());
        let mut accepted = load.accepted.lock().unwrap();
        for (event, result) in events.iter().zip(&results) {
            assert_ne!(result["status"], "rejected", "{result}");
            assert_eq!(result["id"], event["id"]);
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let taken = Accepted {
                event: text(&result["event"]),
                customer: text(&event["subject"]),
                key: text(&event["data"]["id"]),
                even: event["data"]["n"].as_u64().unwrap() % 2 == 0,
            };
            accepted.insert(text(&event["id"]), taken);
        }
        drop(accepted);
        load.answered.send_modify(|answered| *answered += 1);
    }
}

fn event(n: u64) -> Value {
    let (customer, key) = (n % CUSTOMERS, n / CUSTOMERS % KEYS);
    json!({
        "specversion": "1.0", "id": format!("e-{n}"), "source": "chaos", "type": "steady.opened",
        "subject": format!("c{customer}"), "data": { "id": format!("k{key}"), "n": n },
    })
}

/// Every event decided once by both playbooks, one opening a key, and logs without a hole or a repeat.
pub(super) async fn check(site: &Site, process: &Process, accepted: &BTreeMap<String, Accepted>) {
    let told: Vec<(&Accepted, Value)> = futures_util::stream::iter(accepted.values())
        .map(async |one| (one, site.get(process, &format!("/v1/events/{}", one.event)).await))
        .buffer_unordered(8)
        .collect()
        .await;
    // (customer, playbook, key) -> conversation, and the events that it should hold.
    let mut expected: BTreeMap<(String, String, String), (String, BTreeSet<String>)> = BTreeMap::new();
    let (mut opened, mut joined) = (0, 0);
    for (one, told) in &told {
        assert_eq!(told["status"], "decided", "{told}");
        let decisions = told["decisions"].as_array().unwrap();
        let playbooks: Vec<&str> = decisions.iter().map(|d| d["playbook"].as_str().unwrap()).collect();
        assert_eq!(playbooks, ["even", "steady"], "each listens once: {told}");
        for decision in decisions {
            let playbook = decision["playbook"].as_str().unwrap();
            if playbook == "even" && !one.even {
                assert_eq!(decision["verdict"], "not_matched", "{told}");
                continue;
            }
            match decision["verdict"].as_str().unwrap() {
                "waiting" => opened += 1,
                "joined" => joined += 1,
                other => panic!("{other}: {told}"),
            }
            let conversation = decision["conversation"].as_str().unwrap().to_owned();
            let of = (one.customer.clone(), playbook.to_owned(), one.key.clone());
            let (known, events) = expected.entry(of).or_insert_with(|| (conversation.clone(), BTreeSet::new()));
            assert_eq!(*known, conversation, "one conversation a key: {told}");
            assert!(events.insert(one.event.clone()));
        }
    }
    assert_eq!(opened, expected.len(), "one opening a key; {joined} joined");
    let of_customer: BTreeSet<&String> = expected.keys().map(|(customer, _, _)| customer).collect();
    for customer in of_customer {
        let list = site.get(process, &format!("/v1/conversations?customer=user:{customer}")).await;
        let conversations = list["items"].as_array().unwrap().len();
        let wanted = expected.keys().filter(|(of, _, _)| of == customer).count();
        assert_eq!(conversations, wanted, "{customer}: {list}");
    }
    for (conversation, events) in expected.values() {
        let shown = site.get(process, &format!("/v1/conversations/{conversation}?view=trace")).await;
        let entries = shown["entries"].as_array().unwrap();
        let numbers: Vec<u64> = entries.iter().map(|entry| entry["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>(), "{shown:#}");
        let held: Vec<&str> = entries.iter().filter_map(|entry| entry["event"].as_str()).collect();
        let once: BTreeSet<String> = held.iter().map(|event| (*event).to_owned()).collect();
        assert_eq!(held.len(), once.len(), "no event twice: {shown:#}");
        assert_eq!(&once, events, "{shown:#}");
        let seen = site.get(process, &format!("/v1/conversations/{conversation}")).await;
        assert_dense(seen["entries"].as_array().unwrap());
    }
}
