//! Customers: the latest or those looked for, and one with all that happened, on the spine.

use axum::extract::{Path, Query, State};
use axum::response::Html;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::SignedIn;
use super::pages::PageError;
use super::{Dashboard, history, spine, words};
use crate::model::customer;
use crate::model::ids::{ActorId, ConversationId, EventId};
use crate::model::time::Ms;
use crate::record::{CustomerRow, CustomerView};
use crate::trigger::pending::Pending;

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    q: Option<String>,
}

/// The list.
pub(super) async fn list(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Query(search): Query<Search>,
) -> Result<Html<String>, PageError> {
    let q: String = search.q.as_deref().unwrap_or_default().trim().chars().take(200).collect();
    let found = match q.is_empty() {
        true => dashboard.record.latest_customers().await?,
        false => dashboard.record.find_customers(&q).await?,
    };
    let now = dashboard.clock.now();
    let rows: Vec<Value> = found.iter().map(|customer| row(customer, now)).collect();
    dashboard.page(&operator, "customers.html", "customers", json!({ "rows": rows, "q": q })).await
}

fn row(customer: &CustomerRow, now: Ms) -> Value {
    json!({
        "href": words::customer_page(&customer.customer, customer.handle.as_deref()),
        "name": words::customer(&customer.customer, customer.name.as_deref()),
        "id": words::actor(&customer.customer),
        "conversations": customer.conversations,
        "open": customer.open,
        "last": customer.last_at.map(|at| words::ago(at, now)).unwrap_or_default(),
        "at": customer.last_at.map(words::stamp).unwrap_or_default(),
    })
}

/// One customer.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Path(handle): Path<String>,
) -> Result<Html<String>, PageError> {
    let actor = dashboard.meant(&handle).await?.ok_or_else(|| PageError::not_found("customer"))?;
    let known = dashboard.record.customer(&actor).await?.ok_or_else(|| PageError::not_found("customer"))?;
    let traits: Vec<Value> = known
        .traits
        .iter()
        .take(100)
        .map(|(name, value)| json!({ "name": words::plain(name), "value": super::conversation::short(value) }))
        .collect();
    let from = whole_from(&known);
    let values = json!({
        "name": words::customer(&actor, known.name.as_deref()),
        "customer": words::actor(&actor),
        "known_by": if actor.user_id().is_some() { "the company's id" } else { "this browser only" },
        "traits": traits,
        "days": days(&known, from),
        "since": from.map(words::stamp).unwrap_or_default(),
        "pending": dashboard.under_way_for(&actor).await?,
        "conversations": known.conversations.items.len(),
        "more_conversations": known.conversations.cursor.is_some(),
    });
    dashboard.page(&operator, "customer.html", "customers", values).await
}

impl Dashboard {
    /// What is under way for a customer, and what would make it fire.
    async fn under_way_for(&self, actor: &ActorId) -> Result<Vec<Value>, PageError> {
        let partition = actor.partition(self.store.partitions());
        let stored = self.store.load(partition, std::slice::from_ref(actor)).await?.into_iter().next().flatten();
        let Some(stored) = stored else { return Ok(Vec::new()) };
        let state = customer::State::decode(&stored).map_err(PageError::internal)?;
        let found = (self.under_way)(&state, self.clock.now());
        Ok(found.iter().map(under_way).collect())
    }

    /// Who is meant: by the company's id, or by a conversation or event of theirs. Never by an anonymous id: it is a secret.
    async fn meant(&self, handle: &str) -> Result<Option<ActorId>, PageError> {
        if handle.starts_with("user:") {
            return Ok(ActorId::parse(handle).ok());
        }
        let names_one = handle.parse::<ConversationId>().is_ok() || handle.parse::<EventId>().is_ok();
        if !names_one {
            return Ok(None);
        }
        Ok(self.record.customer_of(handle).await?)
    }
}

fn under_way(pending: &Pending) -> Value {
    let playbook = pending.playbook.as_deref();
    json!({
        "playbook": playbook.map_or("all playbooks".to_owned(), words::plain),
        "playbook_href": playbook.map(|name| format!("/operator/playbooks/{}", words::address(name))).unwrap_or_default(),
        "key": words::plain(&pending.key),
        "condition": words::plain(&pending.condition),
        "stands": words::with_times(&pending.stands),
        "next": words::with_times(&pending.next),
        "events": pending.events.iter().rev().take(5).map(ToString::to_string).collect::<Vec<String>>(),
        "conversation": pending.conversation.map(|id| id.to_string()).unwrap_or_default(),
    })
}

/// From when on the history is whole: where either list was cut, older lines of the other would pretend to be all.
fn whole_from(known: &CustomerView) -> Option<Ms> {
    let conversations = known.conversations.cursor.as_ref().and(known.conversations.items.last());
    let events = known.events.cursor.as_ref().and(known.events.items.last());
    conversations.map(|listed| listed.summary.updated_at).max(events.map(|event| event.received_at))
}

/// The history by days, the latest first.
fn days(known: &CustomerView, from: Option<Ms>) -> Vec<Value> {
    let from = from.unwrap_or_default();
    let events = known.events.items.iter().map(|event| (event.received_at, history::of_event(event)));
    let conversations =
        known.conversations.items.iter().map(|listed| (listed.summary.created_at, history::of_conversation(listed)));
    // What an event opened stands above it: the latest first.
    let mut lines: Vec<(Ms, spine::Row)> = conversations.chain(events).filter(|(at, _)| *at >= from).collect();
    lines.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut days: Vec<(String, Vec<spine::Row>)> = Vec::new();
    for (at, line) in lines {
        let day = words::day(at);
        match days.last_mut().filter(|(last, _)| *last == day) {
            Some((_, rows)) => rows.push(line),
            None => days.push((day, vec![line])),
        }
    }
    days.into_iter().map(|(day, rows)| json!({ "day": day, "rows": rows })).collect()
}
