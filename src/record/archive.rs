//! The archive: the journal's lines with their inputs, as committed. All else is computed from it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Acquire, AnyConnection, Row};

use super::line::{Line, LineId};
use super::rows::{Cell, insert, int, number};
use super::{Record, RecordError, rebuild, views};
use crate::model::decision::JournalLine;
use crate::model::ids::{ActorId, EventId, Partition, Pos};

/// What became of lines given to the archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Archived {
    /// Lines written.
    pub archived: usize,
    /// Lines that were there already.
    pub known: usize,
    /// Numbers that were skipped: lines that nobody has.
    pub gaps: u64,
    /// Lines of a lost epoch, marked and out of the views.
    pub lost: u64,
    /// Lines that SQL refused for their content; kept aside.
    pub dead: Vec<DeadLine>,
}

/// A line that SQL refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLine {
    /// The line.
    pub id: LineId,
    /// Its input.
    pub input: EventId,
    /// Why.
    pub reason: String,
}

/// How far the archive of a partition is, and what it missed since its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArchiveState {
    /// The last line archived.
    pub cursor: LineId,
    /// The last input archived.
    pub pos: Pos,
    /// Lines that nobody has.
    pub gaps: u64,
    /// Lines of lost epochs.
    pub lost: u64,
    /// Lines refused.
    pub refused: u64,
}

impl Record {
    /// The last line archived of a partition; the zero line where none was.
    ///
    /// # Errors
    /// The record's.
    pub async fn cursor(&self, partition: Partition) -> Result<LineId, RecordError> {
        self.archive_state(partition).await.map(|state| state.cursor)
    }

    /// How far the archive of a partition is.
    ///
    /// # Errors
    /// The record's.
    pub async fn archive_state(&self, partition: Partition) -> Result<ArchiveState, RecordError> {
        let mut connection = self.read().acquire().await.map_err(|e| self.failed(e))?;
        state(&mut connection, partition).await.map_err(|e| self.failed(e))
    }

    /// Archives lines of one partition: [`Record::archive_all`].
    ///
    /// # Errors
    /// The record's; nothing was written then.
    pub async fn archive(&self, partition: Partition, lines: Vec<Line>) -> Result<Archived, RecordError> {
        self.archive_all(BTreeMap::from([(partition, lines)])).await
    }

    /// Archives lines of some partitions, each in the order of its journal, and brings the views up to date, in one
    /// transaction with the cursors. Lines up to a cursor are known and skipped. A line that SQL refuses for its content
    /// is kept aside.
    ///
    /// # Errors
    /// The record's; nothing was written then.
    pub async fn archive_all(&self, pieces: BTreeMap<Partition, Vec<Line>>) -> Result<Archived, RecordError> {
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        let connection: &mut AnyConnection = &mut transaction;
        let partitions: Vec<Partition> = pieces.keys().copied().collect();
        let mut states = lock(connection, &partitions).await.map_err(|e| self.failed(e))?;
        let mut answer = Archived::default();
        let mut new = Vec::with_capacity(pieces.len());
        for (partition, mut lines) in pieces {
            let cursor = states.get(&partition).copied().unwrap_or_default().cursor;
            let given = lines.len();
            lines.retain(|line| line.id > cursor);
            answer.known += given - lines.len();
            new.push((partition, lines));
        }
        let plain = new.iter().all(|(partition, lines)| states.get(partition).is_some_and(|at| goes_on(at, lines)));
        if plain {
            // As it nearly always is: all at once, without savepoints, which cost a copy of each page that they touch.
            match write(connection, &new).await.map_err(|e| self.failed(e)) {
                Ok(()) => {
                    for (partition, lines) in &new {
                        if let (Some(at), Some(last)) = (states.get_mut(partition), lines.last()) {
                            (at.cursor, at.pos) = (last.id, last.line.pos);
                            answer.archived += lines.len();
                        }
                    }
                }
                Err(RecordError::Rejected(_)) => {
                    transaction.rollback().await.map_err(|e| self.failed(e))?;
                    return self.archive_with_care(new, answer.known).await;
                }
                Err(error) => return Err(error),
            }
        } else {
            self.archive_runs(connection, new, &mut states, &mut answer).await?;
        }
        put_states(connection, &states).await.map_err(|e| self.failed(e))?;
        transaction.commit().await.map_err(|e| self.failed(e))?;
        Ok(answer)
    }

