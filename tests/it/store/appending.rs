//! Inputs come in once, in order, within bounds, and stay.

use std::collections::BTreeSet;
use std::time::Duration;

use beckon::model::ids::{Partition, Pos};
use beckon::model::time::Millis;
use beckon::store::{Appended, Batch, JournalId, NewInput, Store, StoreError, StoredInput};

use super::{Owner, P0, P1, Place, actor, contract, dead, input, keyed, put, put_many, unbounded};

contract!(
    an_input_is_read_back_as_it_was_appended,
    positions_grow_and_carry_the_stores_time,
    a_read_goes_on_after_a_position,
    one_input_is_found_by_its_position,
    one_call_reaches_several_partitions_and_answers_in_order,
    what_came_before_answers_its_first_position,
    the_same_key_twice_in_one_call_is_one_input,
    fifty_appends_of_one_key_at_once_are_one_input,
    one_key_in_two_partitions_is_two_inputs,
    a_key_is_new_again_after_the_window,
    a_full_memory_of_keys_refuses_and_forgets_nothing,
    a_full_inbox_refuses_what_is_bounded_until_it_is_decided,
    a_refused_call_leaves_nothing_of_its_partition,
    a_duplicate_is_answered_though_the_inbox_is_full,
    full_effects_or_journal_refuse_too,
    who_meets_a_bound_is_told_when_there_is_room,
    a_customer_with_too_many_dead_letters_is_refused_and_nobody_else,
    where_the_dead_letters_of_all_are_full_only_those_who_have_one_are_refused,
    forgotten_dead_letters_are_those_of_before_and_of_their_customer,
    a_restart_keeps_inputs_and_keys_and_positions_grow_on,
    bytes_of_any_kind_survive,
    nothing_appended_is_nothing,
    a_partition_that_is_not_there_is_refused,
    the_number_of_partitions_is_fixed_at_the_first_start,
);

async fn texts(store: &dyn Store, partition: Partition) -> Vec<String> {
    let found = store.read(partition, Pos::START, 10_000).await.unwrap();
    found.into_iter().map(|input| String::from_utf8(input.payload).unwrap()).collect()
}

fn full(ended: Result<Vec<Appended>, StoreError>) -> &'static str {
    room(ended).0
}

/// Which bound was met, and when there is room.
fn room(ended: Result<Vec<Appended>, StoreError>) -> (&'static str, Duration) {
    match ended {
        Err(StoreError::Full { what, retry_after }) => (what, retry_after),
        other => panic!("not full: {other:?}"),
    }
}

/// Makes what is in the inbox of the first partition so much older.
fn make_older(place: &Place, by: Duration) {
    let by = by.as_millis() as u64;
    match place {
        Place::Embedded(dir) => {
            let db = rusqlite::Connection::open(dir.path().join("beckon.db")).unwrap();
            db.execute("update inbox set ms = ms - ?1 where partition = 0", [by as i64]).unwrap();
        }
        Place::Redis { prefix, .. } => {
            let inbox = format!("{prefix}:{{00}}:in");
            let mut redis = super::server::shared().connection();
            let held: Vec<(String, Vec<Vec<u8>>)> =
                ::redis::cmd("XRANGE").arg(&inbox).arg("-").arg("+").query(&mut redis).unwrap();
            ::redis::cmd("DEL").arg(&inbox).exec(&mut redis).unwrap();
            for (id, fields) in held {
                let (ms, n) = id.split_once('-').unwrap();
                let id = format!("{}-{n}", ms.parse::<u64>().unwrap() - by);
                ::redis::cmd("XADD").arg(&inbox).arg(id).arg(fields).exec(&mut redis).unwrap();
            }
        }
    }
}

async fn an_input_is_read_back_as_it_was_appended(place: Place) {
    let store = place.open().await;
    let pos = put(&*store, P0, "hello").await;
    let found = store.read(P0, Pos::START, 10).await.unwrap();
    assert_eq!(found, [StoredInput { pos, payload: b"hello".to_vec() }]);
    assert!(store.read(P1, Pos::START, 10).await.unwrap().is_empty());
}

async fn positions_grow_and_carry_the_stores_time(place: Place) {
    let store = place.open().await;
    let before = store.now().await.unwrap();
    let mut last = Pos::START;
    for _ in 0..5 {
        for pos in put_many(&*store, P0, 20).await {
            assert!(pos > last, "{pos} after {last}");
            last = pos;
        }
    }
    let after = store.now().await.unwrap();
    assert!(before <= last.time() && last.time() <= after, "{before} {last} {after}");
}

