//! Scenario tests of a workspace: `tests/*.yaml`, read and checked like playbooks, against the catalog they test.
//!
//! Not here: playing them (`rehearsal`). They are no part of the catalog: a changed test is not another catalog.

mod expect;
mod steps;

use regex::Regex;
use serde_json::{Map, Value};

use crate::model::catalog::{Catalog, Files};
use crate::model::customer::{RefusalCode, Timer};
use crate::model::entry::{HolderKind, OutcomeKind, Verdict};
use crate::model::event::Trust;
use crate::model::ids::ActorId;
use crate::model::input::Settled;
use crate::model::time::{Millis, Ms};

use super::mistake::{Mistake, Mistakes, Spot};
use super::read::{Reading, Table, short};
use super::yaml::{Kind, Node};
use super::{Draft, bounds, open, yaml_files};

pub use expect::{EXPECT, VERDICT, WORDS};
pub use steps::{ANY, MODEL, STEP};

/// Keys of a file.
pub const SUITE: &[&str] = &["given", "scenarios"];
/// Keys of `given`.
pub const GIVEN: &[&str] = &["start", "customer", "traits", "api"];
/// Keys of a scenario.
pub const SCENARIO: &[&str] = &["scenario", "given", "steps"];
/// Keys of what an API answers.
pub const ANSWER: &[&str] = &["args", "returns", "fails", "unknown", "hangs", "takes"];

/// The most scenarios of a file, and steps of a scenario.
const MAX_ITEMS: usize = 1_000;

/// When a scenario starts that does not say.
const START: Ms = Ms(1_767_614_400_000);

/// One file of `tests/`.
#[derive(Debug)]
pub struct Suite {
    /// Its path in the workspace.
    pub file: String,
    /// Its text, for showing the line that differs.
    pub text: String,
    /// Its scenarios, in the order written.
    pub scenarios: Vec<Scenario>,
}

/// A scenario: what happens, step by step, and what is expected of it.
#[derive(Debug)]
pub struct Scenario {
    /// What it shows, in a sentence.
    pub name: String,
    /// Where its name was written.
    pub spot: Spot,
    /// The virtual time of its first step.
    pub start: Ms,
    /// Whom events are about that name nobody.
    pub customer: ActorId,
    /// What is known of that customer before.
    pub traits: Map<String, Value>,
    /// What the company's APIs answer; later ones go before.
    pub apis: Vec<ApiAnswer>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Where it was written.
    pub spot: Spot,
    /// How long after the step before it.
    pub after: Millis,
    /// Whom it is about; none: the scenario's customer.
    pub customer: Option<ActorId>,
    /// Which playbook's conversation it is about; none: the customer's latest.
    pub playbook: Option<String>,
    /// What happens.
    pub act: Act,
}

/// What happens at a step.
#[derive(Debug)]
pub enum Act {
    /// An event comes.
    Event(Box<Given>),
    /// `POST /v1/conversations`: this playbook is opened, with these facts.
    Open(String, Value),
    /// Time passes.
    Wait,
    /// The customer sees what is there.
    Seen,
    /// The customer writes.
    Say(String),
    /// The customer takes a choice, by label or value.
    Choose(String),
    /// The customer approves or declines what is shown.
    Confirm(bool),
    /// The customer rates.
    Rate(u8),
    /// The customer closes.
    Close,
    /// An operator of this name takes the conversation over.
    Claim(String),
    /// The operator who holds it writes.
    OperatorSays(String),
    /// The operator hands it back, with a note.
    Release(Option<String>),
    /// An operator closes it.
    OperatorCloses,
    /// An operator says what became of a write whose end was unknown.
    Settle(Settled),
    /// These playbooks open nothing from here.
    Pause(String),
    /// This playbook opens again from here.
    Resume(String),
    /// Somebody takes back the event with this id of the sender, of which topics tell many.
    Revoke(String),
    /// What the model answers next.
    Model(ModelAnswer),
    /// What an API answers from here on.
    Api(ApiAnswer),
    /// What must have happened since the last such step, and hold now.
    Expect(Box<Expect>),
}

