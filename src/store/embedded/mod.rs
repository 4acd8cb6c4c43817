//! The embedded store: one SQLite file in the data folder, one process, one writer with group commit.
//!
//! Holding the folder's lock is the lease; epochs, `trying` and clean ends are kept in the file all the same, so that
//! everything is fenced as it is with many nodes.

mod append;
mod commit;
mod file;
mod lease;
mod numbers;
mod partition;
mod reads;
mod seen;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::mpsc;

use self::partition::{Fills, State};
use self::reads::Readers;
use self::writer::{Desk, Fail, Writer};
use super::bus::Bus;
use super::{
    Appended, Batch, Channel, Committed, Fill, Hints, JournalId, Lease, LogCursor, NewInput, PendingEffect, Settings,
    Started, Store, StoreError, StoredDead, StoredInput, Survives,
};
use crate::clock::{Clock, SystemClock};
use crate::model::catalog::Files;
use crate::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use crate::model::input::InForce;
use crate::model::time::Ms;

/// The key of what is in force.
const IN_FORCE: &str = "in_force";

/// The embedded store. Dropping it waits for what was asked, closes the file and gives the folder back.
pub struct Embedded {
    writer: Writer,
    readers: Readers,
    bus: Arc<Bus>,
    fills: Fills,
    nodes: Mutex<BTreeMap<String, Ms>>,
    partitions: u16,
    secret: [u8; 16],
}

/// Opens the store in this folder, which is made at the first start.
///
/// # Errors
/// [`StoreError::Unusable`]: another process has the folder, or it cannot be read. [`StoreError::Corrupt`]: the file is
/// cut off, damaged or not Beckon's. [`StoreError::Newer`]: a newer build wrote it. Nothing is changed then.
pub fn open(folder: &Path, settings: &Settings) -> Result<Embedded, StoreError> {
    let (held, db, fixed) = file::take(folder, settings)?;
    let state = State::read(&db, fixed.partitions, settings.bounds).map_err(|e| file::explain_at(&held.path, &e))?;
    let readers = Readers::open(&held.path)?;
    let (bus, fills) = (Arc::new(Bus::default()), state.fills());
    let writer = Writer::start(db, state, Arc::clone(&bus), held)?;
    Ok(Embedded {
        writer,
        readers,
        bus,
        fills,
        nodes: Mutex::new(BTreeMap::new()),
        partitions: fixed.partitions,
        secret: fixed.secret,
    })
}

#[async_trait]
impl Store for Embedded {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn dedupe_secret(&self) -> [u8; 16] {
        self.secret
    }

    fn poll_interval(&self) -> Duration {
        // Wakes stay within the process and are never lost.
        Duration::from_secs(1)
    }

    async fn now(&self) -> Result<Ms, StoreError> {
        Ok(SystemClock.now())
    }

    async fn survives(&self) -> Result<Survives, StoreError> {
        Ok(Survives {
            store: "embedded",
            setting: "synchronous=full".to_owned(),
            process_killed: "nothing lost",
            machine_lost: "nothing that the disk kept",
            primary_lost: "-",
        })
    }

