//! SIGTERM under load: the process ends by itself, soon, and nothing accepted is lost.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::chaos;
use super::kills::{Load, check};
use super::process::Site;
use crate::store::Place;
use crate::store::server::Server;

chaos!(a_process_told_to_stop_under_load_ends_soon_and_loses_nothing);

/// What `docs/operations.md` promises.
const SOON: Duration = Duration::from_secs(20);

async fn a_process_told_to_stop_under_load_ends_soon_and_loses_nothing(place: Place) {
    let site = Site::new(place, None);
    Load::listen(&site);
    let mut process = site.start();
    let mut chats = Vec::new();
    for customer in ["1", "2", "3"] {
        chats.push(site.chat(&process, customer, json!({})).await);
    }
    let (urls, url) = watch::channel(process.url.clone());
    let load = Load::start(url);
    load.answered(40).await;
    let begun = Instant::now();
    process.signal("-TERM");
    for chat in &mut chats {
        let (code, reason) = chat.closed().await;
        let reason: Value = serde_json::from_str(&reason).unwrap();
        assert_eq!(code, 4503);
        assert!(reason["retry_after"].is_u64() || reason["retry_after"].is_f64(), "{reason}");
    }
    let status = process.ended();
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(0), "{}", site.log());
    assert!(took < SOON, "it took {took:?}");

    let process = site.start();
    urls.send_replace(process.url.clone());
    load.answered(5).await;
    let accepted = load.end().await;
    let ready = site.rest_comes(&process).await;
    assert_eq!(ready["dead_letters"], 0, "{}", site.log());
    check(&site, &process, &accepted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_store_hangs_ends_all_the_same_before_it_is_killed() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let site = Site::new(Place::Redis { url: server.url(), prefix: "stuck".to_owned() }, None);
    let mut process = site.start();
    let mut chat = site.chat(&process, "1", json!({})).await;
    site.event(&process, "quick.opened", "1", json!({ "id": "a", "level": 2 })).await;
    let id = chat.opened().await;
    server.pause();
    // Something is under way: nobody knows whether it was taken.
    chat.say(&id, "is anybody there?").await;
    process.signal("-TERM");
    // What waits for a process kills it after 60 s; so long this waits too.
    assert_eq!(process.ended().code(), Some(0), "{}", site.log());
    server.go_on();
}
