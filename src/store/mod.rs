//! PORT. Live state: inbox, customer states, conversation logs, pending effects, leases, live bus.
//!
//! Two implementations pass one contract suite: [`embedded`] (one SQLite file, one node) and [`redis`] (many nodes).
//! Stores invent neither ids nor meaning: payloads are bytes, and time is asked only where it is the store's to say
//! (at append, for leases, for starts of effects, for dedupe windows).

mod bus;
mod check;
pub mod embedded;
pub mod redis;
mod room;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::model::catalog::Files;
use crate::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use crate::model::input::InForce;
use crate::model::time::{Millis, Ms};

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer; asking again later is safe.
    #[error("the store is away: {0}")]
    Away(String),
    /// A bound is reached; nothing was written.
    #[error("the store is full: {what}")]
    Full {
        /// Which bound.
        what: &'static str,
        /// When room can be expected.
        retry_after: Duration,
    },
    /// Inputs were refused because too many of their customer could not be processed. All others of the call were
    /// appended: what became of each, in order, and none for those refused.
    #[error("too many inputs of this customer could not be processed: its dead letters come first")]
    Quarantined(Vec<Option<Appended>>),
    /// Written by a newer build.
    #[error(
        "the store has schema {found}, newer than this build's {known}: update this node, or restore a backup of {place}"
    )]
    Newer {
        /// The schema found.
        found: u32,
        /// The schema this build writes.
        known: u32,
        /// The file or server.
        place: String,
    },
    /// It cannot be read, and guessing would lose something; or a caller asked for what no store may do.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Asking again will not help before somebody changes the settings, the folder or the server.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
}

/// Opens the store that the settings name; `data` is the data folder, for the embedded one.
///
/// # Errors
/// [`StoreError::Unusable`] for settings that no store fits, [`StoreError::Away`] where the server cannot be reached,
/// [`StoreError::Corrupt`] and [`StoreError::Newer`] where what is there must not be touched.
pub async fn open(settings: &Settings, data: &Path) -> Result<Arc<dyn Store>, StoreError> {
    match settings.url.split_once(':').map(|(scheme, _)| scheme) {
        Some("embedded") => Ok(Arc::new(embedded::open(data, settings)?)),
        Some("redis" | "rediss") => Ok(Arc::new(redis::connect(settings).await?)),
        // The whole URL may hold a password.
        _ => Err(StoreError::Unusable(
            "store.url begins with none of `embedded:`, `redis://` and `rediss://`".to_owned(),
        )),
    }
}

/// An input to append.
#[derive(Debug, Clone)]
pub struct NewInput {
    /// The partition of its customer.
    pub partition: Partition,
    /// Whom it concerns, or the partition itself: whose dead letters may hold it up.
    pub actor: ActorId,
    /// The stored form of `model::input::Envelope`.
    pub payload: Vec<u8>,
    /// What it must not come twice by, within the window; none: always new.
    pub dedupe: Option<DedupeKey>,
    /// Whether bounds hold it up. Results, ticks and forwards never are.
    pub bounded: bool,
}

/// A keyed hash of source, id and customer.
pub type DedupeKey = [u8; 16];

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position; of the first one, for a duplicate.
    pub pos: Pos,
    /// False: it was there already.
    pub fresh: bool,
}

/// An input as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredInput {
    /// Its position.
    pub pos: Pos,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The right to decide for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The fencing token: greater than any before, `max(last + 1, the store's time in ms)`.
    pub epoch: u64,
    /// The checkpoint: the last input decided.
    pub at: Pos,
    /// The last journal line; its `epoch` is below this lease's.
    pub journal: JournalId,
    /// The input that the last owner was deciding singly when it went, and how often it was found so.
    pub trying: Option<(Pos, u32)>,
    /// Whether the last owner released it.
    pub clean: bool,
}

/// The id of a journal line: `<epoch>-<n>`, `n` dense from 1 within an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JournalId {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// Counts its lines.
    pub n: u64,
}

