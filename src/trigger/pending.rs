//! What is under way for one customer, and what would make it fire: what waits for its time, what is counted, what holds
//! openings back. Read from the state alone; nothing changes.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::sense::No;
use super::sense::lateness_of;
use super::{change, kinds, measure, restrain, sequence};
use crate::model::catalog::{Catalog, Playbook};
use crate::model::conversation::Phase;
use crate::model::customer::{State, Timer};
use crate::model::ids::{ConversationId, EventId};
use crate::model::memory::{Memory, Waiting, Wake};
use crate::model::pattern::{Absence, Change, Measure, Moment, Sequence, Trigger, Way, What};
use crate::model::time::Ms;

/// Something that is under way for a customer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pending {
    /// The playbook; none: it holds all of them back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
    /// What it is.
    pub what: Kind,
    /// What its events are told apart by, such as an order; empty where nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The condition, as written or named; empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Where it stands, in a sentence.
    pub stands: String,
    /// What would make it fire, or end it, in a sentence.
    pub next: String,
    /// When something happens by itself: it fires, or what was counted no longer counts.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub at: Option<Ms>,
    /// The numbers in those sentences.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub values: Map<String, Value>,
    /// Events that wait.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventId>,
    /// The conversation that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
}

/// As times are written everywhere: RFC 3339.
fn as_text<S: Serializer>(at: &Option<Ms>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An event is waited for not to come.
    Absence,
    /// A burst gathers.
    Burst,
    /// Quiet hours hold it.
    Quiet,
    /// A period is compared with the customer's usual when it ends.
    Change,
    /// Something is counted, added up, or the largest of its kind.
    Measure,
    /// Some steps of a sequence were taken.
    Sequence,
    /// An opening waits to be seen.
    Opening,
    /// A limit, a cooldown or a contact budget holds openings back.
    HeldBack,
}

/// All that is under way: what waits by when it is due, then what is counted by playbook, then what holds back.
pub fn pending(catalog: &Catalog, state: &State, now: Ms) -> Vec<Pending> {
    let mut found: Vec<Pending> = state.wakes.iter().map(|wake| waiting(catalog, state, wake)).collect();
    found.extend(openings(state));
    found.sort_by_key(|pending| pending.at);
    for playbook in catalog.playbooks.values() {
        for trigger in &playbook.on {
            for measure in &trigger.measures {
                found.extend(state.memories.of(&measure.id).filter_map(|(key, memory)| {
                    let Memory::Values(values) = memory else { return None };
                    counted(playbook, trigger, measure, key, values, now)
                }));
            }
            if let Moment::Sequence(sequence) = &trigger.moment {
                found.extend(state.memories.of(&trigger.id).filter_map(|(key, memory)| {
                    let Memory::Steps(steps) = memory else { return None };
                    steps_taken(playbook, sequence, key, steps, now)
                }));
            }
        }
    }
    found.extend(held_back(catalog, state, now));
    found
}

impl Pending {
    fn new(playbook: Option<&str>, what: Kind, stands: String, next: String) -> Pending {
        Pending {
            playbook: playbook.map(str::to_owned),
            what,
            key: String::new(),
            condition: String::new(),
            stands,
            next,
            at: None,
            values: Map::new(),
            events: Vec::new(),
            conversation: None,
        }
    }

    fn with(mut self, at: Ms, values: Value) -> Pending {
        self.at = Some(at);
        if let Value::Object(values) = values {
            self.values = values;
        }
        self
    }
}

/// What waits for its time.
fn waiting(catalog: &Catalog, state: &State, wake: &Wake) -> Pending {
    let trigger =
        catalog.playbooks.get(&wake.playbook).and_then(|playbook| playbook.on.iter().find(|on| on.id == wake.trigger));
    let found = match (wake.what, trigger.map(|trigger| (trigger, &trigger.moment))) {
        (_, None) => gone(wake),
        (Waiting::Absence, Some((_, Moment::Absence(absence)))) => absent(wake, absence),
        (Waiting::Period, Some((trigger, Moment::Change(change)))) => {
            period(catalog, state, wake, trigger, change).unwrap_or_else(|| gone(wake))
        }
        (Waiting::Absence | Waiting::Period, Some(_)) => gone(wake),
        (Waiting::Burst, Some(_)) => burst(catalog, wake),
        (Waiting::Quiet, Some(_)) => quiet(wake),
    };
    Pending { key: wake.key.clone(), events: wake.ids(), ..found }
}

