//! Conversations that need nobody for a while: written directly, like saved replies, and never computed.

use sqlx::{AssertSqlSafe, Row};

use super::rows::{int, number};
use super::{Record, RecordError};
use crate::model::ids::ConversationId;
use crate::model::time::Ms;

/// Until when a conversation is put off, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snoozed {
    /// Until then, unless something happens before.
    pub until: Ms,
    /// Who put it off.
    pub by: String,
    /// When.
    pub at: Ms,
}

impl Record {
    /// Puts a conversation off, or anew; none: wakes it.
    ///
    /// # Errors
    /// The record's.
    pub async fn snooze(&self, id: ConversationId, snoozed: Option<&Snoozed>) -> Result<(), RecordError> {
        let query = match snoozed {
            Some(Snoozed { until, by, at }) => sqlx::query(
                "insert into snoozed (conversation, until_at, snoozed_by, snoozed_at) values ($1, $2, $3, $4) \
                 on conflict (conversation) do update set until_at = excluded.until_at, snoozed_by = excluded.snoozed_by, \
                 snoozed_at = excluded.snoozed_at",
            )
            .bind(id.to_string())
            .bind(int(until.0))
            .bind(by.clone())
            .bind(int(at.0)),
            None => sqlx::query("delete from snoozed where conversation = $1").bind(id.to_string()),
        };
        query.execute(self.write()).await.map_err(|e| self.failed(e))?;
        Ok(())
    }

    /// Until when a conversation is put off; none where it is not, or something happened since that ended it.
    ///
    /// # Errors
    /// The record's.
    pub async fn snoozed(&self, id: ConversationId, now: Ms) -> Result<Option<Snoozed>, RecordError> {
        let asleep = asleep("$1");
        let row = sqlx::query(AssertSqlSafe(format!(
            "select s.until_at, s.snoozed_by, s.snoozed_at from conversation c \
             join snoozed s on s.conversation = c.id where {asleep} and c.id = $2"
        )))
        .bind(int(now.0))
        .bind(id.to_string())
        .fetch_optional(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let read = || -> Result<_, sqlx::Error> {
            let (until, by, at): (i64, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            Ok(Snoozed { until: Ms(number(until)), by, at: Ms(number(at)) })
        };
        read().map(Some).map_err(|e| self.failed(e))
    }
}

/// Whether `s` puts `c` off at this time, and nothing happened since that ends it: the customer wrote, a person was asked for
/// anew, it was closed.
pub(super) fn asleep(now: &str) -> String {
    format!(
        "(s.until_at > {now} and c.state <> 'closed' \
         and not (coalesce(c.last_by, '') = 'customer' and coalesce(c.last_at, 0) > s.snoozed_at) \
         and coalesce(c.needs_since, 0) <= s.snoozed_at)"
    )
}
