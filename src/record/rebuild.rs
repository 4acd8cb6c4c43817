//! Taking rows out of the record, and computing the views anew from the archive.

use sqlx::{AnyConnection, Row};

use super::line::{Line, LineId, StoredText};
use super::rows::{int, number};
use super::views::apply;
use super::{Record, RecordError};
use crate::model::decision::JournalLine;
use crate::model::ids::{ActorId, EventId, Partition};

/// Lines read at a time when views are computed anew.
const PAGE: i64 = 500;

/// Every view's table.
const VIEWS: [&str; 8] =
    ["event", "verdict", "goal", "conversation", "conversation_label", "entry", "customer", "follower"];

/// Deletes all rows of a customer from the views.
pub(super) async fn forget(connection: &mut AnyConnection, actor: &ActorId) -> Result<(), sqlx::Error> {
    for sql in [
        "delete from verdict where event in (select id from event where customer = $1) \
         or conversation in (select id from conversation where customer = $1)",
        "delete from goal where event in (select id from event where customer = $1) \
         or conversation in (select id from conversation where customer = $1)",
        "delete from entry where conversation in (select id from conversation where customer = $1)",
        "delete from snoozed where conversation in (select id from conversation where customer = $1)",
        "delete from mention where conversation in (select id from conversation where customer = $1)",
        "delete from conversation_label where conversation in (select id from conversation where customer = $1)",
        "delete from conversation where customer = $1",
        "delete from event where customer = $1",
        "delete from customer where id = $1",
        "delete from follower where customer = $1",
    ] {
        sqlx::query(sql).bind(actor.as_str().to_owned()).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Deletes what the archive has of a customer before a line.
pub(super) async fn forget_lines(
    connection: &mut AnyConnection,
    partition: Partition,
    actor: &ActorId,
    before: LineId,
) -> Result<(), sqlx::Error> {
    for sql in [
        "delete from archive_line where actor = $1 and part = $2 and (epoch < $3 or (epoch = $3 and n < $4))",
        "delete from archive_refused where actor = $1 and part = $2 and (epoch < $3 or (epoch = $3 and n < $4))",
    ] {
        sqlx::query(sql)
            .bind(actor.as_str().to_owned())
            .bind(i64::from(partition.0))
            .bind(int(before.epoch))
            .bind(int(before.n))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Deletes events that concern nobody, with what was made of them.
pub(super) async fn forget_events(connection: &mut AnyConnection, events: &[EventId]) -> Result<(), sqlx::Error> {
    for event in events {
        for sql in [
            "delete from verdict where event = $1",
            "delete from goal where event = $1",
            "delete from event where id = $1",
        ] {
            sqlx::query(sql).bind(event.to_string()).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

impl Record {
    /// Drops the views and computes them from the archive, in one transaction: readers see the old ones until it is
    /// done. `progress` gets lines done and lines in all.
    ///
    /// # Errors
    /// The record's; the views are as they were then.
    pub async fn rebuild(&self, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<u64, RecordError> {
        let mut transaction = self.write().begin().await.map_err(|e| self.failed(e))?;
        let connection: &mut AnyConnection = &mut transaction;
        for view in VIEWS {
            let sql = sqlx::AssertSqlSafe(format!("delete from {view}"));
            sqlx::query(sql).execute(&mut *connection).await.map_err(|e| self.failed(e))?;
        }
        let all = sqlx::query("select count(*) from archive_line where lost = 0").fetch_one(&mut *connection);
        let all: i64 = all.await.and_then(|row| row.try_get(0)).map_err(|e| self.failed(e))?;
        let parts = sqlx::query("select part from archive_cursor order by part").fetch_all(&mut *connection);
        let mut done = 0;
        for row in parts.await.map_err(|e| self.failed(e))? {
            let part: i64 = row.try_get(0).map_err(|e| self.failed(e))?;
            let partition = Partition(u16::try_from(part).map_err(|e| self.corrupt(e))?);
            done += self.replay(connection, partition, None, &mut |n| progress(done + n, number(all))).await?;
        }
        // Of an event that was let go, a line that is still kept may tell what became of it later.
        let orphans = "delete from verdict where not exists (select 1 from event where event.id = verdict.event)";
        sqlx::query(orphans).execute(&mut *connection).await.map_err(|e| self.failed(e))?;
        transaction.commit().await.map_err(|e| self.failed(e))?;
        Ok(done)
    }

    /// Computes the views of one customer anew.
    pub(super) async fn recompute(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        actor: &ActorId,
    ) -> Result<(), RecordError> {
        forget(connection, actor).await.map_err(|e| self.failed(e))?;
        self.replay(connection, partition, Some(actor), &mut |_| ()).await.map(drop)
    }

    /// Applies what the archive has of a partition, or of one customer of it; answers how many lines.
    async fn replay(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        actor: Option<&ActorId>,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, RecordError> {
        let mut after = LineId::default();
        let mut done = 0;
        loop {
            let lines = self.lines(connection, partition, actor, after).await?;
            let Some(last) = lines.last() else { return Ok(done) };
            after = last.id;
            done += u64::try_from(lines.len()).unwrap_or_default();
            apply(connection, &[(partition, lines)]).await.map_err(|e| self.failed(e))?;
            progress(done);
        }
    }

    async fn lines(
        &self,
        connection: &mut AnyConnection,
        partition: Partition,
        actor: Option<&ActorId>,
        after: LineId,
    ) -> Result<Vec<Line>, RecordError> {
        let sql = match actor {
            None => {
                "select epoch, n, line, input from archive_line where part = $1 and lost = 0 \
                 and (epoch > $2 or (epoch = $2 and n > $3)) order by epoch, n limit $4"
            }
            Some(_) => {
                "select epoch, n, line, input from archive_line where part = $1 and lost = 0 \
                 and (epoch > $2 or (epoch = $2 and n > $3)) and actor = $5 order by epoch, n limit $4"
            }
        };
        let mut query =
            sqlx::query(sql).bind(i64::from(partition.0)).bind(int(after.epoch)).bind(int(after.n)).bind(PAGE);
        if let Some(actor) = actor {
            query = query.bind(actor.as_str().to_owned());
        }
        let rows = query.fetch_all(connection).await.map_err(|e| self.failed(e))?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let get = |column: usize| row.try_get::<i64, _>(column).map(number).map_err(|e| self.failed(e));
            let id = LineId { epoch: get(0)?, n: get(1)? };
            let line: String = row.try_get(2).map_err(|e| self.failed(e))?;
            let input: Option<String> = row.try_get(3).map_err(|e| self.failed(e))?;
            let wrong = |e: serde_json::Error| self.corrupt(format!("line {partition}/{id} of the archive: {e}"));
            let line: JournalLine = serde_json::from_str(&line).map_err(wrong)?;
            let input = match input {
                None => None,
                Some(text) => Some(StoredText::read(text.into_bytes()).ok_or_else(|| {
                    self.corrupt(format!("the input of line {partition}/{id} of the archive cannot be read"))
                })?),
            };
            lines.push(Line { id, line, input });
        }
        Ok(lines)
    }
}
