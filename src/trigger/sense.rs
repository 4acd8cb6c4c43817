//! What each playbook senses of an event: trust, expiry, conditions over time, `when`. What it remembers changes with it;
//! every trigger that hears the type is asked, so that all of them remember.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::absence::Ended;
use super::kinds::short_of;
use super::measure;
use super::restrain::key_of;
use crate::model::catalog::{Catalog, Condition, Expression, Playbook};
use crate::model::customer::State;
use crate::model::entry::Verdict;
use crate::model::event::{Event, Trust};
use crate::model::ids::{ActorId, EventId};
use crate::model::index::Place;
use crate::model::memory::{Kept, Memory};
use crate::model::pattern::{LATENESS, Measure, Moment, Trigger};
use crate::model::scope::{Held, Scope, customer_value, event_value};
use crate::model::time::{Millis, Ms};

/// Up to so many playbooks on one type all say what they make of an event, with the first condition that failed. Of more
/// than that only those are asked that its fields may fire; the others are counted.
pub const EXPLAINED: usize = 64;

/// A refusal: which verdict, why, and what was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct No {
    /// Which verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<String>,
    /// The first condition that failed, as written.
    pub condition: Option<String>,
    /// What it saw.
    pub values: Map<String, Value>,
}

/// How far a match has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It has just come about.
    Fresh,
    /// A burst has ended.
    Gathered,
    /// Quiet hours held it, and are over.
    Released,
}

/// A match: what would open.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The playbook.
    pub playbook: Arc<Playbook>,
    /// Its trigger.
    pub trigger: String,
    /// What its events are told apart by.
    pub key: String,
    /// When the wait began, where it is for something that did not come.
    pub missing_since: Option<Ms>,
    /// Its events, the last one opens; at least one.
    pub events: Vec<Kept>,
    /// Events of a burst beyond those kept, by their ids.
    pub rest: Vec<EventId>,
    /// How far it has come.
    pub step: Step,
}

impl Matched {
    /// The event that opens.
    pub fn event(&self) -> Option<&Event> {
        self.events.last().map(|kept| &*kept.event)
    }

    /// All its events.
    pub fn ids(&self) -> Vec<EventId> {
        self.events.iter().map(|kept| kept.id).chain(self.rest.iter().copied()).collect()
    }
}

/// What a playbook senses.
#[derive(Debug)]
pub enum Sensed {
    /// Nothing to speak about, or not yet.
    No(No),
    /// A match.
    Matched(Matched),
}

/// What all playbooks sense of an event.
#[derive(Debug, Default)]
pub struct Findings {
    /// What each playbook that hears the type senses, in order of name.
    pub sensed: Vec<(Arc<Playbook>, Sensed)>,
    /// What the event takes back.
    pub ended: Vec<Ended>,
    /// Events whose wait another took over, with their playbook.
    pub replaced: Vec<(String, EventId)>,
    /// Events with which a wait begins after all, with their playbook and what is told of them.
    pub begun: Vec<(String, EventId, No)>,
    /// Whether what is remembered changed.
    pub remembered: bool,
    /// How many more playbooks hear the type, none of which the event's fields can fire.
    pub passed_over: usize,
}

/// Senses an event by every playbook that hears it. `actor` is none where nobody is concerned.
pub fn sense(
    catalog: &Catalog,
    actor: Option<&ActorId>,
    state: &mut State,
    event: &Event,
    id: EventId,
    now: Ms,
) -> Findings {
    let mut findings = Findings::default();
    let heard: &[Arc<Playbook>] = match &event.only {
        Some(name) => catalog.playbooks.get(name).map(std::slice::from_ref).unwrap_or_default(),
        None => catalog.listeners.get(&event.kind).map(Vec::as_slice).unwrap_or_default(),
    };
    let Some(actor) = actor else {
        let no = || Sensed::No(No::of(Verdict::NotMatched, "no customer"));
        findings.sensed = heard.iter().map(|playbook| (Arc::clone(playbook), no())).collect();
        return findings;
    };
    if heard.is_empty() {
        return findings;
    }
    let places = match heard.len() {
        _ if event.only.is_some() => vec![Place { playbook: 0, trigger: 0 }],
        few if few <= EXPLAINED => catalog.index.hearing(&event.kind).to_vec(),
        _ => catalog.index.candidates(event),
    };
    findings.passed_over = heard.len();
    if places.is_empty() {
        return findings;
    }
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    scope.bind("customer", customer_value(actor, state.traits_object()));
    for places in places.chunk_by(|one, other| one.playbook == other.playbook) {
        let Some(playbook) = places.first().and_then(|place| heard.get(place.playbook)) else { continue };
        let mut sensing = Sensing { catalog, playbook, state, event, id, now, scope: &scope, findings: &mut findings };
        let sensed = sensing.playbook(places);
        findings.sensed.push((Arc::clone(playbook), sensed));
        findings.passed_over -= 1;
    }
    findings
}

