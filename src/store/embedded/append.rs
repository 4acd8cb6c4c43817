//! Appending: known keys answer their first position, bounds hold up what is bounded, the rest gets a position.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, params};

use super::numbers::{int, num, pos};
use super::writer::{Desk, Fail};
use crate::model::ids::{Partition, Pos};
use crate::model::time::Ms;
use crate::store::{Appended, Bounds, DedupeKey, NewInput, StoreError};

/// Expired keys forgotten in one go where none were appended.
const STEP: usize = 256;

/// What becomes of one input.
enum Fate {
    New,
    /// It came before.
    Known(Pos),
    /// It came before in this very call, as the input of this number.
    Twin(usize),
}

/// Answers, or the bound that was met; a refusal is no failure, for what made room before it must stand.
pub(super) fn append(desk: &mut Desk<'_>, inputs: &[NewInput]) -> Result<Result<Vec<Appended>, StoreError>, Fail> {
    let now = desk.state.now();
    let fates = judge(desk, inputs, now)?;
    if let Some(what) = full(desk, inputs, &fates, now)? {
        return Ok(Err(StoreError::Full { what, retry_after: super::RETRY_FULL }));
    }
    let mut last: BTreeMap<Partition, (Pos, u64)> = BTreeMap::new();
    let mut keyed = 0;
    let mut answers: Vec<Appended> = Vec::with_capacity(inputs.len());
    let mut add = desk.db.prepare_cached("insert into inbox (partition, ms, n, payload) values (?1, ?2, ?3, ?4)")?;
    let mut remember =
        desk.db.prepare_cached("insert or ignore into seen (key, partition, ms, n) values (?1, ?2, ?3, ?4)")?;
    let mut again = desk.db.prepare_cached("update seen set ms = ?3, n = ?4 where key = ?1 and partition = ?2")?;
    for (input, fate) in inputs.iter().zip(fates) {
        let at = match fate {
            Fate::Known(pos) => {
                answers.push(Appended { pos, fresh: false });
                continue;
            }
            Fate::Twin(first) => {
                let pos = answers.get(first).map(|first| first.pos).unwrap_or_default();
                answers.push(Appended { pos, fresh: false });
                continue;
            }
            Fate::New => {
                let old = match last.get(&input.partition) {
                    Some(known) => *known,
                    None => (desk.state.part(input.partition)?.last, 0),
                };
                let next = after(old.0, now);
                last.insert(input.partition, (next, old.1 + 1));
                next
            }
        };
        add.execute(params![input.partition.0, int(at.ms), at.n, input.payload])?;
        if let Some(key) = &input.dedupe {
            let row = params![&key[..], input.partition.0, int(at.ms), at.n];
            if remember.execute(row)? == 1 {
                keyed += 1;
            } else {
                // The old one is out of its window.
                again.execute(row)?;
            }
        }
        answers.push(Appended { pos: at, fresh: true });
    }
    desk.state.seen += keyed;
    for (partition, (last, added)) in last {
        let part = desk.state.change(partition)?;
        part.last = last;
        part.undecided += added;
        desk.state.wake(partition);
    }
    // Two go for each that came, so the file stops growing when the first ones end.
    forget(desk, now, usize::try_from(keyed).unwrap_or(STEP).saturating_mul(2).saturating_add(8))?;
    Ok(Ok(answers))
}

/// The next position: the store's time, but never before the last one.
fn after(last: Pos, now: Ms) -> Pos {
    if now.0 > last.ms { Pos { ms: now.0, n: 0 } } else { Pos { ms: last.ms, n: last.n.saturating_add(1) } }
}

fn judge(desk: &Desk<'_>, inputs: &[NewInput], now: Ms) -> Result<Vec<Fate>, Fail> {
    let window = desk.state.bounds.dedupe;
    let mut here: HashMap<(Partition, DedupeKey), usize> = HashMap::new();
    let mut find = desk.db.prepare_cached("select ms, n from seen where key = ?1 and partition = ?2")?;
    let mut fates = Vec::with_capacity(inputs.len());
    for (number, input) in inputs.iter().enumerate() {
        desk.state.part(input.partition)?;
        let Some(key) = &input.dedupe else {
            fates.push(Fate::New);
            continue;
        };
        if let Some(first) = here.get(&(input.partition, *key)) {
            fates.push(Fate::Twin(*first));
            continue;
        }
        here.insert((input.partition, *key), number);
        let known = find.query_row(params![&key[..], input.partition.0], |row| pos(row, 0)).optional()?;
        fates.push(match known {
            Some(pos) if now.since(pos.time()) < window => Fate::Known(pos),
            _ => Fate::New,
        });
    }
    Ok(fates)
}

/// The bound that something bounded and new meets.
fn full(desk: &mut Desk<'_>, inputs: &[NewInput], fates: &[Fate], now: Ms) -> Result<Option<&'static str>, Fail> {
    let bounds: Bounds = desk.state.bounds;
    let mut keyed = false;
    for (input, fate) in inputs.iter().zip(fates) {
        if !input.bounded || !matches!(fate, Fate::New) {
            continue;
        }
        keyed |= input.dedupe.is_some();
        let part = desk.state.part(input.partition)?;
        let limits = [
            (part.undecided, bounds.inbox, "the inbox"),
            (part.effects, bounds.effects, "the list of effects"),
            (part.lines, bounds.journal, "the journal"),
            (part.dead, bounds.dead, "the list of dead letters"),
        ];
        if let Some((_, _, what)) = limits.into_iter().find(|(is, bound, _)| is >= bound) {
            return Ok(Some(what));
        }
    }
    if keyed && desk.state.seen >= bounds.dedupe_keys {
        forget(desk, now, STEP)?;
        if desk.state.seen >= bounds.dedupe_keys {
            return Ok(Some("the memory of dedupe keys"));
        }
    }
    Ok(None)
}

/// Forgets some keys whose window is over, never one within it.
fn forget(desk: &mut Desk<'_>, now: Ms, max: usize) -> Result<(), Fail> {
    if now.0 < desk.state.next_expiry {
        return Ok(());
    }
    let window = desk.state.bounds.dedupe;
    let over = int(now.0.saturating_sub(window.0));
    let sql = "delete from seen where (key, partition) in (select key, partition from seen where ms <= ?1 limit ?2)";
    let gone = desk.db.prepare_cached(sql)?.execute(params![over, super::numbers::limit(max)])?;
    desk.state.seen = desk.state.seen.saturating_sub(u64::try_from(gone).unwrap_or_default());
    if gone < max {
        desk.state.next_expiry = first_expiry(desk.db, window.0)?.unwrap_or(now.0.saturating_add(window.0));
    }
    Ok(())
}

fn first_expiry(db: &Connection, window: u64) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("select ms from seen order by ms limit 1")?
        .query_row([], |row| num(row, 0))
        .optional()
        .map(|first| first.map(|ms| ms.saturating_add(window)))
}
