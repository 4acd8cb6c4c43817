//! `/asyncapi.json`: the frames of `beckon.v1`, described from the types that read and write them.
//!
//! Conversations and entries are made by `http::wire` as JSON, so their forms are written out here; tests hold them to what
//! `wire` really makes.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};

use super::PROTOCOL;
use super::frames::{ClientFrame, Hello, Stand};
use super::sent::{ServerFrame, Taken, Trouble};

/// Who did or said something.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = By)]
pub enum WhoForm {
    /// The customer.
    Customer,
    /// The assistant.
    Assistant,
    /// A person of the company.
    Operator,
    /// Beckon itself.
    System,
}

/// Who answers now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Holder)]
pub enum HolderForm {
    /// The assistant.
    Assistant,
    /// Nobody yet: a person is asked for.
    Queue,
    /// A person.
    Operator,
}

/// Where a conversation stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Phase)]
pub enum PhaseForm {
    /// Not yet seen.
    Waiting,
    /// Seen or answered.
    Open,
    /// Ended.
    Closed,
}

/// What became of a call.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CallState)]
pub enum CallForm {
    /// It was done.
    Done,
    /// It was not done.
    Failed,
    /// It was not allowed, declined, or its confirmation lapsed.
    Refused,
    /// Nobody knows; a person will say.
    Unknown,
}

/// How a conversation ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Outcome)]
pub enum OutcomeForm {
    /// What the playbook wanted did happen.
    Goal,
    /// The assistant closed it.
    Resolved,
    /// The customer closed it, or fell silent.
    Abandoned,
    /// Nobody saw it in time.
    Expired,
    /// An operator closed it.
    ClosedByOperator,
    /// It could not go on.
    Failed,
}

/// Something to choose.
#[derive(Serialize, ToSchema)]
#[schema(as = Choice)]
pub struct ChoiceForm {
    /// What the customer reads.
    pub label: String,
    /// What `choose` sends back.
    pub value: String,
}

/// What a file is, by its first bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = FileType)]
pub enum FileTypeForm {
    /// A picture.
    #[serde(rename = "image/png")]
    Png,
    /// A picture.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// A picture.
    #[serde(rename = "image/gif")]
    Gif,
    /// A picture.
    #[serde(rename = "image/webp")]
    Webp,
    /// A document.
    #[serde(rename = "application/pdf")]
    Pdf,
}

/// A file that a customer sent. Its bytes: `GET /v1/chat/attachments/{id}`.
#[derive(Serialize, ToSchema)]
#[schema(as = Attachment)]
pub struct AttachmentForm {
    /// Its id.
    pub id: String,
    /// Its name, as it was sent.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FileTypeForm,
    /// Its size in bytes.
    pub size: u64,
    /// How wide it is in pixels, where it is a picture that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub width: Option<u32>,
    /// How high it is in pixels, where it is a picture that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub height: Option<u32>,
}

/// A conversation as its customer sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Conversation)]
pub struct ConversationForm {
    /// Its id.
    pub id: String,
    /// The playbook that opened it.
    pub playbook: String,
    /// Where it stands.
    pub state: PhaseForm,
    /// Who answers.
    pub holder: HolderForm,
    /// Why it is there, for who asks.
    pub why: String,
    /// Number of its last entry.
    pub last_seq: u32,
    /// Entries after the cursor; all where there was none.
    pub entries: Vec<EntryForm>,
}

/// One line of a log.
#[derive(Serialize, ToSchema)]
#[schema(as = Entry)]
pub struct EntryForm {
    /// Dense, from 1.
    pub seq: u32,
    /// Where a store lost an entry, another id stands at its number.
    pub id: String,
    /// RFC 3339.
    pub at: String,
    /// Who did or said it.
    pub by: WhoForm,
    /// The turn that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub turn_id: Option<String>,
    /// The `try` whose deltas it replaces, and all before.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attempt: Option<u64>,
    /// What it says.
    #[serde(flatten)]
    pub kind: KindForm,
}

/// What an entry says. More kinds may come: skip those that you do not know.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = Kind)]
pub enum KindForm {
    /// Words.
    Message {
        /// Plain text.
        text: String,
        /// Files that the customer sent with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        attachments: Option<Vec<AttachmentForm>>,
        /// The language of the words, as a BCP 47 tag, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        locale: Option<String>,
        /// The same formatted and clean; there only where the words have markup.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        html: Option<String>,
        /// What can be chosen in answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        choices: Option<Vec<ChoiceForm>>,
        /// Where the customer chose instead of writing: the value.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        choice: Option<String>,
        /// The client's own id of the message.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        client_id: Option<String>,
        /// Who wrote, where an operator did.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        name: Option<String>,
    },
    /// The customer is asked before a write.
    Confirm {
        /// The call.
        call_id: String,
        /// What is asked.
        summary: String,
        /// The arguments, exactly as they will be sent.
        #[schema(value_type = Object)]
        args: Map<String, Value>,
    },
    /// The customer answered.
    Confirmed {
        /// The call.
        call_id: String,
        /// Yes or no.
        approve: bool,
        /// The client's own id of the act.
        client_id: String,
    },
    /// What became of a call.
    Call {
        /// The call.
        call_id: String,
        /// The operation.
        name: String,
        /// What became of it.
        state: CallForm,
    },
    /// Another answers from here.
    Holder {
        /// Who.
        holder: HolderForm,
        /// The operator's name.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        name: Option<String>,
    },
    /// The end.
    Closed {
        /// How it ended.
        outcome: OutcomeForm,
    },
}

#[derive(OpenApi)]
#[openapi(components(schemas(
    ClientFrame,
    Hello,
    Stand,
    ServerFrame,
    Trouble,
    ConversationForm,
    EntryForm,
    KindForm,
    ChoiceForm,
    AttachmentForm,
    FileTypeForm,
    Taken,
    WhoForm,
    HolderForm,
    PhaseForm,
    CallForm,
    OutcomeForm
)))]
struct Types;

/// The description, as it is served.
pub fn description() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let types = serde_json::to_value(Types::openapi()).unwrap_or_default();
        let schemas = types.pointer("/components/schemas").cloned().unwrap_or_default();
        let message = |name: &str| json!({ "contentType": "application/json", "payload": { "$ref": format!("#/components/schemas/{name}") } });
        let document = json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Beckon chat",
                "version": PROTOCOL,
                "description": "The WebSocket subprotocol of customers: one JSON object a frame, tagged by `type`. Ignore what you do not know.",
            },
            "channels": { "chat": {
                "address": "/v1/chat",
                "messages": { "client": message("ClientFrame"), "server": message("ServerFrame") },
                "bindings": { "ws": { "method": "GET", "headers": { "type": "object", "properties": {
                    "Sec-WebSocket-Protocol": { "const": PROTOCOL },
                } } } },
            } },
            "operations": {
                "hear": { "action": "receive", "channel": { "$ref": "#/channels/chat" }, "messages": [{ "$ref": "#/channels/chat/messages/client" }] },
                "say": { "action": "send", "channel": { "$ref": "#/channels/chat" }, "messages": [{ "$ref": "#/channels/chat/messages/server" }] },
            },
            "components": { "schemas": schemas },
        });
        serde_json::to_string_pretty(&document).unwrap_or_default()
    });
    &TEXT
}

/// `GET /asyncapi.json`.
pub async fn get() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], description()).into_response()
}
