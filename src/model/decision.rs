//! What deciding returns: what changes, what is to be done outside, who is to be told.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::conversation::Outcome;
use super::customer::{RefusalCode, State};
use super::entry::{HolderKind, Logged, Verdict};
use super::ids::{ActorId, CallId, ConversationId, EventId, Pos};
use super::time::Ms;
use super::topic::{Follow, Heard, Mark};
use super::triage::{Label, Priority};

/// What one input changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// The customer's state after it.
    pub state: State,
    /// What to do with it.
    pub change: Change,
    /// Entries to append to logs, in order.
    pub entries: Vec<Logged>,
    /// What to do outside.
    pub effects: Vec<Effect>,
    /// Keys of effects that are no longer wanted; one that was started goes on.
    pub cancelled: Vec<String>,
    /// Keys of effects that are over: their result was this input, or their customer was erased.
    pub finished: Vec<String>,
    /// Answers to who asked.
    pub answers: Vec<Answer>,
    /// What playbooks made of events.
    pub verdicts: Vec<Judged>,
    /// Goals that this event reached.
    pub goals: Vec<GoalReached>,
    /// Conversations whose summary changed.
    pub conversations: Vec<Summary>,
    /// Conversations that left the state: their logs go once archived.
    pub retired: Vec<ConversationId>,
    /// Turns whose words are no longer wanted.
    pub dropped: Vec<(ConversationId, Pos)>,
    /// Topics that the customer follows from now on, or no longer.
    pub follows: Vec<Follow>,
    /// Pages of a topic's customers to write; none: to delete.
    pub pages: Vec<Page>,
    /// Why the input changed nothing, for a counter: a result nobody waits for.
    pub ignored: Option<Ignored>,
    /// How many keys (orders, cards) conditions over time forgot for want of room, for a counter.
    pub crowded_out: usize,
}

/// A page of a topic's customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The revision that began what they are told.
    pub begun: Pos,
    /// Its number, from 0.
    pub number: u32,
    /// Who; none: the page goes.
    pub customers: Option<Vec<ActorId>>,
}

/// What to do with a state after deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change {
    /// As it was: nothing to write.
    #[default]
    Unchanged,
    /// Write it.
    Put,
    /// Delete it: a topic is over, and leaves nothing behind.
    Forget,
    /// Delete it, with all logs and effects of the customer.
    Erase,
}

/// Why an input changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// A model's result that the state no longer waits for.
    LateGeneration,
    /// A result for a conversation that is not there (erased, or gone).
    UnknownConversation,
    /// A call's result that is already known.
    LateCall,
    /// What a topic no longer waits for, or has heard before.
    LateNews,
}

/// What a playbook made of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The event; not this input's where a conversation it opened has moved on.
    pub event: EventId,
    /// The playbook.
    pub playbook: String,
    /// What it made of it.
    pub verdict: Verdict,
    /// Why, in a word or a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The first condition that failed, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What that condition saw.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub values: Map<String, Value>,
    /// The conversation that it opened or joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
}

