//! Reading: a few connections of their own, each lent to one thread at a time, so that reads never wait for the disk's
//! fsync.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::Semaphore;

use super::file::{explain, reader};
use super::numbers::{int, limit, num, pos};
use crate::model::catalog::Files;
use crate::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use crate::model::time::Ms;
use crate::store::{JournalId, LogCursor, PendingEffect, StoreError, StoredDead, StoredInput};

/// Reads at a time.
const CONNECTIONS: usize = 4;

/// Connections for reading.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Readers, StoreError> {
        let idle = (0..CONNECTIONS).map(|_| reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Readers { idle: Arc::new(Mutex::new(idle)), places: Arc::new(Semaphore::new(CONNECTIONS)) })
    }

    /// Reads on a thread that may wait for the disk.
    pub(super) async fn ask<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let gone = || StoreError::Away("a reader has stopped".to_owned());
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| gone())?;
        let idle = Arc::clone(&self.idle);
        let work = tokio::task::spawn_blocking(move || {
            let lent = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(db) = lent else { return Err(gone()) };
            let found = read(&db).map_err(|e| explain(&e));
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
            drop(place);
            found
        });
        work.await.map_err(|_| gone())?
    }
}

pub(super) fn inputs(
    db: &Connection,
    partition: Partition,
    after: Pos,
    max: usize,
) -> rusqlite::Result<Vec<StoredInput>> {
    let sql = "select ms, n, payload from inbox where partition = ?1 and (ms, n) > (?2, ?3) order by ms, n limit ?4";
    db.prepare_cached(sql)?
        .query_map(params![partition.0, int(after.ms), after.n, limit(max)], |row| {
            Ok(StoredInput { pos: pos(row, 0)?, payload: row.get(2)? })
        })?
        .collect()
}

/// The time of the first input after a position.
pub(super) fn oldest(db: &Connection, partition: Partition, after: Pos) -> rusqlite::Result<Option<Ms>> {
    let sql = "select ms from inbox where partition = ?1 and (ms, n) > (?2, ?3) order by ms, n limit 1";
    db.prepare_cached(sql)?
        .query_row(params![partition.0, int(after.ms), after.n], |row| num(row, 0))
        .optional()
        .map(|found| found.map(Ms))
}

pub(super) fn input(db: &Connection, partition: Partition, at: Pos) -> rusqlite::Result<Option<StoredInput>> {
    db.prepare_cached("select payload from inbox where partition = ?1 and ms = ?2 and n = ?3")?
        .query_row(params![partition.0, int(at.ms), at.n], |row| Ok(StoredInput { pos: at, payload: row.get(0)? }))
        .optional()
}

pub(super) fn states(
    db: &Connection,
    partition: Partition,
    actors: &[ActorId],
) -> rusqlite::Result<Vec<Option<Vec<u8>>>> {
    let mut find = db.prepare_cached("select payload from state where partition = ?1 and actor = ?2")?;
    actors
        .iter()
        .map(|actor| find.query_row(params![partition.0, actor.as_str()], |row| row.get(0)).optional())
        .collect()
}

pub(super) fn due(db: &Connection, partition: Partition, until: Ms, max: usize) -> rusqlite::Result<Vec<(String, Ms)>> {
    let sql = "select actor, at from due where partition = ?1 and at <= ?2 order by at, actor limit ?3";
    db.prepare_cached(sql)?
        .query_map(params![partition.0, int(until.0), limit(max)], |row| Ok((row.get(0)?, Ms(num(row, 1)?))))?
        .collect()
}

pub(super) fn effects(db: &Connection, partition: Partition, max: usize) -> rusqlite::Result<Vec<PendingEffect>> {
    let sql = "select key, payload, started_epoch, started_at from effect where partition = ?1 order by id limit ?2";
    db.prepare_cached(sql)?
        .query_map(params![partition.0, limit(max)], |row| {
            let started = match row.get::<_, Option<i64>>(2)? {
                Some(_) => Some((num(row, 2)?, Ms(num(row, 3)?))),
                None => None,
            };
            Ok(PendingEffect { key: row.get(0)?, payload: row.get(1)?, started })
        })?
        .collect()
}

pub(super) fn log(
    db: &Connection,
    conversation: ConversationId,
    after: LogCursor,
    max: usize,
) -> rusqlite::Result<Vec<(LogCursor, Vec<u8>)>> {
    let ConversationId { partition, pos, k } = conversation;
    let sql = "select seq, n, payload from log where partition = ?1 and ms = ?2 and input = ?3 and k = ?4
               and (seq, n) > (?5, ?6) order by seq, n limit ?7";
    db.prepare_cached(sql)?
        .query_map(params![partition.0, int(pos.ms), pos.n, k, after.seq, after.n, limit(max)], |row| {
            Ok((LogCursor { seq: row.get(0)?, n: row.get(1)? }, row.get(2)?))
        })?
        .collect()
}

pub(super) fn journal(
    db: &Connection,
    partition: Partition,
    after: JournalId,
    max: usize,
) -> rusqlite::Result<Vec<(JournalId, Vec<u8>)>> {
    let sql = "select epoch, n, payload from journal where partition = ?1 and (epoch, n) > (?2, ?3)
               order by epoch, n limit ?4";
    db.prepare_cached(sql)?
        .query_map(params![partition.0, int(after.epoch), int(after.n), limit(max)], |row| {
            Ok((JournalId { epoch: num(row, 0)?, n: num(row, 1)? }, row.get(2)?))
        })?
        .collect()
}

pub(super) fn dead(db: &Connection, after: Option<EventId>, max: usize) -> rusqlite::Result<Vec<StoredDead>> {
    // No input is at position 0.
    let after = after.unwrap_or(EventId { partition: Partition(0), pos: Pos::START });
    let sql = "select partition, ms, n, payload from dead where (ms, n, partition) > (?1, ?2, ?3)
               order by ms, n, partition limit ?4";
    db.prepare_cached(sql)?
        .query_map(params![int(after.pos.ms), after.pos.n, after.partition.0, limit(max)], |row| {
            Ok(StoredDead { partition: Partition(row.get(0)?), pos: pos(row, 1)?, payload: row.get(3)? })
        })?
        .collect()
}

pub(super) fn dead_letter(db: &Connection, partition: Partition, at: Pos) -> rusqlite::Result<Option<StoredDead>> {
    db.prepare_cached("select payload from dead where partition = ?1 and ms = ?2 and n = ?3")?
        .query_row(params![partition.0, int(at.ms), at.n], |row| {
            Ok(StoredDead { partition, pos: at, payload: row.get(0)? })
        })
        .optional()
}

/// None where the catalog was never kept: one without files is kept as one row without a path.
pub(super) fn catalog(db: &Connection, hash: &str) -> rusqlite::Result<Option<Files>> {
    let rows: Vec<(String, Vec<u8>)> = db
        .prepare_cached("select path, content from catalog where hash = ?1")?
        .query_map([hash], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(rows.into_iter().filter(|(path, _)| !path.is_empty()).collect()))
}
