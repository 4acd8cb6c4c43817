//! Which triggers an event may fire, without asking each: by its type, then by one field that a trigger compares with a
//! constant: equal, a prefix, a range. What is found is asked in full; what is not found cannot hold.
//!
//! Sound because a condition's parts are asked in order and one that is false or an error ends it: a trigger whose
//! indexed part cannot be true cannot match.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::Expr;
use serde_json::Value;

use super::catalog::{Condition, Playbook};
use super::event::Event;
use super::part::{Test, test};

/// A trigger that hears a type: the place of its playbook among those that hear it, and its own place in `on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The playbook, among those that hear the type, in order of name.
    pub playbook: usize,
    /// The trigger.
    pub trigger: usize,
}

/// The triggers by type and by field.
#[derive(Debug, Default)]
pub struct Index {
    types: HashMap<String, OfType>,
}

/// The triggers that hear one type.
#[derive(Debug, Default)]
struct OfType {
    all: Vec<Place>,
    /// Those without a field to find them by.
    always: Vec<Place>,
    fields: BTreeMap<Vec<String>, Field>,
}

/// What triggers compare one field with.
#[derive(Debug, Default)]
struct Field {
    texts: HashMap<String, Vec<Place>>,
    /// By the bits of the number; an integer and a fraction of the same value are one.
    numbers: HashMap<u64, Vec<Place>>,
    flags: [Vec<Place>; 2],
    prefixes: HashMap<String, Vec<Place>>,
    /// How long they are, in bytes.
    lengths: BTreeSet<usize>,
    /// By the bound, in an order of bits that is the order of numbers: at least or above it, at most or below it.
    above: BTreeMap<u64, Vec<Place>>,
    below: BTreeMap<u64, Vec<Place>>,
}

impl Index {
    /// Of the playbooks that hear each type.
    pub fn new(listeners: &BTreeMap<String, Vec<Arc<Playbook>>>) -> Index {
        let mut types: HashMap<String, OfType> = HashMap::new();
        for (kind, heard) in listeners {
            let of = types.entry(kind.clone()).or_default();
            for (playbook, held) in heard.iter().enumerate() {
                for (trigger, on) in held.on.iter().enumerate().filter(|(_, on)| on.hears().contains(kind.as_str())) {
                    let place = Place { playbook, trigger };
                    of.all.push(place);
                    match on.when.as_ref().filter(|_| on.is_plain()).and_then(best) {
                        Some((path, test)) => of.fields.entry(path).or_default().add(test, place),
                        None => of.always.push(place),
                    }
                }
            }
        }
        Index { types }
    }

    /// All triggers that hear a type, by playbook.
    pub fn hearing(&self, kind: &str) -> &[Place] {
        self.types.get(kind).map(|of| of.all.as_slice()).unwrap_or_default()
    }

    /// The triggers that an event may fire, by playbook; the others that hear it cannot hold.
    pub fn candidates(&self, event: &Event) -> Vec<Place> {
        let Some(of) = self.types.get(&event.kind) else { return Vec::new() };
        let mut found = of.always.clone();
        for (path, field) in &of.fields {
            if let Some(value) = value_at(event, path) {
                field.find(&value, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Field {
    fn add(&mut self, test: Test, place: Place) {
        match test {
            Test::Among(values) => {
                for value in values {
                    match value {
                        Value::String(text) => self.texts.entry(text).or_default().push(place),
                        Value::Bool(flag) => self.flag(flag).push(place),
                        other => {
                            let bits = other.as_f64().map(bits).unwrap_or_default();
                            self.numbers.entry(bits).or_default().push(place);
                        }
                    }
                }
            }
            Test::Prefix(prefix) => {
                self.lengths.insert(prefix.len());
                self.prefixes.entry(prefix).or_default().push(place);
            }
            Test::Above(bound, _) => self.above.entry(bits(bound)).or_default().push(place),
            Test::Below(bound, _) => self.below.entry(bits(bound)).or_default().push(place),
            // Nothing is found by these.
            Test::Not(_) | Test::Present | Test::Absent => {}
        }
    }

    fn flag(&mut self, flag: bool) -> &mut Vec<Place> {
        let [no, yes] = &mut self.flags;
        if flag { yes } else { no }
    }

    fn find(&self, value: &Found<'_>, found: &mut Vec<Place>) {
        match value {
            Found::Text(text) => {
                found.extend(self.texts.get(*text).into_iter().flatten());
                let lengths = self.lengths.range(..=text.len());
                let prefixes = lengths.filter_map(|length| self.prefixes.get(text.get(..*length)?));
                found.extend(prefixes.flatten());
            }
            Found::Number(number) => {
                let bits = bits(*number);
                found.extend(self.numbers.get(&bits).into_iter().flatten());
                found.extend(self.above.range(..=bits).flat_map(|(_, places)| places));
                found.extend(self.below.range(bits..).flat_map(|(_, places)| places));
            }
            Found::Flag(flag) => {
                let [no, yes] = &self.flags;
                found.extend(if *flag { yes } else { no });
            }
        }
    }
}

/// A number's bits in the order of numbers. Both zeros are one.
fn bits(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | (1 << 63) } else { !bits }
}

/// A field's value as an index finds it.
enum Found<'e> {
    Text(&'e str),
    Number(f64),
    Flag(bool),
}

fn value_at<'e>(event: &'e Event, path: &[String]) -> Option<Found<'e>> {
    let (first, rest) = path.split_first()?;
    let value = match first.as_str() {
        "data" => rest.iter().try_fold(&event.data, |value, field| value.get(field))?,
        "id" => return rest.is_empty().then_some(Found::Text(&event.id)),
        "source" => return rest.is_empty().then_some(Found::Text(&event.source)),
        "type" => return rest.is_empty().then_some(Found::Text(&event.kind)),
        name => rest.iter().try_fold(event.extensions.get(name)?, |value, field| value.get(field))?,
    };
    match value {
        Value::String(text) => Some(Found::Text(text)),
        Value::Number(number) => number.as_f64().map(Found::Number),
        Value::Bool(flag) => Some(Found::Flag(*flag)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The part of a condition that tells most: an equality, else a prefix, a range, a flag.
fn best(condition: &Condition) -> Option<(Vec<String>, Test)> {
    let tests = condition.parts.iter().filter_map(|part| {
        let (piece, test) = test(part.program.expression())?;
        rank(&test)?;
        Some((field(piece)?, test))
    });
    tests.min_by_key(|(_, test)| rank(test))
}

/// How much a test tells, the most first; none where nothing is found by it.
fn rank(test: &Test) -> Option<u8> {
    match test {
        Test::Among(values) if values.iter().all(Value::is_boolean) => Some(3),
        Test::Among(values)
            if values.iter().all(|value| value.is_string() || value.is_number() || value.is_boolean()) =>
        {
            Some(0)
        }
        Test::Prefix(_) => Some(1),
        Test::Above(..) | Test::Below(..) => Some(2),
        Test::Among(_) | Test::Not(_) | Test::Present | Test::Absent => None,
    }
}

/// The path of a field below `event`.
fn field(piece: &IdedExpr) -> Option<Vec<String>> {
    let mut path = Vec::new();
    let mut piece = piece;
    loop {
        match &piece.expr {
            Expr::Ident(name) => {
                path.reverse();
                // The time is text made of the event's own, and not a field of it.
                let of_event = name == "event" && path.first().is_some_and(|field| field != "time");
                return of_event.then_some(path);
            }
            Expr::Select(select) if !select.test => {
                path.push(select.field.clone());
                piece = &select.operand;
            }
            _ => return None,
        }
    }
}
