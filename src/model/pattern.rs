//! What fires a playbook: a moment, measures over time that must hold at it, and a condition. Compiled, read-only.
//!
//! Not here: what is remembered of a customer's events (`memory`), how a match comes about (`trigger`).

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Condition, Expression, Template};
use super::event::Trust;
use super::time::{Millis, Ms};

/// How long after its time an event still joins its window, where neither trigger nor source says otherwise.
pub const LATENESS: Millis = Millis::hours(1);

/// What fires a playbook.
#[derive(Debug)]
pub struct Trigger {
    /// Names what is remembered for it: playbook and definition, so that a changed one begins anew.
    pub id: String,
    /// When it is asked.
    pub moment: Moment,
    /// What must hold then; all of them.
    pub measures: Vec<Measure>,
    /// What must hold then of the event; none: always.
    pub when: Option<Condition>,
    /// Which events count: those of the server, or those of browsers.
    pub trust: Trust,
    /// How late an event may be; none: as its source says.
    pub lateness: Option<Millis>,
}

impl Trigger {
    /// A trigger on each event of a type, without memory.
    pub fn on_event(event: &str, when: Option<Condition>, trust: Trust) -> Trigger {
        let moment = Moment::Event(event.to_owned());
        Trigger { id: String::new(), moment, measures: Vec::new(), when, trust, lateness: None }
    }

    /// The types that it hears.
    pub fn hears(&self) -> BTreeSet<&str> {
        let mut types: BTreeSet<&str> = self.measures.iter().map(|measure| measure.of.event.as_str()).collect();
        match &self.moment {
            Moment::Event(event) => {
                types.insert(event);
            }
            Moment::Measured => {}
            Moment::Sequence(sequence) => {
                types.extend(sequence.events.iter().chain(&sequence.without).map(String::as_str));
            }
            Moment::Absence(absence) => types.extend([absence.of.as_str(), absence.after.event.as_str()]),
            Moment::Change(change) => {
                types.insert(&change.of.event);
            }
            Moment::Topic(many) => types.extend(many.hears()),
        }
        types
    }

    /// Whether it needs nothing but the event itself.
    pub fn is_plain(&self) -> bool {
        matches!(self.moment, Moment::Event(_)) && self.measures.is_empty()
    }
}

/// When a trigger is asked.
#[derive(Debug)]
pub enum Moment {
    /// At each event of this type.
    Event(String),
    /// At each event that one of its measures counts; a match uses up what was counted.
    Measured,
    /// At the event that completes a sequence.
    Sequence(Sequence),
    /// When the time for an event is over.
    Absence(Absence),
    /// When a period ends that was unlike the customer's own.
    Change(Change),
    /// Never by itself: its events go to a topic, which tells many customers.
    Topic(Box<ToMany>),
}

/// Which events something is about.
#[derive(Debug)]
pub struct Picks {
    /// Their type.
    pub event: String,
    /// What must hold of them.
    pub when: Option<Condition>,
    /// What they are told apart by, such as an order; none: all are together.
    pub key: Option<Expression>,
}

/// A number over a window that must be within bounds.
#[derive(Debug)]
pub struct Measure {
    /// Names what is remembered for it.
    pub id: String,
    /// As explanations name it, such as `count of card.declined within 10m`.
    pub source: String,
    /// Which events.
    pub of: Picks,
    /// What of them.
    pub what: What,
    /// Over which time.
    pub window: Window,
    /// At least this.
    pub at_least: Option<f64>,
    /// At most this.
    pub at_most: Option<f64>,
}

impl Measure {
    /// Whether a value is within its bounds.
    pub fn admits(&self, value: f64) -> bool {
        self.at_least.is_none_or(|least| value >= least) && self.at_most.is_none_or(|most| value <= most)
    }
}

/// What of events is measured.
#[derive(Debug)]
pub enum What {
    /// How many.
    Count,
    /// How many different values.
    Distinct(Expression),
    /// The sum of a value.
    Sum(Expression),
    /// The largest value.
    Max(Expression),
}

/// Over which time something is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How long.
    pub span: Millis,
    /// Whether windows stand side by side; else one ends at each event.
    pub tumbling: bool,
}

impl Window {
    /// The beginning of the tumbling window that a time is in. Whole weeks begin on Monday, others at midnight UTC or
    /// a multiple of their length after it.
    pub fn start(span: Millis, at: Ms) -> Ms {
        const DAY: u64 = 86_400_000;
        let length = span.0.max(1);
        // 1970-01-01 was a Thursday.
        let offset = if length.is_multiple_of(7 * DAY) { 3 * DAY } else { 0 };
        Ms((at.0 + offset).saturating_sub((at.0 + offset) % length).saturating_sub(offset))
    }
}