/// An event as a scenario gives it.
#[derive(Debug)]
pub struct Given {
    /// Its type.
    pub kind: String,
    /// The sender's id; none: one of its own.
    pub id: Option<String>,
    /// The sender.
    pub source: String,
    /// The payload.
    pub data: Value,
    /// What it says of the customer.
    pub traits: Map<String, Value>,
    /// Who vouches for it.
    pub trust: Trust,
    /// When it happened by the sender's clock, so long before it came.
    pub late: Option<Millis>,
    /// How long after it came it is still worth hearing.
    pub expires: Option<Millis>,
    /// It concerns nobody in particular.
    pub nobody: bool,
}

/// What the model answers.
#[derive(Debug, Clone, Default)]
pub struct ModelAnswer {
    /// No model answers: the script does.
    pub down: bool,
    /// Words.
    pub says: String,
    /// Choices offered.
    pub offers: Vec<String>,
    /// Calls asked for: operation and arguments.
    pub calls: Vec<NamedCall>,
    /// A person is asked for, and why.
    pub handoff: Option<String>,
    /// The conversation is ended.
    pub close: bool,
    /// Tokens used.
    pub tokens: u64,
    /// How long it takes.
    pub after: Millis,
}

/// An operation, in full, and its arguments.
pub type NamedCall = (String, Map<String, Value>);

/// What an API answers to an operation.
#[derive(Debug, Clone)]
pub struct ApiAnswer {
    /// The operation, in full.
    pub operation: String,
    /// Only where the call has these arguments.
    pub args: Map<String, Value>,
    /// The answer.
    pub answer: Answer,
    /// How long it takes.
    pub after: Millis,
}

/// What became of a call.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The body, of which the operation's `returns` are kept.
    Returns(Value),
    /// It was not done.
    Fails(String),
    /// Nobody knows.
    Unknown(String),
    /// It never comes back.
    Hangs,
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// Where.
    pub spot: Spot,
    /// What.
    pub value: T,
}

/// What is expected; what is not named is not asked.
#[derive(Debug, Default)]
pub struct Expect {
    /// Where it was written.
    pub spot: Spot,
    /// The playbooks that opened; empty: none did.
    pub opening: Option<At<Vec<String>>>,
    /// What playbooks made of the last event.
    pub verdicts: Vec<At<WantedVerdict>>,
    /// What the customer could read; each is to be met by one message.
    pub says: Vec<At<Words>>,
    /// Nobody said anything to the customer.
    pub silent: Option<At<bool>>,
    /// The labels that can be chosen now.
    pub choices: Option<At<Vec<String>>>,
    /// The calls that left, in order, and no others; those of `context` are not among them.
    pub calls: Option<At<Vec<NamedCall>>>,
    /// Facts by name.
    pub facts: Vec<At<(String, Value)>>,
    /// What the customer is asked to confirm now; none: nothing.
    pub confirm: Option<At<Option<Words>>>,
    /// What is due when, from now; none: not set.
    pub timers: Vec<At<(Timer, Option<Millis>)>>,
    /// Who answers now.
    pub holder: Option<At<HolderKind>>,
    /// Where the conversation stands.
    pub state: Option<At<Standing>>,
    /// What it came to.
    pub outcome: Option<At<Option<OutcomeKind>>>,
    /// What that was worth.
    pub value: Option<At<Value>>,
    /// Why the last act was refused.
    pub refused: Option<At<RefusalCode>>,
    /// What the company was told.
    pub notified: Option<At<Vec<String>>>,
}

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    None,
    /// Not yet seen.
    Waiting,
    /// Seen or answered.
    Open,
    /// Ended.
    Closed,
}

/// What a playbook is expected to make of an event.
#[derive(Debug)]
pub struct WantedVerdict {
    /// The playbook.
    pub playbook: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<Words>,
    /// The condition that failed.
    pub condition: Option<Words>,
    /// What it saw, as far as named.
    pub values: Map<String, Value>,
}

/// Words by their properties: all must hold.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Exactly these.
    pub is: Option<String>,
    /// These are in it.
    pub contains: Vec<String>,
    /// These are not.
    pub not_contains: Vec<String>,
    /// These patterns match.
    pub matches: Vec<Regex>,
}

/// Reads scenarios and checks them against the catalog that they are to test.
///
/// # Errors
/// Every mistake of every file.
pub fn compile_scenarios(files: &Files, catalog: &Catalog) -> Result<Vec<Suite>, Vec<Mistake>> {
    read(files, catalog, Known { playbooks: true, operations: true })
}

