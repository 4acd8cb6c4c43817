//! Committing: everything is checked before the first write, then one batch changes everything at once.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::numbers::{int, num, pos};
use super::partition::save;
use super::writer::{Desk, Fail};
use crate::model::ids::{ConversationId, Partition, Pos};
use crate::store::{Batch, Committed, JournalId, LogCursor, StoreError, check};

pub(super) fn commit(
    desk: &mut Desk<'_>,
    partition: Partition,
    epoch: u64,
    (from, to): (Pos, Pos),
    batch: Batch,
) -> Result<Committed, Fail> {
    check::batch(partition, from, to, &batch)?;
    let part = desk.state.part(partition)?;
    if !part.owned_under(epoch) {
        return Ok(Committed::Lost);
    }
    if part.at == to && part.at_epoch == epoch {
        return Ok(Committed::Done);
    }
    if part.at != from || !holds(desk.db, partition, to)? {
        return Ok(Committed::Lost);
    }
    let journal = check::journal(part.journal, epoch, &batch)?;
    check_logs(desk.db, &batch)?;
    let added = write(desk.db, partition, epoch, &batch)?;
    let decided = inputs_within(desk.db, partition, from, to)?;
    let part = desk.state.change(partition)?;
    part.at = to;
    part.at_epoch = epoch;
    part.trying = None;
    part.journal = journal;
    part.undecided = part.undecided.saturating_sub(decided);
    part.effects = (part.effects + added.effects).saturating_sub(added.effects_gone);
    part.lines += added.lines;
    part.dead = (part.dead + added.dead).saturating_sub(added.dead_gone);
    save(desk.db, partition, desk.state.part(partition)?)?;
    desk.state.hint(batch.hints);
    Ok(Committed::Applied)
}

/// What a batch changed in the counts.
#[derive(Default)]
struct Added {
    effects: u64,
    effects_gone: u64,
    lines: u64,
    dead: u64,
    dead_gone: u64,
}

