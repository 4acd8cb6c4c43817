//! Numbers as SQLite holds them: signed, so what Rust counts unsigned is turned here and nowhere else.

use rusqlite::Row;

use crate::model::ids::Pos;

/// A number on its way into the file. Times, epochs and counts stay far below 2^63.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// How many rows at most.
pub(super) fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

/// A number out of the file.
pub(super) fn num(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let n: i64 = row.get(column)?;
    u64::try_from(n).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, n))
}

/// A position from two columns, the first of them `column`.
pub(super) fn pos(row: &Row<'_>, column: usize) -> rusqlite::Result<Pos> {
    Ok(Pos { ms: num(row, column)?, n: row.get(column + 1)? })
}
