//! The frames of `beckon.v1` that clients send. `fields` reads them.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::model::ids::{CallId, ConversationId, EntryId};

/// What a client says.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Who it is and what it has.
    Hello(Box<Hello>),
    /// Words.
    Say {
        /// The client's own id of the message.
        #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
        client_id: String,
        /// To which conversation; none: to whoever answers who speaks first.
        #[serde(rename = "conversation_id", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, nullable = false)]
        conversation: Option<ConversationId>,
        /// The words; may be empty where files come with them.
        text: String,
        /// Files uploaded before, by their ids: each once, and in one message only.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<String>,
    },
    /// One of the choices on offer.
    Choose {
        /// The client's own id of the act.
        #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
        client_id: String,
        /// In which conversation.
        #[serde(rename = "conversation_id")]
        #[schema(value_type = String)]
        conversation: ConversationId,
        /// The value.
        choice: String,
    },
    /// Yes or no to a write.
    Confirm {
        /// The client's own id of the act.
        #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
        client_id: String,
        /// In which conversation.
        #[serde(rename = "conversation_id")]
        #[schema(value_type = String)]
        conversation: ConversationId,
        /// The call that was shown.
        #[serde(rename = "call_id")]
        #[schema(value_type = String)]
        call: CallId,
        /// Yes or no.
        approve: bool,
    },
    /// On the screen up to here.
    Seen {
        /// Which conversation.
        #[serde(rename = "conversation_id")]
        #[schema(value_type = String)]
        conversation: ConversationId,
        /// Up to which entry.
        seq: u32,
    },
    /// The customer writes.
    Typing {
        /// In which conversation.
        #[serde(rename = "conversation_id")]
        #[schema(value_type = String)]
        conversation: ConversationId,
    },
    /// A rating.
    Rate {
        /// The client's own id of the act.
        #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
        client_id: String,
        /// Which conversation.
        #[serde(rename = "conversation_id")]
        #[schema(value_type = String)]
        conversation: ConversationId,
        /// 1 to 5.
        #[schema(minimum = 1, maximum = 5)]
        score: u8,
        /// Words to it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        comment: Option<String>,
    },
    /// Whether a message of the assistant helped.
    Helped {
        /// The client's own id of the act.
        #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
        client_id: String,
        /// In which conversation.
        #[serde(rename = "conversation_id")]
        #[schema(value_type = String)]
        conversation: ConversationId,
        /// Which message.
        seq: u32,
        /// Yes or no.
        helped: bool,
    },
    /// The customer stops the assistant.
    Stop {
        /// The client's own id of the act.
        #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
        client_id: String,
        /// In which conversation.
        #[serde(rename = "conversation_id")]
        #[schema(value_type = String)]
        conversation: ConversationId,
    },
    /// An event of the page.
    Track {
        /// The client's own id: the event's.
        #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
        client_id: String,
        /// The event's type.
        event: String,
        /// Its data.
        #[schema(value_type = Object)]
        properties: Map<String, Value>,
    },
    /// The customer ends the conversation.
    Close {
        /// The client's own id of the act.
        #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
        client_id: String,
        /// Which conversation.
        #[serde(rename = "conversation_id")]
        #[schema(value_type = String)]
        conversation: ConversationId,
    },
    /// Still there.
    Ping,
}

/// Who a client is and what it has.
#[derive(Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct Hello {
    /// A signed token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token: Option<String>,
    /// An id that an earlier `welcome` gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub anonymous_id: Option<String>,
    /// The browser's IANA time zone, for quiet hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub timezone: Option<String>,
    /// Where it stands in each conversation that it has, by the conversation's id.
    #[serde(serialize_with = "by_conversation")]
    #[schema(value_type = std::collections::HashMap<String, Stand>)]
    pub resume: Vec<(ConversationId, Stand)>,
}

fn by_conversation<S: Serializer>(stands: &[(ConversationId, Stand)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(stands.iter().map(|(conversation, stand)| (conversation, stand)))
}

/// Token and anonymous id are secrets.
impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello").field("resume", &self.resume).finish_non_exhaustive()
    }
}

/// The last entry of a conversation that a client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Stand {
    /// Its number; 0: none yet.
    pub seq: u32,
    /// Its id; where it is not the entry's at that number, the client has to start over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<EntryId>,
}

/// A frame that changes nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFrame {
    /// `invalid`, or `unknown_conversation` where an id is none.
    pub code: &'static str,
    /// Names the field.
    pub message: String,
    /// The client's own id, where it could be read.
    pub client_id: Option<String>,
}
