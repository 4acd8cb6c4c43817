//! The flood: events that nothing hears, as fast as the server takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::report::{Flood, Times};
use super::{Simulate, settle};
use crate::cli::client::{Client, Posted};

/// Shared between the senders.
struct Counts {
    next: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    pushed_back: AtomicU64,
    times: Mutex<Times>,
    /// Ids of accepted events to look up afterwards: the last of some requests.
    ids: Mutex<Vec<String>>,
}

/// The most events looked up after the flood.
const LOOK_UP: usize = 500;

/// Floods the server, then waits until everything is archived.
///
/// # Errors
/// Where the server cannot be reached, or never comes to rest.
pub async fn run(simulate: &Simulate, client: &Arc<Client>) -> anyhow::Result<Flood> {
    let counts = Arc::new(Counts {
        next: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        pushed_back: AtomicU64::new(0),
        times: Mutex::new(Times::new()?),
        ids: Mutex::new(Vec::new()),
    });
    let run = format!("{:x}", rand::random::<u64>());
    let begun = Instant::now();
    let ends = begun + simulate.flood.duration();
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} flood: {msg}")?);
    let mut senders = Vec::new();
    for _ in 0..simulate.concurrency.max(1) {
        let (simulate, client, counts, run) = (simulate.clone(), Arc::clone(client), Arc::clone(&counts), run.clone());
        senders.push(tokio::spawn(async move { send(&simulate, &client, &counts, &run, begun, ends).await }));
    }
    let watching = async {
        loop {
            bar.set_message(format!("{} events accepted", counts.accepted.load(Ordering::Relaxed)));
            bar.tick();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let sending = async {
        for sender in senders {
            sender.await??;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        sent = sending => sent?,
        () = watching => {}
    }
    let took = begun.elapsed();
    bar.set_message("waiting until everything is decided and archived");
    settle(client).await?;
    let settled = begun.elapsed();
    bar.set_message("looking some of them up");
    let ids = std::mem::take(&mut *counts.ids.lock().await);
    let looked_up = ids.len() as u64;
    let lost = lost(client, ids).await;
    bar.finish_and_clear();
    let accepted = counts.accepted.load(Ordering::Relaxed);
    let per_second = |took: Duration| accepted as f64 / took.as_secs_f64();
    let request = counts.times.lock().await.percentiles();
    Ok(Flood {
        accepted,
        refused: counts.refused.load(Ordering::Relaxed),
        lost,
        looked_up,
        pushed_back: counts.pushed_back.load(Ordering::Relaxed),
        accepted_per_second: per_second(took),
        sustained_per_second: per_second(settled),
        request,
    })
}

/// How many of these events the server does not know as decided; one that it does not know at all is an error to it.
async fn lost(client: &Client, ids: Vec<String>) -> u64 {
    let mut lost = 0;
    for id in ids {
        let event = client.get(&format!("/v1/events/{id}")).await.unwrap_or_default();
        lost += u64::from(event.get("status").and_then(Value::as_str) != Some("decided"));
    }
    lost
}

async fn send(
    simulate: &Simulate,
    client: &Client,
    counts: &Counts,
    run: &str,
    begun: Instant,
    ends: Instant,
) -> anyhow::Result<()> {
    let batch = simulate.batch.max(1);
    while Instant::now() < ends {
        let from = counts.next.fetch_add(batch as u64, Ordering::Relaxed);
        if let Some(rate) = simulate.flood_rate {
            let due = begun + Duration::from_secs_f64(from as f64 / f64::from(rate.max(1)));
            tokio::time::sleep_until(due.into()).await;
        }
        let events: Vec<Value> = (from..from + batch as u64).map(|n| event(run, n, simulate.customers)).collect();
        let (kind, body) = match events.as_slice() {
            [one] if batch == 1 => ("application/cloudevents+json", one.to_string()),
            _ => ("application/cloudevents-batch+json", Value::Array(events).to_string()),
        };
        loop {
            let sent = Instant::now();
            match client.post_raw("/v1/events", kind, body.clone()).await? {
                Posted::Later(wait) => {
                    counts.pushed_back.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(wait).await;
                }
                Posted::Answer(answer) => {
                    let accepted = answer.get("accepted").and_then(Value::as_u64).unwrap_or_default();
                    counts.accepted.fetch_add(accepted, Ordering::Relaxed);
                    counts.refused.fetch_add((batch as u64).saturating_sub(accepted), Ordering::Relaxed);
                    counts.times.lock().await.add(sent.elapsed());
                    let results = answer.get("results").and_then(Value::as_array);
                    let last = results.and_then(|results| results.last()?.get("event")?.as_str());
                    let mut ids = counts.ids.lock().await;
                    if ids.len() < LOOK_UP
                        && let Some(id) = last
                    {
                        ids.push(id.to_owned());
                    }
                    break;
                }
            }
        }
    }
    Ok(())
}

/// About 350 bytes, as events of shops are.
fn event(run: &str, n: u64, customers: u64) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("{run}-{n}"),
        "source": "simulate",
        "type": "simulate.page_viewed",
        "subject": format!("sim-{}", n % customers.max(1)),
        "data": {
            "page": "/products/storm-lantern",
            "referrer": "https://shop.example/search?q=lantern",
            "product_id": format!("p-{}", n % 997),
            "price": 89.5,
            "currency": "EUR",
            "session": format!("s-{}", n / 7),
            "note": "an event that nothing hears, of the size that shops send",
        },
    })
}
