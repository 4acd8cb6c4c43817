//! Many rows in one statement, with parameters that both SQLite and PostgreSQL read.

use std::fmt::Write;

use sqlx::any::AnyArguments;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

/// Parameters of one statement. SQLite would take 32,766, but finds the name of each by walking through all of them:
/// with 4,000 that was three quarters of the time.
const MOST_PARAMETERS: usize = 256;

/// A value of a column.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// A whole number.
    Int(i64),
    /// A whole number, or null.
    MaybeInt(Option<i64>),
    /// Text.
    Text(String),
    /// Text, or null.
    MaybeText(Option<String>),
}

/// Numbers of Beckon are below 2^63 for the next 292 million years; anything larger is the largest.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way; a negative number never was ours.
pub(super) fn number(int: i64) -> u64 {
    u64::try_from(int).unwrap_or_default()
}

/// Inserts rows. `table` and `columns` are ours, never from outside; `suffix` is what follows the values.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    table: &str,
    columns: &[&str],
    rows: Vec<Vec<Cell>>,
    suffix: &str,
) -> Result<(), sqlx::Error> {
    let most = (MOST_PARAMETERS / columns.len().max(1)).max(1);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<Vec<Cell>> = rows.by_ref().take(most).collect();
        // Only full chunks are worth keeping prepared.
        let keep = chunk.len() == most || chunk.len() == 1;
        let sql = statement(table, columns, chunk.len(), suffix);
        let mut query = sqlx::query::<Any>(AssertSqlSafe(sql)).persistent(keep);
        for cell in chunk.into_iter().flatten() {
            query = bind(query, cell);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Binds a value to the next parameter.
pub(super) fn bind(
    query: sqlx::query::Query<'_, Any, AnyArguments>,
    cell: Cell,
) -> sqlx::query::Query<'_, Any, AnyArguments> {
    match cell {
        Cell::Int(value) => query.bind(value),
        Cell::MaybeInt(value) => query.bind(value),
        Cell::Text(value) => query.bind(value),
        Cell::MaybeText(value) => query.bind(value),
    }
}

fn statement(table: &str, columns: &[&str], rows: usize, suffix: &str) -> String {
    let mut sql = format!("insert into {table} ({}) values ", columns.join(", "));
    let mut parameter = 0;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns.len() {
            parameter += 1;
            let comma = if column == 0 { "" } else { ", " };
            // Writing to memory does not fail.
            let _ = write!(sql, "{comma}${parameter}");
        }
        sql.push(')');
    }
    sql.push(' ');
    sql.push_str(suffix);
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through_all_rows() {
        assert_eq!(
            statement("t", &["a", "b"], 2, "on conflict (a) do nothing"),
            "insert into t (a, b) values ($1, $2), ($3, $4) on conflict (a) do nothing"
        );
    }
}
