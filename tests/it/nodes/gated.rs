//! A real store with a gate at each operation: where a test closes one, answers stand there until it opens. It may also fail
//! the next call of an operation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use beckon::model::catalog::Files;
use beckon::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use beckon::model::input::InForce;
use beckon::model::time::Ms;
use beckon::store::{
    Appended, Batch, Channel, Committed, Fill, Hints, JournalId, Lease, LogCursor, NewInput, PendingEffect, Started,
    Store, StoreError, StoredDead, StoredInput, Survives,
};
use tokio::sync::{mpsc, watch};

use crate::journeys::world::until;

/// The store, and the gates of it.
pub struct Gated {
    inner: Arc<dyn Store>,
    closed: watch::Sender<BTreeSet<&'static str>>,
    waiting: watch::Sender<BTreeMap<&'static str, u32>>,
    failing: Mutex<BTreeMap<&'static str, u32>>,
}

impl Gated {
    /// All gates open.
    pub fn new(inner: Arc<dyn Store>) -> Arc<Gated> {
        let (closed, waiting) = (watch::Sender::default(), watch::Sender::default());
        Arc::new(Gated { inner, closed, waiting, failing: Mutex::default() })
    }

    /// From now on answers of this operation stand at its gate.
    pub fn close(&self, operation: &'static str) {
        self.closed.send_if_modified(|closed| closed.insert(operation));
    }

    /// Lets through whoever stands there.
    pub fn open(&self, operation: &'static str) {
        self.closed.send_if_modified(|closed| closed.remove(operation));
    }

    /// The next calls of this operation find the store away, so many.
    pub fn fail_next(&self, operation: &'static str, times: u32) {
        self.failing.lock().unwrap().insert(operation, times);
    }

    /// Waits until all calls that were to fail have failed.
    pub async fn have_failed(&self, operation: &'static str) {
        until(operation, || async { self.failing.lock().unwrap().get(operation) == Some(&0) }).await;
    }

    /// Waits until an answer stands at this gate.
    pub async fn somebody_waits(&self, operation: &'static str) {
        until(operation, || async { self.waiting.borrow().get(operation).is_some_and(|count| *count > 0) }).await;
    }

    async fn pass(&self, operation: &'static str) {
        let mut closed = self.closed.subscribe();
        if closed.borrow().contains(operation) {
            self.waiting.send_modify(|waiting| *waiting.entry(operation).or_default() += 1);
            // The sender is our own: it does not end before us.
            let _ = closed.wait_for(|closed| !closed.contains(operation)).await;
            self.waiting.send_modify(|waiting| *waiting.entry(operation).or_default() -= 1);
        }
    }

    fn may_fail(&self, operation: &'static str) -> Result<(), StoreError> {
        match self.failing.lock().unwrap().get_mut(operation) {
            Some(left @ 1..) => {
                *left -= 1;
                Err(StoreError::Away("as the test wants it".to_owned()))
            }
            Some(0) | None => Ok(()),
        }
    }
}

/// Each operation: its own, then its gate.
macro_rules! gated {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Gated {
            fn partitions(&self) -> u16 {
                self.inner.partitions()
            }

            fn dedupe_secret(&self) -> [u8; 16] {
                self.inner.dedupe_secret()
            }

            /// Nobody looks by itself: what a wake does not tell is not found.
            fn poll_interval(&self) -> Duration {
                Duration::from_secs(3_600)
            }

            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.may_fail(stringify!($name))?;
                let answer = self.inner.$name($($argument),*).await;
                self.pass(stringify!($name)).await;
                answer
            })*
        }
    };
}

gated! {
    now() -> Ms;
    survives() -> Survives;
    append(inputs: Vec<NewInput>) -> Vec<Appended>;
    read(partition: Partition, after: Pos, max: usize) -> Vec<StoredInput>;
    input(partition: Partition, pos: Pos) -> Option<StoredInput>;
    wakes() -> mpsc::Receiver<Partition>;
    load(partition: Partition, actors: &[ActorId]) -> Vec<Option<Vec<u8>>>;
    due(partition: Partition, until: Ms, max: usize) -> Vec<(ActorId, Ms)>;
    acquire(partition: Partition, node: &str, ttl: Duration) -> Option<Lease>;
    renew(partition: Partition, epoch: u64, ttl: Duration) -> bool;
    release(partition: Partition, epoch: u64) -> ();
    trying(partition: Partition, epoch: u64, pos: Pos) -> Option<u32>;
    commit(partition: Partition, epoch: u64, from: Pos, to: Pos, batch: Batch) -> Committed;
    effects(partition: Partition, max: usize) -> Vec<PendingEffect>;
    start(partition: Partition, epoch: u64, key: &str) -> Started;
    log(conversation: ConversationId, after: LogCursor, max: usize) -> Vec<(LogCursor, Vec<u8>)>;
    journal(partition: Partition, after: JournalId, max: usize) -> Vec<(JournalId, Vec<u8>)>;
    trim(partition: Partition, journal: JournalId, inbox: Pos, logs: &[ConversationId]) -> ();
    publish(channel: Channel, payload: Vec<u8>) -> ();
    subscribe(channel: Channel, capacity: usize) -> Hints;
    dead(after: Option<EventId>, max: usize) -> Vec<StoredDead>;
    dead_letter(partition: Partition, pos: Pos) -> Option<StoredDead>;
    take_dead(partition: Partition, pos: Pos) -> Option<StoredDead>;
    in_force() -> InForce;
    set_in_force(expected: u64, next: &InForce) -> bool;
    put_catalog(hash: &str, files: &Files) -> ();
    catalog(hash: &str) -> Option<Files>;
    heartbeat(node: &str, ttl: Duration) -> Vec<String>;
    depart(node: &str) -> ();
    dedupe_keys() -> u64;
    fill() -> BTreeMap<Partition, Fill>;
}
