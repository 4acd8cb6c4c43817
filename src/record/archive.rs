//! The archive: the journal's lines with their inputs, as committed. All else is computed from it.

use std::collections::BTreeSet;

use sqlx::{Acquire, AnyConnection, Row};

use super::rows::{Cell, insert, int, number};
use super::{Record, RecordError, rebuild, views};
use crate::model::decision::JournalLine;
use crate::model::ids::{ActorId, EventId, Partition, Pos};
use crate::model::input::Envelope;

/// The id of a journal line: `<epoch>-<n>`, `n` dense from 1 within an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LineId {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// Counts its lines.
    pub n: u64,
}

impl std::fmt::Display for LineId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.n)
    }
}

/// A journal line with the input it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its id.
    pub id: LineId,
    /// What the input changed.
    pub line: JournalLine,
    /// The input; none where it cannot be read.
    pub input: Option<Envelope>,
}

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

    /// Archives lines in the order of the journal and brings the views up to date, in one transaction with the cursor.
    /// Lines up to the cursor are known and skipped. A line that SQL refuses for its content is kept aside.
    ///
    /// # Errors
    /// The record's; nothing was written then.
    pub async fn archive(&self, partition: Partition, lines: Vec<Line>) -> Result<Archived, RecordError> {
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        let connection: &mut AnyConnection = &mut transaction;
        lock(connection, partition).await.map_err(|e| self.failed(e))?;
        let mut at = state(connection, partition).await.map_err(|e| self.failed(e))?;
        let given = lines.len();
        let mut answer = Archived::default();
        let mut rest: Vec<Line> = lines.into_iter().filter(|line| line.id > at.cursor).collect();
        answer.known = given - rest.len();
        while let Some(epoch) = rest.first().map(|line| line.id.epoch) {
            let end = rest.iter().position(|line| line.id.epoch != epoch).unwrap_or(rest.len());
            let run: Vec<Line> = rest.drain(..end).collect();
            self.archive_run(connection, partition, &mut at, run, &mut answer).await?;
        }
        at.gaps += answer.gaps;
        at.lost += answer.lost;
        at.refused += u64::try_from(answer.dead.len()).unwrap_or_default();
        put_state(connection, partition, &at).await.map_err(|e| self.failed(e))?;
        transaction.commit().await.map_err(|e| self.failed(e))?;
        Ok(answer)
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
        // The store went back: what was archived of inputs from here on was never committed as far as it knows.
        if first.id.epoch > at.cursor.epoch && first.line.pos <= at.pos {
            answer.lost += self.forget_lost(connection, partition, first.id.epoch, first.line.pos).await?;
        }
        answer.gaps += gaps(at.cursor, &run);
        let written = {
            let mut savepoint = connection.begin().await.map_err(|e| self.failed(e))?;
            match write(&mut savepoint, partition, &run).await.map_err(|e| self.failed(e)) {
                Ok(()) => savepoint.commit().await.map_err(|e| self.failed(e)),
                Err(error) => {
                    savepoint.rollback().await.map_err(|e| self.failed(e))?;
                    Err(error)
                }
            }
        };
        match written {
            Ok(()) => answer.archived += run.len(),
            Err(RecordError::Rejected(_)) => self.archive_singly(connection, partition, run, answer).await?,
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
        answer: &mut Archived,
    ) -> Result<(), RecordError> {
        for line in run {
            let mut savepoint = connection.begin().await.map_err(|e| self.failed(e))?;
            let one = std::slice::from_ref(&line);
            match write(&mut savepoint, partition, one).await.map_err(|e| self.failed(e)) {
                Ok(()) => {
                    savepoint.commit().await.map_err(|e| self.failed(e))?;
                    answer.archived += 1;
                }
                Err(RecordError::Rejected(reason)) => {
                    savepoint.rollback().await.map_err(|e| self.failed(e))?;
                    let reason = reason.replace('\0', "\u{fffd}");
                    put_aside(connection, partition, &line, &reason).await.map_err(|e| self.failed(e))?;
                    let input = EventId { partition, pos: line.line.pos };
                    answer.dead.push(DeadLine { id: line.id, input, reason });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Marks lines of older epochs from `pos` on, and takes what they said out of the views.
    async fn forget_lost(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        epoch: u64,
        pos: Pos,
    ) -> Result<u64, RecordError> {
        let rows = sqlx::query(
            "select actor, pos_ms, pos_n from archive_line where part = $1 and lost = 0 and epoch < $2 \
             and (pos_ms > $3 or (pos_ms = $3 and pos_n >= $4)) order by epoch, n",
        )
        .bind(i64::from(partition.0))
        .bind(int(epoch))
        .bind(int(pos.ms))
        .bind(i64::from(pos.n))
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
             and (pos_ms > $3 or (pos_ms = $3 and pos_n >= $4))",
        )
        .bind(i64::from(partition.0))
        .bind(int(epoch))
        .bind(int(pos.ms))
        .bind(i64::from(pos.n))
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

/// One projector at a time: whoever comes second waits for this row.
async fn lock(connection: &mut AnyConnection, partition: Partition) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into archive_cursor (part, epoch, n, pos_ms, pos_n, gaps, lost, refused) values ($1, 0, 0, 0, 0, 0, 0, 0) \
         on conflict (part) do update set part = excluded.part",
    )
    .bind(i64::from(partition.0))
    .execute(connection)
    .await
    .map(drop)
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

async fn put_state(connection: &mut AnyConnection, partition: Partition, at: &ArchiveState) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update archive_cursor set epoch = $2, n = $3, pos_ms = $4, pos_n = $5, gaps = $6, lost = $7, refused = $8 \
         where part = $1",
    )
    .bind(i64::from(partition.0))
    .bind(int(at.cursor.epoch))
    .bind(int(at.cursor.n))
    .bind(int(at.pos.ms))
    .bind(i64::from(at.pos.n))
    .bind(int(at.gaps))
    .bind(int(at.lost))
    .bind(int(at.refused))
    .execute(connection)
    .await
    .map(drop)
}

async fn write(connection: &mut AnyConnection, partition: Partition, lines: &[Line]) -> Result<(), sqlx::Error> {
    let columns = ["part", "epoch", "n", "pos_ms", "pos_n", "actor", "line", "input"];
    let rows = lines.iter().map(|line| cells(partition, line)).collect();
    insert(connection, "archive_line", &columns, rows, "").await?;
    views::apply(connection, partition, lines).await
}

async fn put_aside(
    connection: &mut AnyConnection,
    partition: Partition,
    line: &Line,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let columns = ["part", "epoch", "n", "pos_ms", "pos_n", "actor", "line", "input", "reason"];
    let mut row = cells(partition, line);
    row.push(Cell::Text(reason.to_owned()));
    insert(connection, "archive_refused", &columns, vec![row], "").await
}

/// The columns of a line. Of an erase only that it happened: it names nobody.
fn cells(partition: Partition, line: &Line) -> Vec<Cell> {
    let (actor, text, input) = if line.line.erased {
        let bare =
            JournalLine { pos: line.line.pos, revision: line.line.revision, erased: true, ..nothing(line.line.pos) };
        (None, json(&bare), None)
    } else {
        (line.line.actor.as_ref().map(ToString::to_string), json(&line.line), line.input.as_ref().map(json))
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

/// A line that says nothing.
fn nothing(pos: Pos) -> JournalLine {
    JournalLine {
        pos,
        revision: 0,
        actor: None,
        entries: Vec::new(),
        verdicts: Vec::new(),
        goals: Vec::new(),
        answers: Vec::new(),
        conversations: Vec::new(),
        traits: None,
        retired: Vec::new(),
        erased: false,
        dead: false,
    }
}

/// JSON of our own values: writing to memory fails only on maps with keys that are no text; there are none.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
