//! A topic: what concerns many customers. An actor like a customer, with a small state; whom it selected lies in pages
//! beside it.
//!
//! Not here: how it decides (`trigger::topic`), how pages are read and sent (`engine::outbox`).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::ids::{ActorId, EventId, Partition, Pos};
use super::input::Operator;
use super::time::{Millis, Ms};

/// How many customers one page names at most; also the most told at once.
pub const PAGE: usize = 256;

/// The most pages of one topic: a million customers.
pub const MAX_PAGES: u32 = 4_096;

/// The most news that wait for their turn.
pub const MAX_NEWS: usize = 16;

/// The largest event of a topic in bytes, without its list: it stays in the state until all are told.
pub const MAX_EVENT: usize = 16 * 1_024;

/// How long a topic that is over is known, for what may come again; where no update or end is to come, also how long it
/// can be taken back at least.
pub const KEPT: Millis = Millis::hours(24);

/// The most characters of the reason for which something is taken back.
pub const MAX_TEXT: usize = 500;

/// How long a topic that hears nothing keeps whom it told.
pub const SILENT: Millis = Millis::hours(30 * 24);

/// What an event is to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It begins: customers are selected.
    Begun,
    /// Something new for those who were told.
    Updated,
    /// It is over: the last that they hear of it.
    Ended,
    /// It is taken back: who has not seen it need not.
    Revoked,
}

/// An event on its way to a topic: an item of the outbox of the partition that decided it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The event's own id; its position numbers the items of its partition.
    pub id: EventId,
    /// When it happened, by the clock of its source.
    pub at: Ms,
    /// The playbook whose topic it is.
    pub playbook: String,
    /// What the topic is about, by the trigger's `key`.
    pub key: String,
    /// What it is to the topic.
    pub stage: Stage,
    /// The event.
    pub event: Box<Event>,
}

/// What is taken back: an event that topics tell many customers of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// The event.
    pub event: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The topics that tell it: playbook and key.
    pub topics: Vec<(String, String)>,
    /// Who takes it back.
    pub by: Operator,
    /// Why, in the words of who does; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What a topic tells a customer: stands in the event that the customer's inbox gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// The topic.
    pub topic: ActorId,
    /// The playbook whose topic it is.
    pub playbook: String,
    /// The revision that began it: what is told apart by.
    pub begun: Pos,
    /// The revision: the position of the event in the topic's inbox.
    pub revision: Pos,
    /// What it is.
    pub stage: Stage,
    /// The event that was sent, by Beckon's id.
    pub origin: EventId,
}

/// What a topic knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Topic {
    /// The playbook.
    pub playbook: String,
    /// What it is about.
    pub key: String,
    /// The last item of each partition's outbox: what is not above it came before.
    pub heard: BTreeMap<Partition, Pos>,
    /// The revision that began what is under way; none: nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Pos>,
    /// The last event that began it: what is under way is taken back by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<EventId>,
    /// What is under way was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    /// Whom to select, and how far that is; none: all were told, or it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// What those who were told have yet to hear, in order.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub news: VecDeque<Telling>,
    /// How many pages there are.
    pub pages: u32,
    /// Up to where customers were told of the beginning.
    pub told: Mark,
    /// Pages before that which were told in part: how many of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partly: BTreeMap<u32, u32>,
    /// The last end, by the event's own time: a beginning before it is over already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ms>,
    /// Counts what was sent out.
    pub turn: u32,
    /// What is under way; nothing else is sent meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<UnderWay>,
    /// Nothing is sent before this.
    pub next: Ms,
    /// When it heard something last, or was over.
    pub quiet: Ms,
    /// When it is to be looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Ms>,
}

impl Topic {
    /// Whether it tells this event, or news of this event, so that it can be taken back.
    pub fn tells(&self, event: EventId) -> bool {
        let begun = self.announced == Some(event) && !self.revoked;
        begun || self.news.iter().any(|news| news.id == event && news.stage == Stage::Updated)
    }
}

/// What a topic sent out, and waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// Which time something was sent out.
    pub turn: u32,
    /// For which revision.
    pub revision: Pos,
    /// What.
    pub what: Sent,
    /// From where on, where customers are told.
    pub from: Mark,
}

/// What a topic sends out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// Customers are looked for.
    Select,
    /// Customers are told of the beginning.
    Begin,
    /// Those who were told hear the news.
    News,
}

/// A place among the customers of all pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The page.
    pub page: u32,
    /// How many of it are before this place.
    pub within: u32,
}

/// An event that is told page by page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// Its position in the topic's inbox.
    pub revision: Pos,
    /// Its own id.
    pub id: EventId,
    /// What it is.
    pub stage: Stage,
    /// The event, without a list of customers.
    pub event: Box<Event>,
    /// How far it was told.
    pub place: Mark,
    /// How many customers it was sent to.
    pub sent: u64,
}

/// Customers being selected and told of the beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// What they are told, and how far.
    pub telling: Telling,
    /// When it happened, by its own clock.
    pub since: Ms,
    /// Until then nobody is told; none: the hold is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Ms>,
    /// Where to go on looking for customers.
    pub cursor: Cursor,
    /// How many were selected so far.
    pub selected: u64,
    /// Why it goes no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// How often looking for them failed in a row.
    pub failures: u32,
}

/// Where to go on looking for customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// At the beginning.
    Start,
    /// After this.
    After(String),
    /// All are found.
    End,
}

/// Customers that were found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Found {
    /// Who.
    pub customers: Vec<ActorId>,
    /// Where to go on; none: these were the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What became of telling some customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Their inboxes have it.
    Sent {
        /// How many; those whose inputs cannot be processed are none of them.
        sent: u32,
        /// How many of the page were passed, these included.
        passed: u32,
        /// Whether the page has more.
        more: bool,
    },
    /// Nobody was told: so many conversations wait for a person.
    Rests(u64),
}

/// What a customer was told of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The revision that began it.
    pub begun: Pos,
    /// The last revision heard: what is not above it came before.
    pub revision: Pos,
    /// The conversation; none while it waits for its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<super::ids::ConversationId>,
    /// Telling it opened that conversation; else it joined one that was there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opened: bool,
}

/// How many topics a customer knows at once; the oldest go first.
pub const MAX_KNOWN: usize = 32;

/// A customer follows a topic, or no longer does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    /// The topic.
    pub topic: ActorId,
    /// Until then; none: no longer.
    pub until: Option<Ms>,
}