    /// Something of these lines was refused: the same, so that only this is left out.
    async fn archive_with_care(
        &self,
        pieces: Vec<(Partition, Vec<Line>)>,
        known: usize,
    ) -> Result<Archived, RecordError> {
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        let connection: &mut AnyConnection = &mut transaction;
        let partitions: Vec<Partition> = pieces.iter().map(|(partition, _)| *partition).collect();
        let mut states = lock(connection, &partitions).await.map_err(|e| self.failed(e))?;
        let mut answer = Archived { known, ..Archived::default() };
        self.archive_runs(connection, pieces, &mut states, &mut answer).await?;
        put_states(connection, &states).await.map_err(|e| self.failed(e))?;
        transaction.commit().await.map_err(|e| self.failed(e))?;
        Ok(answer)
    }

    /// Archives epoch by epoch, each in a savepoint.
    async fn archive_runs(
        &self,
        connection: &mut AnyConnection,
        pieces: Vec<(Partition, Vec<Line>)>,
        states: &mut BTreeMap<Partition, ArchiveState>,
        answer: &mut Archived,
    ) -> Result<(), RecordError> {
        for (partition, mut rest) in pieces {
            let at = states.entry(partition).or_default();
            rest.retain(|line| line.id > at.cursor);
            while let Some(epoch) = rest.first().map(|line| line.id.epoch) {
                let end = rest.iter().position(|line| line.id.epoch != epoch).unwrap_or(rest.len());
                let run: Vec<Line> = rest.drain(..end).collect();
                self.archive_run(connection, partition, at, run, answer).await?;
            }
        }
        Ok(())
    }

    /// Writes lines, or nothing of them.
    async fn try_write(
        &self,
        connection: &mut AnyConnection,
        pieces: &[(Partition, Vec<Line>)],
    ) -> Result<(), RecordError> {
        let mut savepoint = connection.begin().await.map_err(|e| self.failed(e))?;
        match write(&mut savepoint, pieces).await.map_err(|e| self.failed(e)) {
            Ok(()) => savepoint.commit().await.map_err(|e| self.failed(e)),
            Err(error) => {
                savepoint.rollback().await.map_err(|e| self.failed(e))?;
                Err(error)
            }
        }
    }

