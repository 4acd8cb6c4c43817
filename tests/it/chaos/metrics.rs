//! What operators watch: every documented metric is there, true, and `/readyz` says who may have traffic.

use std::collections::BTreeSet;

use serde_json::json;

use super::process::{Process, Site};
use crate::journeys::model::{Model, Says};
use crate::journeys::world::until;
use crate::store::Place;

/// Named in the operations guide, but only where the configuration has a webhook, an API that was called, files of customers,
/// or a topic (`topics` looks at its own).
const RARE: &[&str] = &[
    "beckon_attachments_total",
    "beckon_outbox_items_total",
    "beckon_outbox_oldest_seconds",
    "beckon_outbox_seconds",
    "beckon_outbox_waiting",
    "beckon_topic_customers_total",
    "beckon_topic_page_seconds",
    "beckon_hooks_refused_total",
    "beckon_calls_total",
    "beckon_adapter_waiting",
    "beckon_adapter_open",
    "beckon_chat_refused_total",
];

fn documented() -> BTreeSet<String> {
    let table = include_str!("../../../docs/operations.md").lines().filter(|line| line.starts_with("| `beckon_"));
    let names = table.flat_map(|line| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    names.map(|name| name.split('{').next().unwrap().to_owned()).collect()
}

pub(super) async fn metrics(process: &Process) -> String {
    reqwest::get(format!("{}/metrics", process.url)).await.unwrap().text().await.unwrap()
}

/// The value of a metric with these labels, as they are printed.
pub(super) fn value(metrics: &str, line: &str) -> Option<f64> {
    metrics.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_metric_is_told_by_a_running_server() {
    let model = Model::start().await;
    let site = Site::new(Place::embedded(), None).with_model(model.address);
    drop(site.start());
    let store = site.store().await;
    crate::store::put(&*store, crate::store::P0, "not an input").await;
    drop(store);
    let process = site.start();
    let mut chat = site.chat(&process, "42", json!({})).await;
    site.event(&process, "quick.opened", "42", json!({ "id": "a", "level": 2 })).await;
    let id = chat.opened().await;
    chat.seen(&id, 1).await;
    model.will_say([Says::Words("Here is your answer.")]);
    chat.say(&id, "a question").await;
    assert_eq!(chat.hears().await, "Here is your answer.");
    assert_eq!(site.try_event(&process, "", "42", json!({})).await.0, 400);
    let socket = site.chat(&process, "43", json!({})).await;
    until("both sockets are counted", || async { value(&metrics(&process).await, "beckon_sockets_open") == Some(2.0) })
        .await;
    drop(socket);

    let documented = documented();
    assert!(documented.len() > 20, "{documented:?}");
    let told = until_told(&process, |told| {
        value(told, "beckon_dead_letters") == Some(1.0) && value(told, "beckon_sockets_open") == Some(1.0)
    })
    .await;
    for name in documented.iter().filter(|name| !RARE.contains(&name.as_str())) {
        let is = |line: &str| line.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with([' ', '{', '_']));
        assert!(told.lines().any(is), "{name} is not told:\n{told}");
    }
    for name in told.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(documented.contains(name), "{name} is not in the operations guide");
    }
    assert_eq!(value(&told, "beckon_dead_letters_total"), Some(1.0));
    assert_eq!(value(&told, r#"beckon_events_total{door="events",status="accepted"}"#), Some(1.0));
    assert_eq!(value(&told, r#"beckon_events_total{door="events",status="rejected"}"#), Some(1.0));
    assert_eq!(value(&told, r#"beckon_model_tries_total{model="stub",ended="answered"}"#), Some(1.0));
    assert_eq!(value(&told, r#"beckon_model_waiting{model="stub"}"#), Some(0.0));
    assert_eq!(value(&told, "beckon_dedupe_keys"), Some(1.0));
    assert_eq!(value(&told, r#"beckon_fullest_partition{bound="dead"}"#), Some(1.0 / 10_000.0));
    assert!(value(&told, "beckon_commit_seconds_count").unwrap() >= 2.0);
    assert!(value(&told, "beckon_decide_seconds_count").unwrap() >= 2.0);
}

async fn until_told(process: &Process, wanted: impl Fn(&str) -> bool) -> String {
    let last = std::sync::Mutex::new(String::new());
    until("the gauges are set", || async {
        let told = metrics(process).await;
        let is = wanted(&told);
        *last.lock().unwrap() = told;
        is
    })
    .await;
    last.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_not_ready_while_its_store_is_away() {
    let mut server = crate::store::server::Server::start(&["--appendonly", "yes"]);
    let site = Site::new(Place::Redis { url: server.url(), prefix: "ready".to_owned() }, None);
    let process = site.start();
    let ready = || async {
        let answer = reqwest::get(format!("{}/readyz", process.url)).await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };
    assert_eq!(ready().await.0, 200);
    server.kill();
    until("it is not ready", || async { ready().await.0 == 503 }).await;
    let (_, told) = ready().await;
    assert!(told["problems"][0].as_str().unwrap().contains("the store"), "{told}");
    assert!(server.up());
    until("it is ready again", || async { ready().await.0 == 200 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_is_not_ready() {
    let site = Site::new(Place::embedded(), None);
    let process = site.start();
    // Its close is not answered, so the node has to wait for it.
    let _open = site.chat(&process, "42", json!({})).await;
    process.signal("-TERM");
    until("it says that it drains", || async {
        let answer = reqwest::get(format!("{}/readyz", process.url)).await.expect("it still answers");
        let status = answer.status().as_u16();
        let told: serde_json::Value = answer.json().await.unwrap();
        status == 503 && told["problems"][0] == "this node is draining"
    })
    .await;
}
