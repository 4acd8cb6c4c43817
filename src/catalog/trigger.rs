//! Reads what fires a playbook: moments, measures over time, conditions. Finds those that can never hold and those that
//! look back further than is remembered.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::expression::{Scope, condition, expression};
use super::playbook::{LOOKED_AT, MAX_ITEMS, Reader};
use super::read::{MAX_SPAN, Table, list};
use super::shape::names;
use super::topic;
use super::yaml::Node;
use crate::model::catalog::{Condition, Expression};
use crate::model::pattern::{Absence, Change, Measure, Moment, Picks, Sequence, Trigger, Way, What, Window};
use crate::model::time::Millis;

/// Keys of a trigger.
pub const TRIGGER: &[&str] =
    &["event", "absence", "sequence", "change", "topic", "count", "sum", "max", "first", "when", "trust", "lateness"];
/// Keys of `count`.
pub const COUNT: &[&str] = &["event", "when", "key", "distinct", "at_least", "at_most", "within", "window"];
/// Keys of `sum` and `max`.
pub const TOTAL: &[&str] = &["event", "when", "key", "of", "at_least", "at_most", "within", "window"];
/// Keys of `first`.
pub const FIRST: &[&str] = &["event", "when", "key", "within"];
/// Keys of `sequence`.
pub const SEQUENCE: &[&str] = &["events", "without", "key", "within", "order", "then"];
/// Keys of `absence`.
pub const ABSENCE: &[&str] = &["of", "unless", "after", "when", "key", "within", "from"];
/// Keys of `change`.
pub const CHANGE: &[&str] =
    &["event", "when", "key", "value", "per", "falls_below", "rises_above", "of", "warm_up", "min", "for", "season"];
/// Keys of `change.of`.
pub const USUAL: &[&str] = &["usual"];
/// Words of `window`.
pub const WINDOW: [(&str, bool); 2] = [("sliding", false), ("tumbling", true)];
/// Words of `order`.
pub const ORDER: [(&str, bool); 2] = [("relaxed", false), ("strict", true)];
/// Words of `then`.
pub const THEN: [(&str, bool); 2] = [("restart", false), ("overlap", true)];
/// Words of `from`.
pub const FROM: [(&str, bool); 2] = [("last", false), ("first", true)];
/// Words of `season`.
pub const SEASON: [(&str, bool); 2] = [("none", false), ("week", true)];

/// Keys that say when a trigger is asked.
const MOMENTS: &[&str] = &["event", "sequence", "absence", "change", "topic"];
/// Keys that say what is measured.
const MEASURES: &[&str] = &["count", "sum", "max", "first"];

/// The most that `count` tells apart in a sliding window: as many events as one window remembers.
const MAX_COUNT: u64 = 100;
/// The most periods that `change` looks back.
const MAX_PERIODS: u64 = 400;
/// The most an event may be late.
const MAX_LATENESS: Millis = Millis::hours(7 * 24);
const WEEK: Millis = Millis::hours(7 * 24);

/// Whether an event of this type is one at which a trigger of this moment is asked.
fn asks(moment: &Moment, event: &str) -> bool {
    match moment {
        Moment::Event(kind) => kind == event,
        Moment::Sequence(sequence) => sequence.events.iter().any(|step| step == event),
        Moment::Absence(absence) => absence.after.event == event,
        Moment::Change(_) | Moment::Measured | Moment::Topic(_) => true,
    }
}

impl Reader<'_, '_, '_, '_> {
    /// Reads `on`. Triggers are named by the playbook and by how they are written.
    pub(super) fn triggers(&mut self, node: &Node, named: Option<&Node>) -> Vec<Trigger> {
        let playbook = named.and_then(Node::scalar).map(|scalar| scalar.text.clone()).unwrap_or_default();
        let mut found: Vec<Trigger> = Vec::new();
        for item in self.reading.items(node, 0, MAX_ITEMS) {
            let Some(table) = self.reading.table(item, TRIGGER) else { continue };
            let mut hasher = SipHasher13::new();
            hasher.write(item.to_json().to_string().as_bytes());
            let id = format!("{playbook}#{:016x}", hasher.finish());
            if found.iter().any(|other| other.id == id) {
                self.reading.at(item.spot, "this trigger is here twice");
                continue;
            }
            let before = found.iter().any(|other| matches!(other.moment, Moment::Topic(_)));
            if let (true, Some(spot)) = (before, table.key_spot("topic")) {
                self.reading.at(spot, "a playbook has one topic: write another playbook");
                continue;
            }
            found.extend(self.trigger(item, &table, id));
        }
        found
    }