    /// Archives lines of one epoch.
    async fn archive_run(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        at: &mut ArchiveState,
        run: Vec<Line>,
        answer: &mut Archived,
    ) -> Result<(), RecordError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let (end, end_pos) = (last.id, last.line.pos);
        // The store went back: what was archived of later inputs was never committed as far as it knows.
        if let Some(after) = went_back(at, first) {
            let lost = self.forget_lost(connection, partition, first.id.epoch, after).await?;
            (at.lost, answer.lost) = (at.lost + lost, answer.lost + lost);
        }
        let missing = gaps(at.cursor, &run);
        (at.gaps, answer.gaps) = (at.gaps + missing, answer.gaps + missing);
        let count = run.len();
        let piece = [(partition, run)];
        match self.try_write(connection, &piece).await {
            Ok(()) => answer.archived += count,
            Err(RecordError::Rejected(_)) => {
                let [(_, run)] = piece;
                self.archive_singly(connection, partition, run, at, answer).await?;
            }
            Err(error) => return Err(error),
        }
        (at.cursor, at.pos) = (end, end_pos);
        Ok(())
    }

    /// One of these lines was refused: finds which, and takes the others.
    async fn archive_singly(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        run: Vec<Line>,
        at: &mut ArchiveState,
        answer: &mut Archived,
    ) -> Result<(), RecordError> {
        for line in run {
            let (id, input) = (line.id, EventId { partition, pos: line.line.pos });
            let piece = [(partition, vec![line])];
            match self.try_write(connection, &piece).await {
                Ok(()) => answer.archived += 1,
                Err(RecordError::Rejected(reason)) => {
                    let reason = reason.replace('\0', "\u{fffd}");
                    put_aside(connection, &piece, &reason).await.map_err(|e| self.failed(e))?;
                    at.refused += 1;
                    answer.dead.push(DeadLine { id, input, reason });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Marks lines of older epochs of inputs after this one, and takes what they said out of the views.
    async fn forget_lost(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        epoch: u64,
        after: Pos,
    ) -> Result<u64, RecordError> {
        let rows = sqlx::query(
            "select actor, pos_ms, pos_n from archive_line where part = $1 and lost = 0 and epoch < $2 \
             and (pos_ms > $3 or (pos_ms = $3 and pos_n > $4)) order by epoch, n",
        )
        .bind(i64::from(partition.0))
        .bind(int(epoch))
        .bind(int(after.ms))
        .bind(i64::from(after.n))
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| self.failed(e))?;
        let mut actors = BTreeSet::new();
        let mut events = Vec::new();
        for row in &rows {
            let actor: Option<String> = row.try_get(0).map_err(|e| self.failed(e))?;
            let ms: i64 = row.try_get(1).map_err(|e| self.failed(e))?;
            let n: i64 = row.try_get(2).map_err(|e| self.failed(e))?;
            match actor.and_then(|actor| ActorId::parse(&actor).ok()) {
                Some(actor) => drop(actors.insert(actor)),
                None => {
                    let pos = Pos { ms: number(ms), n: u32::try_from(n).unwrap_or(u32::MAX) };
                    events.push(EventId { partition, pos });
                }
            }
        }
        sqlx::query(
            "update archive_line set lost = 1 where part = $1 and lost = 0 and epoch < $2 \
             and (pos_ms > $3 or (pos_ms = $3 and pos_n > $4))",
        )
        .bind(i64::from(partition.0))
        .bind(int(epoch))
        .bind(int(after.ms))
        .bind(i64::from(after.n))
        .execute(&mut *connection)
        .await
        .map_err(|e| self.failed(e))?;
        rebuild::forget_events(connection, &events).await.map_err(|e| self.failed(e))?;
        for actor in actors {
            self.recompute(connection, partition, &actor).await?;
        }
        Ok(u64::try_from(rows.len()).unwrap_or_default())
    }
}

/// Numbers that are missing before and between these lines of one epoch.
fn gaps(cursor: LineId, run: &[Line]) -> u64 {
    let mut before = cursor;
    let mut missing = 0;
    for line in run {
        let expected = if line.id.epoch == before.epoch { before.n + 1 } else { 1 };
        missing += line.id.n.saturating_sub(expected);
        before = line.id;
    }
    missing
}

/// The last input that the store knows of as decided by older epochs, where the archive has later ones of theirs.
fn went_back(at: &ArchiveState, first: &Line) -> Option<Pos> {
    // Older builds did not write what they went on from: then only an input that was decided twice tells.
    let after = first.line.after.unwrap_or_else(|| first.line.pos.before());
    (first.id.epoch > at.cursor.epoch && after < at.pos).then_some(after)
}

/// Whether these lines are of one epoch and follow what was archived, without a gap.
fn goes_on(at: &ArchiveState, lines: &[Line]) -> bool {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return true };
    first.id.epoch == last.id.epoch && went_back(at, first).is_none() && gaps(at.cursor, lines) == 0
}

/// One projector at a time: whoever comes second waits for these rows. Answers them; in the order of partitions, so that
/// two never wait for each other.
pub(super) async fn lock(
    connection: &mut AnyConnection,
    partitions: &[Partition],
) -> Result<BTreeMap<Partition, ArchiveState>, sqlx::Error> {
    let zeros = |partition: &Partition| state_cells(*partition, &ArchiveState::default());
    let suffix = "on conflict (part) do update set part = excluded.part";
    insert(connection, "archive_cursor", &STATE, partitions.iter().map(zeros).collect(), suffix).await?;
    let mut states = BTreeMap::new();
    for partition in partitions {
        states.insert(*partition, state(connection, *partition).await?);
    }
    Ok(states)
}

async fn state(connection: &mut AnyConnection, partition: Partition) -> Result<ArchiveState, sqlx::Error> {
    let row = sqlx::query("select epoch, n, pos_ms, pos_n, gaps, lost, refused from archive_cursor where part = $1")
        .bind(i64::from(partition.0))
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(ArchiveState::default()) };
    let get = |column: usize| row.try_get::<i64, _>(column).map(number);
    Ok(ArchiveState {
        cursor: LineId { epoch: get(0)?, n: get(1)? },
        pos: Pos { ms: get(2)?, n: u32::try_from(get(3)?).unwrap_or(u32::MAX) },
        gaps: get(4)?,
        lost: get(5)?,
        refused: get(6)?,
    })
}

