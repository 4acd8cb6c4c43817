//! Reads what concerns many customers: what begins it, who is told at which pace, what they hear later.

use super::expression::{Scope, condition, expression};
use super::playbook::{LOOKED_AT, MAX_ITEMS, Reader};
use super::read::{MAX_SPAN, Table, list};
use super::script::arguments;
use super::shape::{Said, Shape, names};
use super::yaml::Node;
use crate::model::catalog::Template;
use crate::model::pattern::{Followers, Further, Pace, PagedCall, Picks, ToMany, Whom};
use crate::model::time::Millis;

/// Keys of `topic`.
pub const TOPIC: &[&str] = &["event", "when", "key", "hold", "to", "pace", "queue", "updates", "ends"];
/// Keys of `to`: the first four are ways to select, the others belong to `call`.
pub const TO: &[&str] = &["list", "followers", "where", "call", "with", "each", "next"];
/// Keys of `followers`.
pub const FOLLOWERS: &[&str] = &["event", "when", "key", "until", "for", "trust"];
/// Keys of `updates` and `ends`.
pub const FURTHER: &[&str] = &["event", "when", "key", "say"];

/// Keys of a trigger that mean nothing beside `topic`, and why.
pub const ALONE: &[(&str, &str)] = &[
    ("trust", "a browser speaks of its own customer only: what concerns many is said by the server"),
    ("lateness", "a topic has no lateness: its end is told however late it comes"),
];

/// What conditions on the event see; it may concern nobody in particular.
const EVENT: &[&str] = &["event"];

/// The longest hold.
const MAX_HOLD: Millis = Millis::hours(24);

/// How many customers may wait for a person before a topic rests.
const MAX_QUEUE: u64 = 1_000_000;

impl Reader<'_, '_, '_, '_> {
    pub(super) fn topic(&mut self, node: &Node) -> Option<ToMany> {
        let table = self.reading.table(node, TOPIC)?;
        self.reading.required(&table, "key", node.spot);
        let begins = self.of_event(&table, node, table.get("key"));
        let hold = table.get("hold").and_then(|node| self.reading.span(node, Millis::seconds(1), MAX_HOLD));
        let to = self.reading.required(&table, "to", node.spot).and_then(|node| self.to(node, table.get("key")));
        let pace = table.get("pace").and_then(|node| self.pace(node));
        let queue = table.get("queue").and_then(|node| self.reading.number(node, 0, MAX_QUEUE));
        let updates = table.get("updates").map(|node| self.further(node, table.get("key"), "updates"));
        let ends = table.get("ends").map(|node| self.further(node, table.get("key"), "ends"));
        if let (Some(spot), true) = (table.key_spot("hold"), ends.is_none()) {
            let help = "say what ends it with `ends`, or leave `hold` out".to_owned();
            self.reading.at_with(spot, "`hold` waits for an end, and nothing ends this", Some(help));
        }
        let (begins, to) = (begins?, to?);
        let (updates, ends) = (flat(updates)?, flat(ends)?);
        for (name, further) in [("updates", &updates), ("ends", &ends)] {
            let same = further.as_ref().is_some_and(|further| further.of.event == begins.event);
            if same && begins.when.is_none() {
                let spot = table.key_spot(name).unwrap_or(node.spot);
                let help = "tell them apart with `when` in `topic`".to_owned();
                let message = "this can never be told: the same event begins it, and that is asked first";
                self.reading.at_with(spot, message, Some(help));
            }
        }
        Some(ToMany { begins, hold: hold.unwrap_or_default(), to, pace, queue, updates, ends })
    }

    /// `event`, `when` and `key`, or the topic's key where none is written.
    fn of_event(&mut self, table: &Table<'_>, node: &Node, key: Option<&Node>) -> Option<Picks> {
        let event = self.reading.required(table, "event", node.spot).and_then(|node| self.reading.name(node));
        let known = names(EVENT);
        let scope = Scope::Only(&known);
        let when = table.get("when").and_then(|node| condition(&mut self.reading, node, scope));
        let key = table.get("key").or(key).and_then(|node| expression(&mut self.reading, node, scope));
        Some(Picks { event: event?, when, key })
    }

