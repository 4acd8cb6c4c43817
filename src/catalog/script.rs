//! Reads a playbook's script: the assistant without a model.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use crate::model::catalog::{Expression, Operation, Script, ScriptCall, ScriptChoices, ScriptStep};

use super::adapter::Adapters;
use super::expression::{Scope, expression, result, test};
use super::mistake::{Spot, did_you_mean};
use super::operation::properties;
use super::read::{Reading, is_identifier, short};
use super::shape::{self, Names, Said, Shape};
use super::words::Words;
use super::yaml::{Kind, Node};

/// Keys of a script.
pub const SCRIPT: &[&str] = &["intents", "steps"];
/// Keys of a step.
pub const STEP: &[&str] = &["on", "call", "say", "choices", "failed", "declined", "handoff", "close"];
/// Keys of a call.
pub const CALL: &[&str] = &["tool", "with"];
/// Keys of choices made from a list.
pub const EACH: &[&str] = &["each", "label", "value"];

/// Names that the script has beside facts and results.
pub const SPOKEN: &[&str] = &["choice", "intent", "text"];

/// Names that mean something already.
pub const RESERVED: &[&str] = &["args", "choice", "customer", "event", "intent", "item", "text", "trigger"];

/// The most choices on offer.
const MAX_CHOICES: usize = 20;

/// The longest label of a choice, in characters; what is longer would be cut where it is offered.
const MAX_LABEL: usize = 80;

/// The most steps, and the most intents.
const MAX_STEPS: usize = 200;

/// The largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 1024 * 1024;

/// A pattern on what customers write: upper and lower case are the same, and matching takes linear time.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn pattern(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).case_insensitive(true).size_limit(MAX_PATTERN).build();
    built.map_err(|problem| match problem {
        regex::Error::CompiledTooBig(_) => "this pattern is too large".to_owned(),
        regex::Error::Syntax(text) => {
            // The last line of the report says what is wrong; those before draw it.
            let last = text.lines().last().unwrap_or_default();
            format!("this pattern does not parse: {}", last.strip_prefix("error: ").unwrap_or(last))
        }
        other => format!("this pattern does not parse: {other}"),
    })
}

/// Adds the result of an operation under a name; several operations may have one name.
pub fn add_result(names: &mut Names, name: &str, operation: &Operation) {
    // Of a write whose end was unknown, a person says what became of it.
    let settled = if operation.writes { ["settled", "by"].as_slice() } else { &[] };
    let kept = operation.returns.iter().map(String::as_str).chain(settled.iter().copied());
    let shape = Shape::kept(kept, Said::Returns);
    let shape = match names.remove(name) {
        Some(known) => known.and(shape),
        None => shape,
    };
    names.insert(name.to_owned(), shape);
}

/// Reads a script. `facts` are the playbook's facts with their fields.
pub fn read(
    reading: &mut Reading<'_, '_>,
    node: &Node,
    words: &mut Words<'_>,
    adapters: &Adapters,
    facts: &Names,
) -> Script {
    let mut script = Script::default();
    let Some(table) = reading.table(node, SCRIPT) else { return script };
    if let Some(intents) = table.get("intents") {
        let entries = reading.entries(intents);
        if entries.len() > MAX_STEPS {
            reading.at(intents.spot, format!("a script has at most {MAX_STEPS} intents"));
        }
        for (key, node) in entries {
            let Some(text) = reading.text(node) else { continue };
            match pattern(&text) {
                Ok(pattern) => script.intents.push((key.name.clone(), pattern)),
                Err(problem) => reading.at(node.spot, problem),
            }
        }
    }
    let steps = table.get("steps").map(|node| reading.items(node, 0, MAX_STEPS)).unwrap_or_default();
    // A name lives as long as the conversation, so every step's words may use the results of all.
    let mut known = shape::names(&["event", "trigger", "customer"]);
    known.extend(SPOKEN.iter().map(|name| ((*name).to_owned(), Shape::Plain)));
    known.extend(facts.iter().map(|(name, shape)| (name.clone(), shape.clone())));
    for (key, call) in steps.iter().filter_map(|step| step.get("call")).flat_map(entries_of) {
        let tool = call.get("tool").and_then(Node::scalar).map(|scalar| scalar.text.as_str()).unwrap_or_default();
        match adapters.operations.get(tool) {
            Some(operation) => add_result(&mut known, key, operation),
            None => {
                known.insert(key.to_owned(), Shape::Any);
            }
        }
    }
    for (place, node) in steps.iter().enumerate() {
        let mut step = Step { place, known: &known, words: &mut *words, adapters };
        script.steps.extend(step.read(reading, node));
    }
    script
}

fn entries_of(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().map(|(key, node)| (key.name.as_str(), node))
}

struct Step<'s, 'a> {
    place: usize,
    /// Events, what was said, facts, and the results of all steps.
    known: &'s Names,
    words: &'s mut Words<'a>,
    adapters: &'s Adapters,
}

