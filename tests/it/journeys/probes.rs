//! Probes: anybody may ask whether a node is ready, as often as they like, and the store does not feel it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::world::World;
use crate::store::Place;
use crate::store::server::Server;

/// How often the server was asked for its settings, which each look does once.
fn looks(server: &Server) -> u128 {
    let told: String = redis::cmd("INFO").arg("commandstats").query(&mut server.connection()).unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("cmdstat_config|get:calls="));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_without_end_ask_the_store_twenty_times_a_second_at_most() {
    let server = Server::start(&[]);
    let world = World::start(Place::Redis { url: server.url(), prefix: "probed".to_owned() }).await;
    let url = format!("{}/readyz", world.url);
    let (before, begun) = (looks(&server), Instant::now());
    for _ in 0..5 {
        let answers = join_all((0..40).map(|_| world.http.get(&url).send())).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap().status() == 200));
    }
    for _ in 0..10 {
        assert_eq!(world.http.get(&url).send().await.unwrap().status(), 200);
    }
    let most = begun.elapsed().as_millis() / 50 + 2;
    let looked = looks(&server) - before;
    assert!(looked >= 1 && looked <= most, "{looked} looks, of which {most} would be right");
    // And what is told is not older than the question.
    let mut world = world;
    let event = world.event("nobody.listens", "42", serde_json::json!({})).await;
    world.outcome(&event).await;
    let ready = tokio::time::timeout(Duration::from_secs(5), world.get("/readyz")).await.unwrap();
    assert_eq!(ready["undecided_inputs"], 0);
}
