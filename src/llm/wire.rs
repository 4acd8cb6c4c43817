//! The chat completions format on the wire: what is sent, and what is read of each chunk. Own types, because real
//! servers are looser than the specification: anything may be null or missing.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Message, Request, Tool, ToolCall};

/// The body of a request. `content` is always a string: some servers answer 500 to a null.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Offered<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
}

/// What a server was found not to take; learned from its refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dialect {
    /// It wants `max_completion_tokens`, not `max_tokens`.
    pub completion_limit: bool,
    /// It refuses `stream_options`.
    pub no_stream_options: bool,
    /// It takes a `system` message only at the beginning.
    pub one_system: bool,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Called<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: CalledFunction<'a>,
}

#[derive(Debug, Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Debug, Serialize)]
struct Offered<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: OfferedFunction<'a>,
}

#[derive(Debug, Serialize)]
struct OfferedFunction<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

impl<'a> Body<'a> {
    /// The body for a request to this model.
    pub(super) fn new(model: &'a str, request: &'a Request, max_tokens: u32, dialect: Dialect) -> Body<'a> {
        let said = |role, content: Cow<'a, str>| Said { role, content, tool_calls: Vec::new(), tool_call_id: None };
        let system =
            Some(request.system.as_str()).filter(|text| !text.is_empty()).map(|text| said("system", text.into()));
        let messages = request.messages.iter().map(|message| match message {
            // A fence that nobody else can write says whose words they are, where the role cannot.
            Message::System(text) if dialect.one_system => said("user", format!("<note>\n{text}\n</note>").into()),
            Message::System(text) => said("system", text.into()),
            Message::User(text) => said("user", text.into()),
            Message::Assistant(text, calls) => {
                Said { tool_calls: calls.iter().map(called).collect(), ..said("assistant", text.into()) }
            }
            Message::Tool { id, content } => Said { tool_call_id: Some(id), ..said("tool", content.into()) },
        });
        let (old, new) = if dialect.completion_limit { (None, Some(max_tokens)) } else { (Some(max_tokens), None) };
        Body {
            model,
            messages: system.into_iter().chain(messages).collect(),
            tools: request.tools.iter().map(offered).collect(),
            stream: true,
            stream_options: (!dialect.no_stream_options).then_some(StreamOptions { include_usage: true }),
            max_tokens: old,
            max_completion_tokens: new,
        }
    }
}

fn called(call: &ToolCall) -> Called<'_> {
    let function = CalledFunction { name: &call.name, arguments: &call.arguments };
    Called { id: &call.id, kind: "function", function }
}

fn offered(tool: &Tool) -> Offered<'_> {
    let function = OfferedFunction { name: &tool.name, description: &tool.description, parameters: &tool.parameters };
    Offered { kind: "function", function }
}

/// One piece of a streamed answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk {
    #[serde(deserialize_with = "nullable")]
    pub choices: Vec<Choice>,
    pub usage: Option<Value>,
    pub error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub index: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub delta: Delta,
    pub finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    pub content: Option<String>,
    pub refusal: Option<String>,
    /// What some servers stream before the answer, under either name; read only as a sign of life.
    pub reasoning_content: Option<String>,
    pub reasoning: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub tool_calls: Vec<CallFragment>,
    /// The older form; some servers send it beside `tool_calls`.
    pub function_call: Option<FunctionFragment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallFragment {
    pub index: Option<u32>,
    pub id: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub function: FunctionFragment,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionFragment {
    pub name: Option<String>,
    pub arguments: Option<Arguments>,
}

/// Arguments are text; some servers send the object itself.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Arguments {
    Text(String),
    Whole(Value),
}

/// Tokens both ways as the server counted them; none where it did not really say.
pub(super) fn total(usage: &Value) -> Option<u64> {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let sum = || count("prompt_tokens").unwrap_or(0).saturating_add(count("completion_tokens").unwrap_or(0));
    Some(count("total_tokens").unwrap_or_else(sum)).filter(|total| *total > 0)
}

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
