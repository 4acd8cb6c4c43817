//! F3: killed between a write at the company's API and its record: one write under its key, or `unknown` and a person.

use serde_json::json;

use super::chaos;
use super::process::{Process, Site};
use crate::journeys::api::{Api, Mood};
use crate::journeys::chat::Chat;
use crate::journeys::world::{assert_dense, until};
use crate::store::Place;
use reqwest::Method;

chaos!(
    a_charge_that_a_kill_cut_off_is_made_once_under_its_key,
    a_write_without_a_key_that_a_kill_cut_off_is_unknown_until_a_person_settles_it,
);

async fn opened(site: &Site, process: &Process, event: &str, data: serde_json::Value) -> (Chat, String) {
    let mut chat = site.chat(process, "42", json!({})).await;
    site.event(process, event, "42", data).await;
    let id = chat.opened().await;
    chat.seen(&id, 1).await;
    (chat, id)
}

async fn a_charge_that_a_kill_cut_off_is_made_once_under_its_key(place: Place) {
    let api = Api::start().await;
    let site = Site::new(place, Some(api.address));
    let process = site.start();
    let data = json!({ "order_id": "7", "attempt": 2, "total": 89.5 });
    let (mut chat, id) = opened(&site, &process, "checkout.payment_failed", data).await;
    chat.choose(&id, "Use another card").await;
    assert_eq!(chat.hears().await, "Which card?");
    chat.choose(&id, "card-a").await;
    let call = chat.entry("confirm").await["call_id"].clone();
    api.is(Mood::Slow);
    chat.confirm(&id, &call, true).await;
    api.payment_arrived().await;
    chat.entry("confirmed").await;
    let (cursor, mut entries) = (chat.cursor(&id), chat.entries(&id));
    process.kill();

    api.release();
    let process = site.start();
    let mut back = site.chat(&process, "42", cursor).await;
    let path = format!("/v1/conversations/{id}");
    site.until(&process, "it is told", &path, |c| c["entries"].to_string().contains("Order N-7 is paid.")).await;
    back.catch_up().await;
    entries.extend(back.entries(&id));
    assert_dense(&entries);
    let keys = api.keys();
    assert!(keys.len() >= 2, "the next process asked again: {keys:?}");
    assert!(keys.iter().all(|key| *key == format!("{id}/{}", call.as_str().unwrap())), "{keys:?}");
    assert_eq!(api.charges("7"), 1, "and the other side counted it once");
}

async fn a_write_without_a_key_that_a_kill_cut_off_is_unknown_until_a_person_settles_it(place: Place) {
    let api = Api::start().await;
    let site = Site::new(place, Some(api.address));
    let process = site.start();
    let (mut chat, id) = opened(&site, &process, "voucher.due", json!({})).await;
    chat.choose(&id, "Yes please").await;
    let call = chat.entry("confirm").await["call_id"].as_str().unwrap().to_owned();
    api.is(Mood::Slow);
    chat.confirm(&id, &json!(call), true).await;
    until("the voucher is sent", || async { api.vouchers() == 1 }).await;
    chat.entry("confirmed").await;
    process.kill();

    api.release();
    let process = site.start();
    let path = format!("/v1/conversations/{id}");
    let told =
        site.until(&process, "the call is unknown", &path, |c| c["entries"].to_string().contains("\"unknown\"")).await;
    assert_dense(told["entries"].as_array().unwrap());
    let waiting = waiting_for_people(&site, &process).await;
    assert!(waiting.contains(&id), "it is listed for operators");
    let settle = format!("{path}/calls/{call}/settle");
    let (status, entry) = site.rest(&process, Method::POST, &settle, json!({ "state": "done" })).await;
    assert_eq!((status, &entry["state"]), (200, &json!("done")), "{entry}");
    let (status, _) = site.rest(&process, Method::POST, &settle, json!({ "state": "failed" })).await;
    assert_eq!(status, 409, "settled once");
    process.kill();

    let process = site.start();
    site.rest_comes(&process).await;
    assert!(!waiting_for_people(&site, &process).await.contains(&id), "nobody is needed any more");
    assert_eq!(api.vouchers(), 1, "never sent again");
}

/// The dashboard's list of what needs a person.
async fn waiting_for_people(site: &Site, process: &Process) -> String {
    let password = "a long enough password";
    let data = site.data.path().display().to_string();
    let workspace = site.workspace.path().display().to_string();
    let folders = ["--single", "--workspace", &workspace, "--data", &data];
    let made =
        site.run(&[&["operator", "add", "ana@shop.example", "--password-stdin"], &folders[..]].concat(), password);
    if !made.status.success() {
        // Added before.
        assert!(String::from_utf8_lossy(&made.stderr).contains("ana@shop.example"), "{made:?}");
    }
    crate::cli::dashboard(&process.url, "ana@shop.example", password).await
}