/// Everything that one batch of inputs changes, in one partition.
///
/// Applied in the order of the fields: what is added and cancelled, finished or forgotten by the same batch is gone.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// States to write, or to delete where `None`; an actor at most once.
    pub states: Vec<(ActorId, Option<Vec<u8>>)>,
    /// The earliest due time of each actor named; `None`: nothing is due any more.
    pub due: Vec<(ActorId, Option<Ms>)>,
    /// Entries to append to logs, in order: each above the last of its log by `(seq, n)`.
    pub entries: Vec<NewEntry>,
    /// Pending effects to add: key and payload. A key that is pending already keeps its payload and its mark.
    pub effects: Vec<(String, Vec<u8>)>,
    /// Keys of effects to remove unless started.
    pub cancelled: Vec<String>,
    /// Keys of effects to remove in any case: their results were decided.
    pub finished: Vec<String>,
    /// Lines of the journal, in order; their ids are `<epoch>-<journal_from>` and on, without a gap.
    pub journal: Vec<Vec<u8>>,
    /// `n` of the first of these lines.
    pub journal_from: u64,
    /// Actors whose dead letters are to be deleted (erase): those of before, not those that this batch adds.
    pub forget_dead: Vec<ActorId>,
    /// Dead letters of inputs that this batch decides, in order, each once.
    pub dead: Vec<NewDead>,
    /// Conversations whose logs are to be deleted, with the effects that are pending for them: keys that begin with the
    /// conversation's id and a slash (erase).
    pub forget: Vec<ConversationId>,
    /// Hints to publish once it is applied, in order.
    pub hints: Vec<(Channel, Vec<u8>)>,
}

/// An input to put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDead {
    /// Its position.
    pub pos: Pos,
    /// Whom it concerned; the partition itself where that could not be read.
    pub actor: ActorId,
    /// The stored form of `model::decision::DeadLetter`.
    pub payload: Vec<u8>,
}

/// An entry to append to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Whose log.
    pub conversation: ConversationId,
    /// Its number over all, from 1.
    pub n: u32,
    /// The number of the last entry that the customer may see, itself included.
    pub seq: u32,
    /// The stored form of `model::entry::Entry`.
    pub payload: Vec<u8>,
}

/// Where in a log a reader stands: after this entry. `(seq, u32::MAX)` is after all that belongs to `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LogCursor {
    /// Number of the last visible entry.
    pub seq: u32,
    /// Number over all, from 1.
    pub n: u32,
}

impl LogCursor {
    /// Behind everything up to and with `seq`, inner entries that follow it included.
    pub fn after_seq(seq: u32) -> LogCursor {
        LogCursor { seq, n: u32::MAX }
    }
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Applied now.
    Applied,
    /// Was applied already: the checkpoint is `to`, under this epoch.
    Done,
    /// Refused: another owner, another checkpoint, or the input at `to` is not there, for the store went back. Drop all
    /// memory of the partition.
    Lost,
}

/// A pending effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEffect {
    /// Its key.
    pub key: String,
    /// The stored form of `model::decision::Effect`.
    pub payload: Vec<u8>,
    /// Under which epoch it was started, and when by the store's clock.
    pub started: Option<(u64, Ms)>,
}

/// What became of marking an effect as started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// Marked now: it may leave.
    Now,
    /// Was marked before: under which epoch, and when.
    Before(u64, Ms),
    /// It is not pending any more.
    Gone,
    /// The epoch is not the owner's.
    Lost,
}

/// Who is told by the live bus.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Readers of this customer's conversations.
    Actor(ActorId),
    /// Readers of lists: the record has something new.
    Record,
}

/// A stream of hints. Lossy: after [`Hint::Missed`] read the truth again. Who is slow never holds up anybody.
pub type Hints = mpsc::Receiver<Hint>;

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A payload that was published.
    Payload(std::sync::Arc<Vec<u8>>),
    /// Some were lost, by a slow reader or a broken connection.
    Missed,
}

/// A dead letter as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDead {
    /// The partition.
    pub partition: Partition,
    /// The input's position.
    pub pos: Pos,
    /// The stored form of `model::decision::DeadLetter`.
    pub payload: Vec<u8>,
}

/// How full a partition is, for metrics, `/readyz` and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fill {
    /// Inputs after the checkpoint.
    pub undecided: u64,
    /// The time of the oldest of them.
    pub oldest_undecided: Option<Ms>,
    /// Pending effects.
    pub effects: u64,
    /// Journal lines not trimmed yet.
    pub journal: u64,
    /// Dead letters.
    pub dead: u64,
}

/// What a 202 survives with this store's settings: a row of the table in the operations guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survives {
    /// The store, such as `embedded` or `redis`.
    pub store: &'static str,
    /// The setting that decides, such as `appendfsync everysec`.
    pub setting: String,
    /// What is lost when Beckon's process is killed.
    pub process_killed: &'static str,
    /// What is lost with the machine.
    pub machine_lost: &'static str,
    /// What is lost when a replica takes over.
    pub primary_lost: &'static str,
}

