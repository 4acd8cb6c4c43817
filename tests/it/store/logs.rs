//! Logs are read on from a cursor exactly; dead letters wait until they are taken.

use beckon::model::ids::{ConversationId, EventId, Pos};
use beckon::store::{Batch, LogCursor, StoredDead};

use super::{Owner, P0, P1, Place, contract, conversation, dead, entry, own, put_many};

contract!(
    a_log_is_read_on_from_a_cursor_exactly,
    logs_of_conversations_stay_apart,
    a_log_is_forgotten_after_its_last_entries_came_with_its_pending_effects,
    dead_letters_come_oldest_first_and_are_taken_once,
    a_dead_letter_must_be_of_the_commit,
);

async fn a_log_is_read_on_from_a_cursor_exactly(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let c = conversation(P0, 3);
    // Inner entries have the number of the last visible one: before the first, between, and at the end.
    let shape = [(0, 1), (0, 2), (1, 3), (2, 4), (2, 5), (2, 6), (3, 7), (10, 8), (10, 9)];
    let (first, rest) = shape.split_at(4);
    for some in [first, rest] {
        let entries = some.iter().map(|(seq, n)| entry(c, *seq, *n)).collect();
        owner.commit(Batch { entries, ..Batch::default() }).await;
    }
    let cursors: Vec<LogCursor> = shape.iter().map(|(seq, n)| LogCursor { seq: *seq, n: *n }).collect();
    let all = store.log(c, LogCursor::default(), 100).await.unwrap();
    assert_eq!(all.iter().map(|(cursor, _)| *cursor).collect::<Vec<_>>(), cursors);
    assert_eq!(all[3].1, b"2-4");
    for (count, cursor) in cursors.iter().enumerate() {
        assert_eq!(store.log(c, *cursor, 100).await.unwrap(), all[count + 1..], "{cursor:?}");
    }
    for (seq, skipped) in [(0, 2), (1, 3), (2, 6), (3, 7), (9, 7), (10, 9), (11, 9)] {
        assert_eq!(store.log(c, LogCursor::after_seq(seq), 100).await.unwrap(), all[skipped..], "after {seq}");
    }
    assert_eq!(store.log(c, LogCursor::after_seq(1), 2).await.unwrap(), all[3..5]);
}

async fn logs_of_conversations_stay_apart(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let ids = [conversation(P0, 1), conversation(P0, 11)];
    let entries = ids.iter().flat_map(|id| [entry(*id, 1, 1), entry(*id, 2, 2)]).collect();
    owner.commit(Batch { entries, ..Batch::default() }).await;
    for id in ids {
        assert_eq!(store.log(id, LogCursor::default(), 10).await.unwrap().len(), 2);
    }
    assert!(store.log(conversation(P0, 2), LogCursor::default(), 10).await.unwrap().is_empty());
    assert!(store.log(conversation(P1, 1), LogCursor::default(), 10).await.unwrap().is_empty());
}

async fn a_log_is_forgotten_after_its_last_entries_came_with_its_pending_effects(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let (erased, kept) = (conversation(P0, 1), conversation(P0, 2));
    let effect = |id: ConversationId, name: &str| (format!("{id}/{name}"), b"effect".to_vec());
    let effects = vec![effect(erased, "a"), effect(kept, "a"), effect(conversation(P0, 11), "a")];
    owner.commit(Batch { entries: vec![entry(erased, 1, 1), entry(kept, 1, 1)], effects, ..Batch::default() }).await;
    let (entries, effects) = (vec![entry(erased, 2, 2)], vec![effect(erased, "b")]);
    let forget = vec![erased, conversation(P0, 9)];
    owner.commit(Batch { entries, effects, forget, ..Batch::default() }).await;
    let left: Vec<String> = store.effects(P0, 10).await.unwrap().into_iter().map(|effect| effect.key).collect();
    assert_eq!(left, [effect(kept, "a").0, effect(conversation(P0, 11), "a").0], "those of the erased one are gone");
    assert_eq!(store.fill().await.unwrap()[&P0].effects, 2);
    assert!(store.log(erased, LogCursor::default(), 10).await.unwrap().is_empty());
    assert_eq!(store.log(kept, LogCursor::default(), 10).await.unwrap().len(), 1);
}

async fn dead_letters_come_oldest_first_and_are_taken_once(place: Place) {
    let store = place.open().await;
    let mut wanted = Vec::new();
    for partition in [P1, P0, P1] {
        let lease = own(&*store, partition, "node").await;
        let all = put_many(&*store, partition, 3).await;
        let dead: Vec<_> = all[..2].iter().map(|pos| dead(*pos, "a", pos.to_string().as_bytes())).collect();
        for letter in &dead {
            wanted.push(StoredDead { partition, pos: letter.pos, payload: letter.payload.clone() });
        }
        let batch = Batch { dead, ..Batch::default() };
        store.commit(partition, lease.epoch, lease.at, all[2], batch).await.unwrap();
    }
    wanted.sort_by_key(|dead| (dead.pos, dead.partition));
    assert_eq!(store.dead(None, 100).await.unwrap(), wanted);
    assert_eq!(store.dead(None, 2).await.unwrap(), wanted[..2]);
    for (n, letter) in wanted.iter().enumerate() {
        let after = Some(EventId { partition: letter.partition, pos: letter.pos });
        assert_eq!(store.dead(after, 100).await.unwrap(), wanted[n + 1..], "after {n}");
        assert_eq!(store.dead_letter(letter.partition, letter.pos).await.unwrap().as_ref(), Some(letter));
    }
    assert_eq!(store.dead_letter(P0, Pos { ms: 1, n: 1 }).await.unwrap(), None);
    let taken = wanted.remove(1);
    assert_eq!(store.take_dead(taken.partition, taken.pos).await.unwrap(), Some(taken.clone()));
    assert_eq!(store.take_dead(taken.partition, taken.pos).await.unwrap(), None);
    assert_eq!(store.take_dead(P0, Pos { ms: 1, n: 1 }).await.unwrap(), None);
    assert_eq!(store.dead(None, 100).await.unwrap(), wanted);
    let fill = store.fill().await.unwrap();
    assert_eq!(fill[&P0].dead + fill[&P1].dead, 5);
}

async fn a_dead_letter_must_be_of_the_commit(place: Place) {
    let store = place.open().await;
    let lease = own(&*store, P0, "node").await;
    let all = put_many(&*store, P0, 3).await;
    for dead_of in [vec![all[2]], vec![Pos::START], vec![all[1], all[0]], vec![all[0], all[0]]] {
        let batch = Batch { dead: dead_of.into_iter().map(|pos| dead(pos, "a", b"")).collect(), ..Batch::default() };
        assert!(store.commit(P0, lease.epoch, lease.at, all[1], batch).await.is_err());
    }
}
