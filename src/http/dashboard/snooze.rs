//! Putting a conversation off: for a while it needs nobody, unless the customer writes before. The engine knows nothing of it.

use axum::extract::{Path, State};
use axum::response::Response;

use super::Dashboard;
use super::access::Posted;
use super::acts::{back, conversation, wrong};
use super::pages::PageError;
use crate::model::time::Millis;
use crate::record::Snoozed;

/// For how long it can be put off; without a zone of the operator's, days are 24 hours.
const SPANS: [(&str, Millis); 3] =
    [("hour", Millis::hours(1)), ("day", Millis::hours(24)), ("week", Millis::hours(7 * 24))];

/// Puts it off, or wakes it.
pub(super) async fn put_off(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let conversation = conversation(&id)?;
    dashboard.record.summary(conversation).await?.ok_or_else(|| PageError::not_found("conversation"))?;
    let at = dashboard.clock.now();
    let wanted = posted.fields.get("for");
    let span = SPANS.iter().find(|(name, _)| *name == wanted).map(|(_, span)| *span);
    if span.is_none() && wanted != "nothing" {
        return Err(wrong("for"));
    }
    let by = posted.operator.account.name.clone();
    let snoozed = span.map(|span| Snoozed { until: at.plus(span), by, at });
    dashboard.record.snooze(conversation, snoozed.as_ref()).await?;
    let name = if snoozed.is_some() { "snooze" } else { "wake" };
    dashboard.audit(&posted.operator.account.id, name, &id, &posted.operator.address).await;
    dashboard.lists_changed().await;
    Ok(back(&posted, &id))
}