    fn to(&mut self, node: &Node, key: Option<&Node>) -> Option<Whom> {
        let table = self.reading.table(node, TO)?;
        let ways: Vec<&str> = TO.iter().copied().take(4).filter(|way| table.get(way).is_some()).collect();
        let [way] = ways.as_slice() else {
            let message = format!("one of {} is required here", list(TO.iter().copied().take(4)));
            self.reading.at(node.spot, message);
            return None;
        };
        for of_call in TO.iter().skip(4) {
            if let (Some(spot), true) = (table.key_spot(of_call), *way != "call") {
                self.reading.at(spot, format!("`{of_call}` belongs to `call`"));
            }
        }
        let whom = table.get(way)?;
        match *way {
            "list" => expression(&mut self.reading, whom, Scope::Only(&names(EVENT))).map(Whom::List),
            "where" => condition(&mut self.reading, whom, Scope::Only(&names(LOOKED_AT))).map(Whom::Where),
            "followers" => self.followers(whom, key).map(Whom::Followers),
            _ => self.paged_call(&table, whom, node).map(Whom::Call),
        }
    }

    fn followers(&mut self, node: &Node, key: Option<&Node>) -> Option<Followers> {
        let table = self.reading.table(node, FOLLOWERS)?;
        let of = self.of_event(&table, node, key);
        let until = table.get("until").map(|name| {
            let event = self.reading.name(name)?;
            let known = names(EVENT);
            let scope = Scope::Only(&known);
            let key = table.get("key").or(key).and_then(|node| expression(&mut self.reading, node, scope));
            Some(Picks { event, when: None, key })
        });
        let lasts = self.span(&table, "for").unwrap_or(MAX_SPAN);
        let trust = self.trust(&table);
        let until = flat(until)?;
        Some(Followers { of: of?, until, lasts, trust })
    }

    fn paged_call(&mut self, table: &Table<'_>, named: &Node, node: &Node) -> Option<PagedCall> {
        let operation = self.adapters.find(&mut self.reading, named);
        if let Some(operation) = &operation {
            if operation.bound {
                let message = format!("`{}` is of one customer, and nobody is meant yet", operation.name);
                self.reading.at(named.spot, message);
            }
            if operation.writes {
                self.reading
                    .at(named.spot, format!("`{}` writes: customers are looked for by reading", operation.name));
            }
        }
        let asked = names(&["cursor", "event"]);
        let scope = Scope::Only(&asked);
        let with = arguments(&mut self.reading, table.get("with"), node.spot, operation.as_deref(), scope);
        let mut answered = names(EVENT);
        let shape = operation
            .as_deref()
            .map_or(Shape::Any, |operation| Shape::kept(operation.returns.iter().map(String::as_str), Said::Returns));
        answered.insert("answer".to_owned(), shape);
        let answer = Scope::Only(&answered);
        let each = self.reading.required(table, "each", node.spot);
        let each = each.and_then(|node| expression(&mut self.reading, node, answer));
        let next = table.get("next").map(|node| expression(&mut self.reading, node, answer));
        let next = flat(next)?;
        if next.is_some() && !with.values().any(|value| value.names.iter().any(|name| name == "cursor")) {
            let spot = table.key_spot("next").unwrap_or(node.spot);
            let help = "give `cursor` to the operation in `with`".to_owned();
            self.reading.at_with(spot, "the next page is never asked for", Some(help));
        }
        Some(PagedCall { operation: operation?.name.clone(), with, each: each?, next })
    }

    fn further(&mut self, node: &Node, key: Option<&Node>, name: &str) -> Option<Further> {
        let table = self.reading.table(node, FURTHER)?;
        let of = self.of_event(&table, node, key);
        let say = self.reading.required(&table, "say", node.spot)?;
        let lines: Vec<&Node> = match say.scalar() {
            Some(_) => vec![say],
            None => self.reading.items(say, 1, 10).iter().take(MAX_ITEMS).collect(),
        };
        let mut said: Vec<Template> = Vec::new();
        for (place, line) in lines.into_iter().enumerate() {
            let name = format!("topic.{name}.say.{place}");
            said.extend(self.words.add(&mut self.reading, line, &name, &names(LOOKED_AT)));
        }
        Some(Further { of: of?, say: said })
    }

    fn pace(&mut self, node: &Node) -> Option<Pace> {
        let text = self.reading.text(node)?;
        let pace = pace(&text);
        if pace.is_none() {
            let help = "written `100/s`, `600/m` or `5000/h`: a number from 1 to 100000, and a second, minute or hour";
            self.reading.at_with(node.spot, "this is no pace", Some(help.to_owned()));
        }
        pace
    }
}

/// Reads `100/s`.
fn pace(text: &str) -> Option<Pace> {
    let (count, per) = text.split_once('/')?;
    let per = match per.trim() {
        "s" => Millis::seconds(1),
        "m" => Millis::minutes(1),
        "h" => Millis::hours(1),
        _ => return None,
    };
    let count = count.trim().parse::<u32>().ok().filter(|count| (1..=100_000).contains(count))?;
    Some(Pace { count, per })
}

/// What was written must be right; what was not written is none.
fn flat<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(found) => Some(found),
        None => Some(None),
    }
}
