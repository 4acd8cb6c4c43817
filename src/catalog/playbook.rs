//! Reads a playbook: when to talk, to whom, how, and what counts as success.

use std::collections::BTreeSet;

use crate::model::catalog::{
    AWAY, Condition, ContextCall, Expression, FALLBACK, Goal, Handoff, Limit, Open, Playbook, Script, Talk, Template,
};
use crate::model::event::Trust;
use crate::model::time::Millis;

use super::adapter::Adapters;
use super::expression::{Scope, condition, expression};
use super::mistake::Spot;
use super::read::{MAX_SPAN, Reading, Table, is_identifier, short};
use super::script::{self, RESERVED, add_result, arguments, fixed_choices};
use super::shape::{Names, Said, Shape, names};
use super::words::Words;
use super::yaml::Node;

/// Keys of a playbook.
pub const PLAYBOOK: &[&str] = &[
    "playbook",
    "locale",
    "on",
    "audience",
    "consent",
    "limits",
    "class",
    "because",
    "cooldown",
    "quiet_hours",
    "debounce",
    "when_open",
    "joining",
    "priority",
    "context",
    "open",
    "talk",
    "handoff",
    "goal",
    "fallback",
];
/// Keys of `limits`.
pub const LIMITS: &[&str] = &["per_customer"];
/// Keys of a context call.
pub const CONTEXT: &[&str] = &["call", "with"];
/// Keys of `open`.
pub const OPEN: &[&str] = &["key", "within", "why", "say", "choices"];
/// Keys of `talk`.
pub const TALK: &[&str] = &["prompt", "tools", "limits", "idle", "script"];
/// Keys of `talk.limits`.
pub const TALK_LIMITS: &[&str] = &["turns", "tokens"];
/// Keys of `handoff`.
pub const HANDOFF: &[&str] = &["when", "team", "within", "away"];
/// Keys of `goal`.
pub const GOAL: &[&str] = &["event", "when", "within", "value", "trust"];
/// Keys of `away` and `fallback`.
pub const SAY: &[&str] = &["say"];
/// Words of `trust`.
pub const TRUST: [(&str, Trust); 2] = [("server", Trust::Server), ("client", Trust::Client)];
/// Tools of every playbook: they may be listed, and need not be.
pub const BUILT_IN: &[&str] = &["offer", "handoff", "close"];

/// Names that conditions on an event see before it opens anything.
pub const LOOKED_AT: &[&str] = &["customer", "event"];
/// Names that are there once an event opened a conversation.
const OPENED: &[&str] = &["customer", "event", "trigger"];
/// Names that `handoff.when` sees.
const HANDOFF_NAMES: &[&str] = &["asked_for_human", "failures", "tokens", "turns"];

/// The most of anything in a list of a playbook.
pub const MAX_ITEMS: usize = 50;

/// What reading a playbook needs.
pub struct Reader<'r, 'f, 'm, 'w> {
    /// The file.
    pub reading: Reading<'f, 'm>,
    /// Where words go.
    pub words: &'r mut Words<'w>,
    /// Operations that it may call.
    pub adapters: &'r Adapters,
}

