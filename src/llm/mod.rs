//! PORT. The model: any OpenAI-compatible server, streamed.
//!
//! Not here: prompts (`dialogue`), which model is asked when (`engine::effects`).

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::mpsc;

mod answer;
pub mod openai;
mod transport;
mod wire;

/// One model; a `[[model]]` section of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in logs and traces.
    pub name: String,
    /// The server's base, with `/v1`.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// Sent as bearer token, where the server wants one.
    pub api_key: Option<crate::secret::Secret>,
    /// How long until the first piece of an answer may take.
    pub first_token: std::time::Duration,
    /// How many requests may be under way at once.
    pub concurrency: usize,
    /// The most tokens of one answer.
    pub max_tokens: u32,
}

/// What a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The system prompt.
    pub system: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Tools it may call.
    pub tools: Vec<Tool>,
    /// The most tokens it may answer.
    pub max_tokens: u32,
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// From us, in the course of the conversation.
    System(String),
    /// From the customer's side, or data for the model.
    User(String),
    /// From the assistant: words and calls.
    Assistant(String, Vec<ToolCall>),
    /// The result of a call.
    Tool {
        /// The call's id.
        id: String,
        /// The result, as text.
        content: String,
    },
}

/// A tool as the model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// `[a-z0-9_]+`, such as `shop__get_order`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// A call that a model asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's id of it; made up where the server gave none.
    pub id: String,
    /// The tool's name as the model wrote it.
    pub name: String,
    /// The arguments as the model wrote them: perhaps no JSON.
    pub arguments: String,
}

/// A whole answer: the server said that it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// The words.
    pub text: String,
    /// The calls, in order.
    pub calls: Vec<ToolCall>,
    /// Tokens both ways; estimated where the server does not say.
    pub tokens: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    /// It cannot be reached, answered 5xx, or hung: the next may be tried, this one later.
    #[error("the model is away: {0}")]
    Away(String),
    /// It is busy (429).
    #[error("the model is busy")]
    Busy {
        /// When to try again, where it said so.
        retry_after: Option<std::time::Duration>,
    },
    /// It refused the request (4xx): asking again does not help.
    #[error("the model refused the request: {0}")]
    Refused(String),
    /// The request is longer than the model's context: a shorter one may pass.
    #[error("the request is too long for the model")]
    TooLong,
    /// The stream ended without saying so, or was no stream: not an answer.
    #[error("the answer was cut or unreadable: {0}")]
    Broken(String),
}

/// A model.
#[async_trait]
pub trait Llm: Send + Sync + 'static {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// Asks it; pieces of words go to `words` as they come (bounded: waits for room). One try, no retries. Dropping the
    /// future ends the request.
    async fn ask(&self, request: &Request, words: &mpsc::Sender<String>) -> Result<Completion, LlmError>;
}
