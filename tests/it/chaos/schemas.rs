//! F27: states that other builds wrote: an older schema is read, a newer one is refused and nothing is guessed.

use std::sync::Arc;

use beckon::model::ids::ActorId;
use beckon::store::{Batch, Store};
use serde_json::json;

use super::chaos;
use super::process::{Site, text};
use crate::store::{Place, TTL};

chaos!(
    a_state_of_an_older_schema_is_read,
    a_state_of_a_newer_schema_is_refused_and_its_inputs_are_sent_again_after_the_update,
);

/// Writes a customer's state as another build would have, while no process runs.
async fn write_state(store: &Arc<dyn Store>, customer: &str, bytes: Option<Vec<u8>>) {
    let actor = ActorId::user(customer);
    let partition = actor.partition(store.partitions());
    let lease = store.acquire(partition, "chaos", TTL).await.unwrap().unwrap();
    let input = beckon::model::input::Envelope {
        to: beckon::model::input::To::Partition,
        body: beckon::model::input::Body::Tick,
    };
    let payload = serde_json::to_vec(&input).unwrap();
    let input = beckon::store::NewInput {
        partition,
        actor: actor.clone(),
        payload,
        dedupe: None,
        bounded: false,
        guest: false,
    };
    let to = store.append(vec![input]).await.unwrap()[0].pos;
    let line = json!({ "pos": to, "revision": 0 });
    let batch = Batch {
        states: vec![(actor, bytes)],
        journal: vec![serde_json::to_vec(&line).unwrap()],
        journal_from: 1,
        ..Batch::default()
    };
    let ended = store.commit(partition, lease.epoch, lease.at, to, batch).await.unwrap();
    assert_eq!(ended, beckon::store::Committed::Applied);
    store.release(partition, lease.epoch).await.unwrap();
}

async fn state_of(store: &Arc<dyn Store>, customer: &str) -> Vec<u8> {
    let actor = ActorId::user(customer);
    let partition = actor.partition(store.partitions());
    store.load(partition, &[actor]).await.unwrap().remove(0).expect("there is a state")
}

/// A server that has opened a conversation for a customer, and was stopped.
async fn site_with_a_conversation(place: Place, customer: &str) -> (Site, String) {
    let site = Site::new(place, None);
    let mut process = site.start();
    let event = site.event(&process, "voucher.due", customer, json!({})).await;
    let told = site.outcome(&process, &event).await;
    let conversation = told["decisions"][0]["conversation"].as_str().unwrap().to_owned();
    process.signal("-TERM");
    assert!(process.ended().success());
    (site, conversation)
}

/// The same state under another schema number.
fn under(schema: &str, bytes: &[u8]) -> Vec<u8> {
    let at = bytes.iter().position(|byte| *byte == b':').unwrap();
    [schema.as_bytes(), &bytes[at..]].concat()
}

async fn a_state_of_an_older_schema_is_read(place: Place) {
    let (site, conversation) = site_with_a_conversation(place, "42").await;
    let store = site.store().await;
    let older = under("1", &state_of(&store, "42").await);
    write_state(&store, "42", Some(older)).await;
    drop(store);

    let mut process = site.start();
    let mut chat = site.chat(&process, "42", json!({})).await;
    assert_eq!(chat.welcome["conversations"][0]["id"], conversation.as_str());
    chat.seen(&conversation, 1).await;
    let path = format!("/v1/conversations/{conversation}");
    site.until(&process, "it is open", &path, |told| told["state"] == "open").await;
    process.signal("-TERM");
    assert!(process.ended().success());
    let written = state_of(&site.store().await, "42").await;
    assert!(written.starts_with(b"3:"), "it is written as this build does");
}

async fn a_state_of_a_newer_schema_is_refused_and_its_inputs_are_sent_again_after_the_update(place: Place) {
    let (site, conversation) = site_with_a_conversation(place, "42").await;
    let store = site.store().await;
    let known = state_of(&store, "42").await;
    let newer = under("4", &known);
    write_state(&store, "42", Some(newer.clone())).await;
    drop(store);

    let mut process = site.start();
    let event = site.event(&process, "voucher.due", "42", json!({})).await;
    let told = site.outcome(&process, &event).await;
    assert_eq!(told["status"], "dead", "{told}");
    let other = site.event(&process, "voucher.due", "43", json!({})).await;
    let told = site.outcome(&process, &other).await;
    assert_eq!(told["decisions"][0]["verdict"], "waiting", "others go on: {told}");
    let url = process.url.clone();
    let remote = ["--url", url.as_str(), "--key", super::process::KEY];
    let listed = site.run(&[&["dead-letters"], &remote[..], &["list"]].concat(), "");
    assert_eq!(listed.status.code(), Some(1), "a list with something in it is something found");
    let listed = text(&listed);
    assert!(listed.contains(&event) && listed.contains("schema 4, newer than this build's 3"), "{listed}");
    process.signal("-TERM");
    assert!(process.ended().success());

    let store = site.store().await;
    assert_eq!(state_of(&store, "42").await, newer, "nothing is guessed, nothing written over");
    write_state(&store, "42", Some(known)).await;
    drop(store);
    let process = site.start();
    let remote = ["--url", process.url.as_str(), "--key", super::process::KEY];
    let resent = site.run(&[&["dead-letters"], &remote[..], &["resend", &event]].concat(), "");
    assert!(resent.status.success(), "{}", text(&resent));
    let again = text(&resent).trim().strip_prefix("resent as ").expect("it says as what").to_owned();
    let told = site.outcome(&process, &again).await;
    assert_eq!(told["decisions"][0]["verdict"], "joined", "{told}");
    assert_eq!(told["decisions"][0]["conversation"], conversation.as_str());
    let left = site.run(&[&["dead-letters"], &remote[..], &["list"]].concat(), "");
    assert!(left.status.success() && text(&left).contains("there are no dead letters"), "{}", text(&left));
}