/// Names of playbooks and sources: they stand in paths of the API.
pub fn is_slug(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_letters(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_alphanumeric(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl Reader<'_, '_, '_, '_> {
    /// Reads one file; the playbook, and where its name stands.
    pub fn read(&mut self, root: &Node) -> Option<(Playbook, Spot)> {
        let table = self.reading.table(root, PLAYBOOK)?;
        let named = self.reading.required(&table, "playbook", root.spot);
        let name = named.and_then(|node| self.name(node));
        let locale = table.get("locale").and_then(|node| self.locale(node));
        let on = self.reading.required(&table, "on", root.spot);
        let on = on.map(|node| self.triggers(node, named)).unwrap_or_default();
        let limit = table.get("limits").and_then(|node| self.limit(node));
        let restraint = self.restraint(&table);
        let (context, facts) = table.get("context").map(|node| self.context(node)).unwrap_or_default();
        let open = self.reading.required(&table, "open", root.spot).and_then(|node| self.open(node, &facts));
        let talk = match table.get("talk") {
            Some(node) => self.talk(node, &facts),
            None => Some(talk_by_default()),
        };
        let goal = table.get("goal").map(|node| self.goal(node));
        let said = said_names(goal.as_ref());
        let handoff = match table.get("handoff") {
            Some(node) => self.handoff(node, &said),
            None => Some(Handoff { when: None, team: None, within: Millis::minutes(10), away: AWAY.template() }),
        };
        let fallback = match table.get("fallback") {
            Some(node) => self.said(node, "fallback", &said),
            None => Some(FALLBACK.template()),
        };
        let goal = match goal {
            Some(goal) => Some(goal?),
            None => None,
        };
        let playbook = Playbook {
            name: name?,
            locale,
            on,
            limit,
            restraint,
            context,
            open: open?,
            talk: talk?,
            handoff: handoff?,
            goal,
            fallback: fallback?,
        };
        Some((playbook, named?.spot))
    }

    fn name(&mut self, node: &Node) -> Option<String> {
        let name = self.reading.name(node)?;
        if !is_slug(&name) {
            self.reading.at(node.spot, "a playbook's name has letters, digits, `-`, `_` and `.`");
            return None;
        }
        if name == "all" {
            self.reading.at(node.spot, "`all` stands for every playbook and cannot be the name of one");
            return None;
        }
        Some(name)
    }

    /// A language as BCP 47 writes it, by its shape: which languages there are is nothing to be wrong about.
    fn locale(&mut self, node: &Node) -> Option<String> {
        let tag = self.reading.text(node)?;
        let mut parts = tag.split('-');
        let language = parts.next().is_some_and(|part| (2..=8).contains(&part.len()) && is_letters(part));
        if !language || !parts.all(|part| (1..=8).contains(&part.len()) && is_alphanumeric(part)) {
            self.reading.at(node.spot, "`locale` is a language tag such as `en`, `pt-PT` or `zh-Hant`");
            return None;
        }
        Some(tag)
    }

    pub(super) fn trust(&mut self, table: &Table<'_>) -> Trust {
        table.get("trust").and_then(|node| self.reading.choice(node, &TRUST)).unwrap_or_default()
    }

    fn limit(&mut self, node: &Node) -> Option<Limit> {
        let table = self.reading.table(node, LIMITS)?;
        let node = table.get("per_customer")?;
        let text = self.reading.text(node)?;
        if text == "none" {
            return None;
        }
        let limit = limit(&text);
        if limit.is_none() {
            self.reading.at_with(node.spot, "this is no limit", Some(LIMIT.to_owned()));
        }
        limit
    }

    fn context(&mut self, node: &Node) -> (Vec<ContextCall>, Names) {
        let (mut calls, mut facts) = (Vec::new(), Names::new());
        let known = names(OPENED);
        let entries = self.reading.entries(node);
        if entries.len() > 10 {
            self.reading.at(node.spot, "at most 10 calls are expected here");
        }
        for (key, node) in entries {
            if !is_identifier(&key.name) || RESERVED.contains(&key.name.as_str()) {
                self.reading.at(key.spot, format!("`{}` cannot be the name of a fact", short(&key.name)));
            }
            let Some(table) = self.reading.table(node, CONTEXT) else { continue };
            let call = self.reading.required(&table, "call", node.spot);
            let operation = call.and_then(|node| self.adapters.usable(&mut self.reading, node));
            let scope = Scope::Only(&known);
            let with = arguments(&mut self.reading, table.get("with"), node.spot, operation.as_deref(), scope);
            let Some(operation) = operation else {
                // Words may name it; its fields are not known, and not checked.
                facts.insert(key.name.clone(), Shape::Any);
                continue;
            };
            if let (Some(call), true) = (call, operation.writes) {
                self.reading
                    .at(call.spot, format!("`{}` writes: facts are read, nobody asks the customer", operation.name));
                facts.insert(key.name.clone(), Shape::Any);
            } else {
                add_result(&mut facts, &key.name, &operation);
            }
            calls.push(ContextCall { name: key.name.clone(), operation: operation.name.clone(), with });
        }
        (calls, facts)
    }

    fn open(&mut self, node: &Node, facts: &Names) -> Option<Open> {
        let table = self.reading.table(node, OPEN)?;
        let key = table.get("key").and_then(|node| expression(&mut self.reading, node, Scope::Only(&names(LOOKED_AT))));
        let within = self.span(&table, "within").unwrap_or(Millis::minutes(30));
        let why = table.get("why").and_then(|node| {
            let why = self.reading.text(node)?;
            if why.contains("{{") || why.contains("{%") {
                self.reading.at(node.spot, "`why` is plain text: what is in braces would be shown as it is");
            }
            Some(why)
        });
        let choices = table.get("choices").map(|node| fixed_choices(&mut self.reading, node)).unwrap_or_default();
        let say = self.reading.required(&table, "say", node.spot)?;
        let lines: Vec<&Node> = match say.scalar() {
            Some(_) => vec![say],
            None => self.reading.items(say, 1, 10).iter().collect(),
        };
        let known = with_facts(names(OPENED), facts);
        let known = with_facts(known, &names(&["events"]));
        let mut said = Vec::new();
        for (place, line) in lines.iter().enumerate() {
            let template = self.words.add(&mut self.reading, line, &format!("open.say.{place}"), &known);
            // The last opening must be sayable where every call failed.
            if place + 1 == lines.len() {
                self.words.needs_none(&mut self.reading, line, facts);
            }
            said.extend(template);
        }
        Some(Open { key, within, why: why.unwrap_or_default(), say: said, choices })
    }

    fn talk(&mut self, node: &Node, facts: &Names) -> Option<Talk> {
        let table = self.reading.table(node, TALK)?;
        let known = with_facts(names(OPENED), facts);
        let prompt = table.get("prompt").map(|node| self.words.prompt(&mut self.reading, node, &known));
        let mut tools = Vec::new();
        for item in table.get("tools").map(|node| self.reading.items(node, 0, MAX_ITEMS)).unwrap_or_default() {
            if item.scalar().is_some_and(|scalar| BUILT_IN.contains(&scalar.text.as_str())) {
                continue;
            }
            if let Some(operation) = self.adapters.usable(&mut self.reading, item)
                && !tools.contains(&operation.name)
            {
                tools.push(operation.name.clone());
            }
        }
        let (mut max_turns, mut max_tokens) = (20, 20_000);
        if let Some(limits) = table.get("limits").and_then(|node| self.reading.table(node, TALK_LIMITS)) {
            let turns = limits.get("turns").and_then(|node| self.reading.number(node, 1, 1_000));
            max_turns = turns.and_then(|turns| u32::try_from(turns).ok()).unwrap_or(max_turns);
            let tokens = limits.get("tokens").and_then(|node| self.reading.number(node, 100, 10_000_000));
            max_tokens = tokens.unwrap_or(max_tokens);
        }
        let idle = self.span(&table, "idle").unwrap_or(Millis::hours(24));
        let script = match table.get("script") {
            Some(node) => script::read(&mut self.reading, node, self.words, self.adapters, facts),
            None => Script::default(),
        };
        let prompt = match prompt {
            Some(prompt) => Some(prompt?),
            None => None,
        };
        Some(Talk { prompt, tools, max_turns, max_tokens, idle, script })
    }

    fn handoff(&mut self, node: &Node, said: &Names) -> Option<Handoff> {
        let table = self.reading.table(node, HANDOFF)?;
        let when =
            table.get("when").and_then(|node| condition(&mut self.reading, node, Scope::Only(&names(HANDOFF_NAMES))));
        let team = table.get("team").and_then(|node| self.reading.name(node));
        let within = self.span(&table, "within").unwrap_or(Millis::minutes(10));
        let away = match table.get("away") {
            Some(node) => self.said(node, "handoff.away", said),
            None => Some(AWAY.template()),
        };
        Some(Handoff { when, team, within, away: away? })
    }

    fn goal(&mut self, node: &Node) -> Option<Goal> {
        let table = self.reading.table(node, GOAL)?;
        let event = self.reading.required(&table, "event", node.spot).and_then(|node| self.reading.name(node));
        let known = names(OPENED);
        let when = table.get("when").and_then(|node| condition(&mut self.reading, node, Scope::Only(&known)));
        let within = self.span(&table, "within").unwrap_or(Millis::hours(24));
        let value = table.get("value").and_then(|node| expression(&mut self.reading, node, Scope::Only(&known)));
        let trust = self.trust(&table);
        let trigger_paths = trigger_paths(when.as_ref(), value.as_ref());
        Some(Goal { event: event?, when, within, value, trust, trigger_paths })
    }

    /// Words that are said when other things failed: they use no facts.
    fn said(&mut self, node: &Node, name: &str, names: &Names) -> Option<Template> {
        let table = self.reading.table(node, SAY)?;
        let say = self.reading.required(&table, "say", node.spot)?;
        self.words.add(&mut self.reading, say, &format!("{name}.say"), names)
    }

    pub(super) fn span(&mut self, table: &Table<'_>, name: &str) -> Option<Millis> {
        table.get(name).and_then(|node| self.reading.span(node, Millis::seconds(1), MAX_SPAN))
    }
}

/// Names of what is said when other things failed: facts may be missing, and of the trigger the goal's fields are kept.
fn said_names(goal: Option<&Option<Goal>>) -> Names {
    let trigger = match goal {
        // A goal with a mistake: its fields are not known.
        Some(None) => Shape::Any,
        Some(Some(goal)) => {
            let paths: Vec<String> = goal.trigger_paths.iter().map(|path| path.join(".")).collect();
            Shape::kept(paths.iter().map(String::as_str), Said::Goal)
        }
        None => Shape::kept([], Said::Goal),
    };
    with_facts(names(&["customer"]), &Names::from([("trigger".to_owned(), trigger)]))
}

fn with_facts(mut names: Names, facts: &Names) -> Names {
    names.extend(facts.iter().map(|(name, shape)| (name.clone(), shape.clone())));
    names
}

/// What a limit looks like.
pub const LIMIT: &str = "written `1 per 24h`: a number from 1 to 100, and a time from 1s to 366d; or `none`";

/// Reads `1 per 24h`.
pub fn limit(text: &str) -> Option<Limit> {
    let (count, per) = text.split_once(" per ")?;
    let count = count.trim().parse::<usize>().ok().filter(|count| (1..=100).contains(count))?;
    let per = Millis::parse(per.trim()).filter(|per| *per >= Millis::seconds(1) && *per <= MAX_SPAN)?;
    Some(Limit { count, per })
}

fn talk_by_default() -> Talk {
    Talk {
        prompt: None,
        tools: Vec::new(),
        max_turns: 20,
        max_tokens: 20_000,
        idle: Millis::hours(24),
        script: Script::default(),
    }
}

/// What state keeps of the trigger: the paths that the goal names.
fn trigger_paths(when: Option<&Condition>, value: Option<&Expression>) -> Vec<Vec<String>> {
    let parts = when.map(|when| when.parts.as_slice()).unwrap_or_default().iter().chain(value);
    let paths: BTreeSet<Vec<String>> = parts
        .flat_map(|part| &part.paths)
        .filter_map(|path| path.split_first())
        .filter(|(root, _)| *root == "trigger")
        .map(|(_, rest)| rest.to_vec())
        .collect();
    paths.into_iter().collect()
}
