//! Appending: known keys answer their first position, bounds hold up what is bounded, the rest gets a position.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::numbers::{int, num};
use super::writer::{Desk, Fail};
use crate::model::ids::{ActorId, Partition, Pos};
use crate::model::time::Ms;
use crate::store::{Appended, Bounds, DedupeKey, NewInput, StoreError, check, room};

/// What becomes of one input.
enum Fate {
    New,
    /// It came before.
    Known(Pos),
    /// It came before in this very call, as the input of this number.
    Twin(usize),
    /// Its customer has too many dead letters.
    Refused,
}

/// Answers, or the bound that was met; a refusal is no failure, for what made room before it must stand, and what was
/// appended beside it.
pub(super) fn append(desk: &mut Desk<'_>, inputs: &[NewInput]) -> Result<Result<Vec<Appended>, StoreError>, Fail> {
    let now = desk.state.now();
    let mut fates = judge(desk, inputs, now)?;
    quarantine(desk, inputs, &mut fates)?;
    if let Some((what, retry_after)) = full(desk, inputs, &fates, now)? {
        return Ok(Err(StoreError::Full { what, retry_after }));
    }
    let mut last: BTreeMap<Partition, (Pos, u64)> = BTreeMap::new();
    let mut answers: Vec<Option<Appended>> = Vec::with_capacity(inputs.len());
    let mut add = desk.db.prepare_cached("insert into inbox (partition, ms, n, payload) values (?1, ?2, ?3, ?4)")?;
    for (input, fate) in inputs.iter().zip(fates) {
        let at = match fate {
            Fate::Known(pos) => {
                answers.push(Some(Appended { pos, fresh: false }));
                continue;
            }
            Fate::Twin(first) => {
                let first = answers.get(first).copied().flatten();
                answers.push(first.map(|first| Appended { pos: first.pos, fresh: false }));
                continue;
            }
            Fate::Refused => {
                answers.push(None);
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
            desk.state.seen.add(desk.db, *key, input.partition, at)?;
        }
        answers.push(Some(Appended { pos: at, fresh: true }));
    }
    for (partition, (last, added)) in last {
        let part = desk.state.change(partition)?;
        part.last = last;
        part.undecided += added;
        desk.state.wake(partition);
    }
    Ok(check::all_appended(answers))
}

/// Refuses what is of a customer with too many dead letters.
fn quarantine(desk: &Desk<'_>, inputs: &[NewInput], fates: &mut [Fate]) -> Result<(), Fail> {
    let bounds = desk.state.bounds;
    let mut counted: HashMap<(Partition, &ActorId), u64> = HashMap::new();
    for (input, fate) in inputs.iter().zip(fates) {
        let all = desk.state.part(input.partition)?.dead;
        let most = bounds.dead_of_one(all);
        // Where all together are below it, nobody is above.
        if all < most || !input.bounded || !matches!(fate, Fate::New) {
            continue;
        }
        let count = match counted.entry((input.partition, &input.actor)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => *place.insert(dead_of(desk.db, input.partition, &input.actor)?),
        };
        if count >= most {
            *fate = Fate::Refused;
        }
    }
    Ok(())
}

fn dead_of(db: &Connection, partition: Partition, actor: &ActorId) -> rusqlite::Result<u64> {
    db.prepare_cached("select count(*) from dead where partition = ?1 and actor = ?2")?
        .query_row(params![partition.0, actor.as_str()], |row| num(row, 0))
}

/// The next position: the store's time, but never before the last one.
fn after(last: Pos, now: Ms) -> Pos {
    if now.0 > last.ms { Pos { ms: now.0, n: 0 } } else { Pos { ms: last.ms, n: last.n.saturating_add(1) } }
}

fn judge(desk: &Desk<'_>, inputs: &[NewInput], now: Ms) -> Result<Vec<Fate>, Fail> {
    let window = desk.state.bounds.dedupe;
    let mut here: HashMap<(Partition, DedupeKey), usize> = HashMap::new();
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
        let known = desk.state.seen.find(desk.db, *key, input.partition)?;
        fates.push(match known {
            Some(pos) if now.since(pos.time()) < window => Fate::Known(pos),
            _ => Fate::New,
        });
    }
    Ok(fates)
}

/// The bound that something bounded and new meets, and when room can be expected.
fn full(
    desk: &mut Desk<'_>,
    inputs: &[NewInput],
    fates: &[Fate],
    now: Ms,
) -> Result<Option<(&'static str, Duration)>, Fail> {
    let bounds: Bounds = desk.state.bounds;
    let mut keyed = false;
    for (input, fate) in inputs.iter().zip(fates) {
        if !input.bounded || !matches!(fate, Fate::New) {
            continue;
        }
        keyed |= input.dedupe.is_some();
        let part = desk.state.part(input.partition)?;
        if part.undecided >= bounds.inbox {
            let since = since(desk.db, input.partition, part.at)?.unwrap_or(now);
            return Ok(Some(("the inbox", room::in_queue(since, now))));
        }
        if part.effects >= bounds.effects {
            return Ok(Some(("the list of effects", room::A_CALL)));
        }
        if part.lines >= bounds.journal {
            // Inputs stay until the record has them: the first one that is there tells how far it is behind.
            let since = since(desk.db, input.partition, Pos::START)?.unwrap_or(now);
            return Ok(Some(("the journal", room::in_queue(since, now))));
        }
    }
    if keyed && desk.state.seen.count() >= bounds.dedupe_keys {
        desk.state.seen.make_room(desk.db, bounds.dedupe, now)?;
        if desk.state.seen.count() >= bounds.dedupe_keys {
            let oldest = desk.state.seen.oldest(desk.db)?.unwrap_or(now);
            let room = room::when_forgotten(oldest.plus(bounds.dedupe), now);
            return Ok(Some(("the memory of dedupe keys", room)));
        }
    }
    Ok(None)
}

/// When the first input after a position came.
fn since(db: &Connection, partition: Partition, after: Pos) -> rusqlite::Result<Option<Ms>> {
    let sql = "select ms from inbox where partition = ?1 and (ms, n) > (?2, ?3) order by ms, n limit 1";
    let row = params![partition.0, int(after.ms), after.n];
    db.prepare_cached(sql)?.query_row(row, |row| num(row, 0).map(Ms)).optional()
}
