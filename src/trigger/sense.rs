//! What each playbook senses of an event: trust, expiry, conditions over time, `when`. What it remembers changes with it;
//! every trigger that hears the type is asked, so that all of them remember.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::absence::{self, Begun, Ended, Whose};
use super::measure::{self, Seen};
use super::restrain::key_of;
use super::{burst, change, sequence};
use crate::model::catalog::{Catalog, Condition, Expression, Playbook};
use crate::model::customer::State;
use crate::model::entry::Verdict;
use crate::model::event::{Event, Trust};
use crate::model::ids::{ActorId, EventId};
use crate::model::index::Place;
use crate::model::memory::{Kept, Memory, Waiting, Wake};
use crate::model::pattern::{Absence, Change, LATENESS, Measure, Moment, Picks, Sequence, Trigger};
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
struct Sensing<'a> {
    catalog: &'a Catalog,
    playbook: &'a Arc<Playbook>,
    state: &'a mut State,
    event: &'a Event,
    id: EventId,
    now: Ms,
    scope: &'a Scope,
    findings: &'a mut Findings,
}

/// What a trigger comes to: a match under a key, or not.
type Asked = Result<String, No>;

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

    fn kept(&self) -> Kept {
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
            Moment::Absence(absence) => Err(self.absence(trigger, absence, at)),
            Moment::Change(change) => Err(self.change(trigger, change, at, lateness)),
        }
    }

    /// Adds the event to every measure that counts it. An error where none does.
    fn count(&mut self, trigger: &Trigger, at: Ms, lateness: Millis) -> Result<(), No> {
        let mut counted = Err(No::of(Verdict::NotMatched, "none of its measures counts this type"));
        for measure in trigger.measures.iter().filter(|measure| measure.of.event == self.event.kind) {
            let added = self.picked(&measure.of).and_then(|key| {
                let value = measure::value_of(measure, self.scope).map_err(failed)?;
                let mut values = self.values(measure, &key);
                let horizon = measure::horizon(self.now, measure.window.span, lateness);
                measure::add(&mut values, &measure.what, at, value, horizon);
                self.remember(&measure.id, &key, Memory::Values(values));
                Ok(())
            });
            counted = counted.or(added);
        }
        counted
    }

    /// Whether all measures hold around this event; then those that counted it are used up.
    fn measured(&mut self, trigger: &Trigger, at: Ms) -> Asked {
        let mut used: Vec<(&Measure, String, Seen)> = Vec::new();
        for measure in &trigger.measures {
            if measure.of.event != self.event.kind {
                self.holds_at(measure, at)?;
                continue;
            }
            let key = self.picked(&measure.of)?;
            match measure::around(measure, &self.values(measure, &key), at) {
                Ok(seen) => used.push((measure, key, seen)),
                Err(seen) => return Err(short_of(measure, &seen)),
            }
        }
        let key = used.first().map(|(_, key, _)| key.clone()).unwrap_or_default();
        // What is only bounded from above is not counted towards anything.
        for (measure, key, seen) in used.into_iter().filter(|(measure, _, _)| measure.at_least.is_some()) {
            let mut values = self.values(measure, &key);
            measure::use_up(&mut values, &seen);
            self.remember(&measure.id, &key, Memory::Values(values));
        }
        Ok(key)
    }

    fn holds_at(&self, measure: &Measure, at: Ms) -> Result<(), No> {
        holds_at(self.state, self.scope, measure, at)
    }

    fn values(&self, measure: &Measure, key: &str) -> Vec<(Ms, f64)> {
        values_of(self.state, measure, key)
    }

    fn sequence(&mut self, trigger: &Trigger, sequence: &Sequence, at: Ms, lateness: Millis) -> Asked {
        let steps = sequence::steps_of(sequence, &self.event.kind);
        if steps == 0 {
            return Err(No::of(Verdict::NotMatched, "it is counted, and no step of the sequence"));
        }
        let key = key(self.scope, sequence.key.as_ref())?;
        let mut kept = match self.state.memories.get(&trigger.id, &key) {
            Some(Memory::Steps(kept)) => kept.clone(),
            _ => Vec::new(),
        };
        let horizon = measure::horizon(self.now, sequence.within, lateness);
        let complete = sequence::add(sequence, &mut kept, at, steps, horizon);
        let taken = sequence::taken(sequence, &kept, at);
        self.remember(&trigger.id, &key, Memory::Steps(kept));
        if complete {
            return Ok(key);
        }
        let (of, next) = (sequence.events.len(), sequence.events.get(taken));
        let reason = format!("{taken} of {of} steps within {}", sequence.within);
        let values = json!({ "taken": taken, "of": of, "next": next });
        Err(No { condition: Some(written(sequence)), ..No::with(Verdict::NotMatched, reason, values) })
    }

    /// What was waited for ends waits; what begins one begins it.
    fn absence(&mut self, trigger: &Trigger, absence: &Absence, at: Ms) -> No {
        let mut told = No::of(Verdict::NotMatched, "it was counted");
        let playbook = Arc::clone(self.playbook);
        if absence.of == self.event.kind {
            let key = match self.awaited(absence) {
                Ok(key) => key,
                Err(no) => return no,
            };
            let whose = Whose { playbook: &playbook.name, trigger: &trigger.id, key: &key };
            let ended = absence::end(self.state, whose, at, self.now);
            self.findings.remembered = true;
            let reason = match (ended.wakes.len(), ended.conversations.len()) {
                (0, 0) => "nothing waited for its absence",
                (_, 0) => "it came in time: what waited for its absence is taken back",
                _ => "it came after all: what was opened for its absence is taken back, or told",
            };
            told = No::of(Verdict::NotMatched, reason);
            self.findings.ended.push(ended);
        }
        if absence.after.event == self.event.kind {
            let key = match self.picked(&absence.after) {
                Ok(key) => key,
                Err(no) => return no,
            };
            if !burst::has_room(self.state, self.event) {
                return No::of(Verdict::Limited, "full");
            }
            let whose = Whose { playbook: &playbook.name, trigger: &trigger.id, key: &key };
            let kept = self.kept();
            told = match absence::begin(self.state, absence, whose, at, kept) {
                Begun::Waits(until, replaced) => {
                    self.findings.remembered = true;
                    self.findings.replaced.extend(replaced.into_iter().map(|id| (playbook.name.clone(), id)));
                    let reason = format!("it waits for the absence of {}", absence.of);
                    No::with(Verdict::Pending, reason, json!({ "until": until.to_string() }))
                }
                Begun::Came(came) => {
                    let values = json!({ "came": came.to_string() });
                    No::with(Verdict::NotMatched, format!("{} has come", absence.of), values)
                }
                Begun::UnderWay(until) => {
                    let values = json!({ "until": until.to_string() });
                    No::with(Verdict::NotMatched, "a wait from another event is under way", values)
                }
            };
        }
        told
    }

    fn change(&mut self, trigger: &Trigger, change: &Change, at: Ms, lateness: Millis) -> No {
        let added = self.picked(&change.of).and_then(|key| {
            let value = match &change.value {
                Some(expression) => measure::number(self.scope, expression).map_err(failed)?,
                None => 1.0,
            };
            if !burst::has_room(self.state, self.event) {
                return Err(No::of(Verdict::Limited, "full"));
            }
            Ok((key, value))
        });
        let (key, value) = match added {
            Ok(added) => added,
            Err(no) => return no,
        };
        let memory = change::add(self.state.memories.get(&trigger.id, &key), change, at, value);
        self.remember(&trigger.id, &key, memory);
        let kept = self.kept();
        let due = match change::find(&mut self.state.wakes, &trigger.id, &key) {
            Some(wake) => {
                if wake.since <= at {
                    wake.since = at;
                    wake.events = vec![kept];
                }
                wake.due
            }
            None => {
                let due = change::due(change, at, lateness);
                self.state.wakes.push(Wake {
                    due,
                    what: Waiting::Period,
                    playbook: self.playbook.name.clone(),
                    trigger: trigger.id.clone(),
                    key,
                    open_key: None,
                    since: at,
                    events: vec![kept],
                    rest: Vec::new(),
                });
                due
            }
        };
        No::with(Verdict::NotMatched, "it was counted: its period is not over", json!({ "until": due.to_string() }))
    }

    /// What the event is told apart by, where it is one of these.
    fn picked(&self, picks: &Picks) -> Asked {
        ask(self.scope, picks.when.as_ref())?;
        key(self.scope, picks.key.as_ref())
    }

    /// The same for what is waited for.
    fn awaited(&self, absence: &Absence) -> Asked {
        ask(self.scope, absence.unless.as_ref())?;
        key(self.scope, absence.after.key.as_ref())
    }

    fn remember(&mut self, condition: &str, key: &str, memory: Memory) {
        let empty = match &memory {
            Memory::Values(values) => values.is_empty(),
            Memory::Steps(steps) => steps.is_empty(),
            Memory::Came(_) | Memory::Periods { .. } => false,
        };
        if empty {
            self.state.memories.forget(condition, key);
        } else {
            self.state.memories.put(condition, key, memory, self.now);
        }
        self.findings.remembered = true;
    }
}

