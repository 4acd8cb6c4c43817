//! Copies the journal into the record, and lets the store forget what the record has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::decision::JournalLine;
use crate::model::ids::{ConversationId, Partition, Pos};
use crate::model::time::{Millis, Ms};
use crate::record::{Line, LineId, Record, RecordError, StoredText};
use crate::store::{Channel, JournalId, Store, StoreError};

/// Journal lines of a partition taken at a time.
const LINES: usize = 500;

/// Partitions whose journals are read at once.
const AT_ONCE: usize = 8;

/// Journal lines of all partitions in one transaction of the record: its fixed cost is shared, its memory bounded.
const LINES_AT_ONCE: usize = 8_192;

/// Copies journals into the record. Who owns a partition runs it for that partition.
#[derive(Clone)]
pub struct Projector {
    store: Arc<dyn Store>,
    record: Record,
}

/// Partitions whose journals have something new; bounded by their number.
#[derive(Debug, Default)]
pub struct Behind {
    since: Mutex<Since>,
    added: tokio::sync::Notify,
}

/// Since when each partition is behind. What is being copied is behind until its copy ends: one that hangs must not look
/// like one that is done.
#[derive(Debug, Default)]
struct Since {
    waiting: BTreeMap<Partition, Ms>,
    copying: BTreeMap<Partition, Ms>,
}

impl Behind {
    /// A partition has new lines.
    pub fn add(&self, partition: Partition, now: Ms) {
        self.held().waiting.entry(partition).or_insert(now);
        self.added.notify_one();
    }

    /// Partitions that are behind now, longest first; each is this caller's to copy, until it says how that [`ended`].
    ///
    /// [`ended`]: Behind::ended
    pub fn take(&self) -> Vec<(Partition, Ms)> {
        let mut held = self.held();
        let waiting = std::mem::take(&mut held.waiting);
        let mut taken: Vec<(Partition, Ms)> = waiting.iter().map(|(partition, since)| (*partition, *since)).collect();
        held.copying.extend(waiting);
        drop(held);
        taken.sort_by_key(|(_, since)| *since);
        taken
    }

    /// A copy ended; one that failed waits again, since when it did.
    pub fn ended(&self, partition: Partition, failed: bool) {
        let mut held = self.held();
        if let Some(since) = held.copying.remove(&partition)
            && failed
        {
            held.waiting.insert(partition, since);
        }
    }

    /// Waits until there is one.
    pub async fn added(&self) {
        self.added.notified().await;
    }

    /// How long the one that is behind longest has been so.
    pub fn lag(&self, now: Ms) -> Millis {
        let held = self.held();
        held.waiting.values().chain(held.copying.values()).map(|since| now.since(*since)).max().unwrap_or_default()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Since> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one round of copying came to.
#[derive(Debug, Default)]
pub struct Projected {
    /// Lines copied, or found to have been copied.
    pub lines: usize,
    /// Partitions whose journals may have more.
    pub more: Vec<Partition>,
}

/// What of a partition the store may forget once it is archived.
struct End {
    partition: Partition,
    journal: JournalId,
    decided: Pos,
    retired: Vec<ConversationId>,
}

/// Why a piece of the journal was not copied.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Our own line cannot be read: nothing is forgotten until it can.
    #[error("journal line {partition}/{id} cannot be read: {cause}")]
    Unreadable {
        /// The partition.
        partition: Partition,
        /// The line.
        id: LineId,
        /// Why.
        cause: String,
    },
}

impl Projector {
    /// A projector from this store to this record.
    pub fn new(store: Arc<dyn Store>, record: Record) -> Projector {
        Projector { store, record }
    }

