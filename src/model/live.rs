//! What travels on the live bus: hints for sockets and dashboards, never the truth.

use serde::{Deserialize, Serialize};

use super::decision::Answer;
use super::entry::{By, Logged};
use super::ids::{ConversationId, Pos};
use super::input::Operator;

/// One hint about a customer's conversations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Live {
    /// Committed by one input: entries and answers.
    Committed {
        /// Entries added, in order.
        entries: Vec<Logged>,
        /// Answers to who asked.
        answers: Vec<Answer>,
    },
    /// Words on their way; not durable.
    Delta {
        /// The conversation.
        conversation: ConversationId,
        /// The turn.
        turn: Pos,
        /// Grows by epoch, step and attempt; a higher one clears what a lower brought.
        #[serde(rename = "try")]
        attempt: u64,
        /// Dense from 0 within a `try`.
        index: u32,
        /// The words.
        text: String,
    },
    /// Words of this turn will not come.
    Dropped {
        /// The conversation.
        conversation: ConversationId,
        /// The turn.
        turn: Pos,
    },
    /// Somebody writes.
    Typing {
        /// The conversation.
        conversation: ConversationId,
        /// Who.
        by: By,
        /// The operation that the assistant waits for, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<String>,
    },
    /// An operator has a conversation in view; for other operators only.
    Attends {
        /// The conversation.
        conversation: ConversationId,
        /// Who.
        operator: Operator,
        /// What the operator does there.
        attention: Attention,
    },
    /// The customer was erased: everything shown is to be forgotten.
    Erased,
}

/// What an operator does at a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Has it in view.
    Looks,
    /// Writes.
    Writes,
    /// Went.
    Left,
}

/// The `try` of a model's attempt: grows with epoch, step and attempt, and stays below 2^53 until the year 2039,
/// so that every client can hold it.
pub fn attempt_number(epoch: u64, step: u32, attempt: u32) -> u64 {
    epoch * 4_096 + u64::from(step.min(15)) * 256 + u64::from(attempt.min(255))
}

/// How many tries a step took, by the number of its last one.
pub fn tries(attempt: u64) -> u64 {
    attempt % 256
}
