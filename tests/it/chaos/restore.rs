//! The drill of `docs/operations.md`: both files are copied while the server works, the machine is lost, and a new folder
//! goes on from the copies. The statements are those that the page says to type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::kills::Load;
use super::process::{KEY, Process, Site, run, text};
use crate::cli::dashboard;
use crate::journeys::api::Api;
use crate::journeys::world::assert_dense;
use crate::store::Place;

const EMAIL: &str = "ana@shop.example";
const PASSWORD: &str = "a password for the drill";

/// Both files, in the order in which they are copied.
const FILES: [&str; 2] = ["beckon.db", "record.db"];

/// Does what `sqlite3 FILE "STATEMENT"` does; what it prints.
fn sqlite(file: &Path, statement: &str) -> Vec<String> {
    let db = rusqlite::Connection::open(file).unwrap();
    let mut statement = db.prepare(statement).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Copies a file while the server works on it.
fn back_up(site: &Site, backup: &Path, file: &str) {
    let printed = sqlite(&site.data.path().join(file), &format!("vacuum into '{}'", backup.join(file).display()));
    assert!(printed.is_empty(), "{printed:?}");
}

/// `beckon send` of an event that opens; whether it was accepted or a duplicate, and its id.
fn send(site: &Site, process: &Process, customer: &str) -> String {
    let of = ["--customer", customer, "--id", customer, "--data", r#"{"id":"a","level":2}"#];
    let sent = site.run(&[&["send", "--url", &process.url, "--key", KEY, "quick.opened"], &of[..]].concat(), "");
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent));
    text(&sent).lines().next().unwrap().to_owned()
}