/// Bounds of a store; all counted per partition but the dedupe keys. An append is refused while one is reached, so each is
/// passed by one append at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Undecided inputs.
    pub inbox: u64,
    /// Pending effects.
    pub effects: u64,
    /// Journal lines not archived.
    pub journal: u64,
    /// Dedupe keys kept over all partitions; in Redis each partition has an equal share. Never forgotten early.
    pub dedupe_keys: u64,
    /// How long a key is kept: what comes again earlier than this after its position is a duplicate.
    pub dedupe: Millis,
    /// Dead letters that nobody has taken. From then on every customer who has one is held up as if by `dead_a_customer`:
    /// there are never more than this, and one for each customer.
    pub dead: u64,
    /// Dead letters of one customer: then what comes of this customer, and is bounded, is refused. Commits add them all
    /// the same.
    pub dead_a_customer: u64,
}

impl Bounds {
    /// How many dead letters one customer may have before new inputs are refused, where a partition has so many of all.
    fn dead_of_one(&self, of_all: u64) -> u64 {
        if of_all >= self.dead { 1 } else { self.dead_a_customer.max(1) }
    }
}

/// Which store, and its bounds; the `[store]` section of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `embedded:` (a file in the data folder), `redis://…`, `rediss://…`.
    pub url: String,
    /// What keys begin with (Redis).
    pub prefix: String,
    /// How many partitions a new store gets.
    pub partitions: u16,
    /// Replicas that must have an append before it is answered (Redis, `WAIT`); 0: none.
    pub min_replicas: u32,
    /// Bounds.
    pub bounds: Bounds,
}

