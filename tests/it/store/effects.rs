//! Effects wait under their keys, leave once, and go when they are cancelled or decided.

use beckon::store::{Batch, PendingEffect, Started, Store};

use super::{Owner, P0, P1, Place, contract, own};

contract!(
    effects_come_oldest_first,
    an_effect_is_started_once_and_under_whose_epoch_is_kept,
    a_start_needs_the_owners_epoch,
    a_cancel_removes_only_what_was_not_started,
    what_is_finished_goes_though_it_was_started,
    a_key_that_waits_already_keeps_its_first_payload_and_mark,
    what_one_batch_adds_and_cancels_is_gone,
    a_restart_keeps_marks_and_order,
);

async fn keys(store: &dyn Store) -> Vec<String> {
    store.effects(P0, 1_000).await.unwrap().into_iter().map(|effect| effect.key).collect()
}

fn adding(keys: &[&str]) -> Batch {
    let effects = keys.iter().map(|key| ((*key).to_owned(), key.as_bytes().to_vec())).collect();
    Batch { effects, ..Batch::default() }
}

fn names(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

async fn effects_come_oldest_first(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(adding(&["z", "m"])).await;
    owner.commit(adding(&["a", "k"])).await;
    assert_eq!(keys(&*store).await, ["z", "m", "a", "k"]);
    let two = store.effects(P0, 2).await.unwrap();
    let effect = |key: &str| PendingEffect { key: key.to_owned(), payload: key.as_bytes().to_vec(), started: None };
    assert_eq!(two, [effect("z"), effect("m")]);
    assert!(store.effects(P1, 10).await.unwrap().is_empty());
}

async fn an_effect_is_started_once_and_under_whose_epoch_is_kept(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(adding(&["a"])).await;
    let before = store.now().await.unwrap();
    assert_eq!(store.start(P0, owner.epoch, "a").await.unwrap(), Started::Now);
    let started = store.effects(P0, 1).await.unwrap()[0].started.unwrap();
    assert_eq!(started.0, owner.epoch);
    assert!(before <= started.1 && started.1 <= store.now().await.unwrap());
    let next = own(&*store, P0, "node").await;
    assert_eq!(store.start(P0, next.epoch, "a").await.unwrap(), Started::Before(owner.epoch, started.1));
    assert_eq!(store.start(P0, next.epoch, "b").await.unwrap(), Started::Gone);
}

async fn a_start_needs_the_owners_epoch(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(adding(&["a"])).await;
    let next = own(&*store, P0, "node").await;
    assert_eq!(store.start(P0, owner.epoch, "a").await.unwrap(), Started::Lost);
    store.release(P0, next.epoch).await.unwrap();
    assert_eq!(store.start(P0, next.epoch, "a").await.unwrap(), Started::Lost);
    assert_eq!(store.effects(P0, 1).await.unwrap()[0].started, None);
}

async fn a_cancel_removes_only_what_was_not_started(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(adding(&["a", "b"])).await;
    store.start(P0, owner.epoch, "a").await.unwrap();
    owner.commit(Batch { cancelled: names(&["a", "b", "never"]), ..Batch::default() }).await;
    assert_eq!(keys(&*store).await, ["a"]);
    assert_eq!(store.start(P0, owner.epoch, "b").await.unwrap(), Started::Gone);
    assert_eq!(store.fill().await.unwrap()[&P0].effects, 1);
}

async fn what_is_finished_goes_though_it_was_started(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(adding(&["a", "b"])).await;
    store.start(P0, owner.epoch, "a").await.unwrap();
    owner.commit(Batch { finished: names(&["a", "b", "never"]), ..Batch::default() }).await;
    assert!(keys(&*store).await.is_empty());
    assert_eq!(store.fill().await.unwrap()[&P0].effects, 0);
    // Nothing of it stays behind: the same key later is a new effect.
    owner.commit(adding(&["a"])).await;
    assert_eq!(store.effects(P0, 1).await.unwrap()[0].started, None);
}

async fn a_key_that_waits_already_keeps_its_first_payload_and_mark(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(adding(&["a", "b"])).await;
    store.start(P0, owner.epoch, "a").await.unwrap();
    owner.commit(Batch { effects: vec![("a".to_owned(), b"other".to_vec())], ..Batch::default() }).await;
    let effects = store.effects(P0, 10).await.unwrap();
    assert_eq!((effects.len(), &effects[0].payload[..], effects[0].started.is_some()), (2, &b"a"[..], true));
    assert_eq!(store.fill().await.unwrap()[&P0].effects, 2);
}

async fn what_one_batch_adds_and_cancels_is_gone(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let batch = Batch { cancelled: names(&["a"]), finished: names(&["b"]), ..adding(&["a", "b", "c"]) };
    owner.commit(batch).await;
    assert_eq!(keys(&*store).await, ["c"]);
}

async fn a_restart_keeps_marks_and_order(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(adding(&["z", "a"])).await;
    store.start(P0, owner.epoch, "a").await.unwrap();
    let before = store.effects(P0, 10).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(store.effects(P0, 10).await.unwrap(), before);
}
