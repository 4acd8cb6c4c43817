//! How fast `decide` alone is: `cargo bench --bench decide`. Prints, and judges nothing.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beckon::catalog::{compile, read_workspace};
use beckon::engine::decide::decide;
use beckon::model::catalog::Catalogs;
use beckon::model::customer::State;
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, Partition, Pos};
use beckon::model::input::{Body, InForce, Input, To};
use serde_json::{Value, json};

const RUN: Duration = Duration::from_secs(3);

/// An event about one customer.
fn input(kind: &str, data: Value) -> Input {
    let customer = ActorId::user("42");
    Input {
        partition: Partition(17),
        pos: Pos { ms: 1_764_000_000_000, n: 0 },
        to: To::Actor(customer.clone()),
        body: Body::Event(Box::new(Event::new("shop", "e-1", kind, Some(customer), data))),
    }
}

/// Decides the same input again and again from the same state.
fn measure(what: &str, state: &State, input: &Input, catalogs: &Catalogs) {
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < RUN {
        for _ in 0..100 {
            black_box(decide(black_box(state.clone()), black_box(input), black_box(catalogs)));
        }
        count += 100;
    }
    println!("{what:<44} {:>10.0} a second", f64::from(count) / begun.elapsed().as_secs_f64());
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop/workspace");
    let catalog = compile(&read_workspace(&folder).unwrap(), None).unwrap();
    let in_force = InForce { revision: 1, hash: catalog.hash.clone(), paused: Vec::new() };
    let catalogs = Catalogs { by_hash: BTreeMap::from([(catalog.hash.clone(), Arc::new(catalog))]), in_force };
    let declined = |attempt: u32| {
        input(
            "checkout.payment_failed",
            json!({ "order_id": "7", "number": "NW-7", "attempt": attempt, "total": 89.5 }),
        )
    };
    let fresh = State::default();
    let open = decide(fresh.clone(), &declined(2), &catalogs).state;
    measure("an event that nothing hears", &fresh, &input("page.viewed", json!({ "page": "/" })), &catalogs);
    measure("an event whose condition does not hold", &fresh, &declined(1), &catalogs);
    measure("an event that opens a conversation", &fresh, &declined(2), &catalogs);
    measure("an event that joins an open conversation", &open, &declined(3), &catalogs);
    let completed = input("checkout.completed", json!({ "order_id": "7", "total": 89.5 }));
    measure("an event that reaches a goal", &open, &completed, &catalogs);
}
