//! The frames of `beckon.v1` that clients send. `fields` reads them.

use serde_json::{Map, Value};

use crate::model::ids::{CallId, ConversationId, EntryId};

/// What a client says.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientFrame {
    /// Who it is and what it has.
    Hello(Box<Hello>),
    /// Words.
    Say {
        /// The client's own id of the message.
        client_id: String,
        /// To which conversation; none: to whoever answers who speaks first.
        conversation: Option<ConversationId>,
        /// The words.
        text: String,
    },
    /// One of the choices on offer.
    Choose {
        /// The client's own id of the act.
        client_id: String,
        /// In which conversation.
        conversation: ConversationId,
        /// The value.
        choice: String,
    },
    /// Yes or no to a write.
    Confirm {
        /// The client's own id of the act.
        client_id: String,
        /// In which conversation.
        conversation: ConversationId,
        /// The call that was shown.
        call: CallId,
        /// Yes or no.
        approve: bool,
    },
    /// On the screen up to here.
    Seen {
        /// Which conversation.
        conversation: ConversationId,
        /// Up to which entry.
        seq: u32,
    },
    /// The customer writes.
    Typing {
        /// In which conversation.
        conversation: ConversationId,
    },
    /// A rating.
    Rate {
        /// The client's own id of the act.
        client_id: String,
        /// Which conversation.
        conversation: ConversationId,
        /// 1 to 5.
        score: u8,
        /// Words to it.
        comment: Option<String>,
    },
    /// An event of the page.
    Track {
        /// The client's own id: the event's.
        client_id: String,
        /// The event's type.
        event: String,
        /// Its data.
        properties: Map<String, Value>,
    },
    /// The customer ends the conversation.
    Close {
        /// The client's own id of the act.
        client_id: String,
        /// Which conversation.
        conversation: ConversationId,
    },
    /// Still there.
    Ping,
}

/// Who a client is and what it has.
#[derive(Clone, PartialEq, Default)]
pub struct Hello {
    /// A signed token.
    pub token: Option<String>,
    /// An id that an earlier `welcome` gave.
    pub anonymous_id: Option<String>,
    /// Where it stands in each conversation that it has.
    pub resume: Vec<(ConversationId, Stand)>,
}

/// Token and anonymous id are secrets.
impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello").field("resume", &self.resume).finish_non_exhaustive()
    }
}

/// The last entry of a conversation that a client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stand {
    /// Its number; 0: none yet.
    pub seq: u32,
    /// Its id; where it is not the entry's at that number, the client has to start over.
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
