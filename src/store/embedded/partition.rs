//! What the writer remembers: leases, checkpoints and counts of each partition, as the file has them, and how to go
//! back where a request or a transaction fails.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, params};

use super::numbers::{int, num, pos};
use super::seen::{self, Seen};
use super::writer::Fail;
use crate::clock::{Clock, SystemClock};
use crate::model::ids::{Partition, Pos};
use crate::model::time::Ms;
use crate::store::bus::Bus;
use crate::store::{Bounds, Channel, Fill, JournalId, StoreError};

/// One partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// The fencing token.
    pub(super) epoch: u64,
    /// Who holds the lease, and until when. Not in the file: with the process every lease in it ends.
    pub(super) holder: Option<(String, Ms)>,
    /// Whether the last owner released it.
    pub(super) clean: bool,
    /// What is decided singly, noted by how many owners, the last under which epoch.
    pub(super) trying: Option<(Pos, u32, u64)>,
    /// The checkpoint.
    pub(super) at: Pos,
    /// The epoch that it was written under.
    pub(super) at_epoch: u64,
    /// The last input's position.
    pub(super) last: Pos,
    /// The last journal line.
    pub(super) journal: JournalId,
    /// Inputs after the checkpoint.
    pub(super) undecided: u64,
    /// Pending effects.
    pub(super) effects: u64,
    /// Journal lines in the file.
    pub(super) lines: u64,
    /// Dead letters.
    pub(super) dead: u64,
}

impl Part {
    fn fill(&self) -> (Fill, Pos) {
        let (undecided, effects, journal, dead) = (self.undecided, self.effects, self.lines, self.dead);
        (Fill { undecided, oldest_undecided: None, effects, journal, dead }, self.at)
    }

    /// Whether `epoch` is the owner's.
    pub(super) fn owned_under(&self, epoch: u64) -> bool {
        self.holder.is_some() && self.epoch == epoch
    }
}

/// How full every partition is, as the last transaction left it, and where its checkpoint is: read by others without
/// asking the writer.
pub(super) type Fills = Arc<Mutex<Fullness>>;

/// How full the store is.
#[derive(Debug, Default)]
pub(super) struct Fullness {
    /// By partition, in order: how full it is, and its checkpoint.
    pub(super) parts: Vec<(Fill, Pos)>,
    /// Dedupe keys.
    pub(super) keys: u64,
}

/// All partitions, and what a transaction publishes when it is on the disk.
pub(super) struct State {
    parts: Vec<Part>,
    fills: Fills,
    /// Dedupe keys.
    pub(super) seen: Seen,
    /// The bounds.
    pub(super) bounds: Bounds,
    now: Ms,
    undo: Vec<(usize, Part)>,
    hints: Vec<(Channel, Vec<u8>)>,
    wakes: Vec<Partition>,
    start: Mark,
}

/// Where a request began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    undo: usize,
    hints: usize,
    wakes: usize,
    seen: seen::Mark,
}

impl State {
    /// Reads it from the file.
    pub(super) fn read(db: &Connection, partitions: u16, bounds: Bounds) -> rusqlite::Result<State> {
        let mut state = State {
            parts: vec![Part::default(); usize::from(partitions)],
            fills: Fills::default(),
            seen: Seen::read(db)?,
            bounds,
            now: Ms(0),
            undo: Vec::new(),
            hints: Vec::new(),
            wakes: Vec::new(),
            start: Mark::default(),
        };
        let mut rows = db.prepare(
            "select id, epoch, clean, at_ms, at_n, at_epoch, journal_epoch, journal_n,
                    trying_ms, trying_n, trying_epoch, trying_count from partition",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let Some(part) = state.parts.get_mut(usize::from(row.get::<_, u16>(0)?)) else { continue };
            part.epoch = num(row, 1)?;
            part.clean = row.get(2)?;
            part.at = pos(row, 3)?;
            part.at_epoch = num(row, 5)?;
            part.journal = JournalId { epoch: num(row, 6)?, n: num(row, 7)? };
            if row.get::<_, Option<i64>>(8)?.is_some() {
                part.trying = Some((pos(row, 8)?, row.get(11)?, num(row, 10)?));
            }
            // Inputs up to the checkpoint may be gone; a position must still grow above it.
            part.last = part.at;
        }
        state.count(db, "select partition, count(*) from effect group by partition", |part, n| part.effects = n)?;
        state.count(db, "select partition, count(*) from journal group by partition", |part, n| part.lines = n)?;
        state.count(db, "select partition, count(*) from dead group by partition", |part, n| part.dead = n)?;
        let undecided = "select i.partition, count(*) from inbox i join partition p on p.id = i.partition
                         where (i.ms, i.n) > (p.at_ms, p.at_n) group by i.partition";
        state.count(db, undecided, |part, n| part.undecided = n)?;
        let mut last = db.prepare("select ms, n from inbox where partition = ?1 order by ms desc, n desc limit 1")?;
        for (id, part) in (0_i64..).zip(&mut state.parts) {
            let mut rows = last.query([id])?;
            if let Some(row) = rows.next()? {
                part.last = part.last.max(pos(row, 0)?);
            }
        }
        *state.fills.lock().unwrap_or_else(PoisonError::into_inner) =
            Fullness { parts: state.parts.iter().map(Part::fill).collect(), keys: state.seen.count() };
        Ok(state)
    }

