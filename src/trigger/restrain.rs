//! What holds a match back, asked in one stated order: `open.key` (join), pause, audience, consent, limits, the contact
//! budget, cooldown, what is open already, room, shadow, quiet hours.

use std::hash::Hasher;

use serde_json::{Map, Value, json};
use siphasher::sip::SipHasher13;

use super::sense::{Matched, No, Step};
use crate::model::catalog::{Catalog, Catalogs, Limit, Playbook};
use crate::model::conversation::Holder;
use crate::model::customer::{MAX_CONVERSATIONS, MAX_STATE, State};
use crate::model::entry::Verdict;
use crate::model::event::Event;
use crate::model::ids::{ActorId, ConversationId};
use crate::model::restraint::{Class, WhenOpen};
use crate::model::scope::{Held, Scope, customer_value, event_value};
use crate::model::time::Ms;

/// Room that an opening needs in the state.
const ROOM: usize = 8 * 1024;

/// What is to be done about a match.
#[derive(Debug)]
pub enum Judgement {
    /// Nothing, and why.
    No(No),
    /// A conversation is there: the events join it.
    Join(ConversationId),
    /// It waits until then for quiet hours to end.
    Hold(Ms, No),
    /// A conversation is to be opened under this key, and these end before.
    Open(String, Vec<ConversationId>),
}

/// Judges a match. The event's own conditions hold already.
pub fn restrain(
    catalogs: &Catalogs,
    catalog: &Catalog,
    actor: &ActorId,
    state: &State,
    matched: &Matched,
    now: Ms,
) -> Judgement {
    let Some(event) = matched.event() else { return Judgement::No(No::of(Verdict::Failed, "its event is gone")) };
    let playbook = &*matched.playbook;
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    scope.bind("customer", customer_value(actor, state.traits_object()));
    let key = match open_key(playbook, &scope) {
        Ok(key) => key,
        Err(reason) => return Judgement::No(No::of(Verdict::Failed, reason)),
    };
    let same = same_key(state, playbook, &key);
    let replaces = playbook.restraint.when_open == Some(WhenOpen::Replace);
    if let Some(id) = same
        && !replaces
    {
        return Judgement::Join(id);
    }
    if catalogs.is_paused(&playbook.name) {
        return Judgement::No(No::of(Verdict::Paused, "the playbook is paused"));
    }
    // Whoever opens it by hand has decided already.
    if event.only.is_none()
        && let Some(no) = audience(playbook, actor, &scope)
            .or_else(|| consent(playbook, state))
            .or_else(|| limited(playbook, state, now))
            .or_else(|| over_budget(catalog, playbook, state, now))
            .or_else(|| cooling(playbook, state, now))
    {
        return Judgement::No(no);
    }
    let ends = match there(playbook, state) {
        There::Free(ends) => ends,
        There::Join(id) => return Judgement::Join(id),
        There::Drop(no) => return Judgement::No(no),
    };
    if state.conversations.len() >= MAX_CONVERSATIONS || state.encode().len() + ROOM > MAX_STATE {
        return Judgement::No(No::of(Verdict::Limited, "full"));
    }
    if event.only.is_some() {
        return Judgement::Open(key, ends);
    }
    if playbook.restraint.audience.shadow {
        return Judgement::No(No::of(Verdict::Shadow, "it would have opened: the playbook only watches"));
    }
    match quiet(catalog, playbook, state, event, matched.step, now) {
        Some(judgement) => judgement,
        None => Judgement::Open(key, ends),
    }
}

/// The key that one conversation may be open under; the playbook's name where it declares none.
///
/// # Errors
/// Why there is none.
pub fn open_key(playbook: &Playbook, scope: &Scope) -> Result<String, String> {
    let Some(expression) = &playbook.open.key else { return Ok(playbook.name.clone()) };
    let value = scope.value(expression).map_err(|problem| format!("open.key: {problem}"))?;
    key_of(value).map_err(|problem| format!("open.key {problem}"))
}

