//! How fast an event finds its triggers: `cargo bench --bench matching`. Prints, and judges nothing.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beckon::catalog::compile;
use beckon::engine::decide::decide;
use beckon::model::catalog::{Catalog, Catalogs, Files};
use beckon::model::customer::State;
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, EventId, Partition, Pos};
use beckon::model::input::{Body, InForce, Input, To};
use beckon::trigger::sense::sense;
use serde_json::{Value, json};

const START: u64 = 1_764_547_200_000;
/// Triggers of one playbook: as many as it may have.
const EACH: usize = 50;

/// A workspace with so many triggers, each as `trigger` writes it.
fn catalog(count: usize, trigger: impl Fn(usize) -> String) -> Catalog {
    let mut files = Files::new();
    for first in (0..count).step_by(EACH) {
        let mut text = format!("playbook: p{first:06}\non:\n");
        for place in first..(first + EACH).min(count) {
            writeln!(text, "  - {}", trigger(place)).unwrap();
        }
        text += "open: { say: Hi }\n";
        files.insert(format!("playbooks/p{first:06}.yaml"), text.into_bytes());
    }
    compile(&files, None).unwrap()
}

fn event(kind: &str, data: Value) -> Event {
    Event::new("shop", "e", kind, Some(ActorId::user("42")), data)
}

/// Prints the half and the hundredth of many times of `run`.
fn measure(name: &str, mut run: impl FnMut()) {
    let mut times = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    for _ in 0..2_000 {
        run();
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        let at = Instant::now();
        run();
        times.record(u64::try_from(at.elapsed().as_nanos()).unwrap()).unwrap();
    }
    let micros = |quantile: f64| Duration::from_nanos(times.value_at_quantile(quantile));
    println!("{name:<64} p50 {:>9.2?}  p99 {:>9.2?}", micros(0.5), micros(0.99));
}

fn matching() {
    type Written = fn(usize) -> String;
    let forms: [(&str, Written, &str); 4] = [
        ("each on a type of its own", |n| format!("event: type.{n}"), "type.77"),
        ("on one type, an equality each", |n| format!("{{ event: x, when: \"event.data.region == 'r{n}'\" }}"), "x"),
        (
            "on one type, a prefix each",
            |n| format!("{{ event: x, when: \"event.data.sku.startsWith('s{n:05}')\" }}"),
            "x",
        ),
        (
            "on one type, a range each, one in reach",
            |n| format!("{{ event: x, when: \"event.data.total > {n}.5\" }}"),
            "x",
        ),
    ];
    for (name, written, kind) in forms {
        for count in [100, 10_000] {
            let catalog = catalog(count, written);
            let one = event(kind, json!({ "region": "r77", "sku": "s00077-blue", "total": 1, "lines": [1, 2, 3] }));
            measure(&format!("find: {count:>6} triggers {name}"), || {
                black_box(catalog.index.candidates(black_box(&one)));
            });
            let (actor, mut state) = (ActorId::user("42"), State::default());
            let id = EventId { partition: Partition(0), pos: Pos { ms: START, n: 0 } };
            measure(&format!("ask:  {count:>6} triggers {name}"), || {
                let now = beckon::model::time::Ms(START);
                black_box(sense(&catalog, Some(&actor), &mut state, black_box(&one), id, now));
            });
        }
    }
}

fn windows() {
    let catalog = Arc::new(catalog(50, |n| {
        format!("count: {{ event: x, at_least: {}, within: 10m, key: event.data.card }}", 21 + n)
    }));
    let in_force = InForce { revision: 1, hash: catalog.hash.clone(), paused: Vec::new() };
    let catalogs = Catalogs { by_hash: BTreeMap::from([(catalog.hash.clone(), catalog)]), in_force };
    let input = |n: u32| Input {
        partition: Partition(0),
        pos: Pos { ms: START + u64::from(n) * 1_000, n },
        to: To::Actor(ActorId::user("42")),
        body: Body::Event(Box::new(event("x", json!({ "card": "a" })))),
    };
    let mut state = State::default();
    for n in 0..20 {
        state = decide(state, &input(n), &catalogs).state;
    }
    println!("50 windows of 20 events: {} bytes of state", state.encode().len());
    measure("decide: an event with 50 active windows", || {
        black_box(decide(state.clone(), &input(20), &catalogs));
    });
}

fn bytes() {
    let forms = [
        ("count of 20 in 10m", "count: { event: x, at_least: 50, within: 10m }", 20),
        ("sum of 20 in 1h", "sum: { event: x, of: event.data.n, at_least: 9000, within: 1h }", 20),
        ("sequence, one step taken", "sequence: { events: [x, y], within: 1h }", 1),
        ("change, 8 weeks", "change: { event: x, per: 1w, falls_below: 40%, of: { usual: 8w } }", 8),
        ("absence, one waits", "absence: { of: y, after: x, within: 1h, key: event.data.n }", 1),
    ];
    for (name, trigger, events) in forms {
        let catalog = Arc::new(catalog(1, |_| trigger.to_owned()));
        let in_force = InForce { revision: 1, hash: catalog.hash.clone(), paused: Vec::new() };
        let catalogs = Catalogs { by_hash: BTreeMap::from([(catalog.hash.clone(), catalog)]), in_force };
        let mut state = State::default();
        let apart = if trigger.starts_with("change") { 7 * 86_400_000 } else { 10_000 };
        for n in 0..events {
            let pos = Pos { ms: START + u64::from(n) * apart, n };
            let body = Body::Event(Box::new(event("x", json!({ "n": n }))));
            state = decide(
                state,
                &Input { partition: Partition(0), pos, to: To::Actor(ActorId::user("42")), body },
                &catalogs,
            )
            .state;
        }
        println!("{name:<64} {:>5} bytes of state", state.encode().len());
    }
}

fn main() {
    matching();
    windows();
    bytes();
}
