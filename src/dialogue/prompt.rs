//! What a model is asked: the product's prompt, the playbook's prompt, facts fenced off as data, and the log as messages.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::reading::tools;
use super::script::Situation;
use super::words::fill;
use crate::llm::{Message, Request, ToolCall};
use crate::model::entry::{By, CallState, Entry, Kind};
use crate::model::ids::CallId;
use crate::model::scope::{customer_value, event_value};

/// The product's own part of every prompt.
pub const ASSISTANT: &str = include_str!("../../prompts/assistant.md");

/// How much of the log a prompt carries, in bytes of text; the newest stays.
pub const ROOM: usize = 48 * 1024;

/// The longest single piece of data in a prompt, in bytes.
const MAX_DATA: usize = 8 * 1024;

/// What the model is asked; `room` bytes of the log at most.
///
/// # Errors
/// Why the playbook's prompt cannot be filled.
pub fn request(situation: &Situation<'_>, max_tokens: u32, room: usize) -> Result<Request, String> {
    let mut system = ASSISTANT.trim().to_owned();
    if let Some(template) = &situation.playbook.talk.prompt {
        let text = fill(situation.catalog, template, &prompt_values(situation))?;
        system.push_str("\n\n");
        system.push_str(&text);
    }
    let mut messages = vec![Message::User(data(situation))];
    messages.extend(trimmed(log_messages(situation.log), room));
    Ok(Request { system, messages, tools: tools(situation.catalog, situation.playbook), max_tokens })
}

/// Names in a playbook's prompt: events, customer and facts, as in `open.say`.
fn prompt_values(situation: &Situation<'_>) -> Map<String, Value> {
    let mut values = Map::new();
    values.insert("customer".to_owned(), customer_value(situation.actor, situation.traits.clone()));
    for entry in situation.log {
        match &entry.kind {
            Kind::Event { envelope, .. } => {
                let value = event_value(envelope);
                values.entry("trigger".to_owned()).or_insert_with(|| value.clone());
                values.insert("event".to_owned(), value);
            }
            Kind::Fact { name, value, problem: None } => {
                values.insert(name.clone(), value.clone());
            }
            _ => {}
        }
    }
    values
}

/// Everything known before the first word, as fenced data.
fn data(situation: &Situation<'_>) -> String {
    let mut text = String::new();
    text.push_str(&fenced("customer", &customer_value(situation.actor, situation.traits.clone())));
    for entry in situation.log {
        match &entry.kind {
            Kind::Event { envelope, .. } => {
                let event = json!({ "type": envelope.kind, "time": envelope.time.map(|t| t.to_string()), "data": envelope.data });
                text.push_str(&fenced("event", &event));
            }
            Kind::Fact { name, value, problem: None } => text.push_str(&fenced(name, value)),
            Kind::Fact { name, problem: Some(_), .. } => text.push_str(&fenced(name, &json!("unavailable"))),
            _ => {}
        }
    }
    text
}

/// A piece of data between marks that its content cannot contain: `<` and `>` are escaped as JSON allows.
fn fenced(name: &str, value: &Value) -> String {
    let json = bounded(value.to_string()).replace('<', "\\u003c").replace('>', "\\u003e");
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    format!("<data name=\"{name}\">\n{json}\n</data>\n")
}

fn bounded(text: String) -> String {
    if text.len() <= MAX_DATA {
        return text;
    }
    let cut: String = text.char_indices().take_while(|(at, _)| *at < MAX_DATA).map(|(_, c)| c).collect();
    format!("{cut}… (cut)")
}

