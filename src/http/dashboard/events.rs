//! What became of an event: found by Beckon's id or by the sender's.

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::SignedIn;
use super::pages::PageError;
use super::{Dashboard, spine, words};
use crate::model::decision::Judged;
use crate::model::event::Event;
use crate::model::ids::{ActorId, EventId};
use crate::model::input::{Body, Envelope};
use crate::record::{EventFilter, EventRow, EventView};

/// What is looked for.
#[derive(Debug, Deserialize, Default)]
pub(super) struct Lookup {
    id: Option<String>,
    source: Option<String>,
    kind: Option<String>,
    customer: Option<String>,
    cursor: Option<String>,
}

/// The latest events, or those of an id.
pub(super) async fn list(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Query(lookup): Query<Lookup>,
) -> Result<Response, PageError> {
    let text = |value: &Option<String>| -> String {
        value.as_deref().unwrap_or_default().trim().chars().take(1_024).collect()
    };
    let (id, source, kind, customer) =
        (text(&lookup.id), text(&lookup.source), text(&lookup.kind), text(&lookup.customer));
    if let Ok(event) = id.parse::<EventId>() {
        return Ok(Redirect::to(&format!("/operator/events/{event}")).into_response());
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut more = String::new();
    let mut problem = "";
    let rows: Vec<Value> = if id.is_empty() {
        let about = ActorId::parse(&customer).ok();
        if about.is_none() && !customer.is_empty() {
            problem = "A customer is written user:ID or anon:ID.";
        }
        let filter = EventFilter { kind: some(&kind), source: some(&source), customer: about };
        let page = dashboard.record.recent_events(&filter, lookup.cursor.as_deref(), 50).await?;
        if let Some(cursor) = page.cursor {
            let parts = [("kind", &kind), ("source", &source), ("customer", &customer), ("cursor", &cursor)];
            let query: Vec<String> = parts
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
                .collect();
            more = format!("/operator/events?{}", query.join("&"));
        }
        page.items.iter().map(row).collect()
    } else {
        let found = dashboard.record.events_by_sender(&id, some(&source).as_deref()).await?;
        found.iter().map(|event| row(&as_row(event))).collect()
    };
    let values = json!({
        "rows": rows, "more": more, "id": id, "source": source, "kind": kind, "customer": customer,
        "problem": problem,
    });
    Ok(dashboard.page(&operator, "events.html", "events", values).await?.into_response())
}

/// One event.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Path(id): Path<String>,
) -> Result<Html<String>, PageError> {
    let id: EventId = id.parse().map_err(|_| PageError::not_found("event"))?;
    let values = match dashboard.record.event(id).await? {
        Some(view) => dashboard.archived(&view),
        None => dashboard.pending(id).await?,
    };
    dashboard.page(&operator, "event.html", "events", values).await
}

impl Dashboard {
    fn archived(&self, view: &EventView) -> Value {
        let decisions: Vec<Value> = view.decisions.iter().map(decision).collect();
        let goals: Vec<Value> = view
            .goals
            .iter()
            .map(|goal| {
                let value = goal.value.as_ref().map(|value| words::plain(&value.to_string()));
                json!({ "conversation": goal.conversation.to_string(), "value": value.unwrap_or_default() })
            })
            .collect();
        let unheard = decisions.is_empty() && goals.is_empty() && view.status.name() == "decided";
        let nearest = if unheard { (self.nearest)(&view.event.kind) } else { None };
        let mut values = about(view.id, &view.event, view.status.name());
        if let Some(object) = values.as_object_mut() {
            object.insert("decisions".to_owned(), json!(decisions));
            object.insert("goals".to_owned(), json!(goals));
            object.insert("unheard".to_owned(), json!(unheard));
            object.insert("nearest".to_owned(), json!(nearest.as_deref().map(words::plain).unwrap_or_default()));
        }
        values
    }

