//! F29: inputs that make deciding panic, or that ended the process more than once: put aside, and the partition goes on.
//! No input does so by design; so an owner is given a catalog whose words panic, and a lease of owners that died.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use beckon::engine::effects::Runner;
use beckon::engine::inbox::Inbox;
use beckon::engine::node::Settings;
use beckon::engine::owner::{Owner, Worked};
use beckon::engine::shelf::Shelf;
use beckon::model::catalog::{Catalog, Files};
use beckon::model::decision::Effect;
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, CallId, ConversationId, Pos};
use beckon::model::input::{Body, Envelope, InForce, To};
use beckon::store::{Batch, Committed, Lease, NewInput, Store};
use serde_json::{Value, json};

use super::chaos;
use super::nodes::parts;
use crate::store::{P0, Place, TTL};

chaos!(
    an_input_that_ended_processes_twice_is_put_aside_and_the_partition_goes_on,
    an_input_that_ended_one_process_is_decided,
    a_panic_puts_its_input_aside_and_nothing_else,
    an_effect_that_cannot_be_read_takes_no_place_from_others,
);

/// A playbook whose words use a filter; the test lets it panic for one customer.
const PLAYBOOK: &str = r#"
playbook: loud
on:
  - event: thing.happened
open:
  key: event.data.id
  say: "It happened to {{ event.data.id | upper }}."
"#;

/// What `| upper` cannot bear.
const UNBEARABLE: &str = "unbearable";

pub(crate) async fn with_catalog(store: &Arc<dyn Store>) -> (Shelf, InForce) {
    let files: Files = BTreeMap::from([("playbooks/loud.yaml".to_owned(), PLAYBOOK.as_bytes().to_vec())]);
    let compiled = compile(&files).unwrap();
    store.put_catalog(&compiled.hash, &files).await.unwrap();
    let in_force = InForce { revision: 1, hash: compiled.hash, paused: Vec::new() };
    assert!(store.set_in_force(0, &in_force).await.unwrap());
    // As a server does before it accepts anything.
    Inbox::new(Arc::clone(store)).announce(&in_force).await.unwrap();
    (Shelf::new(Arc::clone(store), Arc::new(compile)), in_force)
}

fn compile(files: &Files) -> Result<Catalog, String> {
    let mut catalog = beckon::catalog::compile(files, None).map_err(|mistakes| format!("{mistakes:?}"))?;
    catalog.templates.register_filter("upper", |text: &str, _: tera::Kwargs, _: &tera::State| {
        assert_ne!(text, UNBEARABLE, "the filter cannot bear it");
        Ok(text.to_uppercase())
    });
    Ok(catalog)
}

pub(super) async fn put(store: &Arc<dyn Store>, customer: &str, id: &str) -> Pos {
    let about = ActorId::user(customer);
    let event = Event::new("chaos", &format!("e-{id}"), "thing.happened", Some(about.clone()), json!({ "id": id }));
    let envelope = Envelope { to: To::Actor(about.clone()), body: Body::Event(Box::new(event)) };
    let payload = serde_json::to_vec(&envelope).unwrap();
    store
        .append(vec![NewInput { partition: P0, actor: about, payload, dedupe: None, bounded: true, guest: false }])
        .await
        .unwrap()[0]
        .pos
}

pub(super) async fn owner(store: &Arc<dyn Store>, shelf: &Shelf, lease: &Lease) -> Owner {
    Owner::take(Arc::clone(store), shelf.clone(), P0, lease, Settings::default()).await.unwrap()
}

/// Steps until there is nothing left to do.
async fn decide_all(owner: &mut Owner, in_force: &InForce) {
    loop {
        match owner.step(in_force).await.unwrap() {
            Worked::Decided(_) => {}
            Worked::Nothing => return,
            Worked::Lost => panic!("the lease is lost"),
        }
    }
}

/// Owners that each began this input and then died.
async fn died_trying(store: &Arc<dyn Store>, at: Pos, times: u32) -> Lease {
    for _ in 0..times {
        let lease = store.acquire(P0, "dying", Duration::ZERO).await.unwrap().unwrap();
        store.trying(P0, lease.epoch, at).await.unwrap().unwrap();
    }
    store.acquire(P0, "alive", TTL).await.unwrap().unwrap()
}

async fn dead(store: &Arc<dyn Store>) -> Vec<(Pos, Value)> {
    let dead = store.dead(None, 10).await.unwrap();
    dead.into_iter().map(|letter| (letter.pos, serde_json::from_slice(&letter.payload).unwrap())).collect()
}