impl Step<'_, '_> {
    fn read(&mut self, reading: &mut Reading<'_, '_>, node: &Node) -> Option<ScriptStep> {
        let table = reading.table(node, STEP)?;
        let scope = Scope::Lenient(self.known);
        let on = reading.required(&table, "on", node.spot).and_then(|node| test(reading, node, scope));
        let mut calls = Vec::new();
        for (key, node) in table.get("call").map(|node| reading.entries(node)).unwrap_or_default() {
            if !is_identifier(&key.name) || RESERVED.contains(&key.name.as_str()) {
                reading.at(key.spot, format!("`{}` cannot be the name of a result", short(&key.name)));
            }
            let Some(call) = reading.table(node, CALL) else { continue };
            let operation = reading.required(&call, "tool", node.spot);
            let operation = operation.and_then(|node| self.adapters.usable(reading, node));
            let with = arguments(reading, call.get("with"), node.spot, operation.as_deref(), scope);
            if let Some(operation) = operation {
                calls.push(ScriptCall { bind: key.name.clone(), tool: operation.name.clone(), with });
            }
        }
        let says = |step: &mut Self, reading: &mut Reading<'_, '_>, name: &str| {
            let node = table.get(name)?;
            let full = format!("talk.script.steps.{}.{name}", step.place);
            step.words.add(reading, node, &full, step.known)
        };
        let say = says(self, reading, "say");
        let failed = says(self, reading, "failed");
        let declined = says(self, reading, "declined");
        let choices = table.get("choices").map(|node| self.choices(reading, node)).unwrap_or_default();
        let handoff = table.get("handoff").and_then(|node| reading.flag(node)).unwrap_or(false);
        let close = table.get("close").and_then(|node| reading.flag(node)).unwrap_or(false);
        for name in ["failed", "declined"] {
            if let (Some(spot), None) = (table.key_spot(name), table.get("call")) {
                reading.at(spot, format!("`{name}` is for steps with a `call`"));
            }
        }
        if let (Some(spot), None) = (table.key_spot("choices"), table.get("say")) {
            reading.at(spot, "`choices` are offered with words: `say` is missing");
        }
        if entries_of(node).all(|(key, _)| ["on", "choices", "failed", "declined"].contains(&key)) {
            reading.at(Spot { start: node.spot.start, end: node.spot.start }, "this step does nothing");
        }
        if let Some(spot) = table.key_spot("close")
            && handoff
            && close
        {
            reading.at(spot, "a step asks for a person or closes, not both");
        }
        Some(ScriptStep { on: on?, calls, say, choices, failed, declined, handoff, close })
    }

    fn choices(&mut self, reading: &mut Reading<'_, '_>, node: &Node) -> ScriptChoices {
        if matches!(node.kind, Kind::List(_)) {
            return ScriptChoices::Fixed(fixed_choices(reading, node));
        }
        let Some(table) = reading.table(node, EACH) else { return ScriptChoices::None };
        let mut item = Shape::Any;
        let each = reading.required(&table, "each", node.spot).and_then(|node| {
            let each = expression(reading, node, Scope::Lenient(self.known))?;
            item = result(&each, self.known).item();
            Some(each)
        });
        let mut known = self.known.clone();
        known.insert("item".to_owned(), item);
        let label = reading.required(&table, "label", node.spot).and_then(|node| {
            let name = format!("talk.script.steps.{}.choices.label", self.place);
            self.words.add(reading, node, &name, &known)
        });
        let value = reading.required(&table, "value", node.spot);
        let value = value.and_then(|node| expression(reading, node, Scope::Lenient(&known)));
        match (each, label, value) {
            (Some(each), Some(label), Some(value)) => ScriptChoices::Each { each, label, value },
            _ => ScriptChoices::None,
        }
    }
}

/// Choices written out: plain text, each once.
pub fn fixed_choices(reading: &mut Reading<'_, '_>, node: &Node) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for item in reading.items(node, 1, MAX_CHOICES) {
        let Some(text) = reading.name(item) else { continue };
        if text.contains("{{") || text.contains("{%") {
            reading.at(item.spot, "a choice is plain text: what is in braces would be shown as it is");
        } else if text.chars().count() > MAX_LABEL {
            reading.at(item.spot, format!("a choice has at most {MAX_LABEL} characters"));
        } else if found.contains(&text) {
            reading.at(item.spot, format!("the choice `{}` is here twice", short(&text)));
        } else {
            found.push(text);
        }
    }
    found
}

/// The arguments of a call, checked against what the operation takes.
pub fn arguments(
    reading: &mut Reading<'_, '_>,
    node: Option<&Node>,
    within: Spot,
    operation: Option<&Operation>,
    scope: Scope<'_>,
) -> BTreeMap<String, Expression> {
    let mut found = BTreeMap::new();
    let known = operation.map(|operation| properties(&operation.args));
    for (key, node) in node.map(|node| reading.entries(node)).unwrap_or_default() {
        if let (Some(operation), Some(known)) = (operation, &known)
            && !known.contains(&key.name)
        {
            let message = format!("`{}` takes no `{}`", operation.name, short(&key.name));
            reading.at_with(key.spot, message, did_you_mean(&key.name, known.iter().map(String::as_str)));
        }
        if let Some(value) = expression(reading, node, scope) {
            found.insert(key.name.clone(), value);
        }
    }
    let required = operation.and_then(|operation| operation.args.get("required")).and_then(|list| list.as_array());
    for name in required.into_iter().flatten().filter_map(|name| name.as_str()) {
        let given = node.is_some_and(|node| node.get(name).is_some());
        if let (Some(operation), false) = (operation, given) {
            let spot = Spot { start: within.start, end: within.start };
            reading.at(spot, format!("`{}` needs `{name}` in `with`", operation.name));
        }
    }
    found
}
