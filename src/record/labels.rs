//! Labels of conversations: a view, written with the conversation that has them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::rows::{Cell, execute_among, insert};
use super::{Record, RecordError};
use crate::model::ids::ConversationId;
use crate::model::triage::Label;

/// The most values that are suggested.
const MOST: i64 = 200;

/// Writes the labels of conversations anew.
pub(super) async fn write(
    connection: &mut AnyConnection,
    labelled: BTreeMap<ConversationId, BTreeSet<Label>>,
) -> Result<(), sqlx::Error> {
    let sql = "delete from conversation_label where conversation";
    execute_among(connection, sql, labelled.keys().map(ToString::to_string)).await?;
    let row = |id: ConversationId, label: Label| vec![Cell::Text(id.to_string()), Cell::Text(label.to_string())];
    let rows = labelled.into_iter().flat_map(|(id, labels)| labels.into_iter().map(move |label| row(id, label)));
    insert(connection, "conversation_label", &["conversation", "label"], rows.collect(), "").await
}

impl Record {
    /// Labels that some conversation has, in order; the first 200.
    ///
    /// # Errors
    /// The record's.
    pub async fn labels_in_use(&self) -> Result<Vec<String>, RecordError> {
        self.in_use("conversation_label", "label").await
    }

    /// Values that a column has, in order; the first 200.
    pub(super) async fn in_use(&self, table: &str, column: &str) -> Result<Vec<String>, RecordError> {
        // From one value to the next by the index: what is asked costs by values, not by rows.
        let sql = format!(
            "with recursive used (value) as (select min({column}) from {table} where {column} is not null union all \
             select (select min(n.{column}) from {table} n where n.{column} > used.value) from used \
             where used.value is not null) select value from used where value is not null limit $1"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(MOST);
        let rows = query.fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let values: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        let mut values = values.map_err(|e| self.failed(e))?;
        // Databases sort by their own languages.
        values.sort();
        Ok(values)
    }
}
