//! Reads a model's answer: words, calls, and the built-in tools.

use serde_json::{Map, Value, json};

use super::calls::{CLOSE, HANDOFF};
use super::words::cut;
use crate::llm::{Completion, Tool, ToolCall};
use crate::model::catalog::{Catalog, Playbook};
use crate::model::input::{Choice, Generation, HandoffRequest, Proposal};

/// The longest label or value of a choice, in characters.
const MAX_CHOICE: usize = 80;

/// Says something with choices.
const OFFER: &str = "offer";

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
        name: OFFER.to_owned(),
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
        name: HANDOFF.to_owned(),
        description: "Ask a person of the company to take over.".to_owned(),
        parameters: json!({
            "type": "object", "required": ["reason", "summary"], "additionalProperties": false,
            "properties": { "reason": { "type": "string" }, "summary": { "type": "string" } }
        }),
    });
    tools.push(Tool {
        name: CLOSE.to_owned(),
        description: "End the conversation: everything is settled.".to_owned(),
        parameters: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
    });
    tools
}

/// A model's whole answer as a step of the assistant.
///
/// # Errors
/// Why it is no answer: it offers something that cannot be read, and says nothing.
pub fn read(completion: &Completion, model: &str) -> Result<Generation, String> {
    let mut generation = Generation {
        text: cut(completion.text.trim()),
        tokens: completion.tokens,
        model: model.to_owned(),
        ..Generation::default()
    };
    let acts = |call: &ToolCall| !matches!(call.name.as_str(), OFFER | HANDOFF | CLOSE);
    let beside_calls = completion.calls.iter().any(acts);
    for call in &completion.calls {
        let (args, problem) = arguments(&call.arguments);
        match call.name.as_str() {
            OFFER => offer(&mut generation, &args, problem)?,
            // Beside calls they have their place in the order, and the model is told what became of them.
            HANDOFF | CLOSE if beside_calls => generation.calls.push(proposal(call, args, None)),
            HANDOFF => {
                let text = |name: &str| cut(args.get(name).and_then(Value::as_str).unwrap_or_default());
                generation.handoff = Some(HandoffRequest { reason: text("reason"), summary: text("summary") });
            }
            CLOSE => generation.close = true,
            _ => generation.calls.push(proposal(call, args, problem)),
        }
    }
    Ok(generation)
}

/// Words with choices. Where neither can be read the answer is broken: another one may be better.
fn offer(generation: &mut Generation, args: &Map<String, Value>, problem: Option<String>) -> Result<(), String> {
    if let Some(problem) = problem {
        return Err(format!("`offer`: {problem}"));
    }
    let said = args.get("text").and_then(Value::as_str).unwrap_or_default().trim();
    if !said.is_empty() {
        if !generation.text.is_empty() {
            generation.text.push_str("\n\n");
        }
        generation.text.push_str(said);
        generation.text = cut(&generation.text);
    }
    let choices = args.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let choices: Vec<Choice> = choices.iter().filter_map(choice).take(8).collect();
    if choices.is_empty() && generation.text.is_empty() {
        return Err("`offer`: it has neither a text nor choices".to_owned());
    }
    generation.choices = choices;
    Ok(())
}

fn proposal(call: &ToolCall, args: Map<String, Value>, problem: Option<String>) -> Proposal {
    let operation = call.name.replacen("__", ".", 1);
    Proposal { operation, args, bind: None, model_id: Some(call.id.clone()), problem }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str, calls: &[(&str, &str)]) -> Result<Generation, String> {
        let call = |(name, arguments): &(&str, &str)| ToolCall {
            id: "call_1".to_owned(),
            name: (*name).to_owned(),
            arguments: (*arguments).to_owned(),
        };
        let calls = calls.iter().map(call).collect();
        read(&Completion { text: text.to_owned(), calls, tokens: 1 }, "stub")
    }

    #[test]
    fn an_offer_that_cannot_be_read_is_no_answer_unless_something_was_said() {
        let broken = ["", "{\"text\": \"Which", "[]", "{}", r#"{"text":" ","choices":[]}"#, r#"{"choices":[1,""]}"#];
        for arguments in broken {
            assert!(answer("", &[("offer", arguments)]).is_err(), "{arguments}");
        }
        let said = answer("Which card?", &[("offer", r#"{"choices":["A"]}"#)]).unwrap();
        assert_eq!((said.text.as_str(), said.choices.len()), ("Which card?", 1));
        assert_eq!(answer("Which card?", &[("offer", "{}")]).unwrap().text, "Which card?");
    }

    #[test]
    fn handoff_and_close_beside_calls_keep_their_place_among_them() {
        let wish = r#"{"reason":"angry","summary":"wants money"}"#;
        let both = answer("", &[("shop__get_order", "{}"), ("handoff", wish), ("close", "{}")]).unwrap();
        let names: Vec<&str> = both.calls.iter().map(|call| call.operation.as_str()).collect();
        assert_eq!(names, ["shop.get_order", "handoff", "close"]);
        assert!(both.handoff.is_none() && !both.close, "they are told by their place");
        let alone = answer("Bye.", &[("handoff", wish), ("close", "{}")]).unwrap();
        assert!(alone.calls.is_empty() && alone.close);
        assert_eq!(alone.handoff.unwrap().summary, "wants money");
    }
}
