//! A batch changes everything or nothing, once, and only for the owner that stands where the last one ended.

use beckon::model::ids::Pos;
use beckon::model::time::Ms;
use beckon::store::{Batch, Committed, JournalId, LogCursor, StoreError};

use super::{Owner, P0, P1, Place, actor, contract, conversation, dead, entry, own, put, put_many};

contract!(
    a_batch_changes_everything_at_once,
    a_batch_sent_again_is_done_and_not_applied_twice,
    a_batch_sent_again_longer_is_lost_and_not_applied_twice,
    a_commit_from_another_checkpoint_is_lost,
    a_commit_to_an_input_that_is_not_there_is_lost,
    a_stale_epoch_is_refused_after_another_took_the_lease,
    nobody_commits_after_a_release,
    a_lease_that_ran_out_but_was_not_taken_still_commits,
    a_refused_commit_changes_nothing,
    a_commit_that_decides_nothing_is_refused,
    a_journal_with_a_gap_is_refused,
    an_entry_that_does_not_follow_is_refused_and_nothing_is_applied,
    states_are_loaded_in_the_order_asked,
    what_is_due_comes_earliest_first_and_goes_when_nothing_is_due,
    journal_lines_are_read_on_from_an_id,
    two_epochs_have_lines_of_their_own,
    a_trim_forgets_lines_inputs_and_logs_but_nothing_undecided,
    a_trimmed_journal_still_names_its_last_line,
    a_restart_keeps_all_that_was_committed,
    ids_with_every_kind_of_character_stay_apart,
    a_big_batch_is_one_commit,
);

fn full_batch() -> Batch {
    let c = conversation(P0, 0);
    Batch {
        states: vec![(actor("a"), Some(b"A".to_vec())), (actor("b"), Some(b"B".to_vec()))],
        due: vec![(actor("a"), Some(Ms(500)))],
        entries: vec![entry(c, 1, 1), entry(c, 1, 2), entry(c, 2, 3)],
        effects: vec![("e1".to_owned(), b"E".to_vec())],
        journal: vec![b"j1".to_vec(), b"j2".to_vec()],
        journal_from: 1,
        ..Batch::default()
    }
}

async fn a_batch_changes_everything_at_once(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let all = put_many(&*store, P0, 2).await;
    owner.commit_to(all[1], Batch { dead: vec![dead(all[0], "a", b"bad")], ..full_batch() }).await;
    let states = store.load(P0, &[actor("b"), actor("a"), actor("c")]).await.unwrap();
    assert_eq!(states, [Some(b"B".to_vec()), Some(b"A".to_vec()), None]);
    assert_eq!(store.due(P0, Ms(500), 10).await.unwrap(), [(actor("a"), Ms(500))]);
    assert_eq!(store.log(conversation(P0, 0), LogCursor::default(), 10).await.unwrap().len(), 3);
    assert_eq!(store.effects(P0, 10).await.unwrap().len(), 1);
    assert_eq!(store.journal(P0, JournalId::default(), 10).await.unwrap().len(), 2);
    let dead = store.dead(None, 10).await.unwrap();
    assert_eq!((dead[0].partition, dead[0].pos, &dead[0].payload[..]), (P0, all[0], &b"bad"[..]));
    let fill = store.fill().await.unwrap()[&P0];
    assert_eq!((fill.undecided, fill.effects, fill.journal, fill.dead), (0, 1, 2, 1));
    assert_eq!(fill.oldest_undecided, None);
    store.release(P0, owner.epoch).await.unwrap();
    let lease = own(&*store, P0, "another").await;
    assert_eq!((lease.at, lease.journal), (all[1], JournalId { epoch: owner.epoch, n: 2 }));
}

async fn a_batch_sent_again_is_done_and_not_applied_twice(place: Place) {
    let store = place.open().await;
    let lease = own(&*store, P0, "node").await;
    let to = put(&*store, P0, "x").await;
    let commit = || store.commit(P0, lease.epoch, Pos::START, to, full_batch());
    assert_eq!(commit().await.unwrap(), Committed::Applied);
    assert_eq!(commit().await.unwrap(), Committed::Done);
    // Only its own owner is told so: another may have decided otherwise.
    let next = own(&*store, P0, "node").await;
    let ended = store.commit(P0, next.epoch, Pos::START, to, full_batch()).await.unwrap();
    assert_eq!(ended, Committed::Lost);
    assert_eq!(store.log(conversation(P0, 0), LogCursor::default(), 10).await.unwrap().len(), 3);
    assert_eq!(store.journal(P0, JournalId::default(), 10).await.unwrap().len(), 2);
}