/// A value as a key.
///
/// # Errors
/// Why it cannot be one.
pub fn key_of(value: Value) -> Result<String, String> {
    let key = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => return Err("is null".to_owned()),
        Value::Array(_) | Value::Object(_) => return Err("is neither text nor a number".to_owned()),
    };
    if key.is_empty() || key.len() > crate::model::ids::MAX_ID {
        return Err("is empty or over 1,024 bytes".to_owned());
    }
    Ok(key)
}

/// The conversation of a playbook under a key that is waiting or open.
pub fn same_key(state: &State, playbook: &Playbook, key: &str) -> Option<ConversationId> {
    let there = state.conversations.iter().find(|(_, conversation)| {
        conversation.playbook == playbook.name && conversation.key == key && !conversation.phase.is_closed()
    });
    there.map(|(id, _)| *id)
}

/// A customer's place among 10,000, the same for ever: by it a rollout grows without anybody leaving it.
pub fn place(what: &str, playbook: &str, actor: &ActorId) -> u16 {
    let mut hasher = SipHasher13::new();
    for part in [what, playbook, actor.as_str()] {
        hasher.write(part.as_bytes());
        hasher.write(&[0]);
    }
    u16::try_from(hasher.finish() % 10_000).unwrap_or_default()
}

fn audience(playbook: &Playbook, actor: &ActorId, scope: &Scope) -> Option<No> {
    let audience = &playbook.restraint.audience;
    if let Some(condition) = &audience.condition
        && let Held::No { condition, values, error } = scope.ask(condition)
    {
        let reason = Some(error.unwrap_or_else(|| "the customer is not meant".to_owned()));
        return Some(No { verdict: Verdict::Excluded, reason, condition: Some(condition), values });
    }
    let rollout = place("rollout", &playbook.name, actor);
    if rollout >= audience.rollout {
        let values = json!({ "place": rollout, "rollout": audience.rollout, "of": 10_000 });
        return Some(No::with(Verdict::Excluded, "outside of the rollout", values));
    }
    let holdout = place("holdout", &playbook.name, actor);
    if holdout < audience.holdout {
        let values = json!({ "place": holdout, "holdout": audience.holdout, "of": 10_000 });
        return Some(No::with(Verdict::Holdout, "left out to compare with", values));
    }
    None
}

/// The trait `consent` says by topic what a customer agreed to (`true`) or refused (`false`).
fn consent(playbook: &Playbook, state: &State) -> Option<No> {
    let consent = playbook.restraint.consent.as_ref()?;
    let said = state.traits.get("consent").and_then(|known| known.value.get(&consent.topic));
    let reason = match said.and_then(Value::as_bool) {
        Some(true) => return None,
        Some(false) => "the customer refused this topic",
        None if consent.required => "the customer did not agree to this topic",
        None => return None,
    };
    Some(No::with(Verdict::OptedOut, reason, json!({ "topic": consent.topic, "consent": said })))
}

/// Whether the playbook's limit is used up, counting openings less than `per` ago.
pub(super) fn limited(playbook: &Playbook, state: &State, now: Ms) -> Option<No> {
    let limit = playbook.limit?;
    let used = state.limits.get(&playbook.name)?.iter().map(|(at, _)| *at);
    let reason = format!("{} per {} for this customer", limit.count, limit.per);
    used_up(limit, used, now).map(|values| No::with(Verdict::Limited, reason, values))
}

/// Whether a contact budget is used up: that of the class, or the one of all classes but `critical`.
fn over_budget(catalog: &Catalog, playbook: &Playbook, state: &State, now: Ms) -> Option<No> {
    let class = playbook.restraint.class;
    if class == Class::Critical {
        return None;
    }
    let of_class = catalog.contact.budgets.iter().filter(|(of, _)| of.is_none_or(|of| of == class));
    of_class.copied().find_map(|(of, limit)| budget(of, limit, state, now))
}