    /// How full every partition is.
    pub(super) fn fills(&self) -> Fills {
        Arc::clone(&self.fills)
    }

    fn count(&mut self, db: &Connection, sql: &str, set: impl Fn(&mut Part, u64)) -> rusqlite::Result<()> {
        let mut rows = db.prepare(sql)?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(part) = self.parts.get_mut(usize::from(row.get::<_, u16>(0)?)) {
                set(part, num(row, 1)?);
            }
        }
        Ok(())
    }

    /// The store's time: the machine's, but it never goes back while the process lives.
    pub(super) fn now(&mut self) -> Ms {
        self.now = self.now.max(SystemClock.now());
        self.now
    }

    /// A partition as it is.
    pub(super) fn part(&self, partition: Partition) -> Result<&Part, Fail> {
        self.parts.get(usize::from(partition.0)).ok_or_else(|| unknown(partition, self.parts.len()))
    }

    /// A partition to be changed.
    pub(super) fn change(&mut self, partition: Partition) -> Result<&mut Part, Fail> {
        let (id, of) = (usize::from(partition.0), self.parts.len());
        let part = self.parts.get_mut(id).ok_or_else(|| unknown(partition, of))?;
        self.undo.push((id, part.clone()));
        Ok(part)
    }

    /// A wake to publish when the transaction is on the disk.
    pub(super) fn wake(&mut self, partition: Partition) {
        self.wakes.push(partition);
    }

    /// Hints to publish when the transaction is on the disk.
    pub(super) fn hint(&mut self, hints: Vec<(Channel, Vec<u8>)>) {
        self.hints.extend(hints);
    }

    /// A transaction begins.
    pub(super) fn begin(&mut self) {
        self.undo.clear();
        self.hints.clear();
        self.wakes.clear();
        self.seen.begin();
        self.start = Mark::default();
    }

    /// A request begins.
    pub(super) fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), hints: self.hints.len(), wakes: self.wakes.len(), seen: self.seen.mark() }
    }

    /// A request failed.
    pub(super) fn back_to(&mut self, mark: Mark) {
        while self.undo.len() > mark.undo {
            if let Some((id, old)) = self.undo.pop()
                && let Some(part) = self.parts.get_mut(id)
            {
                *part = old;
            }
        }
        self.hints.truncate(mark.hints);
        self.wakes.truncate(mark.wakes);
        self.seen.back_to(mark.seen);
    }

    /// The transaction failed.
    pub(super) fn back_to_start(&mut self) {
        self.back_to(self.start);
        self.seen.back_to_start();
    }

    /// The transaction ends: the last that it writes.
    pub(super) fn end(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let (window, now) = (self.bounds.dedupe, self.now());
        self.seen.end(db, window, now)
    }

    /// The transaction is on the disk.
    pub(super) fn publish(&mut self, bus: &Bus) {
        let mut fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, _) in &self.undo {
            if let (Some(fill), Some(part)) = (fills.parts.get_mut(*id), self.parts.get(*id)) {
                *fill = part.fill();
            }
        }
        fills.keys = self.seen.count();
        drop(fills);
        self.wakes.sort_unstable();
        self.wakes.dedup();
        self.wakes.drain(..).for_each(|partition| bus.wake(partition));
        self.hints.drain(..).for_each(|(channel, payload)| bus.publish(&channel, payload));
    }
}

/// Writes what the file keeps of a partition.
pub(super) fn save(db: &Connection, partition: Partition, part: &Part) -> rusqlite::Result<()> {
    let sql = "update partition set epoch = ?2, clean = ?3, at_ms = ?4, at_n = ?5, at_epoch = ?6,
                   journal_epoch = ?7, journal_n = ?8,
                   trying_ms = ?9, trying_n = ?10, trying_epoch = ?11, trying_count = ?12 where id = ?1";
    db.prepare_cached(sql)?
        .execute(params![
            partition.0,
            int(part.epoch),
            part.clean,
            int(part.at.ms),
            part.at.n,
            int(part.at_epoch),
            int(part.journal.epoch),
            int(part.journal.n),
            part.trying.map(|(pos, _, _)| int(pos.ms)),
            part.trying.map(|(pos, _, _)| pos.n),
            part.trying.map(|(_, _, epoch)| int(epoch)),
            part.trying.map(|(_, count, _)| count),
        ])
        .map(drop)
}

fn unknown(partition: Partition, of: usize) -> Fail {
    Fail::Refused(StoreError::Unusable(format!("there is no partition {partition}: it has {of}")))
}