fn write(db: &Connection, partition: Partition, epoch: u64, batch: &Batch) -> rusqlite::Result<Added> {
    let mut added = Added::default();
    let p = partition.0;
    for (actor, state) in &batch.states {
        match state {
            Some(payload) => db
                .prepare_cached(
                    "insert into state (partition, actor, payload) values (?1, ?2, ?3)
                     on conflict (partition, actor) do update set payload = excluded.payload",
                )?
                .execute(params![p, actor.as_str(), payload])?,
            None => db
                .prepare_cached("delete from state where partition = ?1 and actor = ?2")?
                .execute(params![p, actor.as_str()])?,
        };
    }
    for (actor, due) in &batch.due {
        match due {
            Some(at) => db
                .prepare_cached(
                    "insert into due (partition, actor, at) values (?1, ?2, ?3)
                     on conflict (partition, actor) do update set at = excluded.at",
                )?
                .execute(params![p, actor.as_str(), int(at.0)])?,
            None => db
                .prepare_cached("delete from due where partition = ?1 and actor = ?2")?
                .execute(params![p, actor.as_str()])?,
        };
    }
    for entry in &batch.entries {
        let ConversationId { pos, k, .. } = entry.conversation;
        db.prepare_cached(
            "insert into log (partition, ms, input, k, seq, n, payload) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![p, int(pos.ms), pos.n, k, entry.seq, entry.n, entry.payload])?;
    }
    for (key, payload) in &batch.effects {
        let sql = "insert or ignore into effect (partition, key, payload) values (?1, ?2, ?3)";
        added.effects += changed(db.prepare_cached(sql)?.execute(params![p, key, payload])?);
    }
    for key in &batch.cancelled {
        let sql = "delete from effect where partition = ?1 and key = ?2 and started_epoch is null";
        added.effects_gone += changed(db.prepare_cached(sql)?.execute(params![p, key])?);
    }
    for key in &batch.finished {
        let sql = "delete from effect where partition = ?1 and key = ?2";
        added.effects_gone += changed(db.prepare_cached(sql)?.execute(params![p, key])?);
    }
    for (n, line) in (batch.journal_from..).zip(&batch.journal) {
        let sql = "insert into journal (partition, epoch, n, payload) values (?1, ?2, ?3, ?4)";
        added.lines += changed(db.prepare_cached(sql)?.execute(params![p, int(epoch), int(n), line])?);
    }
    for actor in &batch.forget_dead {
        let sql = "delete from dead where partition = ?1 and actor = ?2";
        added.dead_gone += changed(db.prepare_cached(sql)?.execute(params![p, actor.as_str()])?);
    }
    for dead in &batch.dead {
        let sql = "insert into dead (partition, ms, n, actor, payload) values (?1, ?2, ?3, ?4, ?5)";
        let (pos, actor) = (dead.pos, dead.actor.as_str());
        added.dead += changed(db.prepare_cached(sql)?.execute(params![p, int(pos.ms), pos.n, actor, dead.payload])?);
    }
    for conversation in &batch.forget {
        forget(db, *conversation)?;
        // `0` follows `/`: all keys that begin with the conversation's id and a slash.
        let sql = "delete from effect where partition = ?1 and key >= ?2 || '/' and key < ?2 || '0'";
        added.effects_gone += changed(db.prepare_cached(sql)?.execute(params![p, conversation.to_string()])?);
    }
    Ok(added)
}

/// Deletes a log.
pub(super) fn forget(db: &Connection, conversation: ConversationId) -> rusqlite::Result<()> {
    let ConversationId { partition, pos, k } = conversation;
    db.prepare_cached("delete from log where partition = ?1 and ms = ?2 and input = ?3 and k = ?4")?
        .execute(params![partition.0, int(pos.ms), pos.n, k])
        .map(drop)
}

fn changed(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}

fn holds(db: &Connection, partition: Partition, at: Pos) -> rusqlite::Result<bool> {
    db.prepare_cached("select 1 from inbox where partition = ?1 and ms = ?2 and n = ?3")?.exists(params![
        partition.0,
        int(at.ms),
        at.n
    ])
}

fn inputs_within(db: &Connection, partition: Partition, from: Pos, to: Pos) -> rusqlite::Result<u64> {
    let sql = "select count(*) from inbox where partition = ?1 and (ms, n) > (?2, ?3) and (ms, n) <= (?4, ?5)";
    db.prepare_cached(sql)?.query_row(params![partition.0, int(from.ms), from.n, int(to.ms), to.n], |row| num(row, 0))
}

/// Every entry must come after the last of its log.
fn check_logs(db: &Connection, batch: &Batch) -> Result<(), Fail> {
    let mut last: HashMap<ConversationId, LogCursor> = HashMap::new();
    let sql = "select seq, n from log where partition = ?1 and ms = ?2 and input = ?3 and k = ?4
               order by seq desc, n desc limit 1";
    for entry in &batch.entries {
        let ConversationId { partition, pos, k } = entry.conversation;
        let before = match last.get(&entry.conversation) {
            Some(cursor) => *cursor,
            None => db
                .prepare_cached(sql)?
                .query_row(params![partition.0, int(pos.ms), pos.n, k], |row| {
                    Ok(LogCursor { seq: row.get(0)?, n: row.get(1)? })
                })
                .optional()?
                .unwrap_or_default(),
        };
        let next = LogCursor { seq: entry.seq, n: entry.n };
        if next <= before {
            let why = format!("entry {} of {} does not follow the last one", entry.n, entry.conversation);
            return Err(Fail::Refused(StoreError::Corrupt(why)));
        }
        last.insert(entry.conversation, next);
    }
    Ok(())
}

/// Forgets journal lines and decided inputs in one small step; whether there may be more to forget.
pub(super) fn trim(desk: &mut Desk<'_>, partition: Partition, journal: JournalId, inbox: Pos) -> Result<bool, Fail> {
    let inbox = inbox.min(desk.state.part(partition)?.at);
    let p = partition.0;
    let edge: Option<JournalId> = desk
        .db
        .prepare_cached(
            "select epoch, n from journal where partition = ?1 and (epoch, n) <= (?2, ?3)
             order by epoch, n limit 1 offset ?4",
        )?
        .query_row(params![p, int(journal.epoch), int(journal.n), STEP], |row| {
            Ok(JournalId { epoch: num(row, 0)?, n: num(row, 1)? })
        })
        .optional()?;
    let lines = {
        let upto = edge.unwrap_or(journal);
        let sql = "delete from journal where partition = ?1 and (epoch, n) <= (?2, ?3)";
        desk.db.prepare_cached(sql)?.execute(params![p, int(upto.epoch), int(upto.n)])?
    };
    let sql = "select ms, n from inbox where partition = ?1 and (ms, n) <= (?2, ?3) order by ms, n limit 1 offset ?4";
    let more = desk
        .db
        .prepare_cached(sql)?
        .query_row(params![p, int(inbox.ms), inbox.n, STEP], |row| pos(row, 0))
        .optional()?;
    let upto = more.unwrap_or(inbox);
    let sql = "delete from inbox where partition = ?1 and (ms, n) <= (?2, ?3)";
    desk.db.prepare_cached(sql)?.execute(params![p, int(upto.ms), upto.n])?;
    let part = desk.state.change(partition)?;
    part.lines = part.lines.saturating_sub(changed(lines));
    Ok(edge.is_some() || more.is_some())
}

/// Rows forgotten in one go, so that a long trim does not hold up commits.
const STEP: i64 = 2_000;