    /// Copies the next piece of each partition's journal, in one transaction of the record.
    ///
    /// It reads from a journal's beginning, not from the record's cursor: lines that were archived by a run that died
    /// before it trimmed are skipped by the archive, and trimmed now with the logs they let go.
    ///
    /// # Errors
    /// [`ProjectError`]; the same pieces are taken again next time.
    pub async fn project(&self, partitions: &[Partition]) -> Result<Projected, ProjectError> {
        let mut projected = Projected::default();
        let (mut pieces, mut ends) = (BTreeMap::new(), Vec::new());
        for some in partitions.chunks(AT_ONCE) {
            if projected.lines >= LINES_AT_ONCE {
                projected.more.extend(some);
                continue;
            }
            let mut reads = Vec::with_capacity(some.len());
            for partition in some {
                reads.push(self.lines(*partition));
            }
            for (partition, lines) in some.iter().zip(futures_util::future::try_join_all(reads).await?) {
                projected.lines += lines.len();
                if lines.len() >= LINES {
                    projected.more.push(*partition);
                }
                let Some(last) = lines.last() else { continue };
                ends.push(End {
                    partition: *partition,
                    journal: JournalId { epoch: last.id.epoch, n: last.id.n },
                    decided: last.line.pos,
                    retired: lines.iter().flat_map(|line| line.line.retired.iter().copied()).collect(),
                });
                pieces.insert(*partition, lines);
            }
        }
        if pieces.is_empty() {
            return Ok(projected);
        }
        let archived = self.record.archive_all(pieces).await?;
        if archived.gaps > 0 || archived.lost > 0 {
            tracing::warn!(gaps = archived.gaps, lost = archived.lost, "journals have gaps");
        }
        for dead in &archived.dead {
            tracing::error!(line.id = %dead.id, input.id = %dead.input, "record refused a journal line");
        }
        let mut trims = Vec::with_capacity(ends.len());
        for end in &ends {
            trims.push(self.store.trim(end.partition, end.journal, end.decided, &end.retired));
        }
        futures_util::future::try_join_all(trims).await?;
        // A hint: lists that missed it ask again soon.
        if let Err(error) = self.store.publish(Channel::Record, Vec::new()).await {
            tracing::debug!(%error, "record hint not published");
        }
        Ok(projected)
    }

    /// The next lines of a partition's journal, with their inputs.
    async fn lines(&self, partition: Partition) -> Result<Vec<Line>, ProjectError> {
        let stored = self.store.journal(partition, JournalId::default(), LINES).await?;
        let mut lines = Vec::with_capacity(stored.len());
        for (id, payload) in &stored {
            let id = LineId { epoch: id.epoch, n: id.n };
            let line: JournalLine = serde_json::from_slice(payload).map_err(|e| ProjectError::Unreadable {
                partition,
                id,
                cause: e.to_string(),
            })?;
            lines.push(Line { id, line, input: None });
        }
        self.add_inputs(partition, &mut lines).await?;
        Ok(lines)
    }

    /// Reads the inputs that the lines name. One that is gone, or cannot be read, stays away.
    async fn add_inputs(&self, partition: Partition, lines: &mut [Line]) -> Result<(), StoreError> {
        let Some(first) = lines.iter().map(|line| line.line.pos).min() else { return Ok(()) };
        let Some(last) = lines.iter().map(|line| line.line.pos).max() else { return Ok(()) };
        let mut found: BTreeMap<Pos, StoredText> = BTreeMap::new();
        let mut after = before(first);
        while after < last {
            let inputs = self.store.read(partition, after, LINES).await?;
            let Some(end) = inputs.last() else { break };
            after = end.pos;
            for input in inputs {
                if let Some(text) = StoredText::read(input.payload) {
                    found.insert(input.pos, text);
                }
            }
        }
        for line in lines {
            line.input = found.remove(&line.line.pos);
        }
        Ok(())
    }
}

/// The greatest position below this one.
fn before(pos: Pos) -> Pos {
    match pos.n.checked_sub(1) {
        Some(n) => Pos { ms: pos.ms, n },
        None => Pos { ms: pos.ms.saturating_sub(1), n: u32::MAX },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_copied_is_behind_until_its_copy_ends() {
        let behind = Behind::default();
        let (one, two) = (Partition(1), Partition(2));
        behind.add(one, Ms(1_000));
        behind.add(two, Ms(2_000));
        assert_eq!(behind.take(), [(one, Ms(1_000)), (two, Ms(2_000))]);
        assert_eq!(behind.lag(Ms(5_000)), Millis(4_000), "the copy hangs");
        behind.ended(one, false);
        assert_eq!(behind.lag(Ms(5_000)), Millis(3_000));
        behind.add(two, Ms(4_500));
        behind.ended(two, true);
        assert_eq!(behind.lag(Ms(5_000)), Millis(3_000), "it waits again, since when it did");
        assert_eq!(behind.take(), [(two, Ms(2_000))]);
        behind.ended(two, false);
        assert_eq!(behind.lag(Ms(5_000)), Millis(0));
    }
}
