//! Events: the latest, those looked for, and what became of one.

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::SignedIn;
use super::pages::PageError;
use super::{Dashboard, history, spine, words};
use crate::model::decision::Judged;
use crate::model::event::Event;
use crate::model::ids::{ActorId, EventId};
use crate::model::input::{Body, Envelope};
use crate::record::{EventFilter, EventRow, EventView, Role, SEARCHED, VerdictCount};

/// What is looked for.
#[derive(Debug, Deserialize, Default)]
pub(super) struct Lookup {
    id: Option<String>,
    q: Option<String>,
    source: Option<String>,
    kind: Option<String>,
    customer: Option<String>,
    playbook: Option<String>,
    verdict: Option<String>,
    cursor: Option<String>,
}

/// The same, bounded and trimmed.
#[derive(Debug, Serialize)]
pub(super) struct Wanted {
    id: String,
    q: String,
    source: String,
    kind: String,
    customer: String,
    playbook: String,
    verdict: String,
}

impl Lookup {
    pub(super) fn wanted(&self) -> Wanted {
        let text = |value: &Option<String>| -> String {
            value.as_deref().unwrap_or_default().trim().chars().take(1_024).collect()
        };
        let playbook = text(&self.playbook);
        let verdict = text(&self.verdict);
        Wanted {
            id: text(&self.id),
            q: text(&self.q).chars().take(200).collect(),
            source: text(&self.source),
            kind: text(&self.kind),
            customer: text(&self.customer),
            playbook,
            verdict,
        }
    }
}

impl Wanted {
    fn filter(&self) -> EventFilter {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        EventFilter {
            kind: some(&self.kind),
            source: some(&self.source),
            customer: ActorId::parse(&self.customer).ok(),
            playbook: some(&self.playbook),
            verdict: some(&self.verdict),
            search: some(&self.q),
        }
    }

    /// What follows, as an address.
    fn more(&self, cursor: &str) -> String {
        format!("/operator/events?{}", self.query(&[("cursor", cursor)]))
    }

    /// The stream that keeps the page up to date. Older pages change no more.
    fn live(&self, cursor: Option<&str>) -> String {
        match cursor {
            None => format!("/operator/live?{}", self.query(&[("page", "events"), ("id", &self.id)])),
            Some(_) => "/operator/live?page=other".to_owned(),
        }
    }

    /// The same as part of an address, with these.
    fn query(&self, others: &[(&str, &str)]) -> String {
        let parts = [
            ("q", self.q.as_str()),
            ("kind", &self.kind),
            ("source", &self.source),
            ("customer", &self.customer),
            ("playbook", &self.playbook),
            ("verdict", &self.verdict),
        ];
        let query: Vec<String> = parts
            .iter()
            .chain(others)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", words::address(value)))
            .collect();
        query.join("&")
    }

    fn is_narrow(&self) -> bool {
        [&self.q, &self.source, &self.kind, &self.customer, &self.playbook, &self.verdict].iter().any(|f| !f.is_empty())
    }
}

/// The latest events, those that are looked for, or those of an id.
pub(super) async fn list(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Query(lookup): Query<Lookup>,
) -> Result<Response, PageError> {
    let wanted = lookup.wanted();
    // Beckon's own id names one event, in whichever field it was pasted.
    for text in [&wanted.id, &wanted.q] {
        if let Ok(event) = text.parse::<EventId>() {
            return Ok(Redirect::to(&format!("/operator/events/{event}")).into_response());
        }
    }
    let mut values = dashboard.looked_up(&wanted, lookup.cursor.as_deref()).await?;
    let verdicts: Vec<Value> = super::playbooks::VERDICTS
        .iter()
        .map(|verdict| {
            let name = super::playbooks::verdict_name(*verdict);
            json!({ "name": name, "label": words::words(&name), "current": name == wanted.verdict })
        })
        .collect();
    let bounded = !wanted.q.is_empty() || !wanted.playbook.is_empty() || !wanted.verdict.is_empty();
    if let Some(object) = values.as_object_mut() {
        object.insert("verdicts".to_owned(), json!(verdicts));
        object.insert("bounded".to_owned(), json!(bounded));
        object.insert("searched".to_owned(), json!(words::number(u64::from(SEARCHED))));
        object.insert("live".to_owned(), json!(wanted.live(lookup.cursor.as_deref())));
    }
    Ok(dashboard.page(&operator, "events.html", "events", values).await?.into_response())
}

/// One event.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Path(id): Path<String>,
) -> Result<Html<String>, PageError> {
    let id: EventId = id.parse().map_err(|_| PageError::not_found("event"))?;
    let view = dashboard.record.event(id).await?;
    let mut values = dashboard.shown(id, view.as_ref()).await?;
    if let Some(object) = values.as_object_mut() {
        object.insert("live".to_owned(), json!(format!("/operator/live?page=event&event={id}")));
        let revocable = match &view {
            Some(view) if operator.account.role == Role::Admin => dashboard.may_revoke(view).await?,
            _ => false,
        };
        object.insert("revocable".to_owned(), json!(revocable));
    }
    dashboard.page(&operator, "event.html", "events", values).await
}