async fn a_batch_sent_again_longer_is_lost_and_not_applied_twice(place: Place) {
    let store = place.open().await;
    let lease = own(&*store, P0, "node").await;
    let all = put_many(&*store, P0, 2).await;
    // Applied, but its answer was lost: the owner takes one more input and sends all again.
    let ended = store.commit(P0, lease.epoch, Pos::START, all[0], full_batch()).await.unwrap();
    assert_eq!(ended, Committed::Applied);
    let ended = store.commit(P0, lease.epoch, Pos::START, all[1], full_batch()).await.unwrap();
    assert_eq!(ended, Committed::Lost);
    assert_eq!(store.fill().await.unwrap()[&P0].undecided, 1);
    assert_eq!(store.log(conversation(P0, 0), LogCursor::default(), 10).await.unwrap().len(), 3);
    let lease = own(&*store, P0, "node").await;
    assert_eq!(lease.at, all[0]);
    let ended = store.commit(P0, lease.epoch, all[0], all[1], Batch::default()).await.unwrap();
    assert_eq!(ended, Committed::Applied);
}

async fn a_commit_from_another_checkpoint_is_lost(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let all = put_many(&*store, P0, 3).await;
    owner.commit_to(all[0], Batch::default()).await;
    for from in [Pos::START, all[1]] {
        let ended = store.commit(P0, owner.epoch, from, all[2], full_batch()).await.unwrap();
        assert_eq!(ended, Committed::Lost);
    }
    assert_eq!(store.load(P0, &[actor("a")]).await.unwrap(), [None]);
}

async fn a_commit_to_an_input_that_is_not_there_is_lost(place: Place) {
    let store = place.open().await;
    let lease = own(&*store, P0, "node").await;
    let pos = put(&*store, P0, "x").await;
    // So it looks to an owner whose store went back to before that input.
    let gone = Pos { ms: pos.ms, n: pos.n + 1 };
    let ended = store.commit(P0, lease.epoch, Pos::START, gone, full_batch()).await.unwrap();
    assert_eq!(ended, Committed::Lost);
    assert_eq!(store.load(P0, &[actor("a")]).await.unwrap(), [None]);
}

async fn a_stale_epoch_is_refused_after_another_took_the_lease(place: Place) {
    let store = place.open().await;
    let old = store.acquire(P0, "old", std::time::Duration::ZERO).await.unwrap().unwrap();
    let new = own(&*store, P0, "new").await;
    assert!(new.epoch > old.epoch);
    let to = put(&*store, P0, "x").await;
    assert_eq!(store.commit(P0, old.epoch, Pos::START, to, full_batch()).await.unwrap(), Committed::Lost);
    assert!(!store.renew(P0, old.epoch, super::TTL).await.unwrap());
    assert_eq!(store.trying(P0, old.epoch, to).await.unwrap(), None);
    store.release(P0, old.epoch).await.unwrap();
    assert_eq!(store.commit(P0, new.epoch, Pos::START, to, full_batch()).await.unwrap(), Committed::Applied);
    // Not even what the new owner has done is "done" under the old epoch.
    assert_eq!(store.commit(P0, old.epoch, Pos::START, to, full_batch()).await.unwrap(), Committed::Lost);
}

async fn nobody_commits_after_a_release(place: Place) {
    let store = place.open().await;
    let lease = own(&*store, P0, "node").await;
    let to = put(&*store, P0, "x").await;
    store.release(P0, lease.epoch).await.unwrap();
    assert_eq!(store.commit(P0, lease.epoch, Pos::START, to, full_batch()).await.unwrap(), Committed::Lost);
    assert!(!store.renew(P0, lease.epoch, super::TTL).await.unwrap());
}

