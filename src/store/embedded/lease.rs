//! The right to decide: taking, keeping and giving back leases, and noting what is tried under them.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::numbers::{int, num};
use super::partition::save;
use super::writer::{Desk, Fail};
use crate::model::ids::{Partition, Pos};
use crate::model::time::Ms;
use crate::store::{Lease, Started};

pub(super) fn acquire(
    desk: &mut Desk<'_>,
    partition: Partition,
    node: &str,
    ttl: Duration,
) -> Result<Option<Lease>, Fail> {
    let now = desk.state.now();
    let part = desk.state.change(partition)?;
    if part.holder.as_ref().is_some_and(|(holder, until)| holder != node && *until > now) {
        return Ok(None);
    }
    let last = part.epoch.max(part.at_epoch).max(part.journal.epoch);
    let lease = Lease {
        epoch: now.0.max(last.saturating_add(1)),
        at: part.at,
        journal: part.journal,
        trying: part.trying.map(|(pos, count, _)| (pos, count)),
        clean: part.clean,
    };
    part.epoch = lease.epoch;
    part.holder = Some((node.to_owned(), end(now, ttl)));
    part.clean = false;
    save(desk.db, partition, desk.state.part(partition)?)?;
    Ok(Some(lease))
}

pub(super) fn renew(desk: &mut Desk<'_>, partition: Partition, epoch: u64, ttl: Duration) -> Result<bool, Fail> {
    let now = desk.state.now();
    let part = desk.state.change(partition)?;
    if part.epoch != epoch {
        return Ok(false);
    }
    match &mut part.holder {
        Some((_, until)) => *until = end(now, ttl),
        None => return Ok(false),
    }
    Ok(true)
}

pub(super) fn release(desk: &mut Desk<'_>, partition: Partition, epoch: u64) -> Result<(), Fail> {
    if !desk.state.part(partition)?.owned_under(epoch) {
        return Ok(());
    }
    let part = desk.state.change(partition)?;
    part.holder = None;
    part.clean = true;
    part.trying = None;
    save(desk.db, partition, desk.state.part(partition)?)?;
    Ok(())
}

pub(super) fn trying(desk: &mut Desk<'_>, partition: Partition, epoch: u64, at: Pos) -> Result<Option<u32>, Fail> {
    if !desk.state.part(partition)?.owned_under(epoch) {
        return Ok(None);
    }
    let part = desk.state.change(partition)?;
    let count = match part.trying {
        // Asked again by the same owner, whose answer was lost.
        Some((pos, count, by)) if pos == at && by == epoch => return Ok(Some(count)),
        Some((pos, count, _)) if pos == at => count.saturating_add(1),
        _ => 1,
    };
    part.trying = Some((at, count, epoch));
    save(desk.db, partition, desk.state.part(partition)?)?;
    Ok(Some(count))
}

pub(super) fn start(desk: &mut Desk<'_>, partition: Partition, epoch: u64, key: &str) -> Result<Started, Fail> {
    if !desk.state.part(partition)?.owned_under(epoch) {
        return Ok(Started::Lost);
    }
    let now = desk.state.now();
    let found: Option<Option<(u64, Ms)>> = desk
        .db
        .prepare_cached("select started_epoch, started_at from effect where partition = ?1 and key = ?2")?
        .query_row(params![partition.0, key], |row| match row.get::<_, Option<i64>>(0)? {
            Some(_) => Ok(Some((num(row, 0)?, Ms(num(row, 1)?)))),
            None => Ok(None),
        })
        .optional()?;
    match found {
        None => Ok(Started::Gone),
        Some(Some((epoch, at))) => Ok(Started::Before(epoch, at)),
        Some(None) => {
            let sql = "update effect set started_epoch = ?3, started_at = ?4 where partition = ?1 and key = ?2";
            desk.db.prepare_cached(sql)?.execute(params![partition.0, key, int(epoch), int(now.0)])?;
            Ok(Started::Now)
        }
    }
}

fn end(now: Ms, ttl: Duration) -> Ms {
    Ms(now.0.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)))
}