/// When an event happened: by its sender's clock, corrected by what is known of that; never after it arrived.
pub fn time_of(catalog: &Catalog, event: &Event, now: Ms) -> Ms {
    let clock = catalog.sources.get(&event.source).map(|source| source.clock).unwrap_or_default();
    let said = event.time.map(|time| Ms(time.plus(clock.behind).0.saturating_sub(clock.ahead.0)));
    said.map_or(now, |said| said.min(now))
}

/// How late an event may be for a trigger.
pub fn lateness_of(catalog: &Catalog, trigger: &Trigger, event: &Event) -> Millis {
    let source = catalog.sources.get(&event.source).and_then(|source| source.clock.lateness);
    trigger.lateness.or(source).unwrap_or(LATENESS)
}

/// One playbook that hears an event.
pub(super) struct Sensing<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) playbook: &'a Arc<Playbook>,
    pub(super) state: &'a mut State,
    pub(super) event: &'a Event,
    pub(super) id: EventId,
    pub(super) now: Ms,
    pub(super) scope: &'a Scope,
    pub(super) findings: &'a mut Findings,
}

/// What a trigger comes to: a match under a key, or not.
pub(super) type Asked = Result<String, No>;

impl Sensing<'_> {
    fn playbook(&mut self, places: &[Place]) -> Sensed {
        if self.event.only.is_some() {
            return Sensed::Matched(self.matched("", String::new()));
        }
        let playbook = Arc::clone(self.playbook);
        let (mut matched, mut first): (Option<Matched>, Option<No>) = (None, None);
        for trigger in places.iter().filter_map(|place| playbook.on.get(place.trigger)) {
            match self.trigger(trigger) {
                Ok(key) if matched.is_none() => matched = Some(self.matched(&trigger.id, key)),
                Ok(_) => {}
                // What waits says more than what did not match.
                Err(no) if no.verdict == Verdict::Pending && first.as_ref().is_none_or(|f| f.verdict != no.verdict) => {
                    first = Some(no);
                }
                Err(no) => {
                    first.get_or_insert(no);
                }
            }
        }
        match (matched, first) {
            (Some(matched), _) => Sensed::Matched(matched),
            (None, Some(no)) => Sensed::No(no),
            (None, None) => Sensed::No(No::of(Verdict::NotMatched, "no trigger hears this type")),
        }
    }

    fn matched(&self, trigger: &str, key: String) -> Matched {
        Matched {
            playbook: Arc::clone(self.playbook),
            trigger: trigger.to_owned(),
            key,
            missing_since: None,
            events: vec![self.kept()],
            rest: Vec::new(),
            step: Step::Fresh,
        }
    }

    pub(super) fn kept(&self) -> Kept {
        Kept { id: self.id, event: Box::new(self.event.clone()) }
    }

    /// Trust, expiry, then what the trigger is about.
    fn trigger(&mut self, trigger: &Trigger) -> Asked {
        if trigger.trust == Trust::Server && self.event.trust == Trust::Client {
            let reason = "a browser said it, and the playbook takes events of the server only";
            return Err(No::of(Verdict::NotMatched, reason));
        }
        if self.event.expires.is_some_and(|expires| expires <= self.now) {
            return Err(No::of(Verdict::NotMatched, "expired"));
        }
        if trigger.is_plain() {
            return ask(self.scope, trigger.when.as_ref()).map(|()| String::new());
        }
        let at = time_of(self.catalog, self.event, self.now);
        let lateness = lateness_of(self.catalog, trigger, self.event);
        let behind = self.now.since(at);
        if behind <= lateness {
            return self.in_time(trigger, at, lateness);
        }
        // What would have been: the same on a copy of what is remembered, which is then let go.
        let before = self.state.clone();
        let mut unheard = Findings::default();
        std::mem::swap(self.findings, &mut unheard);
        let would = self.in_time(trigger, at, behind);
        let takes_back = self.findings.ended.iter().any(|ended| *ended != Ended::default());
        std::mem::swap(self.findings, &mut unheard);
        *self.state = before;
        let would = match would {
            Ok(_) => "match",
            Err(no) if no.verdict == Verdict::Pending => "wait",
            Err(_) if takes_back => "take back",
            Err(_) => "be counted",
        };
        let reason = format!("it came {behind} after its time, and is waited for {lateness}; in time it would {would}");
        let values = json!({ "time": at.to_string(), "behind": behind.to_string(), "would": would });
        Err(No::with(Verdict::Late, reason, values))
    }

    fn in_time(&mut self, trigger: &Trigger, at: Ms, lateness: Millis) -> Asked {
        let counted = self.count(trigger, at, lateness);
        match &trigger.moment {
            Moment::Event(kind) => {
                if *kind != self.event.kind {
                    return Err(counted.err().unwrap_or_else(|| No::of(Verdict::NotMatched, "it was counted")));
                }
                ask(self.scope, trigger.when.as_ref())?;
                for measure in &trigger.measures {
                    self.holds_at(measure, at)?;
                }
                Ok(String::new())
            }
            Moment::Measured => {
                counted?;
                ask(self.scope, trigger.when.as_ref())?;
                self.measured(trigger, at)
            }
            Moment::Sequence(sequence) => {
                let key = self.sequence(trigger, sequence, at, lateness)?;
                ask(self.scope, trigger.when.as_ref())?;
                for measure in &trigger.measures {
                    self.holds_at(measure, at)?;
                }
                Ok(key)
            }
            Moment::Absence(absence) => Err(self.absence(trigger, absence, at, lateness)),
            Moment::Change(change) => Err(self.change(trigger, change, at, lateness)),
        }
    }
}

