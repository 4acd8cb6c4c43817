//! The frames of `beckon.v1` that the server sends.

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::described::{ConversationForm, EntryForm, FileTypeForm, WhoForm};
use crate::model::attachment::FileType;
use crate::model::customer::RefusalCode;
use crate::model::entry::By;
use crate::model::ids::{ActorId, ConversationId, Pos};

/// What the server says.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame<'a> {
    /// The answer to `hello`: who the customer is, and what is waiting or open.
    Welcome {
        /// The customer's id, `user:…` or `anon:…`.
        #[schema(value_type = String)]
        customer: &'a ActorId,
        /// The id to come back with; a secret.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, nullable = false)]
        anonymous_id: Option<&'a str>,
        /// Conversations as `http::wire` makes them.
        #[schema(value_type = Vec<ConversationForm>)]
        conversations: Vec<Value>,
        /// What files may be sent; none: no files.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        attachments: Option<Taken<'a>>,
    },
    /// A conversation that was not there at `welcome`.
    Opened {
        /// As `http::wire` makes it.
        #[schema(value_type = ConversationForm)]
        conversation: Value,
    },
    /// One line of a log.
    Entry {
        /// Whose log.
        #[schema(value_type = String)]
        conversation_id: ConversationId,
        /// As `http::wire` makes it.
        #[serde(flatten)]
        #[schema(value_type = EntryForm)]
        entry: Value,
    },
    /// Words on their way.
    Delta {
        /// The conversation.
        #[schema(value_type = String)]
        conversation_id: ConversationId,
        /// The turn.
        #[schema(value_type = String)]
        turn_id: Pos,
        /// A higher one clears what a lower brought.
        #[serde(rename = "try")]
        attempt: u64,
        /// Dense from 0 within a `try`; a gap says that words are missing.
        index: u32,
        /// The words.
        text: &'a str,
    },
    /// Words of this turn will not come.
    Dropped {
        /// The conversation.
        #[schema(value_type = String)]
        conversation_id: ConversationId,
        /// The turn.
        #[schema(value_type = String)]
        turn_id: Pos,
    },
    /// Somebody writes.
    Typing {
        /// The conversation.
        #[schema(value_type = String)]
        conversation_id: ConversationId,
        /// Who.
        #[schema(value_type = WhoForm)]
        by: By,
        /// The operation that the assistant waits for, where it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, nullable = false)]
        call: Option<&'a str>,
    },
    /// What was asked counts.
    Ack {
        /// The client's own id of what was asked.
        client_id: &'a str,
        /// The conversation; none for a tracked event.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, nullable = false)]
        conversation_id: Option<ConversationId>,
        /// Its entry's number, else the last one's; 0 for a tracked event.
        seq: u32,
    },
    /// Forget what is shown of this conversation; its log follows from 1, or nothing where it is gone.
    Reset {
        /// The conversation.
        #[schema(value_type = String)]
        conversation_id: ConversationId,
    },
    /// Something was wrong; nothing changed.
    Error(Trouble<'a>),
    /// The answer to `ping`.
    Pong,
}

/// What files are taken.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Taken<'a> {
    /// The largest, in bytes.
    pub max_size: usize,
    /// The most of one message.
    pub max_count: usize,
    /// What they may be, by their first bytes.
    #[schema(value_type = Vec<FileTypeForm>)]
    pub types: &'a [FileType],
}

/// What was wrong.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Trouble<'a> {
    /// A stable code.
    pub code: &'a str,
    /// The same in words.
    pub message: &'a str,
    /// The client's own id of what was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub client_id: Option<&'a str>,
    /// The conversation it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub conversation_id: Option<ConversationId>,
    /// Set where it is no answer: send it again after so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_after: Option<u64>,
}

impl<'a> ServerFrame<'a> {
    /// It does not count, and never will.
    pub fn refused(
        code: RefusalCode,
        client_id: Option<&'a str>,
        conversation_id: Option<ConversationId>,
    ) -> ServerFrame<'a> {
        let (code, message) = (code.code(), code.message());
        ServerFrame::Error(Trouble { code, message, client_id, conversation_id, retry_after: None })
    }

    /// It was not taken: send it again after `retry_after` seconds.
    pub fn again(code: &'a str, message: &'a str, client_id: Option<&'a str>, retry_after: u64) -> ServerFrame<'a> {
        let retry_after = Some(retry_after);
        ServerFrame::Error(Trouble { code, message, client_id, conversation_id: None, retry_after })
    }

    /// The frame as text.
    pub fn text(&self) -> Utf8Bytes {
        // Writing JSON to memory fails only on maps with keys that are no text; there are none.
        serde_json::to_string(self).unwrap_or_default().into()
    }
}