async fn a_lease_that_ran_out_but_was_not_taken_still_commits(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(P0, "node", std::time::Duration::ZERO).await.unwrap().unwrap();
    let to = put(&*store, P0, "x").await;
    assert_eq!(store.commit(P0, lease.epoch, Pos::START, to, full_batch()).await.unwrap(), Committed::Applied);
    assert!(store.renew(P0, lease.epoch, super::TTL).await.unwrap());
}

async fn a_refused_commit_changes_nothing(place: Place) {
    let store = place.open().await;
    own(&*store, P0, "node").await;
    let to = put(&*store, P0, "x").await;
    assert_eq!(store.commit(P0, 17, Pos::START, to, full_batch()).await.unwrap(), Committed::Lost);
    assert_eq!(store.load(P0, &[actor("a")]).await.unwrap(), [None]);
    assert!(store.due(P0, Ms(u64::MAX >> 12), 10).await.unwrap().is_empty());
    assert!(store.log(conversation(P0, 0), LogCursor::default(), 10).await.unwrap().is_empty());
    assert!(store.effects(P0, 10).await.unwrap().is_empty());
    assert!(store.journal(P0, JournalId::default(), 10).await.unwrap().is_empty());
}

async fn a_commit_that_decides_nothing_is_refused(place: Place) {
    let store = place.open().await;
    let lease = own(&*store, P0, "node").await;
    let ended = store.commit(P0, lease.epoch, Pos::START, Pos::START, full_batch()).await;
    assert!(matches!(ended, Err(StoreError::Corrupt(_))), "{ended:?}");
}

async fn a_journal_with_a_gap_is_refused(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(full_batch()).await;
    let to = put(&*store, P0, "x").await;
    for journal_from in [1, 2, 4] {
        let batch = Batch { journal: vec![b"j".to_vec()], journal_from, ..Batch::default() };
        let ended = store.commit(P0, owner.epoch, owner.at, to, batch).await;
        assert!(matches!(ended, Err(StoreError::Corrupt(_))), "{journal_from}: {ended:?}");
    }
    owner.commit_to(to, Batch { journal: vec![b"j3".to_vec()], journal_from: 3, ..Batch::default() }).await;
}

async fn an_entry_that_does_not_follow_is_refused_and_nothing_is_applied(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(full_batch()).await;
    let to = put(&*store, P0, "x").await;
    let c = conversation(P0, 0);
    for entries in [vec![entry(c, 2, 3)], vec![entry(c, 1, 9)], vec![entry(c, 3, 5), entry(c, 3, 4)]] {
        let states = vec![(actor("a"), Some(b"changed".to_vec()))];
        let batch = Batch { states, entries, ..Batch::default() };
        let ended = store.commit(P0, owner.epoch, owner.at, to, batch).await;
        assert!(matches!(ended, Err(StoreError::Corrupt(_))), "{ended:?}");
    }
    assert_eq!(store.load(P0, &[actor("a")]).await.unwrap(), [Some(b"A".to_vec())]);
    owner.commit_to(to, Batch { entries: vec![entry(c, 2, 4)], ..Batch::default() }).await;
}

async fn states_are_loaded_in_the_order_asked(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let names: Vec<_> = (0..100).map(|n| actor(&n.to_string())).collect();
    let states = names.iter().map(|name| (name.clone(), Some(name.as_str().as_bytes().to_vec()))).collect();
    owner.commit(Batch { states, ..Batch::default() }).await;
    let asked: Vec<_> = names.iter().rev().cloned().collect();
    let found = store.load(P0, &asked).await.unwrap();
    for (name, state) in asked.iter().zip(found) {
        assert_eq!(state.unwrap(), name.as_str().as_bytes());
    }
    assert!(store.load(P0, &[]).await.unwrap().is_empty());
    let states = vec![(names[0].clone(), None), (names[1].clone(), Some(b"new".to_vec()))];
    owner.commit(Batch { states, ..Batch::default() }).await;
    assert_eq!(store.load(P0, &names[..2]).await.unwrap(), [None, Some(b"new".to_vec())]);
}

