//! Reads the steps of a scenario: what happens.

use serde_json::{Map, Value};

use super::super::did_you_mean;
use super::super::read::{Table, list, short};
use super::super::yaml::{Kind, Node};
use super::{Act, ApiAnswer, Given, ModelAnswer, Reader, Step};
use crate::model::event::Trust;

/// Each step has one of these, and of the others those that go with it.
pub const STEP: &[(&str, &[&str])] = &[
    ("event", &["id", "source", "data", "traits", "trust", "late", "expires", "nobody"]),
    ("open", &["facts"]),
    ("wait", &[]),
    ("seen", &[]),
    ("say", &[]),
    ("choose", &[]),
    ("confirm", &[]),
    ("rate", &[]),
    ("close", &[]),
    ("claim", &[]),
    ("operator_says", &[]),
    ("release", &[]),
    ("operator_closes", &[]),
    ("settle", &[]),
    ("pause", &[]),
    ("resume", &[]),
    ("revoke", &[]),
    ("model", &[]),
    ("api", &["args", "returns", "fails", "unknown", "hangs", "takes"]),
    ("expect", &[]),
];
/// Keys that every step may have.
pub const ANY: &[&str] = &["after", "customer", "in"];
/// Keys of what a model answers.
pub const MODEL: &[&str] = &["says", "offers", "calls", "handoff", "close", "tokens", "takes"];
/// Words of `trust`.
const TRUST: &[(&str, Trust)] = &[("server", Trust::Server), ("client", Trust::Client)];
/// The most tokens of an answer.
const MAX_TOKENS: u64 = 10_000_000;