    fn trigger(&mut self, item: &Node, table: &Table<'_>, id: String) -> Option<Trigger> {
        let moments: Vec<&str> = MOMENTS.iter().copied().filter(|key| table.get(key).is_some()).collect();
        if let [_, second, ..] = moments.as_slice() {
            let spot = table.key_spot(second).unwrap_or(item.spot);
            let message = format!("a trigger has one of {}: write two triggers", list(moments.iter().copied()));
            self.reading.at(spot, message);
            return None;
        }
        let mut measures = Vec::new();
        for name in MEASURES {
            let Some(node) = table.get(name) else { continue };
            measures.push(self.measure(name, node, &id)?);
        }
        let moment = match moments.first() {
            Some(&"sequence") => Moment::Sequence(self.sequence(table.get("sequence")?)?),
            Some(&"absence") => Moment::Absence(self.absence(table.get("absence")?)?),
            Some(&"change") => {
                if let (false, Some(spot)) = (measures.is_empty(), table.key_spot("change")) {
                    self.reading.at(spot, "`change` is asked when a period ends and stands alone");
                }
                Moment::Change(self.change(table.get("change")?)?)
            }
            Some(&"topic") => {
                if let (false, Some(spot)) = (measures.is_empty(), table.key_spot("topic")) {
                    self.reading
                        .at(spot, "`topic` concerns many customers: what one of them did cannot be measured beside it");
                }
                for (key, why) in topic::ALONE {
                    if let Some(spot) = table.key_spot(key) {
                        self.reading.at(spot, *why);
                    }
                }
                Moment::Topic(Box::new(self.topic(table.get("topic")?)?))
            }
            None if !measures.is_empty() => Moment::Measured,
            _ => {
                let event = self.reading.required(table, "event", item.spot)?;
                Moment::Event(self.reading.name(event)?)
            }
        };
        self.can_hold(item, table, &moment, &measures);
        for (name, measure) in MEASURES.iter().filter(|name| table.get(name).is_some()).zip(&mut measures) {
            // The event that asks is counted already where it is one of these; else none may have come.
            if *name == "first" && !asks(&moment, &measure.of.event) {
                measure.at_most = Some(0.0);
            }
        }
        let when = table.get("when").and_then(|node| self.condition(node));
        let trust = self.trust(table);
        let lateness = table.get("lateness").and_then(|node| self.reading.span(node, Millis(0), MAX_LATENESS));
        Some(Trigger { id, moment, measures, when, trust, lateness })
    }

    /// Finds conditions that can never hold.
    fn can_hold(&mut self, item: &Node, table: &Table<'_>, moment: &Moment, measures: &[Measure]) {
        for (name, measure) in MEASURES.iter().filter(|name| table.get(name).is_some()).zip(measures) {
            let spot = table.get(name).map_or(item.spot, |node| node.spot);
            let own = match moment {
                Moment::Measured => true,
                Moment::Event(event) => *event == measure.of.event,
                _ => false,
            };
            let counts = matches!(measure.what, What::Count | What::Distinct(_));
            if own && counts && measure.at_most.is_some_and(|most| most < 1.0) && measure.of.when.is_none() {
                self.reading.at(spot, "this can never hold: the event that asks is one already");
            }
            let from_above =
                table.get(name).is_some_and(|node| node.get("at_least").is_none() && node.get("at_most").is_some());
            if matches!(moment, Moment::Measured) && from_above {
                let help = "put `event:` beside it, or use `absence` for an event that does not come".to_owned();
                let message = "`at_most` alone holds at every event: it needs another moment to be asked at";
                self.reading.at_with(spot, message, Some(help));
            }
        }
        if matches!(moment, Moment::Measured)
            && let [first, rest @ ..] = measures
            && let Some(other) = rest.iter().find(|other| other.of.event != first.of.event)
        {
            let help = format!("put `event: {}` or `event: {}` beside them", first.of.event, other.of.event);
            let message = "measures of different events need a moment to be asked at";
            self.reading.at_with(item.spot, message, Some(help));
        }
    }