/// The log as messages, in order; each with its size. Results follow the calls they belong to, as servers demand.
fn log_messages(log: &[Entry]) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut joined: BTreeSet<u32> = BTreeSet::new();
    let first_event = log.iter().position(|entry| matches!(entry.kind, Kind::Event { .. }));
    for (at, entry) in log.iter().enumerate() {
        match &entry.kind {
            Kind::Message { text, choices, .. } => {
                let mut text = bounded(text.clone());
                if !choices.is_empty() {
                    let labels: Vec<&str> = choices.iter().map(|choice| choice.label.as_str()).collect();
                    text = format!("{text}\n(choices: {})", labels.join(" | "));
                }
                match entry.by {
                    By::Customer => messages.push(Message::User(text)),
                    By::Operator => {
                        messages.push(Message::Assistant(format!("(a colleague wrote) {text}"), Vec::new()))
                    }
                    By::Assistant | By::System => messages.push(Message::Assistant(text, Vec::new())),
                }
            }
            Kind::Step { calls, .. } if !calls.is_empty() => {
                let asked = calls
                    .iter()
                    .map(|call| ToolCall {
                        id: wire_id(call.call_id),
                        name: call.proposal.operation.replacen('.', "__", 1),
                        arguments: Value::Object(call.proposal.args.clone()).to_string(),
                    })
                    .collect();
                messages.push(Message::Assistant(String::new(), asked));
                for call in calls {
                    let content = result_of(log.get(at..).unwrap_or_default(), call.call_id);
                    messages.push(Message::Tool { id: wire_id(call.call_id), content });
                    joined.insert(call.call_id.0);
                }
            }
            Kind::Event { envelope, .. } if Some(at) != first_event => {
                let event = json!({ "type": envelope.kind, "data": envelope.data });
                messages.push(Message::User(format!("(this happened meanwhile)\n{}", fenced("event", &event))));
            }
            Kind::Confirmed { approve, .. } => {
                let word = if *approve { "confirmed" } else { "declined" };
                messages.push(Message::User(format!("(the customer {word} what was shown)")));
            }
            Kind::Call { call_id, state, problem, result, .. } if is_late(log, at, *call_id) => {
                let outcome = outcome(*state, problem.as_deref(), result);
                messages.push(Message::User(format!("(a result came later)\n{}", fenced("result", &outcome))));
            }
            Kind::Note { text, .. } => {
                messages.push(Message::User(format!("(a colleague left a note)\n{}", fenced("note", &json!(text)))));
            }
            _ => {}
        }
    }
    messages
}

fn wire_id(call: CallId) -> String {
    format!("call_{call}")
}

/// The first result of a call, as the model is told.
fn result_of(log: &[Entry], call: CallId) -> String {
    let found = log.iter().find_map(|entry| match &entry.kind {
        Kind::Call { call_id, state, problem, result, .. } if *call_id == call => {
            Some(outcome(*state, problem.as_deref(), result))
        }
        _ => None,
    });
    bounded(found.unwrap_or_else(|| json!({ "state": "no result yet" })).to_string())
}

/// Whether this is not the first result of its call: an unknown one that was settled.
fn is_late(log: &[Entry], at: usize, call: CallId) -> bool {
    let before = log.get(..at).unwrap_or_default();
    before.iter().any(|e| matches!(&e.kind, Kind::Call { call_id, .. } if *call_id == call))
}

fn outcome(state: CallState, problem: Option<&str>, result: &Value) -> Value {
    match state {
        CallState::Done => json!({ "state": "done", "result": result }),
        CallState::Failed => json!({ "state": "failed", "reason": problem }),
        CallState::Refused => json!({ "state": "refused", "reason": problem }),
        CallState::Unknown => json!({ "state": "unknown", "reason": "nobody knows whether it was done" }),
    }
}

/// The newest messages that fit; never beginning with a result whose call was cut off.
fn trimmed(messages: Vec<Message>, room: usize) -> Vec<Message> {
    let size = |message: &Message| match message {
        Message::User(text) => text.len(),
        Message::Assistant(text, calls) => text.len() + calls.iter().map(|c| c.arguments.len() + 64).sum::<usize>(),
        Message::Tool { content, .. } => content.len(),
    };
    let mut used = 0;
    let fits = messages.iter().rev().take_while(|message| {
        used += size(message) + 16;
        used <= room
    });
    let kept = fits.count();
    let rest = messages.len() - kept;
    messages.into_iter().skip(rest).skip_while(|message| matches!(message, Message::Tool { .. })).collect()
}
