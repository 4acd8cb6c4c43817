//! What an event does to what each kind of condition remembers: counted, a step taken, a wait begun or ended, a period
//! added to. Each method is one kind; what it works with is in the file of that kind.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::absence::{self, Begun, Heard, Whose};
use super::measure::{self, Seen};
use super::sense::{Asked, No, Sensing, ask, failed, holds_at, key, values_of};
use super::{burst, change, sequence};
use crate::model::entry::Verdict;
use crate::model::memory::{Memory, Waiting, Wake};
use crate::model::pattern::{Absence, Change, Measure, Picks, Sequence, Trigger};
use crate::model::time::{Millis, Ms};

impl Sensing<'_> {
    /// Adds the event to every measure that counts it. An error where none does.
    pub(super) fn count(&mut self, trigger: &Trigger, at: Ms, lateness: Millis) -> Result<(), No> {
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
    pub(super) fn measured(&mut self, trigger: &Trigger, at: Ms) -> Asked {
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

    pub(super) fn holds_at(&self, measure: &Measure, at: Ms) -> Result<(), No> {
        holds_at(self.state, self.scope, measure, at)
    }

    fn values(&self, measure: &Measure, key: &str) -> Vec<(Ms, f64)> {
        values_of(self.state, measure, key)
    }

    pub(super) fn sequence(&mut self, trigger: &Trigger, sequence: &Sequence, at: Ms, lateness: Millis) -> Asked {
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
    pub(super) fn absence(&mut self, trigger: &Trigger, absence: &Absence, at: Ms, lateness: Millis) -> No {
        let heard = Heard { at, now: self.now, horizon: Ms(self.now.0.saturating_sub(lateness.0)) };
        let mut told = No::of(Verdict::NotMatched, "it was counted");
        let playbook = Arc::clone(self.playbook);
        if absence.of == self.event.kind {
            let key = match self.awaited(absence) {
                Ok(key) => key,
                Err(no) => return no,
            };
            let whose = Whose { playbook: &playbook.name, trigger: &trigger.id, key: &key };
            let ended = absence::end(self.state, absence, whose, heard);
            self.findings.remembered = true;
            let reason = match (ended.wakes.len(), ended.conversations.len()) {
                (0, 0) => "nothing waited for its absence",
                (_, 0) => "it came before anything was opened: what waited for its absence is taken back",
                _ => "it came after all: what was opened for its absence is taken back, or told",
            };
            told = No::of(Verdict::NotMatched, reason);
            if let Some((id, begun)) = &ended.next {
                let no = self.begun(absence, begun.clone());
                self.findings.begun.push((playbook.name.clone(), *id, no));
            }
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
            let begun = absence::begin(self.state, absence, whose, heard, kept);
            self.findings.remembered |= absence.from_first;
            told = self.begun(absence, begun);
        }
        told
    }

    /// What is told of an event that begins a wait, or would have.
    fn begun(&mut self, absence: &Absence, begun: Begun) -> No {
        match begun {
            Begun::Waits(until, replaced) => {
                self.findings.remembered = true;
                let name = &self.playbook.name;
                self.findings.replaced.extend(replaced.into_iter().map(|id| (name.clone(), id)));
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
        }
    }

    pub(super) fn change(&mut self, trigger: &Trigger, change: &Change, at: Ms, lateness: Millis) -> No {
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
            Memory::Came(_) | Memory::Awaited { .. } | Memory::Periods { .. } => false,
        };
        if empty {
            self.state.memories.forget(condition, key);
        } else {
            self.state.memories.put(condition, key, memory, self.now);
        }
        self.findings.remembered = true;
    }
}

/// A measure out of its bounds, in words and numbers: `2 of 3 since 14:02`.
pub(super) fn short_of(measure: &Measure, seen: &Seen) -> No {
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
pub(super) fn number(value: f64) -> Value {
    match format!("{value:.0}").parse::<i64>() {
        Ok(whole) if value.fract() == 0.0 => Value::from(whole),
        _ => Value::from(value),
    }
}

pub(super) fn written(sequence: &Sequence) -> String {
    format!("{} within {}", sequence.events.join(", then "), sequence.within)
}
