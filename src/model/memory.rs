//! What conditions over time remember of one customer: numbers by condition and key, and what is to be woken. Small and
//! bounded: the oldest go first.
//!
//! Not here: how numbers come about (`trigger`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::ids::EventId;
use super::time::Ms;

/// How many keys (orders, cards) one condition remembers for one customer.
pub const MAX_KEYS: usize = 32;

/// How many numbers all conditions together remember for one customer; about 16 bytes each.
pub const MAX_NUMBERS: usize = 1_200;

/// How much may wait for one customer at once.
pub const MAX_WAKES: usize = 32;

/// How many bytes of events may wait for one customer at once.
pub const MAX_KEPT: usize = 16 * 1024;

/// How many events are remembered that would have begun a wait where another waited already.
pub const MAX_STARTS: usize = 16;

/// How many events of a burst are kept whole.
pub const MAX_BURST: usize = 20;

/// How many more of them are known by their ids.
pub const MAX_REST: usize = 100;

/// What is remembered, by condition and key.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memories {
    by_condition: BTreeMap<String, BTreeMap<String, Remembered>>,
    /// Keys that went for want of room since it was last asked; for a counter, and no part of the state.
    #[serde(skip)]
    crowded_out: usize,
}

/// What one condition remembers of one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// When it last changed.
    #[serde(rename = "t")]
    pub touched: Ms,
    /// What it is.
    #[serde(rename = "m")]
    pub memory: Memory,
}

/// What is remembered of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Values by time, in its order: what is counted, added up, or told apart (a hash).
    Values(Vec<(Ms, f64)>),
    /// Steps of a sequence by time, in its order: which ones an event may be, as bits.
    Steps(Vec<(Ms, u32)>),
    /// When what is waited for came last.
    Came(Ms),
    /// The same where the first event counts, and what began to wait.
    Awaited {
        /// When it came last.
        came: Option<Ms>,
        /// What began to wait since, in order of time, as far back as an event may still be late: should what is waited
        /// for turn out to have come between two of them, the next one counts.
        starts: Vec<Start>,
    },
    /// Periods that were not empty, by their beginning.
    Periods {
        /// The beginning of the first one ever.
        first: Ms,
        /// The value of each.
        values: Vec<(Ms, f64)>,
        /// Whether the last one that ended was unlike the others: it is told once.
        told: bool,
    },
}

/// An event that began to wait, or would have, had none waited already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Its time.
    #[serde(rename = "t")]
    pub at: Ms,
    /// The event, where no wait of its own began with it.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Kept>,
}

impl Memory {
    /// The events that are kept in it whole.
    pub fn kept(&self) -> impl Iterator<Item = &Kept> {
        let starts: &[Start] = match self {
            Memory::Awaited { starts, .. } => starts,
            _ => &[],
        };
        starts.iter().filter_map(|start| start.event.as_ref())
    }

    fn numbers(&self) -> usize {
        match self {
            Memory::Values(values) => values.len(),
            Memory::Steps(steps) => steps.len(),
            Memory::Came(_) => 1,
            Memory::Awaited { starts, .. } => 1 + starts.len(),
            Memory::Periods { values, .. } => values.len() + 2,
        }
    }
}

impl Memories {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.by_condition.is_empty()
    }

    /// What a condition remembers of a key.
    pub fn get(&self, condition: &str, key: &str) -> Option<&Memory> {
        self.by_condition.get(condition)?.get(key).map(|remembered| &remembered.memory)
    }

    /// What a condition remembers, by key.
    pub fn of(&self, condition: &str) -> impl Iterator<Item = (&str, &Memory)> {
        let keys = self.by_condition.get(condition).into_iter().flatten();
        keys.map(|(key, remembered)| (key.as_str(), &remembered.memory))
    }

    /// All events that are kept whole.
    pub fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.by_condition.values().flat_map(BTreeMap::values).flat_map(|held| held.memory.kept())
    }

    /// Remembers something in place of what was there; what is over the bounds goes, the oldest first.
    pub fn put(&mut self, condition: &str, key: &str, memory: Memory, now: Ms) {
        let keys = self.by_condition.entry(condition.to_owned()).or_default();
        keys.insert(key.to_owned(), Remembered { touched: now, memory });
        while keys.len() > MAX_KEYS {
            let oldest = keys.iter().filter(|(other, _)| *other != key).min_by_key(|(_, held)| held.touched);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            keys.remove(&oldest);
            self.crowded_out += 1;
        }
        while self.numbers() > MAX_NUMBERS && self.forget_oldest() {}
    }

    /// Forgets what has not changed for the longest time; false where nothing is remembered.
    pub fn forget_oldest(&mut self) -> bool {
        let all =
            self.by_condition.iter().flat_map(|(id, keys)| keys.iter().map(move |(key, held)| (held.touched, id, key)));
        let Some((id, key)) = all.min().map(|(_, id, key)| (id.clone(), key.clone())) else { return false };
        self.forget(&id, &key);
        self.crowded_out += 1;
        true
    }

    /// How many keys went for want of room since this was last asked.
    pub fn take_crowded_out(&mut self) -> usize {
        std::mem::take(&mut self.crowded_out)
    }

    /// Forgets what a condition remembers of a key.
    pub fn forget(&mut self, condition: &str, key: &str) {
        if let Some(keys) = self.by_condition.get_mut(condition) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_condition.remove(condition);
            }
        }
    }

    fn numbers(&self) -> usize {
        self.by_condition.values().flat_map(BTreeMap::values).map(|held| held.memory.numbers()).sum()
    }
}

/// Something that waits for its time: an absence, the end of a burst, of quiet hours, of a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wake {
    /// When it is due.
    pub due: Ms,
    /// What for.
    pub what: Waiting,
    /// The playbook.
    pub playbook: String,
    /// Its trigger.
    pub trigger: String,
    /// What its events are told apart by; empty where nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// `open.key`, where it is known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_key: Option<String>,
    /// When it began: the time of the event that an absence counts from, the first of a burst.
    pub since: Ms,
    /// Its events; the last one opens.
    pub events: Vec<Kept>,
    /// Events of a burst beyond those kept, by their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<EventId>,
}

impl Wake {
    /// All its events.
    pub fn ids(&self) -> Vec<EventId> {
        self.events.iter().map(|kept| kept.id).chain(self.rest.iter().copied()).collect()
    }
}

/// What something waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// For an event not to come.
    Absence,
    /// For a period to end.
    Period,
    /// For a burst to end.
    Burst,
    /// For quiet hours to end.
    Quiet,
}

/// An event that is kept, with Beckon's id of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Beckon's id of it.
    pub id: EventId,
    /// The event.
    pub event: Box<Event>,
}
