//! Reads what a scenario expects.

use super::super::read::list;
use super::super::script::pattern;
use super::super::yaml::{Kind, Node};
use super::{At, Expect, Reader, Standing, WantedVerdict, Words};
use crate::model::customer::Timer;

/// Keys of `expect`.
pub const EXPECT: &[&str] = &[
    "opening", "verdicts", "says", "silent", "choices", "calls", "facts", "confirm", "timers", "holder", "state",
    "outcome", "value", "refused", "notified",
];
/// Keys of words.
pub const WORDS: &[&str] = &["is", "contains", "not_contains", "matches"];
/// Keys of a verdict.
pub const VERDICT: &[&str] = &["verdict", "reason", "condition", "values"];
/// Words of `state`.
pub const STANDING: &[(&str, Standing)] =
    &[("none", Standing::None), ("waiting", Standing::Waiting), ("open", Standing::Open), ("closed", Standing::Closed)];

fn at<T>(node: &Node, value: T) -> At<T> {
    At { spot: node.spot, value }
}

/// `none` where there is to be nothing.
fn is_none(node: &Node) -> bool {
    node.scalar().is_some_and(|scalar| scalar.text == "none")
}

impl Reader<'_, '_, '_> {
    /// What is expected.
    pub(super) fn expect(&mut self, node: &Node) -> Option<Expect> {
        let table = self.reading.table(node, EXPECT)?;
        let mut expect = Expect { spot: node.spot, ..Expect::default() };
        if let Some(node) = table.get("opening") {
            let playbooks = match &node.kind {
                _ if is_none(node) => Vec::new(),
                Kind::List(items) => items.iter().filter_map(|item| self.playbook(item)).collect(),
                _ => self.playbook(node).into_iter().collect(),
            };
            expect.opening = Some(at(node, playbooks));
        }
        if let Some(node) = table.get("verdicts") {
            for (key, node) in self.reading.entries(node) {
                if self.playbook_named(&key.name, key.spot) {
                    expect.verdicts.extend(self.verdict(key.name.clone(), node));
                }
            }
        }
        if let Some(node) = table.get("says") {
            match &node.kind {
                Kind::List(items) => {
                    for item in items {
                        expect.says.extend(self.words(item).map(|words| at(item, words)));
                    }
                }
                _ => expect.says.extend(self.words(node).map(|words| at(node, words))),
            }
        }
        expect.silent = table.get("silent").and_then(|node| Some(at(node, self.reading.flag(node)?)));
        if let Some(node) = table.get("choices") {
            expect.choices = Some(at(node, if is_none(node) { Vec::new() } else { self.texts(node) }));
        }
        if let Some(node) = table.get("calls") {
            expect.calls = Some(at(node, if is_none(node) { Vec::new() } else { self.calls(node) }));
        }
        if let Some(node) = table.get("facts") {
            for (key, value) in self.reading.entries(node) {
                expect.facts.push(At { spot: key.spot, value: (key.name.clone(), value.to_json()) });
            }
        }
        if let Some(node) = table.get("confirm") {
            expect.confirm = Some(at(node, if is_none(node) { None } else { Some(self.words(node)?) }));
        }
        if let Some(node) = table.get("timers") {
            self.timers(node, &mut expect);
        }
        expect.holder = table.get("holder").and_then(|node| Some(at(node, self.word(node)?)));
        expect.state = table.get("state").and_then(|node| Some(at(node, self.reading.choice(node, STANDING)?)));
        if let Some(node) = table.get("outcome") {
            expect.outcome = Some(at(node, if is_none(node) { None } else { Some(self.word(node)?) }));
        }
        expect.value = table.get("value").map(|node| at(node, node.to_json()));
        expect.refused = table.get("refused").and_then(|node| Some(at(node, self.word(node)?)));
        if let Some(node) = table.get("notified") {
            expect.notified = Some(at(node, if is_none(node) { Vec::new() } else { self.texts(node) }));
        }
        Some(expect)
    }

    fn timers(&mut self, node: &Node, expect: &mut Expect) {
        for (key, node) in self.reading.entries(node) {
            let Some(timer) = self.word_of::<Timer>(&key.name, key.spot) else { continue };
            let left = if is_none(node) { Some(None) } else { self.span(node).map(Some) };
            expect.timers.extend(left.map(|left| at(node, (timer, left))));
        }
    }

    /// A verdict in one word, or with its reason, condition and values.
    fn verdict(&mut self, playbook: String, node: &Node) -> Option<At<WantedVerdict>> {
        let mut wanted = match &node.kind {
            Kind::Map(_) => {
                let table = self.reading.table(node, VERDICT)?;
                let verdict = self.reading.required(&table, "verdict", node.spot)?;
                let verdict = self.word(verdict)?;
                let reason = table.get("reason").and_then(|node| self.words(node));
                let condition = table.get("condition").and_then(|node| self.words(node));
                let values = table.get("values").map(|node| self.object(node)).unwrap_or_default();
                WantedVerdict { playbook: String::new(), verdict, reason, condition, values }
            }
            _ => {
                let (reason, condition, values) = Default::default();
                WantedVerdict { playbook: String::new(), verdict: self.word(node)?, reason, condition, values }
            }
        };
        wanted.playbook = playbook;
        Some(at(node, wanted))
    }

    /// Words by their properties; text alone: what they contain.
    fn words(&mut self, node: &Node) -> Option<Words> {
        if !matches!(node.kind, Kind::Map(_)) {
            return Some(Words { contains: vec![self.reading.text(node)?], ..Words::default() });
        }
        let table = self.reading.table(node, WORDS)?;
        let mut words = Words {
            is: table.get("is").and_then(|node| self.reading.text(node)),
            contains: table.get("contains").map(|node| self.one_or_more(node)).unwrap_or_default(),
            not_contains: table.get("not_contains").map(|node| self.one_or_more(node)).unwrap_or_default(),
            matches: Vec::new(),
        };
        if let Some(node) = table.get("matches") {
            for text in self.one_or_more(node) {
                match pattern(&text) {
                    Ok(pattern) => words.matches.push(pattern),
                    Err(problem) => self.reading.at(node.spot, problem),
                }
            }
        }
        if words.is.is_none()
            && [&words.contains, &words.not_contains].iter().all(|l| l.is_empty())
            && words.matches.is_empty()
        {
            self.reading.at(node.spot, format!("one of {} is expected here", list(WORDS.iter().copied())));
            return None;
        }
        Some(words)
    }

    fn one_or_more(&mut self, node: &Node) -> Vec<String> {
        match &node.kind {
            Kind::List(_) => self.texts(node),
            _ => self.reading.text(node).into_iter().collect(),
        }
    }
}
