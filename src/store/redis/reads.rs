//! Reading: plain commands, and what they answer turned into our types.

use std::collections::BTreeMap;

use redis::{FromRedisValue, Value};

use super::keys::Keys;
use super::link::{Link, explain};
use crate::model::ids::{ActorId, EventId, Partition, Pos};
use crate::model::input::InForce;
use crate::model::time::Ms;
use crate::store::{Fill, JournalId, Lease, LogCursor, PendingEffect, StoreError, StoredDead, StoredInput, room};

/// An entry of a stream: its id, and its fields and values in turn.
type Line = (String, Vec<Vec<u8>>);

fn odd(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the server holds something that is not {what}"))
}

/// The next value of an answer.
pub(super) fn take<T: FromRedisValue>(answer: &mut impl Iterator<Item = Value>) -> Result<T, StoreError> {
    let value = answer.next().ok_or_else(|| odd("a whole answer"))?;
    redis::from_redis_value(value).map_err(|e| explain(e.into()))
}

/// A position out of its text.
pub(super) fn pos(text: &str) -> Result<Pos, StoreError> {
    text.parse().map_err(|_| odd("a position"))
}

/// Two numbers out of `a-b`.
fn two(text: &str) -> Result<(u64, u64), StoreError> {
    let halves = text.split_once('-').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    halves.ok_or_else(|| odd("a pair of numbers"))
}

/// The mark of a started effect.
pub(super) fn mark(text: &str) -> Result<(u64, Ms), StoreError> {
    two(text).map(|(epoch, at)| (epoch, Ms(at)))
}

/// The bound that a script met, by the name that it gives it. `at` is since when the oldest waits, and of the keys when
/// the oldest are forgotten.
pub(super) fn full(name: &str, at: Ms, now: Ms) -> StoreError {
    let (what, retry_after) = match name {
        "the inbox" => ("the inbox", room::in_queue(at, now)),
        "the list of effects" => ("the list of effects", room::A_CALL),
        "the journal" => ("the journal", room::in_queue(at, now)),
        _ => ("the memory of dedupe keys", room::when_forgotten(at, now)),
    };
    StoreError::Full { what, retry_after }
}

/// The value of the field that holds payloads.
fn payload(fields: Vec<Vec<u8>>) -> Result<Vec<u8>, StoreError> {
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if name == b"p" {
            return Ok(value);
        }
    }
    Err(odd("an entry of a stream of ours"))
}

/// Entries of a stream after an id.
async fn range(link: &Link, key: &str, after: &str, max: usize) -> Result<Vec<Line>, StoreError> {
    if max == 0 {
        return Ok(Vec::new());
    }
    let from = format!("({after}");
    link.ask(redis::cmd("XRANGE").arg(key).arg(from).arg("+").arg("COUNT").arg(max)).await
}

pub(super) async fn inputs(link: &Link, key: &str, after: Pos, max: usize) -> Result<Vec<StoredInput>, StoreError> {
    let lines = range(link, key, &after.to_string(), max).await?;
    lines.into_iter().map(|(id, fields)| Ok(StoredInput { pos: pos(&id)?, payload: payload(fields)? })).collect()
}

pub(super) async fn input(link: &Link, key: &str, at: Pos) -> Result<Option<StoredInput>, StoreError> {
    let id = at.to_string();
    let lines: Vec<Line> = link.ask(redis::cmd("XRANGE").arg(key).arg(&id).arg(&id)).await?;
    lines.into_iter().next().map(|(_, fields)| Ok(StoredInput { pos: at, payload: payload(fields)? })).transpose()
}

pub(super) async fn due(link: &Link, key: &str, until: Ms, max: usize) -> Result<Vec<(ActorId, Ms)>, StoreError> {
    let mut find = redis::cmd("ZRANGE");
    // The server counts in i64, and takes a negative number for all.
    let max = i64::try_from(max).unwrap_or(-1);
    find.arg(key).arg("-inf").arg(until.0).arg("BYSCORE").arg("LIMIT").arg(0).arg(max).arg("WITHSCORES");
    let found: Vec<(String, u64)> = link.ask(&find).await?;
    found
        .into_iter()
        .map(|(actor, at)| match ActorId::parse(&actor) {
            Ok(actor) => Ok((actor, Ms(at))),
            Err(_) => Err(odd("a customer")),
        })
        .collect()
}

pub(super) fn lease(answer: Vec<Value>) -> Result<Option<Lease>, StoreError> {
    if answer.is_empty() {
        return Ok(None);
    }
    let answer = &mut answer.into_iter();
    let epoch: u64 = take(answer)?;
    let at = pos(&take::<String>(answer)?)?;
    let (journal_epoch, n) = two(&take::<String>(answer)?)?;
    let tried: String = take(answer)?;
    let count: u32 = take(answer)?;
    let clean: u8 = take(answer)?;
    let trying = if tried.is_empty() { None } else { Some((pos(&tried)?, count)) };
    Ok(Some(Lease { epoch, at, journal: JournalId { epoch: journal_epoch, n }, trying, clean: clean == 1 }))
}

