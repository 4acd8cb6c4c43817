//! Taking back an event that concerns many, from its page.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::Dashboard;
use super::access::Posted;
use super::pages::PageError;
use crate::engine::revoke::{Asked, reason_of, revoke};
use crate::model::decision::Judged;
use crate::model::entry::Verdict;
use crate::model::ids::EventId;
use crate::record::Role;

/// Takes back what topics tell many customers of the event; shows the event that does it.
pub(super) async fn take_back(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    let operator = &posted.operator;
    dashboard.require(operator, Role::Admin, &format!("event.revoke {id}")).await?;
    let id: EventId = id.parse().map_err(|_| PageError::not_found("event"))?;
    let reason = reason_of(posted.fields.get("reason"));
    let reason = reason.map_err(|problem| PageError::new(StatusCode::UNPROCESSABLE_ENTITY, problem))?;
    let view = dashboard.record.event(id).await?.ok_or_else(|| PageError::not_found("event"))?;
    let topics = (dashboard.revocable)(&view.event);
    let topics = topics.map_err(|firm| PageError::new(StatusCode::CONFLICT, firm.to_string()))?;
    let asked = Asked { id, event: &view.event, topics, by: operator.operator(), reason };
    let taken_back = revoke(&dashboard.inbox, asked, dashboard.clock.now()).await?;
    dashboard.audit(&operator.account.id, "event.revoke", &id.to_string(), &operator.address).await;
    Ok(Redirect::to(&format!("/operator/events/{taken_back}")).into_response())
}

impl Dashboard {
    /// Whether topics tell many of the event, and it was not taken back.
    pub(super) async fn may_revoke(&self, id: EventId) -> Result<bool, PageError> {
        let Some(view) = self.record.event(id).await? else { return Ok(false) };
        let tells = |judged: &Judged| matches!(judged.verdict, Verdict::Pending | Verdict::Forwarded | Verdict::Told);
        Ok(view.decisions.iter().any(tells) && (self.revocable)(&view.event).is_ok())
    }
}