    fn measure(&mut self, name: &str, node: &Node, id: &str) -> Option<Measure> {
        let keys = match name {
            "count" => COUNT,
            "first" => FIRST,
            _ => TOTAL,
        };
        let table = self.reading.table(node, keys)?;
        let of = self.picks(&table, node)?;
        let id = format!("{id}/{name}");
        if name == "first" {
            let span = self.span(&table, "within").unwrap_or(MAX_SPAN);
            let source = format!("first {} within {span}", of.event);
            let window = Window { span, tumbling: false };
            return Some(Measure { id, source, of, what: What::Count, window, at_least: None, at_most: Some(1.0) });
        }
        let what = match name {
            "count" => match table.get("distinct") {
                Some(node) => What::Distinct(self.value(node)?),
                None => What::Count,
            },
            _ => {
                let node = self.reading.required(&table, "of", node.spot)?;
                let value = self.value(node)?;
                if name == "sum" { What::Sum(value) } else { What::Max(value) }
            }
        };
        let tumbling = self.word(&table, "window", &WINDOW);
        let span = self.required_span(&table, "within", node, MAX_SPAN);
        let bounded = |reader: &mut Self, key: &str| match (name, table.get(key)) {
            (_, None) => None,
            ("count", Some(node)) => {
                let most = if tumbling && matches!(what, What::Count) { 1_000_000 } else { MAX_COUNT };
                let number = reader.reading.number(node, 0, most)?;
                u32::try_from(number).ok().map(f64::from)
            }
            (_, Some(node)) => reader.amount(node),
        };
        let (at_least, at_most) = (bounded(self, "at_least"), bounded(self, "at_most"));
        if table.get("at_least").is_none() && table.get("at_most").is_none() {
            self.reading.at(node.spot, "`at_least` or `at_most` is required here");
        }
        if let (Some(least), Some(most)) = (at_least, at_most)
            && least > most
        {
            self.reading.at(node.spot, "this can never hold: `at_least` is more than `at_most`");
        }
        if name == "count" && at_least == Some(0.0) {
            self.reading.at(node.spot, "at least 0 holds always");
        }
        let span = span?;
        let source = format!("{name} of {} within {span}", of.event);
        Some(Measure { id, source, of, what, window: Window { span, tumbling }, at_least, at_most })
    }

    fn sequence(&mut self, node: &Node) -> Option<Sequence> {
        let table = self.reading.table(node, SEQUENCE)?;
        let listed = self.reading.required(&table, "events", node.spot)?;
        let events: Vec<String> =
            self.reading.items(listed, 2, 8).iter().filter_map(|item| self.reading.name(item)).collect();
        let mut without = Vec::new();
        for item in table.get("without").map(|node| self.reading.items(node, 1, 8)).unwrap_or_default() {
            let Some(name) = self.reading.name(item) else { continue };
            if events.contains(&name) {
                let message = "this can never hold: it is a step of the sequence, and may not come in between";
                self.reading.at(item.spot, message);
            }
            without.push(name);
        }
        let key = table.get("key").and_then(|node| self.value(node));
        let within = self.required_span(&table, "within", node, MAX_SPAN);
        let strict = self.word(&table, "order", &ORDER);
        let overlap = self.word(&table, "then", &THEN);
        Some(Sequence { events, without, key, within: within?, strict, overlap })
    }

    fn absence(&mut self, node: &Node) -> Option<Absence> {
        let table = self.reading.table(node, ABSENCE)?;
        let of = self.reading.required(&table, "of", node.spot).and_then(|node| self.reading.name(node));
        let unless = table.get("unless").and_then(|node| self.condition(node));
        let after = self.reading.required(&table, "after", node.spot).and_then(|node| self.reading.name(node));
        let when = table.get("when").and_then(|node| self.condition(node));
        let key = table.get("key").and_then(|node| self.value(node));
        let within = self.required_span(&table, "within", node, MAX_SPAN);
        let from_first = self.word(&table, "from", &FROM);
        let (of, after) = (of?, after?);
        if from_first && of == after {
            self.reading.at(node.spot, "this can never wait for the next: each event of its own type ends the wait");
        }
        Some(Absence { of, unless, after: Picks { event: after, when, key }, within: within?, from_first })
    }