/// A command that works on the folders.
fn on_folders(site: &Site, arguments: &[&str], input: &str) -> Output {
    let mut command = site.command(arguments);
    command.arg("--workspace").arg(site.workspace.path()).arg("--data").arg(site.data.path());
    let output = run(command, input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    output
}

async fn conversations(site: &Site, process: &Process, customer: &str) -> usize {
    let list = site.get(process, &format!("/v1/conversations?customer=user:{customer}")).await;
    list["items"].as_array().unwrap().len()
}

/// Each event was decided once by each playbook that hears it, opened or joined one conversation a key, and stands in its
/// log once.
async fn decided_once(site: &Site, process: &Process, events: &[String]) {
    let told: Vec<Value> = futures_util::stream::iter(events)
        .map(async |event| site.outcome(process, event).await)
        .buffer_unordered(8)
        .collect()
        .await;
    let mut held: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut openings = BTreeSet::new();
    for told in &told {
        let decisions = told["decisions"].as_array().unwrap();
        let playbooks: Vec<&str> = decisions.iter().map(|d| d["playbook"].as_str().unwrap()).collect();
        assert_eq!(playbooks, ["even", "steady"], "each listens once: {told}");
        for decision in decisions.iter().filter(|decision| !decision["conversation"].is_null()) {
            let conversation = decision["conversation"].as_str().unwrap().to_owned();
            if decision["verdict"] == "waiting" {
                assert!(openings.insert(conversation.clone()), "opened twice: {told}");
            }
            held.entry(conversation).or_default().insert(told["event"].as_str().unwrap());
        }
    }
    for (conversation, events) in held {
        let shown = site.get(process, &format!("/v1/conversations/{conversation}?view=trace")).await;
        let entries = shown["entries"].as_array().unwrap();
        let numbers: Vec<u64> = entries.iter().map(|entry| entry["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>(), "{shown:#}");
        let there: Vec<&str> = entries.iter().filter_map(|entry| entry["event"].as_str()).collect();
        let once: BTreeSet<&str> = there.iter().copied().collect();
        assert_eq!(there.len(), once.len(), "no event twice: {shown:#}");
        assert!(once.is_superset(&events), "none is missing: {shown:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_taken_while_it_serves_go_on_in_a_new_folder() {
    let api = Api::start().await;
    let mut site = Site::new(Place::embedded(), Some(api.address));
    Load::listen(&site);
    let process = site.start();
    on_folders(&site, &["operator", "add", EMAIL, "--password-stdin"], &format!("{PASSWORD}\n"));
    let load = Load::start(watch::channel(process.url.clone()).1);
    load.answered(100).await;
    for customer in ["ann", "ben", "cleo"] {
        assert!(send(&site, &process, customer).starts_with("accepted "));
    }
    let mut payer = site.chat(&process, "payer", json!({})).await;
    site.event(&process, "checkout.payment_failed", "payer", json!({ "order_id": "7", "attempt": 2, "total": 89.5 }))
        .await;
    let paid = payer.opened().await;
    payer.seen(&paid, 1).await;
    payer.choose(&paid, "Use another card").await;
    assert_eq!(payer.hears().await, "Which card?");
    payer.choose(&paid, "card-a").await;
    let call = payer.entry("confirm").await["call_id"].clone();
    payer.confirm(&paid, &call, true).await;
    assert_eq!(payer.hears().await, "Order N-7 is paid.");
    let words = payer.words(&paid);

    // The live state first, under load; then the record, which must not be older.
    let backup = tempfile::tempdir().unwrap();
    let accepted = load.so_far();
    back_up(&site, backup.path(), FILES[0]);
    assert!(send(&site, &process, "between").starts_with("accepted "));
    load.answered(20).await;
    back_up(&site, backup.path(), FILES[1]);
    assert!(send(&site, &process, "after").starts_with("accepted "));
    load.end().await;
    process.kill();

    let restored = tempfile::tempdir().unwrap();
    for file in FILES {
        assert_eq!(sqlite(&backup.path().join(file), "pragma integrity_check"), ["ok"], "{file}");
        std::fs::copy(backup.path().join(file), restored.path().join(file)).unwrap();
    }
    site.data = restored;
    let mut process = site.start();
    let ready = site.rest_comes(&process).await;
    assert_eq!((&ready["ready"], &ready["dead_letters"]), (&json!(true), &json!(0)), "{ready}");
    decided_once(&site, &process, &accepted).await;

    // Logins, customers, what was said and what was charged.
    assert!(dashboard(&process.url, EMAIL, PASSWORD).await.contains("Nobody needs you now."));
    let counts = [("ann", 1), ("ben", 1), ("cleo", 1), ("payer", 1), ("after", 0)];
    for (customer, count) in counts {
        assert_eq!(conversations(&site, &process, customer).await, count, "{customer}");
    }
    assert_eq!(site.get(&process, "/v1/customers/user:payer").await["customer"], "user:payer");
    let mut payer = site.chat(&process, "payer", json!({})).await;
    assert_eq!(payer.words(&paid), words);
    let client_id = payer.say(&paid, "thank you").await;
    payer.answer(&client_id).await.unwrap();
    payer.hears().await;
    assert_dense(&payer.entries(&paid));
    assert_eq!(api.charges("7"), 1, "nothing is charged again");

    // What the live state knew is a duplicate; what came after its copy is taken anew.
    for customer in ["ann", "ben", "cleo"] {
        assert!(send(&site, &process, customer).starts_with("duplicate "), "{customer}");
    }
    for customer in ["between", "after", "new"] {
        assert!(send(&site, &process, customer).starts_with("accepted "), "{customer}");
    }
    site.rest_comes(&process).await;
    process.signal("-TERM");
    assert!(process.ended().success());
    let rebuilt = on_folders(&site, &["record", "rebuild"], "");
    assert!(text(&rebuilt).contains("lines of the archive gave the views anew"), "{}", text(&rebuilt));
    let process = site.start();
    decided_once(&site, &process, &accepted).await;
    for (customer, count) in [("ann", 1), ("ben", 1), ("cleo", 1), ("payer", 1), ("after", 1), ("new", 1)] {
        assert_eq!(conversations(&site, &process, customer).await, count, "{customer}");
    }
}

#[test]
fn the_page_says_what_the_drill_does() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let drill = page.split("### A drill").nth(1).unwrap().split("\n### ").next().unwrap();
    for (line, file) in FILES.iter().enumerate() {
        let copies: Vec<&str> = drill.lines().filter(|line| line.contains("vacuum into")).collect();
        assert_eq!(copies.len(), FILES.len(), "{copies:?}");
        assert!(
            copies[line].contains(&format!("sqlite3 data/{file} \"vacuum into 'backup/{file}'\"")),
            "{}",
            copies[line]
        );
        assert!(drill.contains(&format!("sqlite3 backup/{file} 'pragma integrity_check'")), "{file}");
    }
}
