//! Hints and wakes come after what they speak of, and nobody waits for who is slow.

use std::collections::BTreeSet;
use std::time::Duration;

use beckon::model::ids::{Partition, Pos};
use beckon::store::{Batch, Channel, Committed, Hint, Hints};
use tokio::time::timeout;

use super::{Owner, P0, P1, Place, actor, contract, input, own, put};

contract!(
    hints_reach_every_subscriber_of_their_channel_and_no_other,
    a_commit_publishes_its_hints_once_it_is_applied,
    a_refused_commit_publishes_nothing,
    hints_of_the_record_come_from_every_partition,
    a_slow_reader_is_told_that_it_missed_something,
    who_goes_does_not_disturb_who_stays,
    an_append_wakes_every_owner_that_listens,
    channels_of_like_names_stay_apart,
);

const SOON: Duration = Duration::from_secs(10);

async fn next(hints: &mut Hints) -> Hint {
    timeout(SOON, hints.recv()).await.expect("a hint comes").expect("the channel is open")
}

fn payload(text: &str) -> Hint {
    Hint::Payload(std::sync::Arc::new(text.as_bytes().to_vec()))
}

fn of(name: &str) -> Channel {
    Channel::Actor(actor(name))
}

async fn hints_reach_every_subscriber_of_their_channel_and_no_other(place: Place) {
    let store = place.open().await;
    let mut first = store.subscribe(of("a"), 8).await.unwrap();
    let mut second = store.subscribe(of("a"), 8).await.unwrap();
    let mut other = store.subscribe(of("b"), 8).await.unwrap();
    store.publish(of("a"), b"1".to_vec()).await.unwrap();
    store.publish(of("a"), b"2".to_vec()).await.unwrap();
    store.publish(of("b"), b"3".to_vec()).await.unwrap();
    for hints in [&mut first, &mut second] {
        assert_eq!(next(hints).await, payload("1"));
        assert_eq!(next(hints).await, payload("2"));
    }
    assert_eq!(next(&mut other).await, payload("3"));
    assert!(first.try_recv().is_err());
}

async fn a_commit_publishes_its_hints_once_it_is_applied(place: Place) {
    let store = place.open().await;
    let mut hints = store.subscribe(of("a"), 8).await.unwrap();
    let mut owner = Owner::of(&*store, P0).await;
    let states = vec![(actor("a"), Some(b"S".to_vec()))];
    let batch = Batch { states, hints: vec![(of("a"), b"x".to_vec()), (of("a"), b"y".to_vec())], ..Batch::default() };
    owner.commit(batch).await;
    assert_eq!(next(&mut hints).await, payload("x"));
    assert_eq!(store.load(P0, &[actor("a")]).await.unwrap(), [Some(b"S".to_vec())]);
    assert_eq!(next(&mut hints).await, payload("y"));
}

async fn a_refused_commit_publishes_nothing(place: Place) {
    let store = place.open().await;
    let mut hints = store.subscribe(of("a"), 8).await.unwrap();
    let lease = own(&*store, P0, "node").await;
    let to = put(&*store, P0, "x").await;
    let batch = Batch { hints: vec![(of("a"), b"no".to_vec())], ..Batch::default() };
    let ended = store.commit(P0, lease.epoch - 1, Pos::START, to, batch.clone()).await.unwrap();
    assert_eq!(ended, Committed::Lost);
    store.commit(P0, lease.epoch, Pos::START, to, batch.clone()).await.unwrap();
    let ended = store.commit(P0, lease.epoch, Pos::START, to, batch).await.unwrap();
    assert_eq!(ended, Committed::Done);
    store.publish(of("a"), b"last".to_vec()).await.unwrap();
    assert_eq!(next(&mut hints).await, payload("no"));
    assert_eq!(next(&mut hints).await, payload("last"));
}

async fn hints_of_the_record_come_from_every_partition(place: Place) {
    let store = place.open().await;
    let mut hints = store.subscribe(Channel::Record, 8).await.unwrap();
    for partition in [P0, P1] {
        let mut owner = Owner::of(&*store, partition).await;
        let hint = (Channel::Record, partition.0.to_string().into_bytes());
        owner.commit(Batch { hints: vec![hint], ..Batch::default() }).await;
        assert_eq!(next(&mut hints).await, payload(&partition.0.to_string()));
    }
    store.publish(Channel::Record, b"x".to_vec()).await.unwrap();
    assert_eq!(next(&mut hints).await, payload("x"));
}

async fn a_slow_reader_is_told_that_it_missed_something(place: Place) {
    let store = place.open().await;
    let mut slow = store.subscribe(of("a"), 3).await.unwrap();
    let mut quick = store.subscribe(of("a"), 100).await.unwrap();
    for n in 0..20 {
        store.publish(of("a"), n.to_string().into_bytes()).await.unwrap();
    }
    for n in 0..20 {
        assert_eq!(next(&mut quick).await, payload(&n.to_string()));
    }
    // Both are told in turn: what the quick one has, the slow one was offered as well, once one more has come round.
    store.publish(of("a"), b"and on".to_vec()).await.unwrap();
    assert_eq!(next(&mut quick).await, payload("and on"));
    for n in 0..3 {
        assert_eq!(next(&mut slow).await, payload(&n.to_string()));
    }
    assert_eq!(next(&mut slow).await, Hint::Missed);
    store.publish(of("a"), b"again".to_vec()).await.unwrap();
    assert_eq!(next(&mut slow).await, payload("again"));
}

async fn who_goes_does_not_disturb_who_stays(place: Place) {
    let store = place.open().await;
    let mut stays = store.subscribe(of("a"), 100).await.unwrap();
    for n in 0..20 {
        drop(store.subscribe(of("a"), 1).await.unwrap());
        store.publish(of("a"), n.to_string().into_bytes()).await.unwrap();
        assert_eq!(next(&mut stays).await, payload(&n.to_string()));
    }
    drop(stays);
    for _ in 0..20 {
        let mut comes_back = store.subscribe(of("a"), 4).await.unwrap();
        store.publish(of("a"), b"x".to_vec()).await.unwrap();
        assert_eq!(next(&mut comes_back).await, payload("x"));
    }
}

async fn an_append_wakes_every_owner_that_listens(place: Place) {
    let store = place.open().await;
    let mut receivers = vec![store.wakes().await.unwrap(), store.wakes().await.unwrap()];
    for round in 0..3 {
        store.append((0..4).map(|n| input(Partition(n), &round.to_string())).collect()).await.unwrap();
        for wakes in &mut receivers {
            let mut woken = BTreeSet::new();
            while woken.len() < 4 {
                woken.insert(timeout(SOON, wakes.recv()).await.expect("a wake comes").unwrap().0);
            }
        }
    }
    drop(receivers);
    put(&*store, P0, "x").await;
}

async fn channels_of_like_names_stay_apart(place: Place) {
    let store = place.open().await;
    let names = ["a b", "a%20b", "A b", "{a}", "é", &"x".repeat(900), &"x".repeat(901)];
    for name in names {
        let mut hints = store.subscribe(of(name), 8).await.unwrap();
        for other in names {
            store.publish(of(other), other.as_bytes().to_vec()).await.unwrap();
        }
        store.publish(of(name), b"end".to_vec()).await.unwrap();
        assert_eq!(next(&mut hints).await, payload(name));
        assert_eq!(next(&mut hints).await, payload("end"));
    }
}
