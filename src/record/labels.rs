//! Labels of conversations: a view, written with the conversation that has them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AnyConnection, Row};

use super::rows::{Cell, execute_among, insert};
use super::{Record, RecordError};
use crate::model::ids::ConversationId;
use crate::model::triage::Label;

/// The most labels that are suggested.
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
        // From one label to the next by the index: what is asked costs by labels, not by conversations.
        let sql = "with recursive used (label) as (select min(label) from conversation_label union all \
                   select (select min(n.label) from conversation_label n where n.label > used.label) from used \
                   where used.label is not null) select label from used where label is not null limit $1";
        let rows = sqlx::query(sql).bind(MOST).fetch_all(self.read()).await.map_err(|e| self.failed(e))?;
        let labels: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        let mut labels = labels.map_err(|e| self.failed(e))?;
        // Databases sort by their own languages.
        labels.sort();
        Ok(labels)
    }
}