/// The same against a catalog that may have mistakes: what a broken file was to give is not missed.
///
/// # Errors
/// Every mistake of every file of scenarios.
pub fn draft_scenarios(files: &Files, draft: &Draft) -> Result<Vec<Suite>, Vec<Mistake>> {
    read(files, &draft.catalog, Known { playbooks: draft.has_playbooks, operations: draft.has_operations })
}

/// Whether the catalog has all there are, of each kind.
#[derive(Clone, Copy)]
struct Known {
    playbooks: bool,
    operations: bool,
}

fn read(files: &Files, catalog: &Catalog, has_all: Known) -> Result<Vec<Suite>, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    bounds(files, &mut mistakes);
    let mut suites = Vec::new();
    for (path, content) in yaml_files(files, "tests/") {
        let Some((file, root)) = open(path, content, &mut mistakes) else { continue };
        let reading = Reading { file, mistakes: &mut mistakes };
        let scenarios = Reader { reading, catalog, has_all }.suite(&root);
        suites.push(Suite { file: path.to_owned(), text: file.text.to_owned(), scenarios });
    }
    let mistakes = mistakes.into_sorted();
    if mistakes.is_empty() { Ok(suites) } else { Err(mistakes) }
}

/// Reads one file of scenarios.
struct Reader<'f, 'm, 'c> {
    reading: Reading<'f, 'm>,
    catalog: &'c Catalog,
    has_all: Known,
}

/// What holds before the first step.
#[derive(Clone)]
struct Before {
    start: Ms,
    customer: ActorId,
    traits: Map<String, Value>,
    apis: Vec<ApiAnswer>,
}