/// A goal that an event reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoalReached {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its value, by the goal's `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// What to do outside. Its key stays the same on every try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Have the assistant answer.
    Generate {
        /// The customer.
        actor: ActorId,
        /// The conversation.
        conversation: ConversationId,
        /// Read the log up to this entry.
        n: u32,
        /// The turn.
        turn: Pos,
        /// The step, from 1.
        step: u32,
        /// The playbook.
        playbook: String,
        /// The catalog it runs on.
        catalog: String,
        /// Answer by then.
        deadline: Ms,
    },
    /// Call an operation.
    Call {
        /// The customer.
        actor: ActorId,
        /// The conversation.
        conversation: ConversationId,
        /// The call.
        call: CallId,
        /// The operation.
        operation: String,
        /// The catalog it is described in.
        catalog: String,
        /// The arguments.
        args: Map<String, Value>,
        /// Whether it changes something in the world.
        write: bool,
        /// When it was decided; a write not started 10 minutes after is failed.
        at: Ms,
    },
    /// Tell the company.
    Notify {
        /// The customer.
        actor: ActorId,
        /// The conversation.
        conversation: ConversationId,
        /// The input that caused it; part of the key.
        pos: Pos,
        /// What happened.
        about: Notice,
        /// When.
        at: Ms,
        /// Who should come, where a person is asked for.
        team: Option<String>,
        /// Why.
        reason: String,
    },
    /// Give an event to a topic: an item of this partition's outbox.
    Forward {
        /// The topic.
        to: ActorId,
        /// What it is given.
        heard: Box<Heard>,
        /// When it was decided.
        at: Ms,
    },
    /// Look for customers of a topic.
    Select {
        /// The topic.
        topic: ActorId,
        /// Which time something is sent out.
        turn: u32,
        /// The revision they are looked for.
        revision: Pos,
        /// The catalog whose playbook says where.
        catalog: String,
        /// When it was decided.
        at: Ms,
    },
    /// Tell customers of a topic's page.
    Tell {
        /// The topic.
        topic: ActorId,
        /// Which time something is sent out.
        turn: u32,
        /// What they are told.
        revision: Pos,
        /// From where on.
        from: Mark,
        /// How many at most.
        most: u32,
        /// While more conversations than this wait for a person nobody is told.
        queue: Option<u64>,
        /// When it was decided.
        at: Ms,
    },
}

impl Effect {
    /// The key: the same on every try.
    pub fn key(&self) -> String {
        match self {
            Effect::Generate { conversation, turn, step, .. } => generate_key(*conversation, *turn, *step),
            Effect::Call { conversation, call, .. } => call_key(*conversation, *call),
            Effect::Notify { conversation, pos, about, .. } => format!("{conversation}/{pos}/{}", about.name()),
            Effect::Forward { to, heard, .. } => format!("{to}/{}", heard.id),
            Effect::Select { topic, turn, revision, .. } | Effect::Tell { topic, turn, revision, .. } => {
                sent_key(topic, *revision, *turn)
            }
        }
    }

    /// The conversation it belongs to; none where it is a topic's.
    pub fn conversation(&self) -> Option<ConversationId> {
        match self {
            Effect::Generate { conversation, .. }
            | Effect::Call { conversation, .. }
            | Effect::Notify { conversation, .. } => Some(*conversation),
            Effect::Forward { .. } | Effect::Select { .. } | Effect::Tell { .. } => None,
        }
    }
}

/// The key of a step's generate effect.
pub fn generate_key(conversation: ConversationId, turn: Pos, step: u32) -> String {
    format!("{conversation}/{turn}/{step}")
}

/// The key of a call: also its idempotency key on the other side.
pub fn call_key(conversation: ConversationId, call: CallId) -> String {
    format!("{conversation}/{call}")
}

/// The key of what a topic sends out.
pub fn sent_key(topic: &ActorId, revision: Pos, turn: u32) -> String {
    format!("{topic}/{revision}/{turn}")
}

/// What the company is told by `notify.webhook`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// A conversation waits for a person.
    #[serde(rename = "handoff.waiting")]
    HandoffWaiting,
    /// Nobody came in time.
    #[serde(rename = "handoff.missed")]
    HandoffMissed,
    /// A write's end is unknown: a person has to settle it.
    #[serde(rename = "call.unknown")]
    CallUnknown,
}

impl Notice {
    /// The type of the webhook.
    pub fn name(self) -> &'static str {
        match self {
            Notice::HandoffWaiting => "handoff.waiting",
            Notice::HandoffMissed => "handoff.missed",
            Notice::CallUnknown => "call.unknown",
        }
    }
}

/// The answer to who appended an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The input.
    pub pos: Pos,
    /// The client's own id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The conversation it was about, or that it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// What it is.
    pub reply: Reply,
}

