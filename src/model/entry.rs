//! Entries: the numbered lines of a conversation's log. A conversation changes only by entries added.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attachment::Attachment;
use super::event::Event;
use super::ids::{CallId, ConversationId, EntryId, EventId, Pos};
use super::input::{Choice, Proposal};
use super::time::Ms;
use super::triage::Triage;

/// One line of a conversation's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Dense over all entries, from 1.
    pub n: u32,
    /// Dense over what the customer may see, from 1; an inner entry carries the last one's.
    pub seq: u32,
    /// Whether the customer may see it.
    pub visible: bool,
    /// Its id; where the store lost an entry, another id stands at its number.
    pub id: EntryId,
    /// When it was decided: the time of its input (for a timer, when that was due).
    pub at: Ms,
    /// Who did or said it.
    pub by: By,
    /// The turn that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<Pos>,
    /// The `try` whose deltas it replaces, and all before.
    #[serde(rename = "try", default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// What it says.
    #[serde(flatten)]
    pub kind: Kind,
}

/// Who did or said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The customer.
    Customer,
    /// The assistant.
    Assistant,
    /// A person of the company.
    Operator,
    /// Beckon itself.
    System,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Inner: an event that opened, joined or reached the goal.
    Event {
        /// Beckon's id of it.
        event: EventId,
        /// The event.
        envelope: Box<Event>,
        /// Whether it is kept from the assistant: people alone read it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        silent: bool,
    },
    /// Inner: why there is this conversation.
    Verdict {
        /// The playbook.
        playbook: String,
        /// What was decided.
        verdict: Verdict,
    },
    /// Inner: the customer saw the opening.
    Opened {},
    /// Inner: what a context call brought, under its name.
    Fact {
        /// The name in `context`.
        name: String,
        /// The fields in `returns`; null where the call failed.
        value: Value,
        /// Why there is no value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// Inner: what the assistant wanted at one step.
    Step {
        /// Counts the steps of a turn from 1.
        step: u32,
        /// Which model; `script` for the script.
        model: String,
        /// Tokens used.
        tokens: u64,
        /// Calls it asked for, with the ids they got.
        calls: Vec<StepCall>,
        /// The script's step that waits for these calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        script_step: Option<usize>,
        /// Why there was no answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// Inner: words of an operator for the assistant and colleagues.
    Note {
        /// The words.
        text: String,
        /// Who wrote them.
        name: String,
    },
    /// Inner: an operator gave the conversation labels or another priority.
    Triaged {
        /// What changed; nothing that was so before.
        #[serde(flatten)]
        triage: Triage,
        /// Who did.
        name: String,
    },
    /// Inner: why a person is needed.
    Handoff {
        /// Why.
        reason: String,
        /// What the person should know.
        summary: String,
    },
    /// Inner: the conversation has its outcome.
    Outcome {
        /// Which.
        outcome: OutcomeKind,
        /// What it was worth, by the goal's `value`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
    },
    /// Inner: the customer's rating.
    Rated {
        /// 1 to 5.
        score: u8,
        /// Words to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// The client's own id of the act.
        client_id: String,
    },
    /// Inner: whether a message of the assistant helped, as the customer says.
    Helped {
        /// Which: its `seq`.
        of: u32,
        /// Yes or no.
        helped: bool,
        /// The client's own id of the act.
        client_id: String,
    },
    /// Inner: the customer stopped the assistant.
    Stopped {
        /// The client's own id of the act.
        client_id: String,
    },
    /// Words.
    Message {
        /// Plain text.
        text: String,
        /// The language of the words, where it is known: that of the playbook, which has written them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locale: Option<String>,
        /// What can be chosen in answer.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        choices: Vec<Choice>,
        /// Set where the customer chose instead of writing: the value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        choice: Option<String>,
        /// The client's own id of the message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
        /// Files that the customer sent with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
        /// Who wrote, where an operator did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The customer is asked before a write.
    Confirm {
        /// The call.
        call_id: CallId,
        /// What is asked, from the adapter, never the model's words.
        summary: String,
        /// The arguments, exactly as they will be sent.
        args: Map<String, Value>,
    },
    /// The customer answered.
    Confirmed {
        /// The call.
        call_id: CallId,
        /// Yes or no.
        approve: bool,
        /// The client's own id of the act.
        client_id: String,
    },
    /// What became of a call.
    Call {
        /// The call.
        call_id: CallId,
        /// The operation.
        name: String,
        /// What became of it.
        state: CallState,
        /// Inner: the script's name for the result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bind: Option<String>,
        /// Inner: the arguments.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        args: Map<String, Value>,
        /// Inner: the fields in `returns`.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        result: Value,
        /// Inner: why it failed or was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// Another answers from here.
    Holder {
        /// Who.
        holder: HolderKind,
        /// The operator's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The end.
    Closed {
        /// How it ended.
        outcome: OutcomeKind,
    },
}

/// A call asked for at a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepCall {
    /// The id it got.
    pub call_id: CallId,
    /// What was asked for.
    #[serde(flatten)]
    pub proposal: Proposal,
}

/// What became of a call, as customers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// It was done.
    Done,
    /// It was not done.
    Failed,
    /// It was not allowed, declined, or its confirmation lapsed.
    Refused,
    /// Nobody knows; a person will say.
    Unknown,
}

/// Who answers now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HolderKind {
    /// The assistant.
    Assistant,
    /// Nobody yet: a person is asked for.
    Queue,
    /// A person.
    Operator,
}

/// How a conversation ended, or what it reached. `Goal` wins over all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// What the playbook wanted did happen.
    Goal,
    /// The assistant closed it.
    Resolved,
    /// The customer closed it, or fell silent for `talk.idle`.
    Abandoned,
    /// Nobody saw it in time.
    Expired,
    /// An operator closed it.
    ClosedByOperator,
    /// It could not go on.
    Failed,
}

/// What a playbook made of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A conversation waits to be seen.
    Waiting,
    /// It was seen.
    Opened,
    /// It was not, in time.
    Expired,
    /// Added to a conversation with the same key.
    Joined,
    /// A condition did not hold.
    NotMatched,
    /// A limit was reached.
    Limited,
    /// The playbook was paused.
    Paused,
    /// Key or opening could not be computed.
    Failed,
    /// It waits for its time: an absence, or the end of a burst.
    Pending,
    /// It came later than its window waits for.
    Late,
    /// What waited, or an opening not yet seen, was taken back: what was missing came.
    Withdrawn,
    /// The customer is not in the playbook's audience.
    Excluded,
    /// The customer is left out to compare with.
    Holdout,
    /// The customer refused such openings, or did not agree to them.
    OptedOut,
    /// It waits for quiet hours to end, or was dropped in them.
    Quiet,
    /// A playbook of higher priority spoke.
    Outranked,
    /// A conversation was there already.
    Dropped,
    /// It would have opened; the playbook only watches.
    Shadow,
    /// It concerns many: its topic selects and tells them.
    Forwarded,
    /// Its topic told all whom it selected; what each of them made of it is told of each.
    Told,
}

impl Kind {
    /// Words of the company, in a language where it is known, and what there is to choose.
    pub fn words(text: impl Into<String>, locale: Option<String>, choices: Vec<Choice>) -> Kind {
        let (text, attachments) = (text.into(), Vec::new());
        Kind::Message { text, attachments, locale, choices, choice: None, client_id: None, name: None }
    }
}

/// An entry with the conversation whose log it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// The conversation.
    pub conversation: ConversationId,
    /// The entry.
    pub entry: Entry,
}