fn gone(wake: &Wake) -> Pending {
    let kind = match wake.what {
        Waiting::Absence => Kind::Absence,
        Waiting::Period => Kind::Change,
        Waiting::Burst => Kind::Burst,
        Waiting::Quiet => Kind::Quiet,
    };
    let stands = "the playbook no longer has this trigger".to_owned();
    let next = format!("it is withdrawn at {}", wake.due);
    Pending::new(Some(&wake.playbook), kind, stands, next).with(wake.due, Value::Null)
}

fn absent(wake: &Wake, absence: &Absence) -> Pending {
    let Absence { of, after, within, .. } = absence;
    let until = wake.since.plus(*within);
    let stands = format!("no {of} came since {} at {}", after.event, wake.since);
    let next = format!("fires at {}, unless {of} comes until {until}", wake.due);
    let values = json!({ "since": wake.since.to_string(), "until": until.to_string(), "awaited": of });
    let condition = format!("absence of {of} within {within} after {}", after.event);
    Pending { condition, ..Pending::new(Some(&wake.playbook), Kind::Absence, stands, next).with(wake.due, values) }
}

fn burst(catalog: &Catalog, wake: &Wake) -> Pending {
    let debounce = catalog.playbooks.get(&wake.playbook).and_then(|playbook| playbook.restraint.debounce);
    let at_most = debounce.map(|debounce| wake.since.plus(debounce.at_most));
    let count = wake.events.len() + wake.rest.len();
    let stands = match count {
        1 => "1 event waits for a burst to end".to_owned(),
        count => format!("{count} events wait for a burst to end"),
    };
    let latest = at_most.map(|at| format!(", with more events later, but by {at}")).unwrap_or_default();
    let next = format!("fires at {}{latest}, where its conditions still hold", wake.due);
    let values =
        json!({ "events": count, "since": wake.since.to_string(), "latest": at_most.map(|at| at.to_string()) });
    Pending::new(Some(&wake.playbook), Kind::Burst, stands, next).with(wake.due, values)
}

fn quiet(wake: &Wake) -> Pending {
    let stands = "quiet hours hold it".to_owned();
    let next = format!("fires at {}, where its conditions still hold", wake.due);
    let values = json!({ "until": wake.due.to_string(), "events": wake.ids().len() });
    Pending::new(Some(&wake.playbook), Kind::Quiet, stands, next).with(wake.due, values)
}

fn period(catalog: &Catalog, state: &State, wake: &Wake, trigger: &Trigger, change: &Change) -> Option<Pending> {
    let lateness = lateness_of(catalog, trigger, &wake.events.last()?.event);
    let end = Ms(wake.due.0.saturating_sub(lateness.0));
    let memory = state.memories.get(&wake.trigger, &wake.key)?;
    let seen = change::look(change, memory, end);
    let latest: Vec<Value> = seen.latest.iter().map(|value| kinds::number(*value)).collect();
    let so_far = latest.last().cloned().unwrap_or_default();
    let way = match change.way {
        Way::Falls => "below",
        Way::Rises => "above",
    };
    let (stands, next) = match seen.usual {
        Some(usual) => (
            format!("{so_far} so far in the period that ends at {end}, usual are {}", kinds::number(usual)),
            format!("fires at {} where it is {way} {} then", wake.due, kinds::number(usual * change.percent / 100.0)),
        ),
        None => (
            format!("{so_far} so far in the period that ends at {end}; too little is known to say what is usual"),
            format!("the next look is at {}", wake.due),
        ),
    };
    let values = json!({
        "latest": latest, "usual": seen.usual.map(kinds::number), "percent": kinds::number(change.percent),
        "period_ends": end.to_string(),
    });
    let condition = format!("change of {}", change.of.event);
    Some(Pending { condition, ..Pending::new(Some(&wake.playbook), Kind::Change, stands, next).with(wake.due, values) })
}