impl Reader<'_, '_, '_> {
    fn suite(&mut self, root: &Node) -> Vec<Scenario> {
        let Some(table) = self.reading.table(root, SUITE) else { return Vec::new() };
        let mut before = Before { start: START, customer: ActorId::user("42"), traits: Map::new(), apis: Vec::new() };
        if let Some(given) = table.get("given") {
            self.given(given, &mut before);
        }
        let Some(list) = self.reading.required(&table, "scenarios", root.spot) else { return Vec::new() };
        let mut scenarios: Vec<Scenario> = Vec::new();
        for node in self.reading.items(list, 1, MAX_ITEMS) {
            let Some(scenario) = self.scenario(node, before.clone()) else { continue };
            if scenarios.iter().any(|other| other.name == scenario.name) {
                self.reading.at(scenario.spot, "another scenario of this file has this name already");
            }
            scenarios.push(scenario);
        }
        scenarios
    }

    fn given(&mut self, node: &Node, before: &mut Before) {
        let Some(table) = self.reading.table(node, GIVEN) else { return };
        if let Some(node) = table.get("start") {
            match node.scalar().and_then(|scalar| Ms::parse_rfc3339(&scalar.text)) {
                Some(start) => before.start = start,
                None => self.reading.wrong(node, "a time such as 2026-01-05T12:00:00Z"),
            }
        }
        if let Some(customer) = table.get("customer").and_then(|node| self.customer(node)) {
            before.customer = customer;
        }
        if let Some(node) = table.get("traits") {
            before.traits.extend(self.object(node));
        }
        if let Some(node) = table.get("api") {
            for (key, answer) in self.reading.entries(node) {
                let operation = self.operation(&key.name, key.spot);
                let Some(table) = self.reading.table(answer, ANSWER) else { continue };
                let answer = self.answer(answer.spot, &table, key.name.clone());
                before.apis.extend(operation.and(answer));
            }
        }
    }

    fn scenario(&mut self, node: &Node, mut before: Before) -> Option<Scenario> {
        let table = self.reading.table(node, SCENARIO)?;
        let name_node = self.reading.required(&table, "scenario", node.spot)?;
        let name = self.reading.name(name_node)?;
        if let Some(given) = table.get("given") {
            self.given(given, &mut before);
        }
        let list = self.reading.required(&table, "steps", node.spot)?;
        let mut steps = Vec::new();
        for node in self.reading.items(list, 1, MAX_ITEMS) {
            steps.extend(self.step(node));
        }
        if !steps.iter().any(|step| matches!(step.act, Act::Expect(_))) {
            self.reading.at(name_node.spot, "nothing is expected in this scenario, so it could not fail");
        }
        let Before { start, customer, traits, apis } = before;
        Some(Scenario { name, spot: name_node.spot, start, customer, traits, apis, steps })
    }

    /// What an API answers, under `returns`, `fails`, `unknown` or `hangs`.
    fn answer(&mut self, spot: Spot, table: &Table<'_>, operation: String) -> Option<ApiAnswer> {
        let mut answers = Vec::new();
        answers.extend(table.get("returns").map(|node| Answer::Returns(node.to_json())));
        if let Some(text) = table.get("fails").and_then(|node| self.reading.text(node)) {
            answers.push(Answer::Fails(text));
        }
        if let Some(text) = table.get("unknown").and_then(|node| self.reading.text(node)) {
            answers.push(Answer::Unknown(text));
        }
        if table.get("hangs").and_then(|node| self.reading.flag(node)) == Some(true) {
            answers.push(Answer::Hangs);
        }
        let args = table.get("args").map(|node| self.object(node)).unwrap_or_default();
        let after = table.get("takes").and_then(|node| self.span(node)).unwrap_or_default();
        match <[Answer; 1]>::try_from(answers) {
            Ok([answer]) => Some(ApiAnswer { operation, args, answer, after }),
            Err(_) => {
                self.reading.at(spot, "one of `returns`, `fails`, `unknown`, `hangs: true` is expected here");
                None
            }
        }
    }

    fn customer(&mut self, node: &Node) -> Option<ActorId> {
        let text = self.reading.name(node)?;
        match ActorId::parse(&text) {
            Ok(actor) => Some(actor),
            Err(_) => {
                self.reading.at(node.spot, "a customer is `user:<id>` or `anon:<id>`");
                None
            }
        }
    }

    fn span(&mut self, node: &Node) -> Option<Millis> {
        self.reading.span(node, Millis(0), super::read::MAX_SPAN)
    }

    fn object(&mut self, node: &Node) -> Map<String, Value> {
        match (&node.kind, node.to_json()) {
            (Kind::Map(_), Value::Object(fields)) => fields,
            _ => {
                self.reading.wrong(node, "a mapping");
                Map::new()
            }
        }
    }

    /// The name of a playbook that there is.
    fn playbook(&mut self, node: &Node) -> Option<String> {
        let name = self.reading.name(node)?;
        self.playbook_named(&name, node.spot).then_some(name)
    }

    fn playbook_named(&mut self, name: &str, spot: Spot) -> bool {
        let known = self.catalog.playbooks.contains_key(name) || !self.has_all.playbooks;
        if !known {
            let suggestion = super::did_you_mean(name, self.catalog.playbooks.keys().map(String::as_str));
            self.reading.at_with(spot, format!("there is no playbook `{}`", short(name)), suggestion);
        }
        known
    }

    /// Whether there is such an operation.
    fn operation(&mut self, name: &str, spot: Spot) -> Option<()> {
        if self.catalog.operations.contains_key(name) || !self.has_all.operations {
            return Some(());
        }
        let suggestion = super::did_you_mean(name, self.catalog.operations.keys().map(String::as_str));
        self.reading.at_with(spot, format!("there is no operation `{}`", short(name)), suggestion);
        None
    }

    /// A list of calls, each `{ operation: arguments }`.
    fn calls(&mut self, node: &Node) -> Vec<NamedCall> {
        let mut calls = Vec::new();
        for item in self.reading.items(node, 0, MAX_ITEMS) {
            for (key, args) in self.reading.entries(item) {
                if self.operation(&key.name, key.spot).is_some() {
                    let args = if args.is_null() { Map::new() } else { self.object(args) };
                    calls.push((key.name.clone(), args));
                }
            }
        }
        calls
    }

    /// One of a closed set of words, as the type itself reads them.
    fn word<T: serde::de::DeserializeOwned>(&mut self, node: &Node) -> Option<T> {
        let text = self.reading.text(node)?;
        self.word_of(&text, node.spot)
    }

    fn word_of<T: serde::de::DeserializeOwned>(&mut self, text: &str, spot: Spot) -> Option<T> {
        match serde_json::from_value(Value::String(text.to_owned())) {
            Ok(word) => Some(word),
            Err(problem) => {
                // The type names its words in the message: "unknown variant `x`, expected one of `a`, `b`".
                let message = problem.to_string();
                let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
                let suggestion = super::did_you_mean(text, known.iter().copied());
                let list = super::read::list(known.iter().copied());
                self.reading.at_with(spot, format!("one of {list} is expected here"), suggestion);
                None
            }
        }
    }
}
