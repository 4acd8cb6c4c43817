//! Saved filters: views of the inbox that operators keep under a name. Written directly, like saved replies, and never computed.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::accounts::token;
use super::rows::{int, number};
use super::{Record, RecordError};
use crate::model::time::Ms;

/// How many an operator may have, and how many may be shared: each is counted for every page that shows them.
const MOST: i64 = 10;
/// The longest name, in characters.
const MAX_NAME: usize = 40;
/// The longest query, in bytes: a view, a label, a priority, a rating and the words of a search, encoded.
const MAX_QUERY: usize = 4_096;

/// A view of the inbox under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFilter {
    /// Its id.
    pub id: String,
    /// The operator's id.
    pub operator: String,
    /// What it is called.
    pub name: String,
    /// The inbox's query, as it stands in the address.
    pub query: String,
    /// Whether all operators see it.
    pub shared: bool,
    /// When it was saved.
    pub saved_at: Ms,
}

/// Why a filter was not saved.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The name is missing, or too long.
    #[error("a saved filter has a name of 1 to 40 characters")]
    Name,
    /// The query is too long.
    #[error("this filter is too long to be saved")]
    Query,
    /// There are as many as there may be.
    #[error("there are 10 saved filters already: remove one first")]
    Full,
    /// It was removed meanwhile, or is somebody else's.
    #[error("this filter was removed meanwhile")]
    Gone,
    /// The record's.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Record {
    /// Those that an operator sees: their own, and those that are shared, by name.
    ///
    /// # Errors
    /// The record's.
    pub async fn saved_filters(&self, operator: &str) -> Result<Vec<SavedFilter>, RecordError> {
        let rows = sqlx::query(
            "select id, operator, name, query, shared, saved_at from saved_filter where operator = $1 or shared = 1 \
             order by shared, lower(name), id limit $2",
        )
        .bind(operator.to_owned())
        .bind(2 * MOST)
        .fetch_all(self.read())
        .await
        .map_err(|e| self.failed(e))?;
        rows.iter().map(|row| filter(row).map_err(|e| self.failed(e))).collect()
    }

    /// Saves the query of the inbox under a name; answers its id. What is shared counts apart from what is an operator's own.
    ///
    /// # Errors
    /// [`FilterError`].
    pub async fn save_filter(
        &self,
        operator: &str,
        name: &str,
        query: &str,
        shared: bool,
        now: Ms,
    ) -> Result<String, FilterError> {
        check_name(name)?;
        if query.len() > MAX_QUERY || query.contains('\0') {
            return Err(FilterError::Query);
        }
        let id = token(12);
        let done = sqlx::query(
            "insert into saved_filter (id, operator, name, query, shared, saved_at) \
             select $1, $2, $3, $4, $5, $6 where (select count(*) from saved_filter \
             where shared = $7 and (shared = 1 or operator = $8)) < $9",
        )
        .bind(id.clone())
        .bind(operator.to_owned())
        .bind(name.to_owned())
        .bind(query.to_owned())
        .bind(i64::from(shared))
        .bind(int(now.0))
        .bind(i64::from(shared))
        .bind(operator.to_owned())
        .bind(MOST)
        .execute(self.write())
        .await
        .map_err(|e| self.failed(e))?;
        if done.rows_affected() == 0 { Err(FilterError::Full) } else { Ok(id) }
    }

    /// Gives a filter another name. `shared`: the operator may change those of all as well as their own.
    ///
    /// # Errors
    /// [`FilterError`].
    pub async fn rename_filter(&self, id: &str, operator: &str, shared: bool, name: &str) -> Result<(), FilterError> {
        check_name(name)?;
        let done = sqlx::query(
            "update saved_filter set name = $1 where id = $2 and ((shared = 0 and operator = $3) or (shared = 1 and $4 = 1))",
        )
        .bind(name.to_owned())
        .bind(id.to_owned())
        .bind(operator.to_owned())
        .bind(i64::from(shared))
        .execute(self.write())
        .await
        .map_err(|e| self.failed(e))?;
        if done.rows_affected() == 0 { Err(FilterError::Gone) } else { Ok(()) }
    }

    /// Removes one, by the same rule; false: there was none.
    ///
    /// # Errors
    /// The record's.
    pub async fn remove_filter(&self, id: &str, operator: &str, shared: bool) -> Result<bool, RecordError> {
        let done = sqlx::query(
            "delete from saved_filter where id = $1 and ((shared = 0 and operator = $2) or (shared = 1 and $3 = 1))",
        )
        .bind(id.to_owned())
        .bind(operator.to_owned())
        .bind(i64::from(shared))
        .execute(self.write())
        .await
        .map_err(|e| self.failed(e))?;
        Ok(done.rows_affected() > 0)
    }
}

fn check_name(name: &str) -> Result<(), FilterError> {
    let fits = (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(FilterError::Name) }
}

fn filter(row: &AnyRow) -> Result<SavedFilter, sqlx::Error> {
    Ok(SavedFilter {
        id: row.try_get(0)?,
        operator: row.try_get(1)?,
        name: row.try_get(2)?,
        query: row.try_get(3)?,
        shared: row.try_get::<i64, _>(4)? != 0,
        saved_at: Ms(number(row.try_get(5)?)),
    })
}