/// What who asked is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It counts; `seq` of its entry, else the last.
    Done {
        /// The entry, else the last one.
        seq: u32,
    },
    /// There was such a conversation already (`beckon.open`).
    Existing,
    /// It does not count, and why.
    Refused(RefusalCode),
}

/// A conversation as lists show it. The view's row is the last one of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The conversation.
    pub id: ConversationId,
    /// The customer.
    pub customer: ActorId,
    /// The playbook.
    pub playbook: String,
    /// The catalog it runs on.
    pub catalog: String,
    /// `open.key`.
    pub key: String,
    /// The event that opened it.
    pub event: Option<EventId>,
    /// False until the opening is there.
    pub listed: bool,
    /// Where it stands.
    pub state: SummaryState,
    /// Who answers.
    pub holder: HolderKind,
    /// The operator's id and name, where one holds.
    pub operator: Option<super::input::Operator>,
    /// `n` of the last `holder` entry; what `claim` compares with.
    pub holder_n: u32,
    /// `open.why`.
    pub why: String,
    /// The team that is asked for, where one is.
    pub team: Option<String>,
    /// What it came to.
    pub outcome: Option<Outcome>,
    /// When it was decided.
    pub created_at: Ms,
    /// When it was first seen or answered.
    pub opened_at: Option<Ms>,
    /// When it entered the queue; set while it waits for a person, and where nobody came.
    pub queued_at: Option<Ms>,
    /// While it waits for a person: until when one is expected; then the customer hears that nobody is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<Ms>,
    /// Nobody came: it stays listed for operators.
    pub unattended: bool,
    /// A write of it waits to be settled by a person.
    pub unknown_call: bool,
    /// How soon it should be answered, as operators judge it.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// What operators find it by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<Label>,
    /// How the customer rated it, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<u8>,
    /// Number of the last entry.
    pub n: u32,
    /// Number of the last entry that the customer may see.
    pub seq: u32,
    /// The last change.
    pub updated_at: Ms,
}

/// Where a conversation stands, as lists show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SummaryState {
    /// Not yet seen.
    Waiting,
    /// Seen or answered.
    Open,
    /// Ended.
    Closed,
}

/// One line of the journal: what one input changed, for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalLine {
    /// The input.
    pub pos: Pos,
    /// In the first line of an owner that goes on from others: the last input that they decided. An archive that has later
    /// ones of theirs knows that the store went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Pos>,
    /// The revision of the catalog it was decided under.
    pub revision: u64,
    /// The customer; none where the partition itself was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorId>,
    /// Entries added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Logged>,
    /// What playbooks made of events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Judged>,
    /// Goals reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<GoalReached>,
    /// Answers to who asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// Conversations as they are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<Summary>,
    /// What is known of the customer, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<Map<String, Value>>,
    /// Conversations that left the state: their logs go once this line is archived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<ConversationId>,
    /// Topics that the customer follows from here on, or no longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<Follow>,
    /// Everything of this customer up to here is to be forgotten.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// The input went to dead letters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dead: bool,
}

impl JournalLine {
    /// The line of an input that changed nothing.
    pub fn blank(pos: Pos, revision: u64, actor: Option<ActorId>) -> JournalLine {
        JournalLine {
            pos,
            after: None,
            revision,
            actor,
            entries: Vec::new(),
            verdicts: Vec::new(),
            goals: Vec::new(),
            answers: Vec::new(),
            conversations: Vec::new(),
            traits: None,
            retired: Vec::new(),
            follows: Vec::new(),
            erased: false,
            dead: false,
        }
    }
}

/// An input that could not be processed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The input.
    pub event: EventId,
    /// Whom it concerned, where that could be read.
    pub actor: Option<ActorId>,
    /// Why.
    pub reason: String,
    /// The version that gave up on it.
    pub build: String,
    /// When.
    pub at: Ms,
    /// The input as stored, base64 where it is no JSON.
    pub payload: Value,
}