/// Events one after the other.
#[derive(Debug)]
pub struct Sequence {
    /// Their types, in order.
    pub events: Vec<String>,
    /// Types that may not come between the first and the last.
    pub without: Vec<String>,
    /// What they are told apart by.
    pub key: Option<Expression>,
    /// From the first to the last at most.
    pub within: Millis,
    /// Whether none of these types may come in between; else others are passed over.
    pub strict: bool,
    /// Whether events of a match may be part of another; else a match uses them up.
    pub overlap: bool,
}

/// An event that does not come.
#[derive(Debug)]
pub struct Absence {
    /// The type that is waited for.
    pub of: String,
    /// What must hold of it to count.
    pub unless: Option<Condition>,
    /// What begins the wait, and what the two are told apart by.
    pub after: Picks,
    /// How long is waited; an event at its very end still counts.
    pub within: Millis,
    /// Whether the first event begins the wait; else each begins it anew.
    pub from_first: bool,
}

/// A customer's own usual that changes.
#[derive(Debug)]
pub struct Change {
    /// Which events.
    pub of: Picks,
    /// What of them is added up; none: they are counted.
    pub value: Option<Expression>,
    /// The length of a period.
    pub per: Millis,
    /// Which way.
    pub way: Way,
    /// The share of the usual, in percent, that is crossed.
    pub percent: f64,
    /// Over how long the usual is taken.
    pub usual: Millis,
    /// How long there must have been events before.
    pub warm_up: Millis,
    /// The least usual that says anything.
    pub min: f64,
    /// For so many periods on end.
    pub periods: u32,
    /// Whether only the same hours of the week are compared.
    pub by_week: bool,
}

/// Which way a customer's own usual changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It falls below the share.
    Falls,
    /// It rises above the share.
    Rises,
}

/// An event that concerns many customers.
#[derive(Debug)]
pub struct ToMany {
    /// What begins it.
    pub begins: Picks,
    /// How long it must last before anybody is told.
    pub hold: Millis,
    /// Who is told.
    pub to: Whom,
    /// How many are told in how long; none: as fast as it goes.
    pub pace: Option<Pace>,
    /// While more conversations than this wait for a person nobody is told.
    pub queue: Option<u64>,
    /// What those who were told hear meanwhile.
    pub updates: Option<Further>,
    /// What they hear at its end.
    pub ends: Option<Further>,
}

impl ToMany {
    fn hears(&self) -> impl Iterator<Item = &str> {
        let further = self.updates.iter().chain(&self.ends).map(|further| &further.of);
        let following = match &self.to {
            Whom::Followers(followers) => Some(followers),
            Whom::List(_) | Whom::Where(_) | Whom::Call(_) => None,
        };
        let following =
            following.into_iter().flat_map(|followers| std::iter::once(&followers.of).chain(&followers.until));
        std::iter::once(&self.begins).chain(further).chain(following).map(|picks| picks.event.as_str())
    }
}

/// Who is told.
#[derive(Debug)]
pub enum Whom {
    /// Those whom the event names: ids of users.
    List(Expression),
    /// Those who follow it.
    Followers(Followers),
    /// Those of whom this holds.
    Where(Condition),
    /// Those whom an API names.
    Call(PagedCall),
}

/// Who follows a topic: those with an event of theirs about it.
#[derive(Debug)]
pub struct Followers {
    /// The event that makes a customer follow.
    pub of: Picks,
    /// The event that ends it.
    pub until: Option<Picks>,
    /// How long it lasts.
    pub lasts: Millis,
    /// Whose events count.
    pub trust: Trust,
}

/// A call that names customers page by page.
#[derive(Debug)]
pub struct PagedCall {
    /// The operation, in full.
    pub operation: String,
    /// Its arguments, with `cursor`; those that are null are left out.
    pub with: BTreeMap<String, Expression>,
    /// The ids of users in its answer.
    pub each: Expression,
    /// Where the next page begins, in its answer; null: it was the last.
    pub next: Option<Expression>,
}

/// How many in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So many.
    pub count: u32,
    /// In so long.
    pub per: Millis,
}

impl Pace {
    /// How many may be told at once: what comes to a second, one at least.
    pub fn at_once(self) -> u32 {
        let second = u64::from(self.count).saturating_mul(1_000) / self.per.0.max(1);
        u32::try_from(second).unwrap_or(u32::MAX).max(1)
    }

    /// How long it takes to tell so many.
    pub fn time_for(self, count: u32) -> Millis {
        Millis(u64::from(count).saturating_mul(self.per.0) / u64::from(self.count.max(1)))
    }
}

/// What those who were told hear later.
#[derive(Debug)]
pub struct Further {
    /// At which event.
    pub of: Picks,
    /// The first whose variables exist is said.
    pub say: Vec<Template>,
}