/// Whether this budget is used up.
pub(super) fn budget(of: Option<Class>, limit: Limit, state: &State, now: Ms) -> Option<No> {
    let counted = |other: Class| of.map_or(other != Class::Critical, |of| of == other);
    let used = state.contacts.iter().filter(|(_, other, _)| counted(*other)).map(|(at, _, _)| *at);
    let name = of.map_or("all", Class::name);
    let reason = format!("contact budget: {} per {} for {name}", limit.count, limit.per);
    used_up(limit, used, now).map(|values| No::with(Verdict::Limited, reason, values))
}

fn used_up(limit: Limit, used: impl Iterator<Item = Ms>, now: Ms) -> Option<Value> {
    let used: Vec<Ms> = used.filter(|at| now.since(*at) < limit.per).collect();
    if used.len() < limit.count {
        return None;
    }
    let next = used.get(used.len() - limit.count).map(|at| at.plus(limit.per).to_string());
    Some(json!({ "used": used.len(), "next": next }))
}

pub(super) fn cooling(playbook: &Playbook, state: &State, now: Ms) -> Option<No> {
    playbook.restraint.cooldown.as_ref()?;
    let until = state.cooldowns.get(&playbook.name).filter(|until| **until > now)?;
    let reason = "cooldown: the customer said not now";
    Some(No::with(Verdict::Limited, reason, json!({ "next": until.to_string() })))
}

/// What the playbook does about conversations that are there.
enum There {
    Free(Vec<ConversationId>),
    Join(ConversationId),
    Drop(No),
}

fn there(playbook: &Playbook, state: &State) -> There {
    let mut open = state.conversations.iter().filter(|(_, c)| !c.phase.is_closed());
    match playbook.restraint.when_open {
        None | Some(WhenOpen::New) => There::Free(Vec::new()),
        Some(WhenOpen::Replace) => {
            // Nobody is cut off who talks with a person, or waits for one.
            let human = open.clone().find(|(_, c)| c.playbook == playbook.name && c.holder != Holder::Assistant);
            if let Some((id, _)) = human {
                return There::Join(*id);
            }
            There::Free(open.filter(|(_, c)| c.playbook == playbook.name).map(|(id, _)| *id).collect())
        }
        Some(WhenOpen::Join) => {
            // Of several the one that was seen last.
            match open.max_by_key(|(id, c)| (c.opened_at, c.created, **id)) {
                Some((id, _)) => There::Join(*id),
                None => There::Free(Vec::new()),
            }
        }
        Some(WhenOpen::Drop) => match open.next() {
            Some((id, c)) => {
                let values = json!({ "conversation": id, "playbook": c.playbook });
                There::Drop(No::with(Verdict::Dropped, "a conversation is there already", values))
            }
            None => There::Free(Vec::new()),
        },
    }
}

/// Quiet hours; what they held once is not held by them again.
fn quiet(
    catalog: &Catalog,
    playbook: &Playbook,
    state: &State,
    event: &Event,
    step: Step,
    now: Ms,
) -> Option<Judgement> {
    let hours = playbook.restraint.quiet?;
    if step == Step::Released {
        return None;
    }
    let (zone, name) = super::quiet::zone_of(event, state, &catalog.contact);
    let until = super::quiet::until(hours, &zone, now)?;
    let values = json!({ "until": until.to_string(), "zone": name });
    if hours.hold {
        let no = No::with(Verdict::Quiet, "it waits for quiet hours to end", values);
        Some(Judgement::Hold(until, no))
    } else {
        Some(Judgement::No(No::with(Verdict::Quiet, "dropped: quiet hours", values)))
    }
}

impl No {
    /// A refusal with its reason.
    pub fn of(verdict: Verdict, reason: impl Into<String>) -> No {
        No { verdict, reason: Some(reason.into()), condition: None, values: Map::new() }
    }

    /// A refusal with its reason and what it saw.
    pub fn with(verdict: Verdict, reason: impl Into<String>, values: Value) -> No {
        let values = match values {
            Value::Object(values) => values,
            _ => Map::new(),
        };
        No { verdict, reason: Some(reason.into()), condition: None, values }
    }
}
