//! Many rows in one statement, on SQLite and on PostgreSQL.

use std::fmt::Write;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

/// Rows of one statement, most first. Few sizes, so that each is prepared once and kept.
const SIZES: [usize; 4] = [256, 32, 4, 1];

/// How a database writes its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parameters {
    /// `$1`, `$2`, …: PostgreSQL.
    Numbered,
    /// `?`: SQLite also reads `$1`, but as a name that it finds by walking through all of them, for each.
    Plain,
}

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
    let parameters = if connection.backend_name() == "SQLite" { Parameters::Plain } else { Parameters::Numbered };
    let mut rows = rows.into_iter();
    while let Some(size) = SIZES.into_iter().find(|size| *size <= rows.len()) {
        let sql = statement(table, columns, size, suffix, parameters);
        let mut query = sqlx::query::<Any>(AssertSqlSafe(sql));
        for cell in rows.by_ref().take(size).flatten() {
            query = bind(query, cell);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Rows of a statement that ends before its `in (…)`, for each of these texts.
pub(super) async fn fetch_among(
    connection: &mut AnyConnection,
    sql: &str,
    texts: impl IntoIterator<Item = String>,
) -> Result<Vec<AnyRow>, sqlx::Error> {
    let mut found = Vec::new();
    for query in among(sql, texts) {
        found.extend(query.fetch_all(&mut *connection).await?);
    }
    Ok(found)
}

/// Runs a statement that ends before its `in (…)`, for each of these texts.
pub(super) async fn execute_among(
    connection: &mut AnyConnection,
    sql: &str,
    texts: impl IntoIterator<Item = String>,
) -> Result<(), sqlx::Error> {
    for query in among(sql, texts) {
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// The statement with its `in (…)`, for so many of these texts at a time.
fn among(sql: &str, texts: impl IntoIterator<Item = String>) -> Vec<Query<'static, Any, AnyArguments>> {
    let mut texts = texts.into_iter().collect::<Vec<String>>().into_iter();
    let mut queries = Vec::new();
    while let Some(size) = SIZES.into_iter().find(|size| *size <= texts.len()) {
        let parameters: Vec<String> = (1..=size).map(|n| format!("${n}")).collect();
        let sql = AssertSqlSafe(format!("{sql} in ({})", parameters.join(", ")));
        queries.push(texts.by_ref().take(size).fold(sqlx::query::<Any>(sql), Query::bind));
    }
    queries
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

fn statement(table: &str, columns: &[&str], rows: usize, suffix: &str, parameters: Parameters) -> String {
    let mut sql = format!("insert into {table} ({}) values ", columns.join(", "));
    let mut parameter = 0;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns.len() {
            parameter += 1;
            sql.push_str(if column == 0 { "" } else { ", " });
            match parameters {
                Parameters::Plain => sql.push('?'),
                // Writing to memory does not fail.
                Parameters::Numbered => drop(write!(sql, "${parameter}")),
            }
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
        let suffix = "on conflict (a) do nothing";
        assert_eq!(
            statement("t", &["a", "b"], 2, suffix, Parameters::Numbered),
            "insert into t (a, b) values ($1, $2), ($3, $4) on conflict (a) do nothing"
        );
        assert_eq!(
            statement("t", &["a", "b"], 2, suffix, Parameters::Plain),
            "insert into t (a, b) values (?, ?), (?, ?) on conflict (a) do nothing"
        );
    }
}