/// Whether a measure holds at a moment, for the key that this event has.
pub fn holds_at(state: &State, scope: &Scope, measure: &Measure, at: Ms) -> Result<(), No> {
    let key = key(scope, measure.of.key.as_ref())?;
    let seen = measure::at(measure, &values_of(state, measure, &key), at);
    if measure.admits(seen.value) { Ok(()) } else { Err(short_of(measure, &seen)) }
}

pub(super) fn values_of(state: &State, measure: &Measure, key: &str) -> Vec<(Ms, f64)> {
    match state.memories.get(&measure.id, key) {
        Some(Memory::Values(values)) => values.clone(),
        _ => Vec::new(),
    }
}

/// Asks a condition; none holds always.
///
/// # Errors
/// The first part that does not hold, and what it saw.
pub fn ask(scope: &Scope, condition: Option<&Condition>) -> Result<(), No> {
    match condition.map_or(Held::Yes, |condition| scope.ask(condition)) {
        Held::Yes => Ok(()),
        Held::No { condition, values, error } => Err(No {
            verdict: Verdict::NotMatched,
            reason: Some(error.unwrap_or_else(|| "a condition did not hold".to_owned())),
            condition: Some(condition),
            values,
        }),
    }
}

pub(super) fn key(scope: &Scope, expression: Option<&Expression>) -> Asked {
    let Some(expression) = expression else { return Ok(String::new()) };
    let value = scope.value(expression).map_err(|problem| format!("key: {problem}"));
    value.and_then(|value| key_of(value).map_err(|problem| format!("key {problem}"))).map_err(failed)
}

pub(super) fn failed(problem: String) -> No {
    No::of(Verdict::NotMatched, problem)
}