async fn a_read_goes_on_after_a_position(place: Place) {
    let store = place.open().await;
    let all = put_many(&*store, P0, 25).await;
    let mut seen = Vec::new();
    let mut after = Pos::START;
    loop {
        let page = store.read(P0, after, 10).await.unwrap();
        assert!(page.len() <= 10);
        let Some(last) = page.last() else { break };
        after = last.pos;
        seen.extend(page.iter().map(|input| input.pos));
    }
    assert_eq!(seen, all);
}

async fn one_input_is_found_by_its_position(place: Place) {
    let store = place.open().await;
    let all = put_many(&*store, P0, 3).await;
    let found = store.input(P0, all[1]).await.unwrap().unwrap();
    assert_eq!((found.pos, found.payload), (all[1], b"1".to_vec()));
    let none = Pos { ms: all[1].ms, n: all[1].n + 77 };
    assert_eq!(store.input(P0, none).await.unwrap(), None);
    assert_eq!(store.input(P1, all[1]).await.unwrap(), None);
}

async fn one_call_reaches_several_partitions_and_answers_in_order(place: Place) {
    let store = place.open().await;
    let inputs: Vec<NewInput> = (0..40).map(|n| input(Partition(n % 4), &n.to_string())).collect();
    let answers = store.append(inputs).await.unwrap();
    assert_eq!(answers.len(), 40);
    for (n, answer) in answers.iter().enumerate() {
        assert!(answer.fresh);
        let partition = Partition(n as u16 % 4);
        let stored = store.input(partition, answer.pos).await.unwrap().unwrap();
        assert_eq!(stored.payload, n.to_string().into_bytes());
    }
}

async fn what_came_before_answers_its_first_position(place: Place) {
    let store = place.open().await;
    let first = store.append(vec![keyed(P0, "a", 1)]).await.unwrap()[0];
    assert!(first.fresh);
    put_many(&*store, P0, 3).await;
    let again = store.append(vec![keyed(P0, "b", 2), keyed(P0, "a again", 1)]).await.unwrap();
    assert!(again[0].fresh);
    assert_eq!(again[1], Appended { pos: first.pos, fresh: false });
    assert_eq!(texts(&*store, P0).await, ["a", "0", "1", "2", "b"]);
}

async fn the_same_key_twice_in_one_call_is_one_input(place: Place) {
    let store = place.open().await;
    let answers = store.append(vec![keyed(P0, "a", 1), input(P0, "b"), keyed(P0, "c", 1)]).await.unwrap();
    assert!(answers[0].fresh && answers[1].fresh && !answers[2].fresh);
    assert_eq!(answers[2].pos, answers[0].pos);
    assert_eq!(texts(&*store, P0).await, ["a", "b"]);
}

async fn fifty_appends_of_one_key_at_once_are_one_input(place: Place) {
    let store = place.open().await;
    let calls = (0..50).map(|n| {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move { store.append(vec![keyed(P0, &n.to_string(), 9)]).await.unwrap()[0] })
    });
    let mut positions = BTreeSet::new();
    let mut fresh = 0;
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.unwrap();
        positions.insert(answer.pos);
        fresh += u32::from(answer.fresh);
    }
    assert_eq!((positions.len(), fresh), (1, 1));
    assert_eq!(store.read(P0, Pos::START, 100).await.unwrap().len(), 1);
}

async fn one_key_in_two_partitions_is_two_inputs(place: Place) {
    let store = place.open().await;
    let answers = store.append(vec![keyed(P0, "a", 1), keyed(P1, "b", 1)]).await.unwrap();
    assert!(answers[0].fresh && answers[1].fresh);
}

async fn a_key_is_new_again_after_the_window(place: Place) {
    let store = place.open_with(|settings| settings.bounds.dedupe = Millis(40)).await;
    let first = store.append(vec![keyed(P0, "a", 1)]).await.unwrap()[0];
    let over = async {
        loop {
            let answer = store.append(vec![keyed(P0, "b", 1)]).await.unwrap()[0];
            if answer.fresh {
                break answer;
            }
            assert_eq!(answer.pos, first.pos);
            tokio::task::yield_now().await;
        }
    };
    let again = tokio::time::timeout(Duration::from_secs(20), over).await.expect("the window ends");
    assert!(again.pos.ms >= first.pos.ms + 40, "{} after {}", again.pos, first.pos);
    // And the second one is remembered in its stead.
    let third = store.append(vec![keyed(P0, "c", 1)]).await.unwrap()[0];
    assert!(third.fresh || third.pos == again.pos);
}

