//! Inputs: everything that concerns a customer, as it stands in the inbox.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attachment::Attachment;
use super::event::{Event, Trust};
use super::ids::{ActorId, CallId, ConversationId, EventId, Partition, Pos};
use super::time::Ms;
use super::topic::{Found, Heard, Told};
use super::triage::Triage;

/// One line of the inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The partition whose inbox holds it.
    pub partition: Partition,
    /// Its position there; its time is the position's.
    pub pos: Pos,
    /// Whom it concerns.
    pub to: To,
    /// What it says.
    pub body: Body,
}

impl Input {
    /// The time of the input: the store's at append.
    pub fn time(&self) -> Ms {
        self.pos.time()
    }

    /// The id of this input, as an event's id.
    pub fn id(&self) -> EventId {
        EventId { partition: self.partition, pos: self.pos }
    }
}

/// Whom an input concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// One customer.
    Actor(ActorId),
    /// The partition itself: an event without a customer, a new catalog.
    Partition,
}

/// What is stored of an input; the position is the store's to give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Whom it concerns.
    pub to: To,
    /// What it says.
    pub body: Body,
}

/// What an input says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A fact from the business.
    Event(Box<Event>),
    /// Traits that differ from those known.
    Identify {
        /// What is said of the customer.
        traits: Map<String, Value>,
        /// Who says it: a verified token, or the customer's own browser.
        #[serde(default)]
        trust: Trust,
    },
    /// The customer wrote.
    Said {
        /// To which conversation; none: to the one for who speaks first.
        conversation: Option<ConversationId>,
        /// The playbook for who speaks first, from the configuration.
        playbook: Option<String>,
        /// The client's own id of the message.
        client_id: String,
        /// The words.
        text: String,
        /// Files that come with it: uploaded before, looked up and claimed where the message was taken.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
    },
    /// The customer took one of the choices on offer.
    Chose {
        /// In which conversation.
        conversation: ConversationId,
        /// The client's own id of the act.
        client_id: String,
        /// The value of the choice.
        choice: String,
    },
    /// The customer approved or declined a write.
    Confirmed {
        /// In which conversation.
        conversation: ConversationId,
        /// The client's own id of the act.
        client_id: String,
        /// The call that was shown.
        call: CallId,
        /// Yes or no.
        approve: bool,
    },
    /// Something of the conversation was on the customer's screen.
    Seen {
        /// Which conversation.
        conversation: ConversationId,
        /// Up to which entry.
        seq: u32,
    },
    /// The customer rated the conversation.
    Rated {
        /// Which conversation.
        conversation: ConversationId,
        /// The client's own id of the act.
        client_id: String,
        /// 1 to 5.
        score: u8,
        /// Words to it.
        comment: Option<String>,
    },
    /// The customer said whether a message of the assistant helped.
    Helped {
        /// In which conversation.
        conversation: ConversationId,
        /// The client's own id of the act.
        client_id: String,
        /// Which message: its `seq`.
        seq: u32,
        /// Yes or no.
        helped: bool,
    },
    /// The customer stopped the assistant.
    Stopped {
        /// In which conversation.
        conversation: ConversationId,
        /// The client's own id of the act.
        client_id: String,
    },
    /// The customer ended the conversation.
    Closed {
        /// Which conversation.
        conversation: ConversationId,
        /// The client's own id of the act.
        client_id: String,
    },
    /// An operator takes the conversation: compare-and-set on the last `holder` entry.
    Claim {
        /// Which conversation.
        conversation: ConversationId,
        /// Who takes it.
        operator: Operator,
        /// The `n` of the last `holder` entry as the operator saw it; 0 where none.
        n: u32,
    },
    /// The operator hands the conversation back to the assistant.
    Release {
        /// Which conversation.
        conversation: ConversationId,
        /// Who hands it back.
        operator: Operator,
        /// What the assistant should know.
        note: Option<String>,
    },
    /// The operator who holds the conversation passes it on to colleagues.
    Pass {
        /// Which conversation.
        conversation: ConversationId,
        /// Who passes it on.
        operator: Operator,
        /// Whose it is now; none: theirs whom the playbook asks for.
        team: Option<String>,
        /// What they should know.
        note: Option<String>,
    },
    /// The operator who holds the conversation wrote.
    OperatorSaid {
        /// Which conversation.
        conversation: ConversationId,
        /// Who wrote.
        operator: Operator,
        /// The client's own id of the message.
        client_id: String,
        /// The words.
        text: String,
    },
    /// An operator, whoever holds the conversation, left a note for colleagues and the assistant.
    Noted {
        /// In which conversation.
        conversation: ConversationId,
        /// Who wrote it.
        operator: Operator,
        /// The form's own id of the note.
        client_id: String,
        /// The words.
        text: String,
    },
    /// An operator, whoever holds the conversation, gave it labels or another priority.
    Triaged {
        /// Which conversation.
        conversation: ConversationId,
        /// Who did.
        operator: Operator,
        /// The form's own id of the act.
        client_id: String,
        /// What is to change.
        triage: Triage,
    },
    /// An operator ended the conversation.
    OperatorClosed {
        /// Which conversation.
        conversation: ConversationId,
        /// Who ended it.
        operator: Operator,
    },
    /// A person says what became of a write whose end is unknown.
    Settle {
        /// Which conversation.
        conversation: ConversationId,
        /// Which call.
        call: CallId,
        /// Who says so.
        operator: Operator,
        /// What became of it.
        state: Settled,
    },
    /// The assistant's turn came to words, calls or nothing.
    Generated {
        /// Which conversation.
        conversation: ConversationId,
        /// The turn, named by the input that began it.
        turn: Pos,
        /// The step within the turn, from 1.
        step: u32,
        /// The last `try` whose deltas were sent.
        attempt: u64,
        /// The answer; or why neither a model nor the script had one.
        outcome: Result<Generation, String>,
        /// Models that failed on the way to the answer.
        failures: u32,
    },
    /// A call came back.
    Called {
        /// Which conversation.
        conversation: ConversationId,
        /// Which call.
        call: CallId,
        /// What became of it.
        outcome: CallOutcome,
    },
    /// A notification was delivered or given up.
    Notified {
        /// The key of the effect.
        key: String,
        /// Why it was given up; none where delivered.
        problem: Option<String>,
    },
    /// To a topic: an event that concerns many.
    Heard(Box<Heard>),
    /// To a topic: customers were looked for.
    Selected {
        /// Which time it was sent out.
        turn: u32,
        /// Who, or why nobody could be found.
        outcome: Result<Found, String>,
    },
    /// To a topic: customers were told.
    Told {
        /// Which time it was sent out.
        turn: u32,
        /// What became of it.
        outcome: Told,
    },
    /// To a partition: items of its outbox have arrived.
    Forwarded {
        /// Keys of their effects.
        keys: Vec<String>,
    },
    /// The earliest timer of the customer is due.
    Tick,
    /// Playbooks were paused: openings not yet seen are withdrawn.
    Withdraw {
        /// The playbooks paused.
        playbooks: Vec<String>,
    },
    /// Forget this customer.
    Erase,
    /// Another catalog, or another set of paused playbooks, holds from here.
    Catalog(InForce),
}

