//! The state of a conversation: small, kept with its customer. The words are in the log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::entry::{HolderKind, OutcomeKind};
use super::event::Event;
use super::ids::{CallId, EventId, Pos};
use super::input::{Choice, Operator, Proposal};
use super::time::Ms;
use super::triage::{Label, Priority};

/// What deciding needs to know of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The playbook's name.
    pub playbook: String,
    /// The catalog it was opened under, by hash: it stays on it.
    pub catalog: String,
    /// `open.key`: at most one with this key is waiting or open.
    pub key: String,
    /// The event that opened it; none where the customer spoke first.
    pub event: Option<EventId>,
    /// When it was decided.
    pub created: Ms,
    /// Where it stands.
    pub phase: Phase,
    /// Who answers.
    pub holder: Holder,
    /// `n` of the last `holder` entry; 0 where none.
    pub holder_n: u32,
    /// Number of the last entry.
    pub n: u32,
    /// Number of the last entry that the customer may see.
    pub seq: u32,
    /// Of the trigger, the fields that the goal names, in their places.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub trigger: Value,
    /// What would take the opening back: set where it was opened for something that did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// When it was first seen or answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Ms>,
    /// What it came to so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The assistant's turn under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// Calls not yet settled: confirming, running, unknown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<CallId, Call>,
    /// The number of the last call.
    #[serde(default)]
    pub last_call: u32,
    /// The call whose confirmation the customer is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirming: Option<CallId>,
    /// The choices of the latest message that has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<Choice>,
    /// Hashes of `client_id`s to the `seq` they were answered with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub client_ids: BTreeMap<u64, u32>,
    /// Counted since the assistant holds.
    #[serde(default)]
    pub counters: Counters,
    /// The `seq` that the customer's rating was answered with: there is one, and no other counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rated: Option<u32>,
    /// The rating, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<u8>,
    /// The customer spoke last, so somebody owes an answer.
    #[serde(default)]
    pub unanswered: bool,
    /// No words followed the customer's last ones. A turn may end without any, by handing over.
    #[serde(default)]
    pub wordless: bool,
    /// Somebody was asked for and nobody came: it stays listed for operators.
    #[serde(default)]
    pub unattended: bool,
    /// When it entered the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Ms>,
    /// The team that an operator passed it on to, until it is handed back or a person is asked for anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// How soon it should be answered, as operators judge it.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// What operators find it by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<Label>,
}

/// Where a conversation stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Context calls are under way; not listed yet.
    Preparing(Box<Preparing>),
    /// The opening is there, not yet seen.
    Waiting,
    /// Seen or answered.
    Open,
    /// Ended; kept while results, a goal or a late frame may come.
    Closed,
}

impl Phase {
    /// Whether the conversation is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self, Phase::Closed)
    }
}

/// Something that did not come, for which a conversation was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The trigger.
    pub trigger: String,
    /// What its events are told apart by.
    pub key: String,
    /// When the wait began.
    pub since: Ms,
}

/// What a conversation has gathered before its opening.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preparing {
    /// The event that opens.
    pub trigger: Event,
    /// All events of the burst that it ends; empty where it is alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub burst: Vec<Event>,
    /// Facts so far, by name.
    pub facts: BTreeMap<String, Value>,
}

/// Who made up a `client_id`: two people who happen to take the same one do not get each other's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author<'a> {
    /// The customer.
    Customer,
    /// A person of the company, by the id of [`Operator`].
    Operator(&'a str),
}

/// What a conversation keeps of a `client_id`: SipHash-1-3 with a zero key over its bytes, behind those of an operator's id
/// where one made it up. Stable for ever: it is stored.
pub fn client_id_hash(author: Author<'_>, client_id: &str) -> u64 {
    let mut hasher = siphasher::sip::SipHasher13::new();
    if let Author::Operator(id) = author {
        hasher.write(id.as_bytes());
        // Never in an id that a customer may send.
        hasher.write(&[0]);
    }
    hasher.write(client_id.as_bytes());
    hasher.finish()
}

/// Who answers now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The assistant.
    Assistant,
    /// Nobody yet: a person is asked for.
    Queue,
    /// A person.
    Operator(Operator),
}

impl Holder {
    /// The kind alone.
    pub fn kind(&self) -> HolderKind {
        match self {
            Holder::Assistant => HolderKind::Assistant,
            Holder::Queue => HolderKind::Queue,
            Holder::Operator(_) => HolderKind::Operator,
        }
    }
}

/// What a conversation came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub kind: OutcomeKind,
    /// What it was worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// When.
    pub at: Ms,
}

/// What the assistant does for one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The input that began it.
    pub id: Pos,
    /// The step under way, from 1.
    pub step: u32,
    /// It ends by then, by an answer, the script, or fallback and handoff.
    pub deadline: Ms,
    /// Whether a generate effect is out for this step.
    pub generating: bool,
    /// The call of this turn that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Since when a write of it is under way: that time is not the turn's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_since: Option<Ms>,
    /// Words of it may be on a screen that no entry has replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub half_told: bool,
    /// Something happened that the answer on its way cannot know of: another turn follows it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// An event joined that the answer on its way cannot know of, and the assistant is to be told at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heard: bool,
    /// It began with an event: nobody waits for an answer, and none may be the right one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unasked: bool,
    /// Calls of the last answer still to be made, in order, with their ids.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub rest: VecDeque<(CallId, Proposal)>,
}

impl Turn {
    /// A turn that begins with this input.
    pub fn new(id: Pos, deadline: Ms) -> Turn {
        Turn {
            id,
            step: 1,
            deadline,
            generating: false,
            call: None,
            write_since: None,
            half_told: false,
            again: false,
            heard: false,
            unasked: false,
            rest: VecDeque::new(),
        }
    }
}

/// A call that is not settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The operation.
    pub operation: String,
    /// The script's name for the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<String>,
    /// The arguments.
    pub args: Map<String, Value>,
    /// Whether it changes something in the world.
    pub write: bool,
    /// Whether its result is a fact of the opening, under the name in `bind`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub context: bool,
    /// What the write is about: operation and its `once` values; none where any call may be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
    /// How far it is.
    pub phase: CallPhase,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallPhase {
    /// The customer is asked.
    Confirming,
    /// Under way.
    Pending,
    /// Nobody knows; a person will say.
    Unknown,
}

/// Counted for `handoff.when` and limits, since the assistant holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Turns begun.
    pub turns: u32,
    /// Tokens used.
    pub tokens: u64,
    /// Failed model or adapter calls.
    pub failures: u32,
    /// The handoff tool was called, or the script handed off.
    pub asked_for_human: bool,
}
