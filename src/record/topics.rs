//! Whom a topic may select, and what became of those it told.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::events::VerdictCount;
use super::rows::{Cell, insert, int, number};
use super::{Record, RecordError};
use crate::model::ids::{ActorId, EventId};
use crate::model::time::Ms;
use crate::model::topic::Follow;

/// A customer with traits, as JSON.
pub type WithTraits = (ActorId, serde_json::Map<String, serde_json::Value>);

impl Record {
    /// Customers who follow a topic at a time, in order, after one of them.
    ///
    /// # Errors
    /// The record's.
    pub async fn followers(
        &self,
        topic: &ActorId,
        after: &str,
        now: Ms,
        limit: u32,
    ) -> Result<Vec<ActorId>, RecordError> {
        let sql = "select customer from follower where topic = $1 and customer > $2 and until > $3 \
                   order by customer limit $4";
        let query = sqlx::query(sql).bind(topic.as_str().to_owned()).bind(after.to_owned()).bind(int(now.0));
        let rows = query.bind(i64::from(limit)).fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<ActorId, RecordError> {
            let text: String = row.try_get(0).map_err(|e| self.failed(e))?;
            ActorId::parse(&text).map_err(|e| self.corrupt(e))
        };
        rows.iter().map(read).collect()
    }

    /// Customers of whom traits are known, in order, after one of them.
    ///
    /// # Errors
    /// The record's.
    pub async fn with_traits(&self, after: &str, limit: u32) -> Result<Vec<WithTraits>, RecordError> {
        let sql = "select id, traits from customer where id > $1 order by id limit $2";
        let query = sqlx::query(sql).bind(after.to_owned()).bind(i64::from(limit));
        let rows = query.fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<WithTraits, RecordError> {
            let texts: [String; 2] =
                [row.try_get(0).map_err(|e| self.failed(e))?, row.try_get(1).map_err(|e| self.failed(e))?];
            let [id, traits] = texts;
            let customer = ActorId::parse(&id).map_err(|e| self.corrupt(e))?;
            Ok((customer, serde_json::from_str(&traits).map_err(|e| self.corrupt(e))?))
        };
        rows.iter().map(read).collect()
    }

    /// How many conversations wait for a person.
    ///
    /// # Errors
    /// The record's.
    pub async fn in_queue(&self) -> Result<u64, RecordError> {
        let sql = "select count(*) from conversation where holder = 'queue' and state <> 'closed'";
        let row = sqlx::query(sql).fetch_one(self.read()).await.map_err(|e| self.failed(e))?;
        row.try_get::<i64, _>(0).map(number).map_err(|e| self.failed(e))
    }

    /// What became of the customers whom a topic told of an event, as it stands now.
    ///
    /// # Errors
    /// The record's.
    pub async fn told(&self, event: EventId) -> Result<Vec<VerdictCount>, RecordError> {
        let sql = "select v.playbook, v.verdict, count(*) from event e join verdict v on v.event = e.id \
                   where e.origin = $1 group by v.playbook, v.verdict order by v.playbook, v.verdict";
        let rows = sqlx::query(sql).bind(event.to_string()).fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<VerdictCount, sqlx::Error> {
            Ok(VerdictCount { playbook: row.try_get(0)?, verdict: row.try_get(1)?, count: number(row.try_get(2)?) })
        };
        rows.iter().map(|row| read(row).map_err(|e| self.failed(e))).collect()
    }
}

/// Writes down who follows what from here on; who no longer does goes.
pub(super) async fn follow(connection: &mut AnyConnection, follows: Vec<(ActorId, Follow)>) -> Result<(), sqlx::Error> {
    let mut rows = Vec::with_capacity(follows.len());
    for (customer, Follow { topic, until }) in follows {
        match until {
            Some(until) => rows.push(vec![
                Cell::Text(topic.to_string()),
                Cell::Text(customer.to_string()),
                Cell::Int(int(until.0)),
            ]),
            None => {
                sqlx::query("delete from follower where topic = $1 and customer = $2")
                    .bind(topic.to_string())
                    .bind(customer.to_string())
                    .execute(&mut *connection)
                    .await?;
            }
        }
    }
    let suffix = "on conflict (topic, customer) do update set until = excluded.until";
    insert(connection, "follower", &["topic", "customer", "until"], rows, suffix).await
}