/// The columns of a cursor.
const STATE: [&str; 8] = ["part", "epoch", "n", "pos_ms", "pos_n", "gaps", "lost", "refused"];

fn state_cells(partition: Partition, at: &ArchiveState) -> Vec<Cell> {
    vec![
        Cell::Int(i64::from(partition.0)),
        Cell::Int(int(at.cursor.epoch)),
        Cell::Int(int(at.cursor.n)),
        Cell::Int(int(at.pos.ms)),
        Cell::Int(i64::from(at.pos.n)),
        Cell::Int(int(at.gaps)),
        Cell::Int(int(at.lost)),
        Cell::Int(int(at.refused)),
    ]
}

async fn put_states(
    connection: &mut AnyConnection,
    states: &BTreeMap<Partition, ArchiveState>,
) -> Result<(), sqlx::Error> {
    let rows = states.iter().map(|(partition, at)| state_cells(*partition, at)).collect();
    let suffix = "on conflict (part) do update set epoch = excluded.epoch, n = excluded.n, pos_ms = excluded.pos_ms, \
                  pos_n = excluded.pos_n, gaps = excluded.gaps, lost = excluded.lost, refused = excluded.refused";
    insert(connection, "archive_cursor", &STATE, rows, suffix).await
}

async fn write(connection: &mut AnyConnection, pieces: &[(Partition, Vec<Line>)]) -> Result<(), sqlx::Error> {
    let columns = ["part", "epoch", "n", "pos_ms", "pos_n", "actor", "line", "input"];
    let rows = pieces.iter().flat_map(|(partition, lines)| lines.iter().map(|line| cells(*partition, line))).collect();
    insert(connection, "archive_line", &columns, rows, "").await?;
    views::apply(connection, pieces).await
}

async fn put_aside(
    connection: &mut AnyConnection,
    pieces: &[(Partition, Vec<Line>)],
    reason: &str,
) -> Result<(), sqlx::Error> {
    let columns = ["part", "epoch", "n", "pos_ms", "pos_n", "actor", "line", "input", "reason"];
    let row = |partition: &Partition, line: &Line| {
        let mut row = cells(*partition, line);
        row.push(Cell::Text(reason.to_owned()));
        row
    };
    let rows =
        pieces.iter().flat_map(|(partition, lines)| lines.iter().map(move |line| row(partition, line))).collect();
    insert(connection, "archive_refused", &columns, rows, "").await
}

/// The columns of a line. Of an erase only that it happened: it names nobody.
fn cells(partition: Partition, line: &Line) -> Vec<Cell> {
    let (actor, text, input) = if line.line.erased {
        let bare = JournalLine { erased: true, ..JournalLine::blank(line.line.pos, line.line.revision, None) };
        (None, json(&bare), None)
    } else {
        (
            line.line.actor.as_ref().map(ToString::to_string),
            json(&line.line),
            line.input.as_ref().map(|input| input.as_str().to_owned()),
        )
    };
    vec![
        Cell::Int(i64::from(partition.0)),
        Cell::Int(int(line.id.epoch)),
        Cell::Int(int(line.id.n)),
        Cell::Int(int(line.line.pos.ms)),
        Cell::Int(i64::from(line.line.pos.n)),
        Cell::MaybeText(actor),
        Cell::Text(text),
        Cell::MaybeText(input),
    ]
}

/// JSON of our own values: writing to memory fails only on maps with keys that are no text; there are none.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
