//! What every store checks of a batch before it writes anything: mistakes of the caller, not of the data.

use super::{Appended, Batch, JournalId, StoreError};
use crate::model::ids::{Partition, Pos};

/// A batch decides something, stays in its partition, and names only inputs that it decides.
pub(super) fn batch(partition: Partition, from: Pos, to: Pos, batch: &Batch) -> Result<(), StoreError> {
    if to <= from {
        return Err(wrong(format!("a commit from {from} to {to} decides nothing")));
    }
    let conversations = batch.entries.iter().map(|entry| entry.conversation).chain(batch.forget.iter().copied());
    for conversation in conversations {
        if conversation.partition != partition {
            return Err(wrong(format!("{conversation} is not of partition {partition}")));
        }
    }
    if batch.entries.iter().any(|entry| entry.n == 0) {
        return Err(wrong("an entry has the number 0".to_owned()));
    }
    let mut before = from;
    for dead in &batch.dead {
        if dead.pos <= before || dead.pos > to {
            return Err(wrong(format!("the dead letter {} is not of this commit, or out of order", dead.pos)));
        }
        before = dead.pos;
    }
    Ok(())
}

/// The last journal line after this batch; its first must follow the last one there is.
pub(super) fn journal(last: JournalId, epoch: u64, batch: &Batch) -> Result<JournalId, StoreError> {
    if batch.journal.is_empty() {
        return Ok(last);
    }
    let next = if last.epoch == epoch { last.n.saturating_add(1) } else { 1 };
    if batch.journal_from != next {
        return Err(wrong(format!("the journal goes on with {next}, not with {}", batch.journal_from)));
    }
    let lines = u64::try_from(batch.journal.len()).unwrap_or(u64::MAX);
    Ok(JournalId { epoch, n: next.saturating_add(lines).saturating_sub(1) })
}

/// The answer to an append: all of it, or which inputs were refused.
pub(super) fn all_appended(answers: Vec<Option<Appended>>) -> Result<Vec<Appended>, StoreError> {
    if answers.iter().all(Option::is_some) {
        return Ok(answers.into_iter().flatten().collect());
    }
    Err(StoreError::Quarantined(answers))
}

fn wrong(why: String) -> StoreError {
    StoreError::Corrupt(why)
}
