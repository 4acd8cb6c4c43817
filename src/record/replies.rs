//! Saved replies: words that operators write once and send often. Written directly, like accounts, and never computed.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::accounts::token;
use super::rows::{int, number};
use super::{Record, RecordError};
use crate::model::time::Ms;

/// How many there may be: more than anybody finds again.
const MOST: i64 = 500;
/// The longest name, in characters.
const MAX_NAME: usize = 80;
/// The longest text, in characters.
const MAX_WORDS: usize = 4_000;

/// Words that operators send often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedReply {
    /// Its id.
    pub id: String,
    /// What it is found by.
    pub name: String,
    /// What is sent; `{name}` stands for the customer's name.
    pub words: String,
    /// Who saved it last.
    pub saved_by: String,
    /// When.
    pub saved_at: Ms,
}

/// Why a reply was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Name or words are missing, or too long.
    #[error("a saved reply has a name of 1 to 80 characters and 1 to 4,000 characters of words")]
    Bounds,
    /// There are as many as there may be.
    #[error("there are 500 saved replies already: remove one first")]
    Full,
    /// It was removed meanwhile.
    #[error("this reply was removed meanwhile")]
    Gone,
    /// The record's.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Record {
    /// All, by name.
    ///
    /// # Errors
    /// The record's.
    pub async fn saved_replies(&self) -> Result<Vec<SavedReply>, RecordError> {
        let rows = sqlx::query(
            "select id, name, words, saved_by, saved_at from saved_reply order by lower(name), id limit $1",
        )
        .bind(MOST)
        .fetch_all(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        rows.iter().map(|row| reply(row).map_err(|e| self.failed(e))).collect()
    }

    /// Saves a new one, or the one of this id anew; answers its id.
    ///
    /// # Errors
    /// [`SaveError`].
    pub async fn save_reply(
        &self,
        id: Option<&str>,
        name: &str,
        words: &str,
        by: &str,
        now: Ms,
    ) -> Result<String, SaveError> {
        let fits = |text: &str, most: usize| (1..=most).contains(&text.chars().count()) && !text.contains('\0');
        if !fits(name, MAX_NAME) || !fits(words, MAX_WORDS) {
            return Err(SaveError::Bounds);
        }
        let (sql, id, nothing) = match id {
            Some(id) => (
                "update saved_reply set name = $2, words = $3, saved_by = $4, saved_at = $5 where id = $1",
                id.to_owned(),
                SaveError::Gone,
            ),
            None => (
                "insert into saved_reply (id, name, words, saved_by, saved_at) \
                 select $1, $2, $3, $4, $5 where (select count(*) from saved_reply) < 500",
                token(12),
                SaveError::Full,
            ),
        };
        let done = sqlx::query(sql)
            .bind(id.clone())
            .bind(name.to_owned())
            .bind(words.to_owned())
            .bind(by.to_owned())
            .bind(int(now.0))
            .execute(self.write())
            .await
            .map_err(|e| self.failed(e))?;
        if done.rows_affected() == 0 { Err(nothing) } else { Ok(id) }
    }

    /// Removes one; false: there was none.
    ///
    /// # Errors
    /// The record's.
    pub async fn remove_reply(&self, id: &str) -> Result<bool, RecordError> {
        let done = sqlx::query("delete from saved_reply where id = $1")
            .bind(id.to_owned())
            .execute(self.write())
            .await
            .map_err(|e| self.failed(e))?;
        Ok(done.rows_affected() > 0)
    }
}

fn reply(row: &AnyRow) -> Result<SavedReply, sqlx::Error> {
    Ok(SavedReply {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        words: row.try_get(2)?,
        saved_by: row.try_get(3)?,
        saved_at: Ms(number(row.try_get(4)?)),
    })
}
