//! No lost wake: waits for an absence, and the events that end them a millisecond before, at and after their end, with
//! `kill -9` in between. Whatever order they meet in, each comes to what is stated.

use std::time::Duration;

use beckon::clock::{Clock, SystemClock};
use beckon::model::time::{Millis, Ms};
use serde_json::{Value, json};

use super::chaos;
use super::process::{KEY, Process, Site};
use crate::store::Place;

chaos!(
    waits_end_as_stated_however_often_the_process_is_killed,
    what_ends_a_wait_in_time_does_so_though_the_process_is_down_when_the_wait_is_over,
);

const CART: &str = "playbook: cart\n\
    on:\n  - absence: { of: order.completed, after: cart.updated, within: 2s, key: event.data.cart }\n\
    open: { key: event.data.cart, within: 24h, say: \"Your cart waits.\" }\n";
const WITHIN: Millis = Millis::seconds(2);

/// How many customers wait each time.
const CUSTOMERS: u64 = 24;

/// What comes after the event that begins a wait, and when, counted from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    Nothing,
    Before,
    AtTheEnd,
    After,
}

const ALL: [Comes; 4] = [Comes::Nothing, Comes::Before, Comes::AtTheEnd, Comes::After];

/// A wait: its customer, and its first event once it is accepted.
struct Wait {
    customer: String,
    begun: String,
    comes: Comes,
    end: Ms,
}

async fn waits_end_as_stated_however_often_the_process_is_killed(place: Place) {
    let site = Site::new(place, None);
    site.file("playbooks/cart.yaml", CART);
    let mut process = site.start();
    let mut waits = Vec::new();
    // Killed while they wait, when what ends them is on its way, and when all of them are over.
    for (round, dies_after) in [0, 300, 1_200, 2_500].into_iter().enumerate() {
        let since = SystemClock.now();
        let mut new = Vec::new();
        for n in 0..CUSTOMERS {
            let customer = format!("r{round}-{n}");
            let begun = sent(&site, &process, "cart.updated", &customer, since).await.unwrap();
            let comes = ALL[(n % 4) as usize];
            new.push(Wait { customer, begun, comes, end: since.plus(WITHIN) });
        }
        tokio::time::sleep(Duration::from_millis(dies_after)).await;
        process.kill();
        process = site.start();
        // The first half arrives before the next kill, the second half after it; what was not answered is sent again.
        let (first, second) = new.split_at(new.len() / 2);
        // Nobody can send what has not happened: the last of these times has to be over.
        let over = since.plus(WITHIN).plus(Millis(2)).since(SystemClock.now());
        tokio::time::sleep(over.duration()).await;
        for wait in first {
            ends(&site, &process, wait).await;
        }
        process.kill();
        process = site.start();
        for wait in second {
            ends(&site, &process, wait).await;
        }
        waits.extend(new);
    }
    site.rest_comes(&process).await;
    for wait in &waits {
        let told = site
            .until(&process, "the wait is over", &format!("/v1/events/{}", wait.begun), |told| {
                told["decisions"][0]["verdict"] != "pending"
            })
            .await;
        let decision = &told["decisions"][0];
        let open = open(&site, &process, &wait.customer).await;
        match wait.comes {
            Comes::Nothing => assert_eq!((&decision["verdict"], open), (&json!("waiting"), 1), "{told:#}"),
            Comes::Before | Comes::AtTheEnd => {
                assert_eq!((&decision["verdict"], open), (&json!("withdrawn"), 0), "{:?}: {told:#}", wait.comes);
            }
            // It came too late to end the wait: it opened. Where nobody has seen it yet, it was taken back.
            Comes::After => {
                assert!(decision["conversation"].is_string(), "{told:#}");
                let taken_back = decision["verdict"] == "withdrawn";
                assert_eq!(open, usize::from(!taken_back), "{told:#}");
            }
        }
    }
}

/// What ends a wait is accepted before its end, and nobody runs at the end: the next start finds both, and nothing opens
/// even for a moment.
async fn what_ends_a_wait_in_time_does_so_though_the_process_is_down_when_the_wait_is_over(place: Place) {
    let site = Site::new(place, None);
    site.file("playbooks/cart.yaml", CART);
    let mut process = site.start();
    let mut waits = Vec::new();
    for round in 0..3 {
        let mut last = SystemClock.now();
        for n in 0..CUSTOMERS {
            let customer = format!("d{round}-{n}");
            last = SystemClock.now();
            let begun = sent(&site, &process, "cart.updated", &customer, last).await.unwrap();
            let ends = n % 2 == 0;
            if ends {
                sent(&site, &process, "order.completed", &customer, last).await.unwrap();
            }
            waits.push((customer, begun, ends));
        }
        // The last ones may be accepted and not decided.
        process.kill();
        let over = last.plus(WITHIN).plus(Millis(2)).since(SystemClock.now());
        tokio::time::sleep(over.duration()).await;
        process = site.start();
    }
    site.rest_comes(&process).await;
    for (customer, begun, ends) in &waits {
        let path = format!("/v1/events/{begun}");
        let over = |told: &Value| told["decisions"][0]["verdict"] != "pending";
        let told = site.until(&process, "the wait is over", &path, over).await;
        let decision = &told["decisions"][0];
        let (verdict, opened) = (decision["verdict"].as_str().unwrap(), decision["conversation"].is_string());
        let stated = if *ends { ("withdrawn", false) } else { ("waiting", true) };
        assert_eq!((verdict, opened), stated, "{told:#}");
        assert_eq!(open(&site, &process, customer).await, usize::from(opened), "{told:#}");
    }
}

/// What ends a wait, where something does, at its own time.
async fn ends(site: &Site, process: &Process, wait: &Wait) {
    let at = match wait.comes {
        Comes::Nothing => return,
        Comes::Before => Ms(wait.end.0 - 1),
        Comes::AtTheEnd => wait.end,
        Comes::After => wait.end.plus(Millis(1)),
    };
    sent(site, process, "order.completed", &wait.customer, at).await.unwrap();
}

/// Sends an event of a time; sent again it is the same. Answers its id once it is accepted.
async fn sent(site: &Site, process: &Process, kind: &str, customer: &str, at: Ms) -> Option<String> {
    let event = json!({
        "specversion": "1.0", "id": format!("{kind}-{customer}"), "source": "chaos", "type": kind,
        "subject": customer, "time": at.to_string(), "data": { "cart": "a" },
    });
    let request = site.http().post(format!("{}/v1/events", process.url)).bearer_auth(KEY);
    let request = request.header("content-type", "application/cloudevents+json").body(event.to_string());
    let answer: Value = request.send().await.ok()?.json().await.ok()?;
    answer["results"][0]["event"].as_str().map(str::to_owned)
}

/// How many conversations of a customer are not over.
async fn open(site: &Site, process: &Process, customer: &str) -> usize {
    let listed = site.get(process, &format!("/v1/conversations?customer=user:{customer}")).await;
    listed["items"].as_array().unwrap().iter().filter(|row| row["state"] != "closed").count()
}
