//! F29 with processes that die: deciding one input takes more memory than there is, which no owner can catch. A playbook may
//! do that to itself: what a text becomes within a filter, before anything is said, only the machine bounds.

use std::os::unix::process::ExitStatusExt;

use beckon::model::ids::ActorId;
use reqwest::Method;
use serde_json::{Value, json};

use super::chaos;
use super::process::{KEY, Process, Site};
use crate::store::Place;

chaos!(an_input_that_no_process_survives_ends_three_and_blocks_nobody);

/// Puts the event's whole text in the place of each of its letters.
const GREEDY: &str = r#"
playbook: greedy
on:
  - event: text.sent
open:
  key: event.id
  say: "{{ event.data.text | replace(from='t', to=event.data.text) }}"
"#;

/// The addresses that a process may use, in KiB. It reserves a good half of them as it starts; the rest is more than it ever
/// needs, and less than the words of the input that nobody survives.
const MEMORY: u32 = 2_000_000;

/// The signal of a process that ends itself.
const SIGABRT: i32 = 6;

fn event(id: &str, customer: &str, length: usize) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "chaos", "type": "text.sent", "subject": customer,
        "data": { "text": "t".repeat(length) },
    })
}

/// Sends them in one request, so that one decision stands before the others; it may never be answered.
fn send(process: &Process, events: &[Value]) -> tokio::task::JoinHandle<reqwest::Result<Value>> {
    let request = reqwest::Client::new().request(Method::POST, format!("{}/v1/events", process.url)).bearer_auth(KEY);
    let request = request.header("content-type", "application/cloudevents-batch+json");
    let request = request.body(Value::from(events).to_string());
    tokio::spawn(async move { request.send().await?.json().await })
}

async fn an_input_that_no_process_survives_ends_three_and_blocks_nobody(place: Place) {
    let site = Site::new(place, None);
    site.file("playbooks/greedy.yaml", GREEDY);
    let mut process = site.listening(site.serve_within(MEMORY));
    let partition = |customer: &str| ActorId::user(customer).partition(4);
    // One of each partition, the victim's own too.
    let others = (0..4).map(|wanted| (0..).map(|n| format!("c{n}")).find(|c| partition(c).0 == wanted).unwrap());
    let mut events = vec![event("poison", "victim", 60_000)];
    events.extend(others.map(|customer| event(&customer, &customer, 1)));
    let sending = send(&process, &events);

    let mut deaths = 0;
    while deaths < 3 {
        let status = process.ended();
        assert_eq!(status.signal(), Some(SIGABRT), "{status}\n{}", site.log());
        deaths += 1;
        process = site.launch(site.serve_within(MEMORY));
    }
    assert_eq!(site.log().matches("memory allocation of").count(), deaths, "{}", site.log());
    sending.abort();
    drop(process);

    let process = site.listening(site.serve_within(MEMORY));
    let ready = site.rest_comes(&process).await;
    assert_eq!(ready["dead_letters"], 1, "{ready}");
    let dead = site.get(&process, "/v1/dead-letters").await;
    let dead = &dead["items"][0];
    assert_eq!(dead["customer"], "user:victim");
    assert_eq!(dead["reason"], "it ended the process that decided it, more than once");

    // Who got no answer sends all of it again: it is there, and was decided once.
    let answer = send(&process, &events).await.unwrap().unwrap();
    for (sent, result) in events.iter().zip(answer["results"].as_array().unwrap()) {
        assert_eq!(result["status"], "duplicate", "{answer}");
        if sent["id"] != "poison" {
            let told = site.outcome(&process, result["event"].as_str().unwrap()).await;
            assert_eq!(told["decisions"][0]["verdict"], "waiting", "{told}");
        }
    }
    let small = [event("small", "victim", 1)];
    let answer = send(&process, &small).await.unwrap().unwrap();
    let told = site.outcome(&process, answer["results"][0]["event"].as_str().unwrap()).await;
    assert_eq!(told["decisions"][0]["verdict"], "waiting", "the victim's next input is decided: {told}");
}
