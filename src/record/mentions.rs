//! Mentions: whom notes of operators name, until they are done with it. Written directly, like what is put off, and never computed.

use std::collections::BTreeMap;

use sqlx::Row;

use super::rows::{int, number};
use super::{Record, RecordError};
use crate::model::ids::ConversationId;
use crate::model::time::Ms;

/// How many an operator is shown at a time, the latest: each is looked up for every list.
const MOST: i64 = 100;

/// A note that names an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The name of who wrote it.
    pub by: String,
    /// When.
    pub at: Ms,
}

impl Record {
    /// Remembers that a note of a conversation names these operators; the latest note counts.
    ///
    /// # Errors
    /// The record's.
    pub async fn mention(&self, id: ConversationId, operators: &[&str], mention: &Mention) -> Result<(), RecordError> {
        for operator in operators {
            sqlx::query(
                "insert into mention (conversation, operator, mentioned_by, mentioned_at) values ($1, $2, $3, $4) \
                 on conflict (conversation, operator) do update set mentioned_by = excluded.mentioned_by, \
                 mentioned_at = excluded.mentioned_at",
            )
            .bind(id.to_string())
            .bind((*operator).to_owned())
            .bind(mention.by.clone())
            .bind(int(mention.at.0))
            .execute(self.write())
            .await
            .map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    /// The operator is done with what names it in a conversation.
    ///
    /// # Errors
    /// The record's.
    pub async fn forget_mention(&self, id: ConversationId, operator: &str) -> Result<(), RecordError> {
        sqlx::query("delete from mention where conversation = $1 and operator = $2")
            .bind(id.to_string())
            .bind(operator.to_owned())
            .execute(self.write())
            .await
            .map_err(|e| self.failed(e))?;
        Ok(())
    }

    /// The note of a conversation that names the operator; none where there is none, or the operator is done with it.
    ///
    /// # Errors
    /// The record's.
    pub async fn mention_in(&self, id: ConversationId, operator: &str) -> Result<Option<Mention>, RecordError> {
        let row =
            sqlx::query("select mentioned_by, mentioned_at from mention where conversation = $1 and operator = $2")
                .bind(id.to_string())
                .bind(operator.to_owned())
                .fetch_optional(self.read())
                .await
                .map_err(|e| self.failed(e))?;
        let Some(row) = row else { return Ok(None) };
        let read = || -> Result<_, sqlx::Error> { Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?)) };
        let (by, at) = read().map_err(|e| self.failed(e))?;
        Ok(Some(Mention { by, at: Ms(number(at)) }))
    }

    /// The conversations whose notes name the operator, as they are stored, with who wrote them; the latest [`MOST`].
    pub(super) async fn mentions_of(&self, operator: &str) -> Result<BTreeMap<String, String>, RecordError> {
        let rows = sqlx::query(
            "select conversation, mentioned_by from mention where operator = $1 order by mentioned_at desc limit $2",
        )
        .bind(operator.to_owned())
        .bind(MOST)
        .fetch_all(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, _>>()
            .map_err(|e| self.failed(e))
    }
}
