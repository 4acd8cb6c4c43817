//! The store's contract: each sentence of the port, on the embedded store and on a real Redis.

mod appending;
mod catalogs;
mod committing;
mod effects;
mod embedded_only;
mod leases;
mod live;
mod logs;
mod redis_only;
pub(crate) mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use beckon::model::ids::{ActorId, ConversationId, Partition, Pos};
use beckon::model::time::Millis;
use beckon::store::{Appended, Batch, Bounds, Committed, Lease, NewDead, NewEntry, NewInput, Settings, Store};

/// Makes of each test one for each store.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test] async fn $name() { super::$name(crate::store::Place::embedded()).await })*
        }
        mod redis {
            $(#[tokio::test] async fn $name() { super::$name(crate::store::Place::redis()).await })*
        }
    };
}
pub(crate) use contract;

/// Where a store lives; opened as often as a test likes.
pub enum Place {
    Embedded(tempfile::TempDir),
    Redis { url: String, prefix: String },
}

impl Place {
    pub fn embedded() -> Place {
        Place::Embedded(tempfile::tempdir().unwrap())
    }

    /// The shared server, with keys of this test's own.
    pub fn redis() -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Place::Redis { url: server::shared().url(), prefix }
    }

    pub fn settings(&self) -> Settings {
        let (url, prefix) = match self {
            Place::Embedded(_) => ("embedded:".to_owned(), "bk".to_owned()),
            Place::Redis { url, prefix } => (url.clone(), prefix.clone()),
        };
        let bounds = Bounds {
            inbox: 1_000,
            effects: 1_000,
            journal: 1_000,
            dedupe_keys: 10_000,
            dedupe: Millis::hours(24),
            dead: 100,
            dead_a_customer: 50,
        };
        Settings { url, prefix, partitions: 4, min_replicas: 0, bounds }
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        self.open_with(|_| {}).await
    }

    pub async fn open_with(&self, change: impl FnOnce(&mut Settings)) -> Arc<dyn Store> {
        let mut settings = self.settings();
        change(&mut settings);
        let folder = match self {
            Place::Embedded(dir) => dir.path(),
            Place::Redis { .. } => std::path::Path::new("/nonexistent"),
        };
        beckon::store::open(&settings, folder).await.unwrap()
    }
}

pub const P0: Partition = Partition(0);
pub const P1: Partition = Partition(1);
pub const TTL: Duration = Duration::from_secs(30);

pub fn input(partition: Partition, payload: &str) -> NewInput {
    NewInput {
        partition,
        actor: actor("somebody"),
        payload: payload.as_bytes().to_vec(),
        dedupe: None,
        bounded: true,
        guest: false,
    }
}

pub fn keyed(partition: Partition, payload: &str, key: u128) -> NewInput {
    NewInput { dedupe: Some(key.to_be_bytes()), ..input(partition, payload) }
}

pub fn unbounded(partition: Partition, payload: &str) -> NewInput {
    NewInput { bounded: false, ..input(partition, payload) }
}

pub fn actor(id: &str) -> ActorId {
    ActorId::user(id)
}

/// A dead letter of a customer.
pub fn dead(pos: Pos, of: &str, payload: &[u8]) -> NewDead {
    NewDead { pos, actor: actor(of), payload: payload.to_vec() }
}

pub fn conversation(partition: Partition, k: u32) -> ConversationId {
    ConversationId { partition, pos: Pos { ms: 1_700_000_000_000, n: 7 }, k }
}

pub fn entry(conversation: ConversationId, seq: u32, n: u32) -> NewEntry {
    NewEntry { conversation, n, seq, payload: format!("{seq}-{n}").into_bytes() }
}

/// Appends one input and answers its position.
pub async fn put(store: &dyn Store, partition: Partition, payload: &str) -> Pos {
    store.append(vec![input(partition, payload)]).await.unwrap()[0].pos
}

/// Appends so many inputs in one call.
pub async fn put_many(store: &dyn Store, partition: Partition, count: usize) -> Vec<Pos> {
    let inputs = (0..count).map(|n| input(partition, &n.to_string())).collect();
    store.append(inputs).await.unwrap().into_iter().map(|Appended { pos, .. }| pos).collect()
}

pub async fn own(store: &dyn Store, partition: Partition, node: &str) -> Lease {
    store.acquire(partition, node, TTL).await.unwrap().expect("the lease is free")
}

/// An owner that commits one new input after another.
pub struct Owner<'a> {
    pub store: &'a dyn Store,
    pub partition: Partition,
    pub epoch: u64,
    pub at: Pos,
}

impl<'a> Owner<'a> {
    pub async fn of(store: &'a dyn Store, partition: Partition) -> Owner<'a> {
        let lease = own(store, partition, "node").await;
        Owner { store, partition, epoch: lease.epoch, at: lease.at }
    }

    /// Appends an input and commits this batch for it.
    pub async fn commit(&mut self, batch: Batch) -> Pos {
        let to = put(self.store, self.partition, "an input").await;
        self.commit_to(to, batch).await;
        to
    }

    pub async fn commit_to(&mut self, to: Pos, batch: Batch) {
        let ended = self.store.commit(self.partition, self.epoch, self.at, to, batch).await.unwrap();
        assert_eq!(ended, Committed::Applied);
        self.at = to;
    }
}
