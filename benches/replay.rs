//! How fast days run again: `cargo bench --bench replay [-- EVENTS]`. Prints, and judges nothing.
//!
//! Events of 20,000 customers: one in ten is of a type that the playbook hears, one in a hundred meets its condition.
//! First from memory, which is `decide` with all that a replay counts; then from a record on disk, parsing included.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beckon::catalog::{compile, read_workspace};
use beckon::model::decision::JournalLine;
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, Partition, Pos};
use beckon::model::input::{Body, Envelope, To};
use beckon::model::time::Ms;
use beckon::record::{Line, LineId, Record, Recorded, StoredText};
use beckon::rehearsal::replay::{Known, Replay, Window};
use beckon::rehearsal::tally::TokensSpent;
use serde_json::json;

const PARTITIONS: u16 = 64;
const CUSTOMERS: u64 = 20_000;
const START: u64 = 1_767_225_600_000;

fn event(n: u64) -> (Partition, Recorded) {
    let customer = ActorId::user(&(n * 7_919 % CUSTOMERS).to_string());
    let (kind, level) = match n % 100 {
        0 => ("bench.opened", 2),
        1..=9 => ("bench.opened", 1),
        _ => ("page.viewed", 0),
    };
    let data = json!({
        "id": format!("o-{n}"), "level": level, "total": 89.5, "currency": "EUR", "page": "/checkout/cards",
        "lines": [{ "sku": "kettle", "quantity": 1 }, { "sku": "mug", "quantity": 4 }],
    });
    let event = Event::new("shop", &format!("evt-{n}"), kind, Some(customer.clone()), data);
    let partition = customer.partition(PARTITIONS);
    let input = Envelope { to: To::Actor(customer), body: Body::Event(Box::new(event)) };
    (partition, Recorded { pos: Pos { ms: START + n * 100, n: 0 }, input, conversations: Vec::new() })
}

/// The allocator of the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long this thread has had a core: what others do on the machine is left out.
fn on_a_core() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

fn told(what: &str, events: u64, took: Duration, core: Duration) {
    let rate = events as f64 / core.as_secs_f64();
    let (took, core) = (took.as_secs_f64(), core.as_secs_f64());
    println!("{what}: {events} events in {took:.2} s, {core:.2} s of a core, {rate:.0} a second of it");
}

fn main() {
    let events: u64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/workspace");
    let catalog = Arc::new(compile(&read_workspace(&workspace).unwrap(), None).unwrap());
    let window = Window { from: Ms(0), to: Ms(u64::MAX) };
    let mut partitions: Vec<Vec<Recorded>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
    for n in 0..events {
        let (partition, input) = event(n);
        partitions.get_mut(usize::from(partition.0)).unwrap().push(input);
    }
    let for_the_record = events.min(200_000);

    let mut replay = Replay::new(Arc::clone(&catalog), window);
    let (begun, core) = (Instant::now(), on_a_core());
    for (at, inputs) in partitions.into_iter().enumerate() {
        let known = Known::of(&inputs);
        replay.partition(Partition(u16::try_from(at).unwrap()), inputs.into_iter(), &known);
    }
    let (took, core) = (begun.elapsed(), on_a_core() - core);
    let report = replay.finish().report(&TokensSpent::default());
    told("from memory", events, took, core);
    println!("  {} openings, {} contacts", report.openings.len(), report.contacts);

    // One thread, so that its time on a core is all but SQLite's own, which has a thread to itself.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(from_the_record(&catalog, window, for_the_record));
}

async fn from_the_record(catalog: &Arc<beckon::model::catalog::Catalog>, window: Window, events: u64) {
    let folder = tempfile::tempdir().unwrap();
    let record = Record::open("sqlite:", folder.path()).await.unwrap();
    let mut lines: Vec<Vec<Line>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
    for n in 0..events {
        let (partition, recorded) = event(n);
        let To::Actor(actor) = recorded.input.to.clone() else { continue };
        let line = JournalLine::blank(recorded.pos, 1, Some(actor));
        let of = lines.get_mut(usize::from(partition.0)).unwrap();
        let id = LineId { epoch: 1, n: u64::try_from(of.len()).unwrap() + 1 };
        of.push(Line { id, line, input: Some(StoredText::from(&recorded.input)) });
    }
    for (at, lines) in lines.into_iter().enumerate() {
        record.archive(Partition(u16::try_from(at).unwrap()), lines).await.unwrap();
    }
    let mut replay = Replay::new(Arc::clone(catalog), window);
    let (begun, core) = (Instant::now(), on_a_core());
    let mut reading = Duration::ZERO;
    for partition in record.recorded_partitions().await.unwrap() {
        let read = on_a_core();
        let inputs = record.recorded(partition, window.from, Ms(1 << 62)).await.unwrap();
        reading += on_a_core() - read;
        let known = Known::of(&inputs);
        replay.partition(partition, inputs.into_iter(), &known);
    }
    told("from a record on disk", events, begun.elapsed(), on_a_core() - core);
    println!("  {:.2} s of it reading and parsing", reading.as_secs_f64());
    println!("  {} openings", replay.openings().len());
}
