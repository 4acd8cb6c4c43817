//! Taking back an event that concerns many, from its page.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::Dashboard;
use super::access::Posted;
use super::pages::PageError;
use crate::engine::revoke::{reason_of, revoke};
use crate::model::customer;
use crate::model::ids::{ActorId, EventId};
use crate::model::topic::Revoke;
use crate::record::{EventView, Role};

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
    let topics = (dashboard.revocable)(&view.event, &view.decisions);
    let topics = topics.map_err(|firm| PageError::new(StatusCode::CONFLICT, firm.to_string()))?;
    let revoked = Revoke { event: id, kind: view.event.kind, topics, by: operator.operator(), reason };
    let taken_back = revoke(&dashboard.inbox, revoked, dashboard.clock.now()).await?;
    dashboard.audit(&operator.account.id, "event.revoke", &id.to_string(), &operator.address).await;
    Ok(Redirect::to(&format!("/operator/events/{taken_back}")).into_response())
}

impl Dashboard {
    /// Whether a topic tells the event now, or news of it, so that there is something to take back.
    pub(super) async fn may_revoke(&self, view: &EventView) -> Result<bool, PageError> {
        let Ok(topics) = (self.revocable)(&view.event, &view.decisions) else { return Ok(false) };
        for (playbook, key) in topics {
            let Ok(topic) = ActorId::topic(&playbook, &key) else { continue };
            let partition = topic.partition(self.store.partitions());
            let loaded = self.store.load(partition, std::slice::from_ref(&topic)).await?;
            let state = loaded.into_iter().flatten().next().and_then(|bytes| customer::State::decode(&bytes).ok());
            if state.and_then(|state| state.topic).is_some_and(|topic| topic.tells(view.id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