    /// Not archived yet: the inbox has it, or nobody.
    async fn pending(&self, id: EventId) -> Result<Value, PageError> {
        if id.partition.0 >= self.store.partitions() {
            return Err(PageError::not_found("event"));
        }
        let input = self.store.input(id.partition, id.pos).await?.ok_or_else(|| PageError::not_found("event"))?;
        let envelope: Option<Envelope> = serde_json::from_slice(&input.payload).ok();
        match envelope.map(|envelope| envelope.body) {
            Some(Body::Event(event)) => Ok(about(id, &event, "pending")),
            _ => Err(PageError::not_found("event")),
        }
    }
}

/// What the page shows of any event; nothing is decided yet.
fn about(id: EventId, event: &Event, status: &str) -> Value {
    json!({
        "id": id.to_string(),
        "status": status,
        "kind": words::plain(&event.kind),
        "sender_id": words::plain(&event.id),
        "source": words::plain(&event.source),
        "customer": event.customer.as_ref().map(words::actor).unwrap_or_default(),
        "customer_href": event.customer.as_ref().filter(|actor| actor.user_id().is_some()).map(|actor| {
            format!("/operator/events?customer={}", utf8_percent_encode(actor.as_str(), NON_ALPHANUMERIC))
        }).unwrap_or_default(),
        "trust": if event.trust == crate::model::event::Trust::Server { "server" } else { "browser" },
        "time": event.time.map(words::stamp).unwrap_or_default(),
        "received": words::stamp(id.pos.time()),
        "data": spine::pretty(&event.data),
        "decisions": [], "goals": [], "unheard": false, "nearest": "",
    })
}

fn decision(judged: &Judged) -> Value {
    let verdict = crate::http::dashboard::playbooks::verdict_name(judged.verdict);
    let values: Vec<Value> = judged
        .values
        .iter()
        .map(|(name, value)| json!({ "name": words::plain(name), "value": words::plain(&value.to_string()) }))
        .collect();
    json!({
        "playbook": words::plain(&judged.playbook),
        "verdict": words::words(&verdict),
        "mark": mark(&verdict),
        "reason": judged.reason.as_deref().map(words::plain).unwrap_or_default(),
        "condition": judged.condition.as_deref().map(words::plain).unwrap_or_default(),
        "values": values,
        "conversation": judged.conversation.map(|id| id.to_string()).unwrap_or_default(),
    })
}

fn row(event: &EventRow) -> Value {
    let verdicts: Vec<Value> = event
        .verdicts
        .iter()
        .map(|(playbook, verdict)| {
            json!({ "playbook": words::plain(playbook), "verdict": words::words(verdict), "mark": mark(verdict) })
        })
        .collect();
    json!({
        "href": format!("/operator/events/{}", event.id),
        "kind": words::plain(&event.kind),
        "source": words::plain(&event.source),
        "sender_id": words::plain(&event.sender_id),
        "customer": event.customer.as_ref().map(words::actor).unwrap_or_default(),
        "at": words::stamp(event.received_at),
        "dead": event.status.name() == "dead",
        "verdicts": verdicts,
        "goals": event.goals,
    })
}

fn as_row(view: &EventView) -> EventRow {
    let verdicts = view
        .decisions
        .iter()
        .map(|judged| (judged.playbook.clone(), crate::http::dashboard::playbooks::verdict_name(judged.verdict)))
        .collect();
    EventRow {
        id: view.id,
        status: view.status,
        sender_id: view.event.id.clone(),
        source: view.event.source.clone(),
        kind: view.event.kind.clone(),
        customer: view.event.customer.clone(),
        received_at: view.received_at,
        verdicts,
        goals: u64::try_from(view.goals.len()).unwrap_or(u64::MAX),
    }
}

/// The colour of a verdict.
fn mark(verdict: &str) -> &'static str {
    match verdict {
        "waiting" | "opened" | "joined" => "sig",
        "failed" => "bad",
        _ => "plain",
    }
}
