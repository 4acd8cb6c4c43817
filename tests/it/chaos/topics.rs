//! One event for many, and `kill -9` in the middle of it: everyone is told once, and of the end once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chaos;
use super::metrics::{metrics, value};
use super::process::{KEY, Process, Site, text};
use crate::journeys::api::Api;
use crate::journeys::topics::PEOPLE;
use crate::store::Place;

chaos!(
    everyone_is_told_once_of_an_outage_and_of_its_end_however_often_the_process_is_killed,
    what_is_taken_back_while_the_process_is_killed_is_taken_back_from_everyone,
);

/// How many customers there are where nobody says otherwise; `BECKON_CROWD` does.
const CROWD: usize = 3_000;
/// Inputs, in all partitions: a process that decided so many has not died of the first of any.
const GOT_SOMEWHERE: f64 = 100.0;

const OUTAGE: &str = r#"
playbook: outage
on:
  - topic:
      event: incident.opened
      key: event.data.id
      to:
        call: shop.customers_of_area
        with: { area: "'north'", after: "cursor == null ? '0' : cursor" }
        each: answer.items.map(item, item.id)
        next: answer.next
      ends: { event: incident.resolved, say: "It works again." }
limits: { per_customer: 10 per 24h }
open: { within: 24h, say: "There is an outage." }
"#;

async fn everyone_is_told_once_of_an_outage_and_of_its_end_however_often_the_process_is_killed(place: Place) {
    let crowd = std::env::var("BECKON_CROWD").ok().and_then(|text| text.parse().ok()).unwrap_or(CROWD);
    let api = Api::start().await;
    api.has_people(crowd);
    let site = Site::new(place, Some(api.address));
    site.file("playbooks/outage.yaml", OUTAGE);
    let adapter = std::fs::read_to_string(site.path("adapters/shop.yaml")).unwrap() + PEOPLE;
    site.file("adapters/shop.yaml", &adapter);

    let mut process = site.start();
    let begun = Instant::now();
    let opened = site.event_of_nobody(&process, "incident.opened", json!({ "id": "i-1" })).await;
    process = killed(&site, process, &opened, crowd).await;
    let told = until_all(&site, &process, &opened, crowd, "waiting").await;
    assert_eq!(told["decisions"][0]["verdict"], "told", "{told}");
    let values = &told["decisions"][0]["values"];
    assert_eq!((&values["selected"], &values["sent"]), (&json!(crowd), &json!(crowd)));
    let of_beginning = begun.elapsed();

    let ended = site.event_of_nobody(&process, "incident.resolved", json!({ "id": "i-1" })).await;
    process = killed(&site, process, &ended, crowd).await;
    until_all(&site, &process, &ended, crowd, "joined").await;
    println!("{crowd} customers: told in {of_beginning:?}, with the end in {:?}", begun.elapsed());

    let mut entries: BTreeMap<String, u64> = BTreeMap::new();
    let mut path = "/v1/conversations?limit=200".to_owned();
    loop {
        let page = site.get(&process, &path).await;
        for conversation in page["items"].as_array().unwrap() {
            let customer = conversation["customer"].as_str().unwrap().to_owned();
            let seq = conversation["last_seq"].as_u64().unwrap();
            assert_eq!(entries.insert(customer, seq), None, "one conversation each: {conversation}");
        }
        let Some(cursor) = page["cursor"].as_str() else { break };
        path = format!("/v1/conversations?limit=200&cursor={cursor}");
    }
    assert_eq!(entries.len(), crowd);
    assert!(entries.values().all(|seq| *seq == 2), "the beginning and the end, once each");
}