/// Whether a measure holds at a moment, for the key that this event has.
pub fn holds_at(state: &State, scope: &Scope, measure: &Measure, at: Ms) -> Result<(), No> {
    let key = key(scope, measure.of.key.as_ref())?;
    let seen = measure::at(measure, &values_of(state, measure, &key), at);
    if measure.admits(seen.value) { Ok(()) } else { Err(short_of(measure, &seen)) }
}

fn values_of(state: &State, measure: &Measure, key: &str) -> Vec<(Ms, f64)> {
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

fn key(scope: &Scope, expression: Option<&Expression>) -> Asked {
    let Some(expression) = expression else { return Ok(String::new()) };
    let value = scope.value(expression).map_err(|problem| format!("key: {problem}"));
    value.and_then(|value| key_of(value).map_err(|problem| format!("key {problem}"))).map_err(failed)
}

fn failed(problem: String) -> No {
    No::of(Verdict::NotMatched, problem)
}

/// A measure out of its bounds, in words and numbers: `2 of 3 since 14:02`.
fn short_of(measure: &Measure, seen: &Seen) -> No {
    let value = if seen.value.is_finite() { number(seen.value) } else { Value::Null };
    let mut values = Map::new();
    values.insert("value".to_owned(), value.clone());
    let mut reason = format!("it is {value}");
    if let Some(least) = measure.at_least {
        reason += &format!(" of {}", number(least));
        values.insert("at_least".to_owned(), number(least));
    }
    if let Some(most) = measure.at_most {
        reason += &format!(", at most {}", number(most));
        values.insert("at_most".to_owned(), number(most));
    }
    if let Some(oldest) = seen.oldest {
        let leaves = if measure.window.tumbling { Ms(seen.to.0 + 1) } else { oldest.plus(measure.window.span) };
        reason += &format!(", since {oldest}; the first of them counts until {leaves}");
        values.insert("since".to_owned(), Value::from(oldest.to_string()));
        values.insert("until".to_owned(), Value::from(leaves.to_string()));
    }
    No { verdict: Verdict::NotMatched, reason: Some(reason), condition: Some(measure.source.clone()), values }
}

/// Whole numbers are shown as such.
fn number(value: f64) -> Value {
    match format!("{value:.0}").parse::<i64>() {
        Ok(whole) if value.fract() == 0.0 => Value::from(whole),
        _ => Value::from(value),
    }
}

fn written(sequence: &Sequence) -> String {
    format!("{} within {}", sequence.events.join(", then "), sequence.within)
}
