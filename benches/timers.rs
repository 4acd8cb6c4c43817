//! What many waits cost: `cargo bench --bench timers [-- 1000000] [redis://127.0.0.1:6379/]`. Each customer waits for an event
//! not to come. Prints, and judges nothing.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

mod shared;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beckon::engine::decide::decide;
use beckon::model::catalog::{Catalogs, Files};
use beckon::model::customer::State;
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, Partition, Pos};
use beckon::model::input::{Body, InForce, Input, To};
use beckon::model::time::{Millis, Ms};
use beckon::store::{Batch, NewInput, Store};
use hdrhistogram::Histogram;
use serde_json::json;
use shared::{PARTITIONS, settings};

const AT_ONCE: usize = 1_000;

const CART: &str = "playbook: cart\n\
    on:\n  - absence: { of: order.completed, after: cart.updated, within: 1h, key: event.data.cart }\n\
    open: { key: event.data.cart, within: 24h, say: \"Your cart waits.\" }\n";

fn catalogs() -> Catalogs {
    let files = Files::from([("playbooks/cart.yaml".to_owned(), CART.as_bytes().to_vec())]);
    let catalog = Arc::new(beckon::catalog::compile(&files, None).unwrap());
    let in_force = InForce { revision: 1, hash: catalog.hash.clone(), paused: Vec::new() };
    Catalogs { by_hash: BTreeMap::from([(catalog.hash.clone(), catalog)]), in_force }
}

/// The state of a customer whose cart was left at a time.
fn waits(catalogs: &Catalogs, actor: &ActorId, at: Ms) -> State {
    let event = Event::new("shop", "e-1", "cart.updated", Some(actor.clone()), json!({ "cart": "c-1", "items": 2 }));
    let pos = Pos { ms: at.0, n: 0 };
    let body = Body::Event(Box::new(event));
    let input = Input { partition: Partition(0), pos, to: To::Actor(actor.clone()), body };
    decide(State::default(), &input, catalogs).state
}

/// Microseconds, or hundredths of them.
fn times() -> Histogram<u64> {
    Histogram::new(3).unwrap()
}

/// The bytes of the files in a folder.
fn size(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    files.map(|file| file.metadata().map_or(0, |file| file.len())).sum()
}

/// The memory of this process, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1_024
}

/// Lets so many customers of a partition wait, due a millisecond after another.
async fn fill(store: &Arc<dyn Store>, catalogs: &Catalogs, partition: Partition, customers: u64, begun: Ms) {
    let lease = store.acquire(partition, "bench", Duration::from_secs(600)).await.unwrap().unwrap();
    let (mut at, mut line) = (lease.at, 1);
    let mut left = 0..customers;
    loop {
        let some: Vec<u64> = left.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return;
        }
        let input = NewInput {
            partition,
            actor: ActorId::user("somebody"),
            payload: b"{}".to_vec(),
            dedupe: None,
            bounded: false,
            guest: false,
        };
        let to = store.append(vec![input]).await.unwrap().first().unwrap().pos;
        let mut batch = Batch { journal: vec![b"{}".to_vec()], journal_from: line, ..Batch::default() };
        for n in some {
            let actor = ActorId::user(&format!("{partition}-{n}"));
            let state = waits(catalogs, &actor, begun.plus(Millis(n)));
            batch.due.push((actor.clone(), state.due()));
            batch.states.push((actor, Some(state.encode())));
        }
        store.commit(partition, lease.epoch, at, to, batch).await.unwrap();
        (at, line) = (to, line + 1);
    }
}

#[tokio::main]
async fn main() {
    let count = std::env::args().skip(1).find_map(|text| text.parse::<u64>().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir_in(".").unwrap();
    let store = beckon::store::open(&settings(), folder.path()).await.unwrap();
    let catalogs = catalogs();
    let begun = store.now().await.unwrap();
    let before = memory();

    let started = Instant::now();
    for partition in 0..PARTITIONS {
        fill(&store, &catalogs, Partition(partition), count / u64::from(PARTITIONS), begun).await;
    }
    let count = count / u64::from(PARTITIONS) * u64::from(PARTITIONS);
    let took = started.elapsed();
    println!("{count} customers wait, written in {:.1} s", took.as_secs_f64());
    println!("state of each: {} bytes", waits(&catalogs, &ActorId::user("0-1"), begun).encode().len());
    let files = size(folder.path());
    if files > 0 {
        println!("files of the store: {} bytes for each", files / count.max(1));
    }
    println!("memory of the process: {} MB before, {} MB after", before >> 20, memory() >> 20);

    let mut look = times();
    for round in 0..2_000_u16 {
        let started = Instant::now();
        store.due(Partition(round % PARTITIONS), Ms(u64::MAX), 1).await.unwrap();
        look.record(u64::try_from(started.elapsed().as_micros()).unwrap()).unwrap();
    }
    println!(
        "a look for what is due next: p50 {} us, p99 {} us",
        look.value_at_quantile(0.5),
        look.value_at_quantile(0.99)
    );

    let all_due = begun.plus(Millis::hours(2));
    let mut some = times();
    for round in 0..200_u16 {
        let started = Instant::now();
        let due = store.due(Partition(round % PARTITIONS), all_due, AT_ONCE).await.unwrap();
        some.record(u64::try_from(started.elapsed().as_micros()).unwrap()).unwrap();
        assert_eq!(due.len(), AT_ONCE.min(usize::try_from(count / u64::from(PARTITIONS)).unwrap()));
    }
    println!("{AT_ONCE} that are due: p50 {} us, p99 {} us", some.value_at_quantile(0.5), some.value_at_quantile(0.99));

    let mut tick = times();
    for n in 0..20_000 {
        let actor = ActorId::user(&format!("{n}"));
        let state = waits(&catalogs, &actor, begun);
        let pos = Pos { ms: all_due.0, n: 0 };
        let input = Input { partition: Partition(0), pos, to: To::Actor(actor), body: Body::Tick };
        let started = Instant::now();
        let decision = decide(state, &input, &catalogs);
        tick.record(u64::try_from(started.elapsed().as_nanos()).unwrap() / 10).unwrap();
        assert_eq!(decision.conversations.len(), 1);
    }
    let tick = |quantile| f64::from(u32::try_from(tick.value_at_quantile(quantile)).unwrap()) / 100.0;
    println!("to decide a tick that opens: p50 {:.1} us, p99 {:.1} us", tick(0.5), tick(0.99));
}