impl Reader<'_, '_, '_> {
    /// One step; a bare word where nothing more is to be said of it.
    pub(super) fn step(&mut self, node: &Node) -> Option<Step> {
        if let Kind::Scalar(scalar) = &node.kind {
            let act = match scalar.text.as_str() {
                "seen" => Act::Seen,
                "close" => Act::Close,
                "release" => Act::Release(None),
                "operator_closes" => Act::OperatorCloses,
                other => {
                    let among = STEP.iter().map(|(verb, _)| *verb);
                    self.reading.at_with(
                        node.spot,
                        format!("`{}` is no step", short(other)),
                        did_you_mean(other, among.clone()).or_else(|| Some(format!("steps are {}", list(among)))),
                    );
                    return None;
                }
            };
            let (after, customer, playbook) = Default::default();
            return Some(Step { spot: node.spot, after, customer, playbook, act });
        }
        let found: Vec<&(&str, &[&str])> = STEP.iter().filter(|(verb, _)| node.get(verb).is_some()).collect();
        // A mistyped verb is told with all that could be meant.
        let keys: Vec<&str> = match found.as_slice() {
            [(verb, with)] => [&[*verb], *with, ANY].concat(),
            _ => STEP.iter().map(|(verb, _)| *verb).chain(ANY.iter().copied()).collect(),
        };
        let table = self.reading.table(node, &keys)?;
        let [(verb, _)] = found.as_slice() else {
            if found.len() > 1 {
                let verbs = list(found.iter().map(|(verb, _)| *verb));
                self.reading.at(node.spot, format!("a step is one of {verbs}, not several"));
            } else if table.get("after").is_some() || table.is_empty() {
                self.reading.at(node.spot, "this step says not what happens");
            }
            return None;
        };
        let after = table.get("after").and_then(|node| self.span(node)).unwrap_or_default();
        let customer = table.get("customer").and_then(|node| self.customer(node));
        let playbook = table.get("in").and_then(|node| self.playbook(node));
        // `wait` is the time itself.
        let waits = if *verb == "wait" { node.get(verb).and_then(|node| self.span(node))? } else { after };
        let act = self.act(verb, node, &table)?;
        Some(Step { spot: node.spot, after: waits, customer, playbook, act })
    }

    fn act(&mut self, verb: &str, step: &Node, table: &Table<'_>) -> Option<Act> {
        let node = step.get(verb)?;
        Some(match verb {
            "event" => Act::Event(Box::new(self.event(node, table)?)),
            "open" => {
                let facts = table.get("facts").map_or_else(|| Value::Object(Map::new()), Node::to_json);
                Act::Open(self.playbook(node)?, facts)
            }
            "wait" => Act::Wait,
            "seen" => self.yes(node, Act::Seen)?,
            "say" => Act::Say(self.reading.text(node)?),
            "choose" => Act::Choose(self.reading.text(node)?),
            "confirm" => Act::Confirm(self.reading.flag(node)?),
            "rate" => Act::Rate(u8::try_from(self.reading.number(node, 1, 5)?).unwrap_or_default()),
            "close" => self.yes(node, Act::Close)?,
            "claim" => Act::Claim(self.reading.name(node)?),
            "operator_says" => Act::OperatorSays(self.reading.text(node)?),
            "release" => Act::Release(Some(self.reading.text(node)?)),
            "operator_closes" => self.yes(node, Act::OperatorCloses)?,
            "settle" => Act::Settle(self.word(node)?),
            "pause" => Act::Pause(self.playbook(node)?),
            "resume" => Act::Resume(self.playbook(node)?),
            "revoke" => Act::Revoke(self.reading.name(node)?),
            "model" => Act::Model(self.model(node)?),
            "api" => Act::Api(self.api(node, step, table)?),
            _ => Act::Expect(Box::new(self.expect(node)?)),
        })
    }

    /// `true`: there is nothing else to say of it.
    fn yes(&mut self, node: &Node, act: Act) -> Option<Act> {
        match self.reading.flag(node)? {
            true => Some(act),
            false => {
                self.reading.at(node.spot, "leave the step out where it does not happen");
                None
            }
        }
    }

    fn event(&mut self, node: &Node, table: &Table<'_>) -> Option<Given> {
        let kind = self.reading.name(node)?;
        let known = || self.catalog.listeners.keys().chain(&self.catalog.goals).map(String::as_str);
        // That nothing hears it may be the very thing to show; a mistyped one is not.
        if self.has_all.playbooks
            && !known().any(|other| other == kind)
            && let Some(near) = super::super::nearest(&kind, known())
        {
            let suggestion = Some(format!("did you mean `{near}`?"));
            self.reading.at_with(node.spot, format!("nothing hears the type `{}`", short(&kind)), suggestion);
            return None;
        }
        let text = |reader: &mut Self, name: &str| table.get(name).and_then(|node| reader.reading.name(node));
        Some(Given {
            kind,
            id: text(self, "id"),
            source: text(self, "source").unwrap_or_else(|| "test".to_owned()),
            data: table.get("data").map(Node::to_json).unwrap_or_default(),
            traits: table.get("traits").map(|node| self.object(node)).unwrap_or_default(),
            trust: table.get("trust").and_then(|node| self.reading.choice(node, TRUST)).unwrap_or_default(),
            late: table.get("late").and_then(|node| self.span(node)),
            expires: table.get("expires").and_then(|node| self.span(node)),
            nobody: table.get("nobody").and_then(|node| self.reading.flag(node)).unwrap_or_default(),
        })
    }

    fn model(&mut self, node: &Node) -> Option<ModelAnswer> {
        if node.scalar().is_some_and(|scalar| scalar.text == "down") {
            return Some(ModelAnswer { down: true, ..ModelAnswer::default() });
        }
        let table = self.reading.table(node, MODEL)?;
        let mut answer = ModelAnswer::default();
        if let Some(text) = table.get("says").and_then(|node| self.reading.text(node)) {
            answer.says = text;
        }
        if let Some(node) = table.get("offers") {
            answer.offers = self.texts(node);
        }
        if let Some(node) = table.get("calls") {
            answer.calls = self.calls(node);
        }
        answer.handoff = table.get("handoff").and_then(|node| self.reading.text(node));
        answer.close = table.get("close").and_then(|node| self.reading.flag(node)).unwrap_or_default();
        answer.tokens = table.get("tokens").and_then(|n| self.reading.number(n, 0, MAX_TOKENS)).unwrap_or_default();
        answer.after = table.get("takes").and_then(|node| self.span(node)).unwrap_or_default();
        Some(answer)
    }

    fn api(&mut self, node: &Node, step: &Node, table: &Table<'_>) -> Option<ApiAnswer> {
        let operation = self.reading.name(node)?;
        self.operation(&operation, node.spot)?;
        self.answer(step.spot, table, operation)
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, node: &Node) -> Vec<String> {
        let items = self.reading.items(node, 0, super::MAX_ITEMS);
        items.iter().filter_map(|item| self.reading.text(item)).collect()
    }
}