    async fn append(&self, inputs: Vec<NewInput>) -> Result<Vec<Appended>, StoreError> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        self.writer.ask(move |desk| append::append(desk, &inputs)).await?
    }

    async fn read(&self, partition: Partition, after: Pos, max: usize) -> Result<Vec<StoredInput>, StoreError> {
        self.readers.ask(move |db| reads::inputs(db, partition, after, max)).await
    }

    async fn input(&self, partition: Partition, pos: Pos) -> Result<Option<StoredInput>, StoreError> {
        self.readers.ask(move |db| reads::input(db, partition, pos)).await
    }

    async fn wakes(&self) -> Result<mpsc::Receiver<Partition>, StoreError> {
        Ok(self.bus.wakes())
    }

    async fn load(&self, partition: Partition, actors: &[ActorId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let actors = actors.to_vec();
        self.readers.ask(move |db| reads::states(db, partition, &actors)).await
    }

    async fn due(&self, partition: Partition, until: Ms, max: usize) -> Result<Vec<(ActorId, Ms)>, StoreError> {
        let found = self.readers.ask(move |db| reads::due(db, partition, until, max)).await?;
        found
            .into_iter()
            .map(|(actor, at)| match ActorId::parse(&actor) {
                Ok(actor) => Ok((actor, at)),
                Err(e) => Err(StoreError::Corrupt(e.to_string())),
            })
            .collect()
    }

    async fn acquire(&self, partition: Partition, node: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let node = node.to_owned();
        self.writer.ask(move |desk| lease::acquire(desk, partition, &node, ttl)).await
    }

    async fn renew(&self, partition: Partition, epoch: u64, ttl: Duration) -> Result<bool, StoreError> {
        self.writer.ask(move |desk| lease::renew(desk, partition, epoch, ttl)).await
    }

    async fn release(&self, partition: Partition, epoch: u64) -> Result<(), StoreError> {
        self.writer.ask(move |desk| lease::release(desk, partition, epoch)).await
    }

    async fn trying(&self, partition: Partition, epoch: u64, pos: Pos) -> Result<Option<u32>, StoreError> {
        self.writer.ask(move |desk| lease::trying(desk, partition, epoch, pos)).await
    }

    async fn commit(
        &self,
        partition: Partition,
        epoch: u64,
        from: Pos,
        to: Pos,
        batch: Batch,
    ) -> Result<Committed, StoreError> {
        self.writer.ask(move |desk| commit::commit(desk, partition, epoch, (from, to), batch)).await
    }

    async fn effects(&self, partition: Partition, max: usize) -> Result<Vec<PendingEffect>, StoreError> {
        self.readers.ask(move |db| reads::effects(db, partition, max)).await
    }

    async fn start(&self, partition: Partition, epoch: u64, key: &str) -> Result<Started, StoreError> {
        let key = key.to_owned();
        self.writer.ask(move |desk| lease::start(desk, partition, epoch, &key)).await
    }

    async fn log(
        &self,
        conversation: ConversationId,
        after: LogCursor,
        max: usize,
    ) -> Result<Vec<(LogCursor, Vec<u8>)>, StoreError> {
        self.readers.ask(move |db| reads::log(db, conversation, after, max)).await
    }

    async fn journal(
        &self,
        partition: Partition,
        after: JournalId,
        max: usize,
    ) -> Result<Vec<(JournalId, Vec<u8>)>, StoreError> {
        self.readers.ask(move |db| reads::journal(db, partition, after, max)).await
    }

    async fn trim(
        &self,
        partition: Partition,
        journal: JournalId,
        inbox: Pos,
        logs: &[ConversationId],
    ) -> Result<(), StoreError> {
        while self.writer.ask(move |desk| commit::trim(desk, partition, journal, inbox)).await? {}
        for some in logs.chunks(16) {
            let some = some.to_vec();
            let forget = move |desk: &mut Desk<'_>| {
                some.iter().try_for_each(|conversation| commit::forget(desk.db, *conversation)).map_err(Fail::Sql)
            };
            self.writer.ask(forget).await?;
        }
        Ok(())
    }

    async fn publish(&self, channel: Channel, payload: Vec<u8>) -> Result<(), StoreError> {
        self.bus.publish(&channel, payload);
        Ok(())
    }

    async fn subscribe(&self, channel: Channel, capacity: usize) -> Result<Hints, StoreError> {
        let (hints, tx) = self.bus.subscribe(channel.clone(), capacity);
        let bus = Arc::downgrade(&self.bus);
        tokio::spawn(async move {
            tx.closed().await;
            if let Some(bus) = bus.upgrade() {
                bus.forget(&channel);
            }
        });
        Ok(hints)
    }

    async fn dead(&self, after: Option<EventId>, max: usize) -> Result<Vec<StoredDead>, StoreError> {
        self.readers.ask(move |db| reads::dead(db, after, max)).await
    }

    async fn dead_letter(&self, partition: Partition, pos: Pos) -> Result<Option<StoredDead>, StoreError> {
        self.readers.ask(move |db| reads::dead_letter(db, partition, pos)).await
    }

    async fn take_dead(&self, partition: Partition, pos: Pos) -> Result<Option<StoredDead>, StoreError> {
        let take = move |desk: &mut Desk<'_>| {
            let sql = "delete from dead where partition = ?1 and ms = ?2 and n = ?3 returning payload";
            let taken: Option<Vec<u8>> = desk
                .db
                .prepare_cached(sql)?
                .query_row(params![partition.0, numbers::int(pos.ms), pos.n], |row| row.get(0))
                .optional()?;
            if taken.is_some() {
                let part = desk.state.change(partition)?;
                part.dead = part.dead.saturating_sub(1);
            }
            Ok(taken.map(|payload| StoredDead { partition, pos, payload }))
        };
        self.writer.ask(take).await
    }

    async fn in_force(&self) -> Result<InForce, StoreError> {
        let found = self.readers.ask(|db| file::meta(db, IN_FORCE)).await?;
        in_force(found)
    }

    async fn set_in_force(&self, expected: u64, next: &InForce) -> Result<bool, StoreError> {
        let value = serde_json::to_vec(next).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        let set = move |desk: &mut Desk<'_>| {
            if in_force(file::meta(desk.db, IN_FORCE)?)?.revision != expected {
                return Ok(false);
            }
            file::set_meta(desk.db, IN_FORCE, &value)?;
            Ok(true)
        };
        self.writer.ask(set).await
    }

    async fn put_catalog(&self, hash: &str, files: &Files) -> Result<(), StoreError> {
        let (hash, files) = (hash.to_owned(), files.clone());
        let put = move |desk: &mut Desk<'_>| {
            let mut put =
                desk.db.prepare_cached("insert or ignore into catalog (hash, path, content) values (?1, ?2, ?3)")?;
            // The empty path stands for the catalog itself, so that one without files is there too.
            put.execute(params![hash, "", &[][..]])?;
            for (path, content) in &files {
                put.execute(params![hash, path, content])?;
            }
            Ok(())
        };
        self.writer.ask(put).await
    }

    async fn catalog(&self, hash: &str) -> Result<Option<Files>, StoreError> {
        let hash = hash.to_owned();
        self.readers.ask(move |db| reads::catalog(db, &hash)).await
    }

    async fn heartbeat(&self, node: &str, ttl: Duration) -> Result<Vec<String>, StoreError> {
        let now = SystemClock.now();
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|_, until| *until > now);
        nodes.insert(node.to_owned(), Ms(now.0.saturating_add(ttl)));
        Ok(nodes.keys().cloned().collect())
    }

    async fn depart(&self, node: &str) -> Result<(), StoreError> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
        Ok(())
    }

    async fn dedupe_keys(&self) -> Result<u64, StoreError> {
        Ok(self.fills.lock().unwrap_or_else(PoisonError::into_inner).keys)
    }

    async fn fill(&self) -> Result<BTreeMap<Partition, Fill>, StoreError> {
        let mut fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner).parts.clone();
        let oldest = move |db: &Connection| {
            for (partition, (fill, at)) in
                (0_u16..).map(Partition).zip(&mut fills).filter(|(_, (f, _))| f.undecided > 0)
            {
                fill.oldest_undecided = reads::oldest(db, partition, *at)?;
            }
            Ok(fills)
        };
        let fills = self.readers.ask(oldest).await?;
        Ok((0_u16..).map(Partition).zip(fills.into_iter().map(|(fill, _)| fill)).collect())
    }
}

fn in_force(stored: Option<Vec<u8>>) -> Result<InForce, StoreError> {
    match stored {
        Some(value) => {
            serde_json::from_slice(&value).map_err(|e| StoreError::Corrupt(format!("what is in force: {e}")))
        }
        None => Ok(InForce::default()),
    }
}