async fn what_is_taken_back_while_the_process_is_killed_is_taken_back_from_everyone(place: Place) {
    let api = Api::start().await;
    api.has_people(CROWD);
    let site = Site::new(place, Some(api.address));
    // Slowly enough that the record is not behind the whole of it.
    site.file("playbooks/outage.yaml", &OUTAGE.replace("      ends:", "      pace: 200/s\n      ends:"));
    let adapter = std::fs::read_to_string(site.path("adapters/shop.yaml")).unwrap() + PEOPLE;
    site.file("adapters/shop.yaml", &adapter);

    let mut process = site.start();
    let opened = site.event_of_nobody(&process, "incident.opened", json!({ "id": "i-1" })).await;
    until(&site, &process, &opened, |told| all(told) >= CROWD / 5).await;
    let arguments = ["revoke", "--url", &process.url, "--key", KEY, &opened, "--reason", "a drill"];
    let told = text(&site.run(&arguments, ""));
    assert!(
        told.contains(&format!("it takes back {opened} (incident.opened), as ")) && told.contains(": a drill"),
        "{told}"
    );
    let taken_back = told.split(' ').next().unwrap().to_owned();
    for share in [9, 2] {
        process.kill();
        process = site.start();
        let sent = sent(&site.get(&process, &format!("/v1/events/{opened}")).await);
        until(&site, &process, &taken_back, |told| all(told) > 0 && all(told) >= sent / share).await;
    }
    let done = until(&site, &process, &taken_back, |told| {
        let sent = sent(told);
        sent > 0 && told["decisions"][0]["verdict"] == "told" && all(told) == sent
    })
    .await;
    let told = sent(&done);
    assert!((CROWD / 5..CROWD).contains(&told), "it stopped in the middle: {done}");
    let of_beginning = json!([{ "playbook": "outage", "verdict": "withdrawn", "count": told }]);
    let begun = until(&site, &process, &opened, |event| event["told"] == of_beginning).await;
    assert_eq!(begun["decisions"][0]["verdict"], "withdrawn", "{begun}");
    assert_eq!(sent(&begun), told, "whoever was told had it taken back: {begun}");
    let open = site.get(&process, "/v1/conversations?state=waiting").await;
    assert_eq!(open["items"], json!([]), "nobody is shown it any more");
}

/// How many customers an event was sent to.
fn sent(told: &Value) -> usize {
    told["decisions"][0]["values"]["sent"].as_u64().unwrap_or_default() as usize
}

/// Kills the process three times while those who are told grow in number.
async fn killed(site: &Site, mut process: Process, event: &str, crowd: usize) -> Process {
    for share in [5, 3, 2] {
        let mut told = until(site, &process, event, |told| all(told) >= crowd / share).await;
        if share == 5 {
            let counted = metrics(&process).await;
            assert!(value(&counted, "beckon_topic_customers_total").is_some_and(|told| told > 0.0), "{counted}");
        }
        // The record may only have caught up with the process before: one that is killed each time before it got
        // anywhere is what an input that no process survives looks like, and that is put aside.
        while all(&told) < crowd
            && value(&metrics(&process).await, "beckon_inputs_decided_total")
                .is_none_or(|inputs| inputs < GOT_SOMEWHERE)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
            told = site.get(&process, &format!("/v1/events/{event}")).await;
        }
        process.kill();
        process = site.start();
    }
    process
}

async fn until_all(site: &Site, process: &Process, event: &str, crowd: usize, verdict: &str) -> Value {
    let wanted = json!([{ "playbook": "outage", "verdict": verdict, "count": crowd }]);
    until(site, process, event, |told| {
        assert!(all(told) <= crowd, "nobody is told twice: {told}");
        told["told"] == wanted && told["decisions"][0]["verdict"] == "told"
    })
    .await
}

/// Asks what became of an event until it is as wanted: as long as more and more are told, however many there are.
async fn until(site: &Site, process: &Process, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/v1/events/{event}");
    let (mut most, mut grew) = (0, Instant::now());
    loop {
        let asked = Instant::now();
        let told = site.get(process, &path).await;
        if wanted(&told) {
            return told;
        }
        if all(&told) > most {
            (most, grew) = (all(&told), Instant::now());
        }
        assert!(grew.elapsed() < Duration::from_secs(60), "nobody more is told:\n{told:#}\n{}", site.log());
        // Counting a hundred thousand takes a moment, and must not be all that the server does.
        tokio::time::sleep(Duration::from_millis(10) + asked.elapsed() * 5).await;
    }
}

/// How many customers were told so far.
fn all(told: &Value) -> usize {
    let counts = told["told"].as_array().into_iter().flatten().filter_map(|told| told["count"].as_u64());
    counts.sum::<u64>() as usize
}