async fn has_state(store: &Arc<dyn Store>, customer: &str) -> bool {
    store.load(P0, &[ActorId::user(customer)]).await.unwrap().remove(0).is_some()
}

async fn an_input_that_ended_processes_twice_is_put_aside_and_the_partition_goes_on(place: Place) {
    let store = place.open().await;
    let (shelf, in_force) = with_catalog(&store).await;
    let poison = put(&store, "poisoned", "a").await;
    put(&store, "innocent", "b").await;
    let lease = died_trying(&store, poison, 2).await;
    assert_eq!((lease.clean, lease.trying), (false, Some((poison, 2))));
    let mut owner = owner(&store, &shelf, &lease).await;
    decide_all(&mut owner, &in_force).await;

    let dead = dead(&store).await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(dead[0].0, poison);
    assert_eq!(dead[0].1["reason"], "it ended the process that decided it, more than once");
    assert_eq!(dead[0].1["build"], env!("CARGO_PKG_VERSION"));
    assert!(!has_state(&store, "poisoned").await, "it was not decided");
    assert!(has_state(&store, "innocent").await, "the next input was");
    let later = put(&store, "poisoned", "c").await;
    decide_all(&mut owner, &in_force).await;
    assert_eq!(owner.at(), later);
    assert!(has_state(&store, "poisoned").await, "and the customer's next one is");
}

async fn an_input_that_ended_one_process_is_decided(place: Place) {
    let store = place.open().await;
    let (shelf, in_force) = with_catalog(&store).await;
    let suspect = put(&store, "suspected", "a").await;
    let lease = died_trying(&store, suspect, 1).await;
    let mut owner = owner(&store, &shelf, &lease).await;
    decide_all(&mut owner, &in_force).await;
    assert_eq!(dead(&store).await, []);
    assert!(has_state(&store, "suspected").await);
}

async fn a_panic_puts_its_input_aside_and_nothing_else(place: Place) {
    let store = place.open().await;
    let (shelf, in_force) = with_catalog(&store).await;
    put(&store, "before", "a").await;
    let poison = put(&store, "poisoned", UNBEARABLE).await;
    put(&store, "after", "b").await;
    let lease = store.acquire(P0, "alive", TTL).await.unwrap().unwrap();
    let mut owner = owner(&store, &shelf, &lease).await;
    decide_all(&mut owner, &in_force).await;
    let dead = dead(&store).await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(dead[0].0, poison);
    let reason = dead[0].1["reason"].as_str().unwrap();
    assert!(reason.contains("panicked") && reason.contains("cannot bear it"), "{reason}");
    assert!(!has_state(&store, "poisoned").await);
    for customer in ["before", "after"] {
        assert!(has_state(&store, customer).await, "{customer}");
    }
}

async fn an_effect_that_cannot_be_read_takes_no_place_from_others(place: Place) {
    let store = place.open().await;
    let (shelf, _) = with_catalog(&store).await;
    let lease = store.acquire(P0, "alive", TTL).await.unwrap().unwrap();
    // Results go to a customer's own partition.
    let of_p0 = |id: &String| ActorId::user(id).partition(store.partitions()) == P0;
    let name = (0..).map(|n| format!("somebody{n}")).find(of_p0).unwrap();
    let to = put(&store, &name, "a").await;
    let (actor, conversation) = (ActorId::user(&name), ConversationId { partition: P0, pos: to, k: 0 });
    let (operation, catalog) = ("shop.get_order".to_owned(), "of another day".to_owned());
    let (call, at, args) = (CallId(1), to.time(), serde_json::Map::new());
    let effect = Effect::Call { actor, conversation, call, operation, catalog, args, write: false, at };
    let good = (effect.key(), serde_json::to_vec(&effect).unwrap());
    let effects = vec![("of a newer build".to_owned(), b"{}".to_vec()), good];
    let batch = Batch { effects, ..Batch::default() };
    assert_eq!(store.commit(P0, lease.epoch, lease.at, to, batch).await.unwrap(), Committed::Applied);

    let outside = parts(&store, shelf.clone(), Settings::default()).outside;
    // One place in all.
    let mut runner = Runner::new(Arc::clone(&store), shelf, outside, P0, lease.epoch, 1);
    runner.begin(true).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), runner.ended()).await.expect("the other has the place");
    let results = store.read(P0, to, 9).await.unwrap();
    let result: Envelope = serde_json::from_slice(&results[0].payload).unwrap();
    assert!(matches!(result.body, Body::Called { .. }), "{result:?}");
}