/// A person of the company, or a key that acts as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The account's id, or `key:<name>`.
    pub id: String,
    /// What the customer sees.
    pub name: String,
}

/// What a person can say of a write whose end was unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settled {
    /// It happened.
    Done,
    /// It did not.
    Failed,
}

/// What a step of the assistant came to, from a model or from the script.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Generation {
    /// Words for the customer; may be empty where there are calls.
    pub text: String,
    /// Choices offered with the words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// Calls it asks for, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Proposal>,
    /// It asks for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<HandoffRequest>,
    /// It ends the conversation.
    #[serde(default)]
    pub close: bool,
    /// The script's step that waits for its calls, where the script spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_step: Option<usize>,
    /// A message of the customer is still unanswered: another turn follows.
    #[serde(default)]
    pub again: bool,
    /// Tokens used, both ways; counted by us where the server does not say.
    #[serde(default)]
    pub tokens: u64,
    /// Which model spoke; `script` for the script.
    pub model: String,
}

/// A call that the assistant asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The operation, such as `shop.get_order`; whatever the model named where it is none.
    pub operation: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// The script's name for the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<String>,
    /// The model's own id of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// Why it cannot be made, found before deciding (arguments that are no JSON).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The assistant asks for a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HandoffRequest {
    /// Why.
    pub reason: String,
    /// What the person should know.
    pub summary: String,
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What the customer reads.
    pub label: String,
    /// What `choose` sends back.
    pub value: String,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallOutcome {
    /// It was done; only the fields in `returns`.
    Done(Value),
    /// It was not done, for sure.
    Failed(String),
    /// Nobody knows whether it was done (writes only).
    Unknown(String),
}

/// The catalog that holds, and what is paused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InForce {
    /// Grows by one with each change; 0: nothing was ever in force.
    pub revision: u64,
    /// The catalog's hash.
    pub hash: String,
    /// Playbooks that open nothing for now, sorted.
    pub paused: Vec<String>,
}