async fn a_full_memory_of_keys_refuses_and_forgets_nothing(place: Place) {
    let store = place
        .open_with(|settings| {
            settings.partitions = 1;
            settings.bounds.dedupe_keys = 20;
        })
        .await;
    let mut first = Vec::new();
    for key in 0..20 {
        first.push(store.append(vec![keyed(P0, "a", key)]).await.unwrap()[0].pos);
    }
    let (what, wait) = room(store.append(vec![keyed(P0, "one more", 20)]).await);
    assert_eq!(what, "the memory of dedupe keys");
    // The first one goes a day after it came; on Redis, with the others of its hour.
    let hour = Duration::from_secs(3_600);
    assert!(wait > 24 * hour - Duration::from_secs(30) && wait <= 25 * hour, "{wait:?}");
    // What has no key needs no place, and what is never held up is not held up by this either.
    assert!(store.append(vec![input(P0, "without a key")]).await.unwrap()[0].fresh);
    let result = NewInput { bounded: false, ..keyed(P0, "a result", 21) };
    assert!(store.append(vec![result]).await.unwrap()[0].fresh);
    assert_eq!(store.dedupe_keys().await.unwrap(), 21);
    for (key, pos) in first.iter().enumerate() {
        let again = store.append(vec![keyed(P0, "a", key as u128)]).await.unwrap()[0];
        assert_eq!(again, Appended { pos: *pos, fresh: false });
    }
}

async fn a_full_inbox_refuses_what_is_bounded_until_it_is_decided(place: Place) {
    let store = place.open_with(|settings| settings.bounds.inbox = 10).await;
    let all = put_many(&*store, P0, 10).await;
    assert_eq!(full(store.append(vec![input(P0, "x")]).await), "the inbox");
    assert!(store.append(vec![input(P1, "of another partition")]).await.is_ok());
    assert!(store.append(vec![unbounded(P0, "a result")]).await.unwrap()[0].fresh);
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit_to(all[4], Batch::default()).await;
    // Decided inputs do not count, though they are still there: six of eleven are undecided.
    put_many(&*store, P0, 4).await;
    assert_eq!(full(store.append(vec![input(P0, "x")]).await), "the inbox");
    assert_eq!(store.fill().await.unwrap()[&P0].undecided, 10);
}

async fn a_refused_call_leaves_nothing_of_its_partition(place: Place) {
    let store = place.open_with(|settings| settings.bounds.inbox = 10).await;
    put_many(&*store, P0, 10).await;
    full(store.append(vec![keyed(P0, "x", 1), unbounded(P0, "y"), keyed(P0, "z", 2)]).await);
    assert_eq!(store.read(P0, Pos::START, 100).await.unwrap().len(), 10);
    // Nothing was remembered either.
    let store = {
        drop(store);
        place.open().await
    };
    assert!(store.append(vec![keyed(P0, "x", 1)]).await.unwrap()[0].fresh);
}

async fn a_duplicate_is_answered_though_the_inbox_is_full(place: Place) {
    let store = place.open_with(|settings| settings.bounds.inbox = 2).await;
    let answers = store.append(vec![keyed(P0, "a", 1), keyed(P0, "b", 2)]).await.unwrap();
    let again = store.append(vec![keyed(P0, "b", 2), keyed(P0, "a", 1)]).await.unwrap();
    assert_eq!((again[0].pos, again[1].pos), (answers[1].pos, answers[0].pos));
    full(store.append(vec![keyed(P0, "a", 1), keyed(P0, "c", 3)]).await);
}