impl Dashboard {
    /// What has become of an event by now, as its page shows it.
    pub(super) async fn became(&self, id: EventId) -> Result<Value, PageError> {
        self.shown(id, self.record.event(id).await?.as_ref()).await
    }

    async fn shown(&self, id: EventId, view: Option<&EventView>) -> Result<Value, PageError> {
        match view {
            Some(view) => Ok(self.archived(view)),
            None => self.pending(id).await,
        }
    }

    /// The rows that are looked for, and what there is to say about them.
    pub(super) async fn looked_up(&self, wanted: &Wanted, cursor: Option<&str>) -> Result<Value, PageError> {
        let (mut more, mut problem) = (String::new(), "");
        let rows: Vec<Value> = if wanted.id.is_empty() {
            let filter = wanted.filter();
            if filter.customer.is_none() && !wanted.customer.is_empty() {
                problem = "A customer is written user:ID or anon:ID.";
            }
            // A link that somebody kept or mistyped shows the first page.
            let after = cursor.and_then(|cursor| cursor.parse().ok());
            let page = self.record.recent_events(&filter, after.as_ref(), 50).await?;
            more = page.cursor.map(|cursor| wanted.more(&cursor.to_string())).unwrap_or_default();
            page.items.iter().map(row).collect()
        } else {
            let source = Some(wanted.source.as_str()).filter(|source| !source.is_empty());
            let found = self.record.events_by_sender(&wanted.id, source).await?;
            found.iter().map(|event| row(&as_row(event))).collect()
        };
        Ok(json!({
            "rows": rows, "more": more, "wanted": wanted, "narrow": wanted.is_narrow(), "problem": problem,
        }))
    }

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
            object.insert("told".to_owned(), json!(told(&view.told)));
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
        "customer_href": event
            .customer
            .as_ref()
            .map(|actor| words::customer_page(actor, Some(&id.to_string())))
            .unwrap_or_default(),
        "trust": if event.trust == crate::model::event::Trust::Server { "server" } else { "browser" },
        "time": event.time.map(words::stamp).unwrap_or_default(),
        "received": words::stamp(id.pos.time()),
        "data": spine::pretty(&event.data),
        "decisions": [], "goals": [], "told": [], "unheard": false, "nearest": "",
        "takes_back": event.revoke.as_ref().map(|revoke| json!({
            "event": revoke.event.to_string(), "kind": words::plain(&revoke.kind),
            "by": words::plain(&revoke.by.name), "reason": words::plain(&revoke.reason),
        })),
        "origin": event.news.as_ref().map(|news| news.origin.to_string()).unwrap_or_default(),
    })
}

/// What those whom topics told made of it: one for each playbook, with the share of each verdict.
fn told(counts: &[VerdictCount]) -> Vec<Value> {
    let by_playbook = counts.chunk_by(|one, other| one.playbook == other.playbook);
    let shown = by_playbook.filter_map(|counts| {
        let playbook = &counts.first()?.playbook;
        let all: u64 = counts.iter().map(|count| count.count).sum();
        let verdicts: Vec<Value> = counts
            .iter()
            .map(|count| {
                json!({
                    "verdict": words::words(&count.verdict),
                    "mark": history::verdict_mark(&count.verdict),
                    "count": words::number(count.count),
                    "href": format!(
                        "/operator/events?playbook={}&verdict={}",
                        words::address(playbook), words::address(&count.verdict)
                    ),
                })
            })
            .collect();
        Some(json!({ "playbook": words::plain(playbook), "all": words::number(all), "verdicts": verdicts }))
    });
    shown.collect()
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
        "mark": history::verdict_mark(&verdict),
        "reason": judged.reason.as_deref().map(words::plain).unwrap_or_default(),
        "condition": judged.condition.as_deref().map(words::plain).unwrap_or_default(),
        "values": values,
        "conversation": judged.conversation.map(|id| id.to_string()).unwrap_or_default(),
    })
}

/// An event as lists show it.
pub(super) fn row(event: &EventRow) -> Value {
    let verdicts: Vec<Value> = event
        .verdicts
        .iter()
        .map(|(playbook, verdict)| {
            json!({ "playbook": words::plain(playbook), "verdict": words::words(verdict), "mark": history::verdict_mark(verdict) })
        })
        .collect();
    json!({
        "href": format!("/operator/events/{}", event.id),
        "kind": words::plain(&event.kind),
        "source": words::plain(&event.source),
        "sender_id": words::plain(&event.sender_id),
        "customer": event.customer.as_ref().map(words::actor).unwrap_or_default(),
        "customer_href": event
            .customer
            .as_ref()
            .map(|actor| words::customer_page(actor, Some(&event.id.to_string())))
            .unwrap_or_default(),
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