/// Live state. Every method may be called at any time by any node; only `commit`, `start`, `trying`, `renew` and
/// `release` are fenced by the epoch.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The number of partitions, fixed at the store's first start, whatever the settings say later.
    fn partitions(&self) -> u16;

    /// The secret of this store that dedupe keys are hashed with, made at its first start.
    fn dedupe_secret(&self) -> [u8; 16];

    /// How long an owner may wait for a wake before it looks by itself.
    fn poll_interval(&self) -> Duration;

    /// The store's time.
    async fn now(&self) -> Result<Ms, StoreError>;

    /// What a 202 survives, by the server's settings as they are now.
    async fn survives(&self) -> Result<Survives, StoreError>;

    /// Appends inputs; durable as far as [`Store::survives`] says when it returns. Answers in the order given.
    /// Positions grow within a partition. Publishes a wake for each partition that got one.
    ///
    /// An input whose key came before in its partition, within the window or earlier in this call, answers the first
    /// position; it is not written, and no bound refuses it.
    ///
    /// # Errors
    /// [`StoreError::Full`] where a new, bounded input meets a bound: then nothing of that partition was written, while
    /// other partitions may have been; sending all again is safe for those with a dedupe key. So do not send what is
    /// never held up in one call with what is. [`StoreError::Quarantined`] where new, bounded inputs meet the bound of
    /// their customer's dead letters: they alone are not appended.
    async fn append(&self, inputs: Vec<NewInput>) -> Result<Vec<Appended>, StoreError>;

    /// Inputs after a position, oldest first.
    async fn read(&self, partition: Partition, after: Pos, max: usize) -> Result<Vec<StoredInput>, StoreError>;

    /// One input by its position, while the inbox holds it.
    async fn input(&self, partition: Partition, pos: Pos) -> Result<Option<StoredInput>, StoreError>;

    /// Hints that something was appended to a partition. One receiver for all partitions; wakes of one partition melt
    /// together, so none is lost to a slow receiver.
    async fn wakes(&self) -> Result<mpsc::Receiver<Partition>, StoreError>;

    /// States of actors of one partition, in the order asked.
    async fn load(&self, partition: Partition, actors: &[ActorId]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Actors whose earliest due time is at or before `until`, earliest first.
    async fn due(&self, partition: Partition, until: Ms, max: usize) -> Result<Vec<(ActorId, Ms)>, StoreError>;

    /// Takes the lease where it is free, expired, or this node's own (then with a new epoch). Until somebody takes it, an
    /// expired lease still commits.
    async fn acquire(&self, partition: Partition, node: &str, ttl: Duration) -> Result<Option<Lease>, StoreError>;

    /// Prolongs the lease; false: it is lost.
    async fn renew(&self, partition: Partition, epoch: u64, ttl: Duration) -> Result<bool, StoreError>;

    /// Gives the lease back, cleanly: what was being tried is forgotten.
    async fn release(&self, partition: Partition, epoch: u64) -> Result<(), StoreError>;

    /// Notes that the owner is about to decide this input singly; answers how often this position was noted by
    /// owners that did not commit past it, this one included. An owner that asks again counts once. None: the epoch is
    /// not the owner's.
    async fn trying(&self, partition: Partition, epoch: u64, pos: Pos) -> Result<Option<u32>, StoreError>;

    /// Applies a batch atomically, if the epoch is the owner's and the checkpoint is `from`; moves the checkpoint to
    /// `to`, clears what was being tried, and publishes the hints. `to` is the last input decided, after `from`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a batch that breaks a rule of [`Batch`]: nothing was applied. After
    /// [`StoreError::Away`] it may have been: send the very same again, which answers [`Committed::Done`] then.
    async fn commit(
        &self,
        partition: Partition,
        epoch: u64,
        from: Pos,
        to: Pos,
        batch: Batch,
    ) -> Result<Committed, StoreError>;

    /// Pending effects, oldest first.
    async fn effects(&self, partition: Partition, max: usize) -> Result<Vec<PendingEffect>, StoreError>;

    /// Marks an effect as started, fenced by the epoch: a write leaves only after this.
    async fn start(&self, partition: Partition, epoch: u64, key: &str) -> Result<Started, StoreError>;

    /// Entries of a log after the cursor, in order: payloads with their numbers.
    async fn log(
        &self,
        conversation: ConversationId,
        after: LogCursor,
        max: usize,
    ) -> Result<Vec<(LogCursor, Vec<u8>)>, StoreError>;

    /// Journal lines after an id, in order.
    async fn journal(
        &self,
        partition: Partition,
        after: JournalId,
        max: usize,
    ) -> Result<Vec<(JournalId, Vec<u8>)>, StoreError>;

    /// Forgets journal lines up to `journal`, inputs up to `inbox` (never past the checkpoint), and the logs named, which
    /// are of this partition: the record has them.
    async fn trim(
        &self,
        partition: Partition,
        journal: JournalId,
        inbox: Pos,
        logs: &[ConversationId],
    ) -> Result<(), StoreError>;

    /// Publishes a hint now, outside a commit (deltas, typing).
    async fn publish(&self, channel: Channel, payload: Vec<u8>) -> Result<(), StoreError>;

    /// Hints of a channel from now on; bounded by `capacity`, ends when the receiver is dropped. What does not fit is
    /// dropped, and [`Hint::Missed`] stands in its place.
    async fn subscribe(&self, channel: Channel, capacity: usize) -> Result<Hints, StoreError>;

    /// Dead letters after one of them, oldest first: by position, then by partition.
    async fn dead(&self, after: Option<EventId>, max: usize) -> Result<Vec<StoredDead>, StoreError>;

    /// One dead letter by its input.
    async fn dead_letter(&self, partition: Partition, pos: Pos) -> Result<Option<StoredDead>, StoreError>;

    /// Removes a dead letter and gives it back.
    async fn take_dead(&self, partition: Partition, pos: Pos) -> Result<Option<StoredDead>, StoreError>;

    /// What is in force; revision 0 where nothing ever was.
    async fn in_force(&self) -> Result<InForce, StoreError>;

    /// Puts another revision in force, if `expected` is the revision now; false: it is not.
    async fn set_in_force(&self, expected: u64, next: &InForce) -> Result<bool, StoreError>;

    /// Keeps a catalog's files under their hash.
    async fn put_catalog(&self, hash: &str, files: &Files) -> Result<(), StoreError>;

    /// A catalog's files.
    async fn catalog(&self, hash: &str) -> Result<Option<Files>, StoreError>;

    /// Says that this node lives, for `ttl`, and answers all that do.
    async fn heartbeat(&self, node: &str, ttl: Duration) -> Result<Vec<String>, StoreError>;

    /// This node goes: others need not wait for its heartbeat to end.
    async fn depart(&self, node: &str) -> Result<(), StoreError>;

    /// How many dedupe keys are kept, over all partitions.
    async fn dedupe_keys(&self) -> Result<u64, StoreError>;

    /// How full each partition is.
    async fn fill(&self) -> Result<BTreeMap<Partition, Fill>, StoreError>;
}