    fn change(&mut self, node: &Node) -> Option<Change> {
        let table = self.reading.table(node, CHANGE)?;
        let of = self.picks(&table, node);
        let value = table.get("value").and_then(|node| self.value(node));
        let per = self.required_span(&table, "per", node, MAX_SPAN);
        let falls = table.get("falls_below").map(|node| (Way::Falls, node));
        let (way, percent) = match (falls, table.get("rises_above")) {
            (Some(falls), None) => falls,
            (None, Some(node)) => (Way::Rises, node),
            _ => {
                self.reading.at(node.spot, "one of `falls_below` and `rises_above` is required here");
                return None;
            }
        };
        let percent = self.percent(percent, 1_000.0);
        let usual = self.reading.required(&table, "of", node.spot);
        let usual = usual.and_then(|node| {
            let table = self.reading.table(node, USUAL)?;
            self.required_span(&table, "usual", node, MAX_SPAN)
        });
        let by_week = self.word(&table, "season", &SEASON);
        let (of, per, percent, usual) = (of?, per?, percent?, usual?);
        let step = if by_week { WEEK } else { per };
        if by_week && (per >= WEEK || !WEEK.0.is_multiple_of(per.0)) {
            self.reading.at(node.spot, "by the hours of the week, `per` is a part of a week such as `1h` or `1d`");
        }
        if usual.0 < step.0.saturating_mul(2) {
            let message = format!("`usual` is at least two of what is compared: {} or more", Millis(step.0 * 2));
            self.reading.at(node.spot, message);
        }
        let periods = table.get("for").and_then(|node| self.reading.number(node, 1, 52)).unwrap_or(1);
        if usual.0 / per.0.max(1) > MAX_PERIODS {
            let message = format!("this looks back further than is remembered: at most {MAX_PERIODS} periods");
            self.reading.at(node.spot, message);
        }
        if way == Way::Falls && percent > 100.0 {
            self.reading.at(node.spot, "what falls below more than 100% has not fallen");
        }
        let warm_up = self.span(&table, "warm_up").unwrap_or(usual);
        if warm_up > usual.max(WEEK) {
            self.reading.at(node.spot, "`warm_up` is longer than the usual that is remembered");
        }
        let min = table.get("min").and_then(|node| self.amount(node)).unwrap_or(3.0);
        let periods = u32::try_from(periods).unwrap_or(1);
        Some(Change { of, value, per, way, percent, usual, warm_up, min, periods, by_week })
    }

    fn picks(&mut self, table: &Table<'_>, node: &Node) -> Option<Picks> {
        let event = self.reading.required(table, "event", node.spot).and_then(|node| self.reading.name(node));
        let when = table.get("when").and_then(|node| self.condition(node));
        let key = table.get("key").and_then(|node| self.value(node));
        Some(Picks { event: event?, when, key })
    }

    fn condition(&mut self, node: &Node) -> Option<Condition> {
        condition(&mut self.reading, node, Scope::Only(&names(LOOKED_AT)))
    }

    fn value(&mut self, node: &Node) -> Option<Expression> {
        expression(&mut self.reading, node, Scope::Only(&names(LOOKED_AT)))
    }

    fn word(&mut self, table: &Table<'_>, key: &str, words: &[(&str, bool)]) -> bool {
        table.get(key).and_then(|node| self.reading.choice(node, words)).unwrap_or_default()
    }

    fn required_span(&mut self, table: &Table<'_>, key: &str, within: &Node, most: Millis) -> Option<Millis> {
        let node = self.reading.required(table, key, within.spot)?;
        self.reading.span(node, Millis::seconds(1), most)
    }

    /// Any number.
    fn amount(&mut self, node: &Node) -> Option<f64> {
        let value = node.scalar().and_then(|scalar| scalar.value().as_f64()).filter(|value| value.is_finite());
        if value.is_none() {
            self.reading.wrong(node, "a number");
        }
        value
    }

    /// A share such as `40%`, above 0.
    pub(super) fn percent(&mut self, node: &Node, most: f64) -> Option<f64> {
        let text = node.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
        let share = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        let share = share.filter(|share| (0.0..=most).contains(share));
        if share.is_none() {
            self.reading.at_with(node.spot, "a share is expected here", Some("written `40%`".to_owned()));
        }
        share
    }
}
