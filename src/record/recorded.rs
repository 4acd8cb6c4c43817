//! What was recorded, to be run again: inputs in the order they were decided, and which conversations they made.
//!
//! The archive alone is read, and nothing is written: a server may run meanwhile.

use std::path::Path;

use serde::Deserialize;
use sqlx::{AnyConnection, Row};

use super::line::LineId;
use super::rows::{int, number};
use super::{Record, RecordError};
use crate::model::ids::{ActorId, ConversationId, Partition, Pos};
use crate::model::input::Envelope;
use crate::model::time::Ms;

/// Lines read at a time.
const PAGE: i64 = 4_000;

/// An input as it was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its position.
    pub pos: Pos,
    /// Whom it concerned and what it said.
    pub input: Envelope,
    /// Conversations that it made or changed.
    pub conversations: Vec<Named>,
}

/// A conversation by what does not depend on how ids were counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Named {
    /// Its id in the record.
    pub id: ConversationId,
    /// The customer.
    pub customer: ActorId,
    /// The playbook.
    pub playbook: String,
    /// `open.key`.
    pub key: String,
    /// When it was decided.
    pub created_at: Ms,
}

/// Of a journal line what a replay needs.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    conversations: Vec<Named>,
    #[serde(default)]
    dead: bool,
}

impl Record {
    /// Opens a record that is there, to read it: no table is made or brought up to date.
    ///
    /// # Errors
    /// As for [`Record::open`]; [`RecordError::Away`] where there is no record, or it is of an older build.
    pub async fn open_recorded(url: &str, data: &Path) -> Result<Record, RecordError> {
        Record::is_there(url, data)?;
        Record::connect(url, data).await
    }

    /// Whether there is a file, where the record is one.
    ///
    /// # Errors
    /// [`RecordError::Away`] where there is none.
    pub fn is_there(url: &str, data: &Path) -> Result<(), RecordError> {
        if let Some(file) = url.strip_prefix("sqlite:") {
            let path = if file.is_empty() { data.join("record.db") } else { Path::new(file).to_path_buf() };
            if !path.is_file() {
                return Err(RecordError::Away(format!("there is no record at {}", path.display())));
            }
        }
        Ok(())
    }

    /// Partitions that something was archived of, in order.
    ///
    /// # Errors
    /// The record's.
    pub async fn recorded_partitions(&self) -> Result<Vec<Partition>, RecordError> {
        let rows = sqlx::query("select part from archive_cursor where n > 0 order by part");
        let rows = rows.fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let part = |row: &sqlx::any::AnyRow| -> Result<Partition, RecordError> {
            let part: i64 = row.try_get(0).map_err(|e| self.failed(e))?;
            u16::try_from(part).map(Partition).map_err(|e| self.corrupt(e))
        };
        rows.iter().map(part).collect()
    }

    /// When the last input was archived; none where none was.
    ///
    /// # Errors
    /// The record's.
    pub async fn recorded_until(&self) -> Result<Option<Ms>, RecordError> {
        let row = sqlx::query("select max(pos_ms) from archive_line where lost = 0");
        let row = row.fetch_one(self.read()).await.map_err(|e| self.failed(e))?;
        let ms: Option<i64> = row.try_get(0).map_err(|e| self.failed(e))?;
        Ok(ms.map(|ms| Ms(number(ms))))
    }

    /// The inputs of a partition from `from` on and before `to`, in the order they were decided. Those that went to dead
    /// letters were not decided; of erased customers nothing is left.
    ///
    /// # Errors
    /// The record's.
    pub async fn recorded(&self, partition: Partition, from: Ms, to: Ms) -> Result<Vec<Recorded>, RecordError> {
        let mut connection = self.read().acquire().await.map_err(|e| self.failed(e))?;
        let mut found = Vec::new();
        let mut after = LineId::default();
        loop {
            let read = self.page(&mut connection, partition, after, (from, to), &mut found).await?;
            match read {
                Some(last) => after = last,
                None => return Ok(found),
            }
        }
    }

    /// Adds a page to `found`; answers its last line.
    async fn page(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        after: LineId,
        (from, to): (Ms, Ms),
        found: &mut Vec<Recorded>,
    ) -> Result<Option<LineId>, RecordError> {
        let rows = sqlx::query(
            "select epoch, n, pos_ms, pos_n, line, input from archive_line where part = $1 and lost = 0 \
             and (epoch > $2 or (epoch = $2 and n > $3)) and input is not null and pos_ms >= $4 and pos_ms < $5 \
             order by epoch, n limit $6",
        )
        .bind(i64::from(partition.0))
        .bind(int(after.epoch))
        .bind(int(after.n))
        .bind(int(from.0))
        .bind(int(to.0))
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await
        .map_err(|e| self.failed(e))?;
        let mut last = None;
        for row in rows {
            let get = |column: usize| row.try_get::<i64, _>(column).map(number).map_err(|e| self.failed(e));
            let id = LineId { epoch: get(0)?, n: get(1)? };
            last = Some(id);
            let pos = Pos { ms: get(2)?, n: u32::try_from(get(3)?).unwrap_or(u32::MAX) };
            let line: &str = row.try_get(4).map_err(|e| self.failed(e))?;
            let input: &str = row.try_get(5).map_err(|e| self.failed(e))?;
            let wrong = |e: serde_json::Error| self.corrupt(format!("line {partition}/{id} of the archive: {e}"));
            let line: Line = serde_json::from_str(line).map_err(wrong)?;
            if !line.dead {
                let input = serde_json::from_str(input).map_err(wrong)?;
                found.push(Recorded { pos, input, conversations: line.conversations });
            }
        }
        Ok(last)
    }
}
