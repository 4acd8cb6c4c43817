//! The state of a customer: the actor whose inbox is decided in order. One versioned value in the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::conversation::Conversation;
use super::event::Trust;
use super::ids::ConversationId;
use super::memory::{Memories, Wake};
use super::restraint::Class;
use super::time::Ms;
use super::topic::{Known, Topic};

/// The schema that this build writes; older ones are migrated on read, newer ones refused.
pub const SCHEMA: u32 = 3;

/// The largest state, in bytes as stored. A match that would pass it is `limited`, a message gets `full`.
pub const MAX_STATE: usize = 64 * 1024;

/// How many conversations a customer may have in state at once.
pub const MAX_CONVERSATIONS: usize = 32;

/// The most entries of one conversation.
pub const MAX_ENTRIES: u32 = 2_000;

/// How many openings contact budgets remember: more than any of them allows.
pub const MAX_CONTACTS: usize = 200;

/// How many refusals are remembered for frames sent again.
pub const MAX_REFUSALS: usize = 32;

/// What deciding needs to know of a customer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// What is known of the customer, for conditions and words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, Trait>,
    /// Other names of this customer that events told of; recorded only.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub links: BTreeSet<String>,
    /// Conversations that are not over, or that something may still follow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conversations: BTreeMap<ConversationId, Conversation>,
    /// When each playbook's limit was used, oldest first, with the conversation that holds the place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, VecDeque<(Ms, ConversationId)>>,
    /// Hashes of refused `client_id`s with the refusal, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub refusals: VecDeque<(u64, RefusalCode)>,
    /// What is due when, earliest first.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub timers: BTreeSet<(Ms, ConversationId, Timer)>,
    /// What conditions over time remember.
    #[serde(default, skip_serializing_if = "Memories::is_empty")]
    pub memories: Memories,
    /// What waits for its time without a conversation, in the order it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wakes: Vec<Wake>,
    /// When the customer was spoken to, oldest first: what contact budgets count.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub contacts: VecDeque<(Ms, Class, ConversationId)>,
    /// Until when a playbook is silent for this customer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cooldowns: BTreeMap<String, Ms>,
    /// What topics told, by a hash of their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<u64, Known>,
    /// What a topic knows, where this is one; it has nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Box<Topic>>,
}

impl State {
    /// The earliest time at which something is due.
    pub fn due(&self) -> Option<Ms> {
        let timer = self.timers.first().map(|(at, _, _)| *at);
        let wake = self.wakes.iter().map(|wake| wake.due).min();
        let topic = self.topic.as_ref().and_then(|topic| topic.due);
        timer.into_iter().chain(wake).chain(topic).min()
    }

    /// The traits as a JSON object.
    pub fn traits_object(&self) -> Map<String, Value> {
        self.traits.iter().map(|(name, held)| (name.clone(), held.value.clone())).collect()
    }
}

/// One thing known of a customer, and who said so. A browser never overwrites what the server said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trait {
    /// The value.
    pub value: Value,
    /// Who said so.
    pub trust: Trust,
}

/// What a timer does when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// Context calls had their time: open with what is there.
    Context,
    /// Nobody saw the opening in time.
    OpenWithin,
    /// The turn had its time: fallback and handoff.
    Turn,
    /// The confirmation lapses.
    Confirm,
    /// Nobody took the conversation from the queue.
    HandoffWithin,
    /// The customer fell silent.
    Idle,
    /// The goal had its time.
    GoalWithin,
    /// A closed conversation leaves the state.
    Retire,
}

/// Why a frame was refused, as clients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// There is no such conversation for this customer.
    UnknownConversation,
    /// There is no such message in the conversation.
    UnknownMessage,
    /// Nobody answers who speaks first here.
    NoConversation,
    /// The conversation is closed.
    Closed,
    /// The choice is not on offer.
    ChoiceGone,
    /// The confirmation was settled or has lapsed.
    ConfirmGone,
    /// The conversation or the customer's state is full.
    Full,
    /// Somebody else holds the conversation, or it changed hands meanwhile.
    Conflict,
    /// The conversation would have more labels than it may.
    TooManyLabels,
    /// The call is not one that can be settled.
    NotUnknown,
    /// The playbook is not in the catalog.
    UnknownPlaybook,
    /// The playbook is paused.
    Paused,
    /// The opening could not be computed.
    Failed,
}

impl RefusalCode {
    /// The code on the wire.
    pub fn code(self) -> &'static str {
        match self {
            RefusalCode::UnknownConversation => "unknown_conversation",
            RefusalCode::UnknownMessage => "unknown_message",
            RefusalCode::NoConversation => "no_conversation",
            RefusalCode::Closed => "closed",
            RefusalCode::ChoiceGone => "choice_gone",
            RefusalCode::ConfirmGone => "confirm_gone",
            RefusalCode::Full => "full",
            RefusalCode::Conflict => "conflict",
            RefusalCode::TooManyLabels => "too_many_labels",
            RefusalCode::NotUnknown => "not_unknown",
            RefusalCode::UnknownPlaybook => "unknown_playbook",
            RefusalCode::Paused => "paused",
            RefusalCode::Failed => "failed",
        }
    }

    /// The same in words.
    pub fn message(self) -> &'static str {
        match self {
            RefusalCode::UnknownConversation => "There is no such conversation.",
            RefusalCode::UnknownMessage => "There is no such message in this conversation.",
            RefusalCode::NoConversation => "Nobody answers here until a conversation was opened.",
            RefusalCode::Closed => "This conversation is closed.",
            RefusalCode::ChoiceGone => "This choice is no longer on offer.",
            RefusalCode::ConfirmGone => "This was already settled, or it has lapsed.",
            RefusalCode::Full => "This conversation is full.",
            RefusalCode::Conflict => "The conversation changed hands meanwhile.",
            RefusalCode::TooManyLabels => "A conversation has 10 labels at most: take one off first.",
            RefusalCode::NotUnknown => "This call is not waiting to be settled.",
            RefusalCode::UnknownPlaybook => "There is no such playbook.",
            RefusalCode::Paused => "This playbook is paused.",
            RefusalCode::Failed => "The opening could not be computed.",
        }
    }
}

/// A stored state that this build cannot read.
#[derive(Debug, thiserror::Error)]
pub enum BadState {
    /// Written by a newer build.
    #[error("the state has schema {0}, newer than this build's {SCHEMA}: update this node")]
    Newer(u32),
    /// Not a state at all.
    #[error("the state cannot be read: {0}")]
    Corrupt(String),
}

impl State {
    /// The stored form: the schema number, a colon, JSON.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("{SCHEMA}:").into_bytes();
        // Writing JSON to memory fails only on maps with keys that are no text; there are none.
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`BadState::Newer`] for a newer schema, [`BadState::Corrupt`] for anything unreadable.
    pub fn decode(bytes: &[u8]) -> Result<State, BadState> {
        let corrupt = |why: &str| BadState::Corrupt(why.to_owned());
        let colon = bytes.iter().take(11).position(|b| *b == b':').ok_or_else(|| corrupt("no schema number"))?;
        let (schema, json) = bytes.split_at(colon);
        let schema: u32 =
            std::str::from_utf8(schema).ok().and_then(|s| s.parse().ok()).ok_or_else(|| corrupt("no schema number"))?;
        if schema > SCHEMA {
            return Err(BadState::Newer(schema));
        }
        // Schema 2 added what conditions over time remember, schema 3 what topics told: an older state has none of it yet.
        serde_json::from_slice(json.get(1..).unwrap_or_default()).map_err(|e| BadState::Corrupt(e.to_string()))
    }
}
