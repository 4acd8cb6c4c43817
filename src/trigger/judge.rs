//! What each playbook makes of an event: trust, expiry, conditions, key, pause, limits, in this order.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::model::catalog::{Catalog, Catalogs, Playbook};
use crate::model::customer::{MAX_CONVERSATIONS, MAX_STATE, State};
use crate::model::entry::Verdict;
use crate::model::event::{Event, Trust};
use crate::model::ids::{ActorId, ConversationId};
use crate::model::scope::{Held, Scope, customer_value, event_value};
use crate::model::time::Ms;

/// Room that an opening needs in the state.
const ROOM: usize = 8 * 1024;

/// What a playbook makes of an event.
#[derive(Debug)]
pub enum Judgement {
    /// Nothing, and why.
    No {
        /// Which verdict.
        verdict: Verdict,
        /// Why.
        reason: Option<String>,
        /// The first condition that failed, as written.
        condition: Option<String>,
        /// What it saw.
        values: Map<String, Value>,
    },
    /// A conversation with this key is there: the event joins it.
    Join(ConversationId),
    /// A conversation is to be opened under this key.
    Open(String),
}

impl Judgement {
    fn no(verdict: Verdict, reason: impl Into<String>) -> Judgement {
        Judgement::No { verdict, reason: Some(reason.into()), condition: None, values: Map::new() }
    }
}

/// Judges an event by every playbook that hears it, in order of name. `actor` is none where nobody is concerned.
pub fn judge(
    catalogs: &Catalogs,
    catalog: &Arc<Catalog>,
    actor: Option<&ActorId>,
    state: &State,
    event: &Event,
    now: Ms,
) -> Vec<(Arc<Playbook>, Judgement)> {
    let heard: Vec<Arc<Playbook>> = match &event.only {
        Some(name) => catalog.playbooks.get(name).cloned().into_iter().collect(),
        None => catalog.listeners.get(&event.kind).cloned().unwrap_or_default(),
    };
    if heard.is_empty() {
        return Vec::new();
    }
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    if let Some(actor) = actor {
        scope.bind("customer", customer_value(actor, state.traits_object()));
    }
    heard
        .into_iter()
        .map(|playbook| {
            let judgement = judge_one(catalogs, &playbook, actor, state, event, now, &scope);
            (playbook, judgement)
        })
        .collect()
}

fn judge_one(
    catalogs: &Catalogs,
    playbook: &Playbook,
    actor: Option<&ActorId>,
    state: &State,
    event: &Event,
    now: Ms,
    scope: &Scope,
) -> Judgement {
    if actor.is_none() {
        return Judgement::no(Verdict::NotMatched, "no customer");
    }
    if event.only.is_none()
        && let Err(no) = conditions(playbook, event, now, scope)
    {
        return no;
    }
    let key = match key(playbook, scope) {
        Ok(key) => key,
        Err(reason) => return Judgement::no(Verdict::Failed, reason),
    };
    let there = state.conversations.iter().find(|(_, conversation)| {
        conversation.playbook == playbook.name && conversation.key == key && !conversation.phase.is_closed()
    });
    if let Some((id, _)) = there {
        return Judgement::Join(*id);
    }
    if catalogs.is_paused(&playbook.name) {
        return Judgement::no(Verdict::Paused, "the playbook is paused");
    }
    if event.only.is_none()
        && let Some(no) = limited(playbook, state, now)
    {
        return no;
    }
    if state.conversations.len() >= MAX_CONVERSATIONS || state.encode().len() + ROOM > MAX_STATE {
        return Judgement::no(Verdict::Limited, "full");
    }
    Judgement::Open(key)
}

/// Trust, expiry and `when`: any trigger of this type suffices; of those that fail, the first is told.
fn conditions(playbook: &Playbook, event: &Event, now: Ms, scope: &Scope) -> Result<(), Judgement> {
    let mut first = None;
    for trigger in playbook.on.iter().filter(|trigger| trigger.event == event.kind) {
        let no = if trigger.trust == Trust::Server && event.trust == Trust::Client {
            Judgement::no(Verdict::NotMatched, "a browser said it, and the playbook takes events of the server only")
        } else if event.expires.is_some_and(|expires| expires <= now) {
            Judgement::no(Verdict::NotMatched, "expired")
        } else {
            match trigger.when.as_ref().map_or(Held::Yes, |when| scope.ask(when)) {
                Held::Yes => return Ok(()),
                Held::No { condition, values, error } => Judgement::No {
                    verdict: Verdict::NotMatched,
                    reason: Some(error.unwrap_or_else(|| "a condition did not hold".to_owned())),
                    condition: Some(condition),
                    values,
                },
            }
        };
        first.get_or_insert(no);
    }
    Err(first.unwrap_or_else(|| Judgement::no(Verdict::NotMatched, "no trigger hears this type")))
}

/// The key that one conversation may be open under; the playbook's name where it declares none.
fn key(playbook: &Playbook, scope: &Scope) -> Result<String, String> {
    let Some(expression) = &playbook.open.key else { return Ok(playbook.name.clone()) };
    let value = scope.value(expression).map_err(|problem| format!("open.key: {problem}"))?;
    let key = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => return Err("open.key is null".to_owned()),
        Value::Array(_) | Value::Object(_) => return Err("open.key is neither text nor a number".to_owned()),
    };
    if key.is_empty() || key.len() > crate::model::ids::MAX_ID {
        return Err("open.key is empty or over 1,024 bytes".to_owned());
    }
    Ok(key)
}

/// Whether the playbook's limit is used up, counting openings less than `per` ago.
fn limited(playbook: &Playbook, state: &State, now: Ms) -> Option<Judgement> {
    let limit = playbook.limit?;
    let recent = |used: &&(Ms, ConversationId)| now.since(used.0) < limit.per;
    let used: Vec<_> = state.limits.get(&playbook.name)?.iter().filter(recent).collect();
    if used.len() < limit.count {
        return None;
    }
    let next = used.get(used.len() - limit.count).map(|(at, _)| at.plus(limit.per).to_string());
    let values = json!({ "used": used.len(), "next": next });
    Some(Judgement::No {
        verdict: Verdict::Limited,
        reason: Some(format!("{} per {} for this customer", limit.count, limit.per)),
        condition: None,
        values: values.as_object().cloned().unwrap_or_default(),
    })
}