async fn what_is_due_comes_earliest_first_and_goes_when_nothing_is_due(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let due = vec![(actor("c"), Some(Ms(30))), (actor("a"), Some(Ms(20))), (actor("b"), Some(Ms(10)))];
    owner.commit(Batch { due, ..Batch::default() }).await;
    let at = |name: &str, ms| (actor(name), Ms(ms));
    assert_eq!(store.due(P0, Ms(9), 10).await.unwrap(), []);
    assert_eq!(store.due(P0, Ms(20), 10).await.unwrap(), [at("b", 10), at("a", 20)]);
    assert_eq!(store.due(P0, Ms(99), 1).await.unwrap(), [at("b", 10)]);
    assert_eq!(store.due(P1, Ms(99), 10).await.unwrap(), []);
    let due = vec![(actor("b"), Some(Ms(40))), (actor("a"), None)];
    owner.commit(Batch { due, ..Batch::default() }).await;
    assert_eq!(store.due(P0, Ms(99), 10).await.unwrap(), [at("c", 30), at("b", 40)]);
    assert_eq!(store.due(P0, Ms(u64::MAX), usize::MAX).await.unwrap(), [at("c", 30), at("b", 40)], "without a bound");
}

async fn journal_lines_are_read_on_from_an_id(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let mut from = 1;
    for count in [1_u64, 3, 2] {
        let journal = (from..from + count).map(|n| n.to_string().into_bytes()).collect();
        owner.commit(Batch { journal, journal_from: from, ..Batch::default() }).await;
        from += count;
    }
    let id = |n| JournalId { epoch: owner.epoch, n };
    let lines = store.journal(P0, id(2), 3).await.unwrap();
    let wanted: Vec<_> = (3..=5).map(|n: u64| (id(n), n.to_string().into_bytes())).collect();
    assert_eq!(lines, wanted);
    assert_eq!(store.journal(P0, id(6), 3).await.unwrap(), []);
}

async fn two_epochs_have_lines_of_their_own(place: Place) {
    let store = place.open().await;
    let mut first = Owner::of(&*store, P0).await;
    first.commit(Batch { journal: vec![b"a".to_vec()], journal_from: 1, ..Batch::default() }).await;
    let lease = own(&*store, P0, "node").await;
    assert_eq!(lease.journal, JournalId { epoch: first.epoch, n: 1 });
    assert!(lease.journal.epoch < lease.epoch);
    let mut second = Owner { epoch: lease.epoch, at: lease.at, ..first };
    second.commit(Batch { journal: vec![b"b".to_vec()], journal_from: 1, ..Batch::default() }).await;
    let lines = store.journal(P0, JournalId::default(), 10).await.unwrap();
    assert_eq!(lines.iter().map(|(id, line)| (id.n, &line[..])).collect::<Vec<_>>(), [(1, &b"a"[..]), (1, b"b")]);
}

async fn a_trim_forgets_lines_inputs_and_logs_but_nothing_undecided(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let all = put_many(&*store, P0, 5).await;
    let (c, other) = (conversation(P0, 0), conversation(P0, 1));
    let mut batch = full_batch();
    batch.entries.push(entry(other, 1, 1));
    owner.commit_to(all[2], batch).await;
    store.trim(P0, JournalId { epoch: owner.epoch, n: 1 }, all[0], &[]).await.unwrap();
    let left = |found: Vec<beckon::store::StoredInput>| found.into_iter().map(|input| input.pos).collect::<Vec<_>>();
    assert_eq!(left(store.read(P0, Pos::START, 10).await.unwrap()), all[1..]);
    assert_eq!(store.journal(P0, JournalId::default(), 10).await.unwrap().len(), 1);
    // Further than the checkpoint is not forgotten, whoever asks.
    let end = Pos { ms: u64::MAX >> 12, n: 0 };
    store.trim(P0, JournalId { epoch: owner.epoch, n: 9 }, end, &[c]).await.unwrap();
    assert_eq!(left(store.read(P0, Pos::START, 10).await.unwrap()), all[3..]);
    assert!(store.journal(P0, JournalId::default(), 10).await.unwrap().is_empty());
    assert!(store.log(c, LogCursor::default(), 10).await.unwrap().is_empty());
    assert_eq!(store.log(other, LogCursor::default(), 10).await.unwrap().len(), 1);
    let fill = store.fill().await.unwrap()[&P0];
    assert_eq!((fill.undecided, fill.journal), (2, 0));
    assert_eq!(fill.oldest_undecided, Some(all[3].time()));
    owner.commit_to(all[4], Batch::default()).await;
    assert!(put(&*store, P0, "x").await > all[4]);
}

