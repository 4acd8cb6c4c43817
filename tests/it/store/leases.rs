//! One owner a partition, and what is known of the one before.

use std::time::Duration;

use beckon::model::ids::Pos;
use beckon::store::Batch;

use super::{Owner, P0, P1, Place, TTL, contract, own, put, put_many};

contract!(
    a_free_lease_is_taken_and_a_held_one_is_not,
    each_lease_has_a_greater_epoch_not_below_the_stores_time,
    a_node_takes_its_own_lease_again_with_a_new_epoch,
    a_lease_that_ran_out_is_anybodys,
    a_renewed_lease_holds_on,
    a_released_lease_is_clean_and_one_that_ran_out_is_not,
    of_many_who_take_at_once_one_has_it,
    what_is_tried_is_counted_by_owners_that_did_not_commit_past_it,
    an_owner_that_asks_twice_counts_once,
    a_commit_or_a_release_forgets_what_was_tried,
    a_restart_keeps_what_was_tried,
    nodes_that_beat_are_listed_until_they_stop_or_depart,
);

const NONE: Duration = Duration::ZERO;

async fn a_free_lease_is_taken_and_a_held_one_is_not(place: Place) {
    let store = place.open().await;
    let lease = own(&*store, P0, "a").await;
    assert_eq!((lease.at, lease.trying, lease.clean), (Pos::START, None, true));
    assert_eq!(store.acquire(P0, "b", TTL).await.unwrap(), None);
    assert!(store.acquire(P1, "b", TTL).await.unwrap().is_some());
    store.release(P0, lease.epoch).await.unwrap();
    assert!(store.acquire(P0, "b", TTL).await.unwrap().is_some());
}

async fn each_lease_has_a_greater_epoch_not_below_the_stores_time(place: Place) {
    let store = place.open().await;
    let mut last = 0;
    for _ in 0..20 {
        let now = store.now().await.unwrap();
        let lease = own(&*store, P0, "a").await;
        assert!(lease.epoch > last && lease.epoch >= now.0, "{} after {last} at {now}", lease.epoch);
        last = lease.epoch;
        store.release(P0, lease.epoch).await.unwrap();
    }
}

async fn a_node_takes_its_own_lease_again_with_a_new_epoch(place: Place) {
    let store = place.open().await;
    let first = own(&*store, P0, "a").await;
    let second = own(&*store, P0, "a").await;
    assert!(second.epoch > first.epoch);
    assert!(!second.clean);
    assert!(!store.renew(P0, first.epoch, TTL).await.unwrap());
    assert!(store.renew(P0, second.epoch, TTL).await.unwrap());
    assert_eq!(store.acquire(P0, "b", TTL).await.unwrap(), None);
}

async fn a_lease_that_ran_out_is_anybodys(place: Place) {
    let store = place.open().await;
    let first = store.acquire(P0, "a", NONE).await.unwrap().unwrap();
    let second = own(&*store, P0, "b").await;
    assert!(second.epoch > first.epoch);
    assert!(!second.clean);
}

async fn a_renewed_lease_holds_on(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(P0, "a", NONE).await.unwrap().unwrap();
    assert!(store.renew(P0, lease.epoch, TTL).await.unwrap());
    assert_eq!(store.acquire(P0, "b", TTL).await.unwrap(), None);
}

async fn a_released_lease_is_clean_and_one_that_ran_out_is_not(place: Place) {
    let store = place.open().await;
    let lease = own(&*store, P0, "a").await;
    store.release(P0, lease.epoch).await.unwrap();
    let lease = store.acquire(P0, "b", NONE).await.unwrap().unwrap();
    assert!(lease.clean);
    let lease = own(&*store, P0, "c").await;
    assert!(!lease.clean);
    // A stale release cleans nothing and frees nothing.
    store.release(P0, lease.epoch - 1).await.unwrap();
    assert_eq!(store.acquire(P0, "d", TTL).await.unwrap(), None);
}

async fn of_many_who_take_at_once_one_has_it(place: Place) {
    let store = place.open().await;
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move { store.acquire(P0, &n.to_string(), TTL).await.unwrap() })
        })
        .collect();
    let mut owners = 0;
    for call in calls {
        owners += u32::from(call.await.unwrap().is_some());
    }
    assert_eq!(owners, 1);
}

async fn what_is_tried_is_counted_by_owners_that_did_not_commit_past_it(place: Place) {
    let store = place.open().await;
    let all = put_many(&*store, P0, 2).await;
    for count in 1..=3 {
        let lease = store.acquire(P0, "a", NONE).await.unwrap().unwrap();
        assert_eq!(lease.trying, (count > 1).then(|| (all[0], count - 1)));
        assert_eq!(store.trying(P0, lease.epoch, all[0]).await.unwrap(), Some(count));
    }
    let lease = own(&*store, P0, "a").await;
    assert_eq!(store.trying(P0, lease.epoch, all[1]).await.unwrap(), Some(1));
    assert_eq!(store.trying(P0, lease.epoch - 1, all[1]).await.unwrap(), None);
}

async fn an_owner_that_asks_twice_counts_once(place: Place) {
    let store = place.open().await;
    let pos = put(&*store, P0, "x").await;
    let lease = own(&*store, P0, "a").await;
    assert_eq!(store.trying(P0, lease.epoch, pos).await.unwrap(), Some(1));
    assert_eq!(store.trying(P0, lease.epoch, pos).await.unwrap(), Some(1));
}

async fn a_commit_or_a_release_forgets_what_was_tried(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let pos = put(&*store, P0, "x").await;
    store.trying(P0, owner.epoch, pos).await.unwrap();
    owner.commit_to(pos, Batch::default()).await;
    let lease = own(&*store, P0, "node").await;
    assert_eq!((lease.trying, lease.clean), (None, false));
    let pos = put(&*store, P0, "y").await;
    store.trying(P0, lease.epoch, pos).await.unwrap();
    store.release(P0, lease.epoch).await.unwrap();
    assert_eq!(own(&*store, P0, "node").await.trying, None);
}

async fn a_restart_keeps_what_was_tried(place: Place) {
    let store = place.open().await;
    let pos = put(&*store, P0, "poison").await;
    let lease = own(&*store, P0, "node").await;
    store.trying(P0, lease.epoch, pos).await.unwrap();
    drop(store);
    let store = place.open().await;
    let lease = own(&*store, P0, "node").await;
    assert_eq!((lease.trying, lease.clean), (Some((pos, 1)), false));
    assert_eq!(store.trying(P0, lease.epoch, pos).await.unwrap(), Some(2));
}

async fn nodes_that_beat_are_listed_until_they_stop_or_depart(place: Place) {
    let store = place.open().await;
    assert_eq!(store.heartbeat("a", TTL).await.unwrap(), ["a"]);
    assert_eq!(store.heartbeat("b", TTL).await.unwrap(), ["a", "b"]);
    store.heartbeat("c", NONE).await.unwrap();
    assert_eq!(store.heartbeat("a", TTL).await.unwrap(), ["a", "b"]);
    store.depart("b").await.unwrap();
    store.depart("b").await.unwrap();
    assert_eq!(store.heartbeat("a", TTL).await.unwrap(), ["a"]);
}