pub(super) async fn effects(
    link: &Link,
    payloads: &str,
    order: &str,
    started: &str,
    max: usize,
) -> Result<Vec<PendingEffect>, StoreError> {
    let Some(last) = max.checked_sub(1) else { return Ok(Vec::new()) };
    let keys: Vec<String> = link.ask(redis::cmd("ZRANGE").arg(order).arg(0).arg(last)).await?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut both = redis::pipe();
    both.cmd("HMGET").arg(payloads).arg(&keys).cmd("HMGET").arg(started).arg(&keys);
    let (payloads, marks): (Vec<Option<Vec<u8>>>, Vec<Option<String>>) = link.ask_all(&both).await?;
    let mut effects = Vec::with_capacity(keys.len());
    for ((key, payload), started) in keys.into_iter().zip(payloads).zip(marks) {
        // Without a payload it went between the two questions.
        let Some(payload) = payload else { continue };
        let started = started.map(|text| mark(&text)).transpose()?;
        effects.push(PendingEffect { key, payload, started });
    }
    Ok(effects)
}

pub(super) async fn log(
    link: &Link,
    key: &str,
    after: LogCursor,
    max: usize,
) -> Result<Vec<(LogCursor, Vec<u8>)>, StoreError> {
    let lines = range(link, key, &format!("{}-{}", after.seq, after.n), max).await?;
    lines
        .into_iter()
        .map(|(id, fields)| {
            let (seq, n) = two(&id)?;
            let small = |n| u32::try_from(n).map_err(|_| odd("an entry's number"));
            Ok((LogCursor { seq: small(seq)?, n: small(n)? }, payload(fields)?))
        })
        .collect()
}

pub(super) async fn journal(
    link: &Link,
    key: &str,
    after: JournalId,
    max: usize,
) -> Result<Vec<(JournalId, Vec<u8>)>, StoreError> {
    let lines = range(link, key, &format!("{}-{}", after.epoch, after.n), max).await?;
    lines
        .into_iter()
        .map(|(id, fields)| {
            let (epoch, n) = two(&id)?;
            Ok((JournalId { epoch, n }, payload(fields)?))
        })
        .collect()
}

/// The next of each partition, and of these the oldest of all.
pub(super) async fn dead(
    link: &Link,
    keys: &Keys,
    after: Option<EventId>,
    max: usize,
) -> Result<Vec<StoredDead>, StoreError> {
    if max == 0 {
        return Ok(Vec::new());
    }
    let mut all = redis::pipe();
    for partition in keys.all() {
        let from = match after {
            None => "-".to_owned(),
            // At the same position the partitions after its own come next.
            Some(after) if partition > after.partition => after.pos.to_string(),
            Some(after) => format!("({}", after.pos),
        };
        all.cmd("XRANGE").arg(keys.of(partition, "dead")).arg(from).arg("+").arg("COUNT").arg(max);
    }
    let answers: Vec<Vec<Line>> = link.ask_all(&all).await?;
    let mut dead = Vec::new();
    for (partition, lines) in keys.all().zip(answers) {
        for (id, fields) in lines {
            dead.push(StoredDead { partition, pos: pos(&id)?, payload: payload(fields)? });
        }
    }
    dead.sort_by_key(|dead| (dead.pos, dead.partition));
    dead.truncate(max);
    Ok(dead)
}

pub(super) async fn in_force(link: &Link, key: &str) -> Result<InForce, StoreError> {
    let mut get = redis::cmd("HMGET");
    get.arg(key).arg("revision").arg("hash").arg("paused");
    let (revision, hash, paused): (Option<u64>, Option<String>, Option<String>) = link.ask(&get).await?;
    let (Some(revision), Some(hash), Some(paused)) = (revision, hash, paused) else {
        return Ok(InForce::default());
    };
    let paused = serde_json::from_str(&paused).map_err(|_| odd("a list of playbooks"))?;
    Ok(InForce { revision, hash, paused })
}

pub(super) async fn dedupe_keys(link: &Link, keys: &Keys) -> Result<u64, StoreError> {
    let mut all = redis::pipe();
    for slot in keys.all().flat_map(|partition| keys.seen(partition)) {
        all.cmd("HLEN").arg(slot);
    }
    let counts: Vec<u64> = link.ask_all(&all).await?;
    Ok(counts.into_iter().sum())
}

pub(super) async fn fill(link: &Link, keys: &Keys) -> Result<BTreeMap<Partition, Fill>, StoreError> {
    let mut all = redis::pipe();
    for partition in keys.all() {
        all.cmd("HMGET").arg(keys.of(partition, "at")).arg("added").arg("decided").arg("to");
        all.cmd("HLEN").arg(keys.of(partition, "fx"));
        all.cmd("XLEN").arg(keys.of(partition, "journal"));
        all.cmd("XLEN").arg(keys.of(partition, "dead"));
    }
    let answers: Vec<Value> = link.ask_all(&all).await?;
    let answers = &mut answers.into_iter();
    let (mut fill, mut oldest) = (BTreeMap::new(), redis::pipe());
    let mut late = Vec::new();
    for partition in keys.all() {
        let (added, decided, to): (Option<u64>, Option<u64>, Option<String>) = take(answers)?;
        let undecided = added.unwrap_or_default().saturating_sub(decided.unwrap_or_default());
        let [effects, journal, dead] = [take(answers)?, take(answers)?, take(answers)?];
        fill.insert(partition, Fill { undecided, oldest_undecided: None, effects, journal, dead });
        if undecided > 0 {
            let from = format!("({}", to.as_deref().unwrap_or("0-0"));
            oldest.cmd("XRANGE").arg(keys.of(partition, "in")).arg(from).arg("+").arg("COUNT").arg(1);
            late.push(partition);
        }
    }
    let answers: Vec<Vec<Line>> = link.ask_all(&oldest).await?;
    for (partition, lines) in late.into_iter().zip(answers) {
        if let (Some(fill), Some((id, _))) = (fill.get_mut(&partition), lines.first()) {
            fill.oldest_undecided = Some(pos(id)?.time());
        }
    }
    Ok(fill)
}