async fn full_effects_or_journal_refuse_too(place: Place) {
    let store = place
        .open_with(|settings| {
            settings.bounds.effects = 2;
            settings.bounds.journal = 2;
        })
        .await;
    let mut owner = Owner::of(&*store, P0).await;
    let effects = vec![("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])];
    owner.commit(Batch { effects, ..Batch::default() }).await;
    assert_eq!(full(store.append(vec![input(P0, "x")]).await), "the list of effects");
    let to = store.append(vec![unbounded(P0, "results")]).await.unwrap()[0].pos;
    let finished = vec!["a".to_owned(), "b".to_owned()];
    let journal = vec![b"one".to_vec(), b"two".to_vec()];
    owner.commit_to(to, Batch { finished, journal, journal_from: 1, ..Batch::default() }).await;
    assert_eq!(full(store.append(vec![input(P0, "x")]).await), "the journal");
    store.trim(P0, JournalId { epoch: owner.epoch, n: 2 }, Pos::START, &[]).await.unwrap();
    assert!(store.append(vec![input(P0, "x")]).await.is_ok());
}

async fn who_meets_a_bound_is_told_when_there_is_room(place: Place) {
    let open = async || {
        let bounded = |settings: &mut beckon::store::Settings| {
            settings.bounds.inbox = 10;
            settings.bounds.journal = 2;
            settings.bounds.effects = 1;
        };
        place.open_with(bounded).await
    };
    let second = Duration::from_secs(1);
    let store = open().await;
    put_many(&*store, P0, 10).await;
    assert_eq!(room(store.append(vec![input(P0, "x")]).await), ("the inbox", second), "it has only just filled");
    drop(store);
    make_older(&place, 300 * second);
    let store = open().await;
    let about_30 = |(what, wait): (&'static str, Duration)| (what, (30 * second..33 * second).contains(&wait));
    assert_eq!(about_30(room(store.append(vec![input(P0, "x")]).await)), ("the inbox", true));
    // Those are decided, and still there for the record: what counts for the inbox is who waits in it now.
    let mut owner = Owner::of(&*store, P0).await;
    let decided = store.read(P0, Pos::START, 10).await.unwrap()[9].pos;
    owner.commit_to(decided, Batch::default()).await;
    let all = put_many(&*store, P0, 10).await;
    assert_eq!(room(store.append(vec![input(P0, "x")]).await), ("the inbox", second));
    // And how far the record is behind tells when there is room in the journal.
    let journal = vec![b"one".to_vec(), b"two".to_vec()];
    owner.commit_to(all[8], Batch { journal, journal_from: 1, ..Batch::default() }).await;
    assert_eq!(about_30(room(store.append(vec![input(P0, "x")]).await)), ("the journal", true));
    store.trim(P0, JournalId { epoch: owner.epoch, n: 2 }, all[8], &[]).await.unwrap();
    // Effects are calls, and some of them end within the time of one.
    let effects = vec![("a".to_owned(), vec![1])];
    owner.commit_to(all[9], Batch { effects, ..Batch::default() }).await;
    assert_eq!(room(store.append(vec![input(P0, "x")]).await), ("the list of effects", 5 * second));
}

/// An input of a customer.
fn of(customer: &str, key: u128) -> NewInput {
    NewInput { actor: actor(customer), ..keyed(P0, customer, key) }
}

/// Puts so many inputs of a customer aside.
async fn put_aside(store: &dyn Store, owner: &mut Owner<'_>, customer: &str, count: usize) -> Vec<Pos> {
    let mut aside = Vec::new();
    for _ in 0..count {
        let to = store.append(vec![unbounded(P0, "poison")]).await.unwrap()[0].pos;
        owner.commit_to(to, Batch { dead: vec![dead(to, customer, b"why")], ..Batch::default() }).await;
        aside.push(to);
    }
    aside
}

/// Which of these are taken, in order.
async fn taken(store: &dyn Store, inputs: Vec<NewInput>) -> Vec<bool> {
    match store.append(inputs).await {
        Ok(appended) => vec![true; appended.len()],
        Err(StoreError::Quarantined(appended)) => appended.iter().map(Option::is_some).collect(),
        Err(problem) => panic!("{problem}"),
    }
}

async fn a_customer_with_too_many_dead_letters_is_refused_and_nobody_else(place: Place) {
    let store = place.open_with(|settings| settings.bounds.dead_a_customer = 3).await;
    let mut owner = Owner::of(&*store, P0).await;
    let known = store.append(vec![of("sick", 1)]).await.unwrap()[0].pos;
    let aside = put_aside(&*store, &mut owner, "sick", 3).await;
    let before = store.read(P0, owner.at, 100).await.unwrap().len();

    let elsewhere = NewInput { partition: P1, ..of("well", 3) };
    let inputs = vec![of("well", 2), of("sick", 4), of("sick", 1), of("sick", 4), elsewhere, of("other", 5)];
    let Err(StoreError::Quarantined(answers)) = store.append(inputs).await else { panic!("all were taken") };
    let fresh: Vec<Option<bool>> = answers.iter().map(|answer| answer.map(|answer| answer.fresh)).collect();
    assert_eq!(fresh, [Some(true), None, Some(false), None, Some(true), Some(true)]);
    assert_eq!(answers[2].unwrap().pos, known, "what came before is answered as ever");
    assert_eq!(store.read(P0, owner.at, 100).await.unwrap().len(), before + 2);
    // Results are never held up; and a refused key is not remembered.
    let result = NewInput { bounded: false, ..of("sick", 6) };
    assert_eq!(taken(&*store, vec![result]).await, [true]);
    store.take_dead(P0, aside[1]).await.unwrap().unwrap();
    assert!(store.append(vec![of("sick", 4)]).await.unwrap()[0].fresh);
    put_aside(&*store, &mut owner, "sick", 1).await;
    drop(store);
    let store = place.open_with(|settings| settings.bounds.dead_a_customer = 3).await;
    assert_eq!(taken(&*store, vec![of("sick", 7), of("well", 8)]).await, [false, true], "over a restart too");
}

async fn where_the_dead_letters_of_all_are_full_only_those_who_have_one_are_refused(place: Place) {
    let store = place
        .open_with(|settings| {
            settings.bounds.dead = 4;
            settings.bounds.dead_a_customer = 3;
        })
        .await;
    let mut owner = Owner::of(&*store, P0).await;
    put_aside(&*store, &mut owner, "a", 2).await;
    put_aside(&*store, &mut owner, "b", 1).await;
    assert_eq!(taken(&*store, vec![of("a", 1), of("b", 2), of("c", 3)]).await, [true, true, true]);
    put_aside(&*store, &mut owner, "c", 1).await;
    let inputs = vec![of("a", 4), of("b", 5), of("c", 6), of("d", 7)];
    assert_eq!(taken(&*store, inputs).await, [false, false, false, true]);
}

async fn forgotten_dead_letters_are_those_of_before_and_of_their_customer(place: Place) {
    let store = place.open_with(|settings| settings.bounds.dead_a_customer = 2).await;
    let mut owner = Owner::of(&*store, P0).await;
    put_aside(&*store, &mut owner, "erased", 2).await;
    let kept = put_aside(&*store, &mut owner, "kept", 1).await[0];
    assert_eq!(taken(&*store, vec![of("erased", 1)]).await, [false]);
    let later = put(&*store, P0, "later").await;
    let forget_dead = vec![actor("erased"), actor("who has none")];
    owner
        .commit_to(later, Batch { forget_dead, dead: vec![dead(later, "erased", b"later")], ..Batch::default() })
        .await;
    let left: Vec<Pos> = store.dead(None, 10).await.unwrap().iter().map(|letter| letter.pos).collect();
    assert_eq!(left, [kept, later]);
    assert_eq!(store.fill().await.unwrap()[&P0].dead, 2);
    assert_eq!(taken(&*store, vec![of("erased", 1)]).await, [true]);
}

async fn a_restart_keeps_inputs_and_keys_and_positions_grow_on(place: Place) {
    let store = place.open().await;
    let secret = store.dedupe_secret();
    let first = store.append(vec![keyed(P0, "a", 1)]).await.unwrap()[0];
    let last = *put_many(&*store, P0, 50).await.last().unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(store.dedupe_secret(), secret);
    assert_eq!(store.read(P0, Pos::START, 100).await.unwrap().len(), 51);
    let again = store.append(vec![keyed(P0, "a", 1)]).await.unwrap()[0];
    assert_eq!(again, Appended { pos: first.pos, fresh: false });
    assert!(put(&*store, P0, "b").await > last);
    assert_eq!(store.fill().await.unwrap()[&P0].undecided, 52);
}

async fn bytes_of_any_kind_survive(place: Place) {
    let store = place.open().await;
    let payload: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let inputs = vec![NewInput { payload: payload.clone(), ..input(P0, "") }, input(P0, "")];
    let answers = store.append(inputs).await.unwrap();
    assert_eq!(store.input(P0, answers[0].pos).await.unwrap().unwrap().payload, payload);
    assert!(store.input(P0, answers[1].pos).await.unwrap().unwrap().payload.is_empty());
}

async fn nothing_appended_is_nothing(place: Place) {
    let store = place.open().await;
    assert!(store.append(Vec::new()).await.unwrap().is_empty());
}

async fn a_partition_that_is_not_there_is_refused(place: Place) {
    let store = place.open().await;
    let ended = store.append(vec![input(Partition(4), "x")]).await;
    assert!(matches!(ended, Err(StoreError::Unusable(_))), "{ended:?}");
}

async fn the_number_of_partitions_is_fixed_at_the_first_start(place: Place) {
    assert_eq!(place.open_with(|settings| settings.partitions = 6).await.partitions(), 6);
    assert_eq!(place.open_with(|settings| settings.partitions = 32).await.partitions(), 6);
}
