//! Reads a model's answer: words, calls, and the built-in tools.

use serde_json::{Map, Value, json};

use super::words::cut;
use crate::llm::{Completion, Tool, ToolCall};
use crate::model::catalog::{Catalog, Playbook};
use crate::model::input::{Choice, Generation, HandoffRequest, Proposal};

/// The longest label or value of a choice, in characters.
const MAX_CHOICE: usize = 80;

/// The tools of a playbook as the model sees them: its operations, then those built in.
pub fn tools(catalog: &Catalog, playbook: &Playbook) -> Vec<Tool> {
    let mut tools: Vec<Tool> = playbook
        .talk
        .tools
        .iter()
        .filter_map(|name| catalog.operations.get(name))
        .map(|operation| Tool {
            name: operation.name.replacen('.', "__", 1),
            description: operation.describe.clone(),
            parameters: operation.args.clone(),
        })
        .collect();
    tools.push(Tool {
        name: "offer".to_owned(),
        description: "Say something and offer the customer choices to pick from.".to_owned(),
        parameters: json!({
            "type": "object", "required": ["text", "choices"], "additionalProperties": false,
            "properties": {
                "text": { "type": "string" },
                "choices": { "type": "array", "minItems": 1, "maxItems": 8, "items": { "type": "string" } }
            }
        }),
    });
    tools.push(Tool {
        name: "handoff".to_owned(),
        description: "Ask a person of the company to take over.".to_owned(),
        parameters: json!({
            "type": "object", "required": ["reason", "summary"], "additionalProperties": false,
            "properties": { "reason": { "type": "string" }, "summary": { "type": "string" } }
        }),
    });
    tools.push(Tool {
        name: "close".to_owned(),
        description: "End the conversation: everything is settled.".to_owned(),
        parameters: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
    });
    tools
}

/// A model's whole answer as a step of the assistant.
pub fn read(completion: &Completion, model: &str) -> Generation {
    let mut generation = Generation {
        text: cut(completion.text.trim()),
        tokens: completion.tokens,
        model: model.to_owned(),
        ..Generation::default()
    };
    for call in &completion.calls {
        read_call(&mut generation, call);
    }
    generation
}

fn read_call(generation: &mut Generation, call: &ToolCall) {
    let (args, problem) = arguments(&call.arguments);
    let text = |name: &str| args.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match call.name.as_str() {
        "offer" => {
            let said = text("text");
            if !said.is_empty() {
                if !generation.text.is_empty() {
                    generation.text.push_str("\n\n");
                }
                generation.text.push_str(&cut(&said));
            }
            let choices = args.get("choices").and_then(Value::as_array).cloned().unwrap_or_default();
            generation.choices = choices.iter().filter_map(choice).take(8).collect();
        }
        "handoff" => {
            generation.handoff = Some(HandoffRequest { reason: cut(&text("reason")), summary: cut(&text("summary")) });
        }
        "close" => generation.close = true,
        name => generation.calls.push(Proposal {
            operation: name.replacen("__", ".", 1),
            args,
            bind: None,
            model_id: Some(call.id.clone()),
            problem,
        }),
    }
}

fn arguments(text: &str) -> (Map<String, Value>, Option<String>) {
    if text.trim().is_empty() {
        return (Map::new(), None);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(args)) => (args, None),
        Ok(_) => (Map::new(), Some("the arguments are no JSON object".to_owned())),
        Err(problem) => (Map::new(), Some(format!("the arguments are no JSON: {problem}"))),
    }
}

fn choice(value: &Value) -> Option<Choice> {
    let text: String = value.as_str()?.trim().chars().take(MAX_CHOICE).collect();
    if text.is_empty() {
        return None;
    }
    Some(Choice { label: text.clone(), value: text })
}