async fn a_trimmed_journal_still_names_its_last_line(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(full_batch()).await;
    let last = JournalId { epoch: owner.epoch, n: 2 };
    store.trim(P0, last, owner.at, &[]).await.unwrap();
    owner.commit(Batch { journal: vec![b"j3".to_vec()], journal_from: 3, ..Batch::default() }).await;
    store.trim(P0, JournalId { n: 3, ..last }, owner.at, &[]).await.unwrap();
    assert_eq!(own(&*store, P0, "node").await.journal, JournalId { n: 3, ..last });
}

async fn a_restart_keeps_all_that_was_committed(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let all = put_many(&*store, P0, 3).await;
    owner.commit_to(all[1], Batch { dead: vec![dead(all[0], "a", b"bad")], ..full_batch() }).await;
    store.trim(P0, JournalId { epoch: owner.epoch, n: 1 }, all[1], &[]).await.unwrap();
    let (epoch, fill) = (owner.epoch, store.fill().await.unwrap());
    drop(store);
    let store = place.open().await;
    assert_eq!(store.fill().await.unwrap(), fill);
    let lease = own(&*store, P0, "node").await;
    assert!(lease.epoch > epoch);
    assert_eq!((lease.at, lease.journal), (all[1], JournalId { epoch, n: 2 }));
    assert!(!lease.clean);
    assert_eq!(store.load(P0, &[actor("a")]).await.unwrap(), [Some(b"A".to_vec())]);
    assert_eq!(store.due(P0, Ms(500), 10).await.unwrap().len(), 1);
    assert_eq!(store.log(conversation(P0, 0), LogCursor::default(), 10).await.unwrap().len(), 3);
    assert_eq!(store.effects(P0, 10).await.unwrap().len(), 1);
    assert_eq!(store.dead(None, 10).await.unwrap().len(), 1);
}

async fn ids_with_every_kind_of_character_stay_apart(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let long = "x".repeat(900);
    let names = [
        "{}",
        "a}{b",
        "..",
        "*",
        "?[a]",
        "a b",
        "a%20b",
        "a:b",
        "é",
        "\u{202e}x",
        "😀",
        "A",
        "a",
        "user:",
        "~",
        "%",
        &format!("{long}1"),
        &format!("{long}2"),
        &"é".repeat(400),
        &"é".repeat(401),
    ]
    .map(actor);
    let state = |name: &beckon::model::ids::ActorId| name.as_str().as_bytes().to_vec();
    let states = names.iter().map(|name| (name.clone(), Some(state(name)))).collect();
    let due = names.iter().map(|name| (name.clone(), Some(Ms(5)))).collect();
    owner.commit(Batch { states, due, ..Batch::default() }).await;
    for (name, found) in names.iter().zip(store.load(P0, &names).await.unwrap()) {
        assert_eq!(found.unwrap(), state(name), "{name}");
    }
    let due: std::collections::BTreeSet<_> =
        store.due(P0, Ms(5), 100).await.unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(due, names.into_iter().collect());
}

async fn a_big_batch_is_one_commit(place: Place) {
    let store = place.open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let mut last = Pos::START;
    let mut batch = Batch { journal_from: 1, ..Batch::default() };
    for n in 0..900_u32 {
        last = put(&*store, P0, "x").await;
        let name = actor(&n.to_string());
        batch.states.push((name.clone(), Some(vec![7; 2_000])));
        batch.due.push((name, Some(Ms(n.into()))));
        batch.entries.push(entry(conversation(P0, n), 1, 1));
        batch.effects.push((n.to_string(), vec![8; 300]));
        batch.journal.push(vec![9; 500]);
        batch.hints.push((beckon::store::Channel::Actor(actor(&n.to_string())), vec![1; 100]));
    }
    owner.commit_to(last, batch).await;
    let fill = store.fill().await.unwrap()[&P0];
    assert_eq!((fill.undecided, fill.effects, fill.journal), (0, 900, 900));
    assert_eq!(store.due(P0, Ms(1_000), 2_000).await.unwrap().len(), 900);
}
