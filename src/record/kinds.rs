//! Which types of events there are, and the newest events of one: read by the index, so that a record of years costs no
//! more than one of a day.

use sqlx::Row;

use super::rows::{fetch_among, number};
use super::{Record, RecordError};
use crate::model::event::Event;
use crate::model::input::{Body, Envelope};

/// The most types that are listed.
const MOST_KINDS: usize = 1_000;
/// Up to so many events of a type are counted.
const COUNTED: u64 = 10_000;
/// Among so many of the newest events of a type those are looked for that were sent: what topics gave to customers are
/// copies of one.
const LOOKED_THROUGH: i64 = 20_000;
/// Events read at a time.
const PAGE: usize = 32;

impl Record {
    /// The types of events, in the database's order; the first thousand.
    ///
    /// # Errors
    /// The record's.
    pub async fn kinds(&self) -> Result<Vec<String>, RecordError> {
        let mut found: Vec<String> = Vec::new();
        while found.len() < MOST_KINDS {
            let last = found.last().map(String::as_str).unwrap_or_default();
            let row = sqlx::query("select min(kind) from event where kind > $1").bind(last.to_owned());
            let row = row.fetch_one(self.read()).await.map_err(|e| self.failed(e))?;
            match row.try_get::<Option<String>, _>(0).map_err(|e| self.failed(e))? {
                Some(kind) => found.push(kind),
                None => break,
            }
        }
        Ok(found)
    }

    /// How many events there are of a type, and whether there may be more: not all of very many are counted.
    ///
    /// # Errors
    /// The record's.
    pub async fn count_of(&self, kind: &str) -> Result<(u64, bool), RecordError> {
        let row = sqlx::query("select count(*) from (select 1 from event where kind = $1 limit $2) counted")
            .bind(kind.to_owned())
            .bind(super::rows::int(COUNTED));
        let row = row.fetch_one(self.read()).await.map_err(|e| self.failed(e))?;
        let count = number(row.try_get(0).map_err(|e| self.failed(e))?);
        Ok((count, count >= COUNTED))
    }

    /// Looks at the newest events of a type that were sent, `most` at most. What topics gave to customers is passed over;
    /// among very many of that some that were sent are not found.
    ///
    /// # Errors
    /// The record's.
    pub async fn newest_of(&self, kind: &str, most: u32, mut look: impl FnMut(&Event)) -> Result<(), RecordError> {
        let mut connection = self.read().acquire().await.map_err(|e| self.failed(e))?;
        let sql = "select id from (select id, origin, received_at from event where kind = $1 \
                   order by received_at desc limit $2) newest where origin is null order by received_at desc limit $3";
        let query = sqlx::query(sql).bind(kind.to_owned()).bind(LOOKED_THROUGH).bind(i64::from(most));
        let rows = query.fetch_all(&mut *connection).await.map_err(|e| self.failed(e))?;
        let ids: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get::<String, _>(0)).collect();
        let ids = ids.map_err(|e| self.failed(e))?;
        let inputs = "select a.input from event e join archive_line a \
                      on a.part = e.part and a.epoch = e.epoch and a.n = e.n where a.input is not null and e.id";
        for page in ids.chunks(PAGE) {
            let rows = fetch_among(&mut connection, inputs, page.iter().cloned()).await.map_err(|e| self.failed(e))?;
            for row in rows {
                let input: &str = row.try_get(0).map_err(|e| self.failed(e))?;
                let envelope: Envelope = serde_json::from_str(input).map_err(|e| self.corrupt(e))?;
                if let Body::Event(event) = envelope.body {
                    look(&event);
                }
            }
        }
        Ok(())
    }
}