/// A measure with something in its window now.
fn counted(
    playbook: &Playbook,
    trigger: &Trigger,
    measure: &Measure,
    key: &str,
    values: &[(Ms, f64)],
    now: Ms,
) -> Option<Pending> {
    let seen = measure::at(measure, values, now);
    let no = kinds::short_of(measure, &seen);
    let oldest = seen.oldest?;
    let leaves = if measure.window.tumbling { Ms(seen.to.0 + 1) } else { oldest.plus(measure.window.span) };
    let more = |short: f64| match (&measure.what, &measure.of.event) {
        (What::Count, event) => format!("{} more {event}", kinds::number(short)),
        (What::Distinct(of), event) => format!("{} more {event} with another `{}`", kinds::number(short), of.source),
        (What::Sum(of), event) => format!("{} more of `{}` in {event}", kinds::number(short), of.source),
        (What::Max(of), event) => {
            let least = measure.at_least.unwrap_or_default();
            format!("{event} with `{}` of {}", of.source, kinds::number(least))
        }
    };
    let over = measure.at_most.is_some_and(|most| seen.value > most);
    let short = measure.at_least.map(|least| least - seen.value).filter(|short| *short > 0.0);
    let asked = match &trigger.moment {
        Moment::Measured => "it fires".to_owned(),
        Moment::Event(event) => format!("it holds for the next {event}"),
        _ => "it holds".to_owned(),
    };
    let next = match short {
        _ if over => format!("it does not hold until {leaves}"),
        Some(short) => format!("with {} until {leaves} {asked}", more(short)),
        None if matches!(trigger.moment, Moment::Measured) => {
            format!("it holds until {leaves}, and another part does not")
        }
        None => format!("{asked}, until {leaves}"),
    };
    let stands = no.reason.unwrap_or_default();
    let found = Pending::new(Some(&playbook.name), Kind::Measure, stands, next).with(leaves, Value::Object(no.values));
    Some(Pending { key: key.to_owned(), condition: measure.source.clone(), ..found })
}

/// A sequence of which some steps were taken.
fn steps_taken(playbook: &Playbook, sequence: &Sequence, key: &str, kept: &[(Ms, u32)], now: Ms) -> Option<Pending> {
    let (taken, first) = sequence::under_way(sequence, kept, now)?;
    let until = first.plus(sequence.within);
    let of = sequence.events.len();
    let rest = sequence.events.get(taken..).unwrap_or_default().join(", then ");
    let stands = format!("{taken} of {of} steps since {first}");
    let next = format!("fires with {rest}, until {until}");
    let values = json!({ "taken": taken, "of": of, "since": first.to_string(), "until": until.to_string() });
    let found = Pending::new(Some(&playbook.name), Kind::Sequence, stands, next).with(until, values);
    Some(Pending { key: key.to_owned(), condition: kinds::written(sequence), ..found })
}

/// Openings that nobody has seen yet.
fn openings(state: &State) -> impl Iterator<Item = Pending> {
    state.timers.iter().filter(|(_, _, timer)| *timer == Timer::OpenWithin).filter_map(|(at, id, _)| {
        let conversation = state.conversations.get(id).filter(|held| held.phase == Phase::Waiting)?;
        let stands = format!("its opening waits to be seen since {}", conversation.created);
        let next = format!("it is expired at {at}");
        let found = Pending::new(Some(&conversation.playbook), Kind::Opening, stands, next).with(*at, Value::Null);
        let key = conversation.key.clone();
        Some(Pending { key, events: conversation.event.into_iter().collect(), conversation: Some(*id), ..found })
    })
}

/// Limits, cooldowns and budgets that are used up now.
fn held_back(catalog: &Catalog, state: &State, now: Ms) -> Vec<Pending> {
    let held = |playbook: Option<&str>, no: No| {
        let next = no.values.get("next").and_then(Value::as_str).unwrap_or("later").to_owned();
        let stands = no.reason.unwrap_or_default();
        let at = Ms::parse_rfc3339(&next);
        let found = Pending::new(playbook, Kind::HeldBack, stands, format!("nothing opens until {next}"));
        Pending { at, values: no.values, ..found }
    };
    let named: std::collections::BTreeSet<&String> = state.limits.keys().chain(state.cooldowns.keys()).collect();
    let of_playbooks = named.into_iter().filter_map(|name| catalog.playbooks.get(name)).flat_map(|playbook| {
        let both = [restrain::limited(playbook, state, now), restrain::cooling(playbook, state, now)];
        both.into_iter().flatten().map(|no| held(Some(&playbook.name), no))
    });
    let budgets = catalog.contact.budgets.iter().copied();
    let budgets = budgets.filter_map(|(of, limit)| restrain::budget(of, limit, state, now)).map(|no| held(None, no));
    of_playbooks.chain(budgets).collect()
}
