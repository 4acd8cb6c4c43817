//! What recorded events carry, beside what playbooks ask of them: types that never came, fields that none of them has.
//!
//! It counts while events go by and keeps none. Of fields only those are counted that are asked for, and of their
//! neighbours, for what was perhaps meant, so many names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::asked::Asked;
use super::mistake::{Mistake, Mistakes, nearest};
use super::read::{MAX_NAME, short};
use crate::model::cel_value::event_json;
use crate::model::event::Event;

/// The most neighbours of a field whose names are kept.
const MAX_NAMES: usize = 500;

/// Types of recorded events, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct Kinds {
    /// Their names; the first of them where there are very many.
    pub names: Vec<String>,
    /// How many events there are of a type.
    pub counts: BTreeMap<String, Counted>,
}

impl Kinds {
    fn never(&self, kind: &str) -> bool {
        self.counts.get(kind).is_none_or(|counted| counted.count == 0)
    }

    fn nearest(&self, kind: &str) -> Option<&str> {
        nearest(kind, self.names.iter().map(String::as_str))
    }
}

/// How many, up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// So many were counted.
    pub count: u64,
    /// Whether there may be more.
    pub or_more: bool,
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.count, if self.or_more { " or more" } else { "" })
    }
}

/// What was seen of the events that playbooks ask for.
#[derive(Debug)]
pub struct Seen {
    asked: Vec<Asked>,
    kinds: BTreeMap<String, OfKind>,
}

#[derive(Debug, Default)]
struct OfKind {
    looked_at: u64,
    fields: BTreeMap<Vec<String>, Field>,
}

/// A field that is asked for.
#[derive(Debug, Default)]
struct Field {
    /// How many carried it.
    carried: u64,
    /// How many of its steps some event had.
    reached: usize,
    /// What stood where the next step was looked for, and in how many.
    beside: BTreeMap<String, u64>,
}

impl Seen {
    /// Nothing yet.
    pub fn new(asked: Vec<Asked>) -> Seen {
        let mut kinds: BTreeMap<String, OfKind> = BTreeMap::new();
        for one in &asked {
            let of = kinds.entry(one.kind.clone()).or_default();
            of.fields.extend(one.field.clone().map(|field| (field, Field::default())));
        }
        Seen { asked, kinds }
    }

    /// The types that are asked for.
    pub fn kinds(&self) -> BTreeSet<String> {
        self.kinds.keys().cloned().collect()
    }

    /// The types that were perhaps meant by those that never came.
    pub fn meant(&self, kinds: &Kinds) -> BTreeSet<String> {
        let never = self.kinds.keys().filter(|kind| kinds.never(kind));
        never.filter_map(|kind| kinds.nearest(kind)).map(str::to_owned).collect()
    }

    /// How many events were looked at.
    pub fn looked_at(&self) -> u64 {
        self.kinds.values().map(|of| of.looked_at).sum()
    }

    /// Looks at an event.
    pub fn look(&mut self, event: &Event) {
        let Some(of) = self.kinds.get_mut(&event.kind) else { return };
        of.looked_at += 1;
        let whole = event_json(event);
        for (path, field) in &mut of.fields {
            field.look(path, &whole);
        }
    }

    /// What was asked for and not seen.
    pub fn hints(&self, kinds: &Kinds) -> Vec<Mistake> {
        let mut hints = Mistakes::default();
        for asked in &self.asked {
            let hint = match &asked.field {
                None => never_recorded(asked, kinds),
                Some(path) => self.never_carried(asked, path),
            };
            if let Some(hint) = hint {
                hints.add(hint);
            }
        }
        hints.into_sorted()
    }

    fn never_carried(&self, asked: &Asked, path: &[String]) -> Option<Mistake> {
        let of = self.kinds.get(&asked.kind)?;
        let field = of.fields.get(path).filter(|field| of.looked_at > 0 && field.carried == 0)?;
        let wanted = path.get(field.reached)?;
        let meant = nearest(wanted, field.beside.keys().map(String::as_str));
        // Who asks whether it is there knows that it may be missing; a slip is one all the same.
        if asked.guarded && meant.is_none() {
            return None;
        }
        let kind = short(&asked.kind);
        let name = short(&path.join("."));
        let message = match of.looked_at {
            1 => format!("the only recorded `{kind}` does not carry `{name}`"),
            count => format!("none of the newest {count} recorded `{kind}` carries `{name}`"),
        };
        let help = match meant.or_else(|| field.longer(wanted)) {
            Some(meant) => {
                let carried = field.beside.get(meant).copied().unwrap_or_default();
                format!("did you mean `{meant}`? {carried} of {} carry it", of.looked_at)
            }
            None if field.beside.is_empty() => match path.get(..field.reached).unwrap_or_default() {
                [] => return None,
                before => format!("there are no fields in `{}`", short(&before.join("."))),
            },
            None => {
                let mut often: Vec<(&String, &u64)> = field.beside.iter().collect();
                often.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
                let names: Vec<String> = often.iter().take(8).map(|(name, _)| format!("`{}`", short(name))).collect();
                format!("what stands there is {}", names.join(", "))
            }
        };
        Some(asked.hint(message, Some(help)))
    }
}

fn never_recorded(asked: &Asked, kinds: &Kinds) -> Option<Mistake> {
    if !kinds.never(&asked.kind) {
        return None;
    }
    let help = kinds.nearest(&asked.kind).map(|meant| {
        let count = kinds.counts.get(meant).map(|counted| format!(" Of these there are {counted}"));
        format!("did you mean `{}`?{}", short(meant), count.unwrap_or_default())
    });
    Some(asked.hint(format!("the record has no `{}`", short(&asked.kind)), help))
}

impl Field {
    fn look(&mut self, path: &[String], whole: &Value) {
        let mut value = whole;
        for (step, name) in path.iter().enumerate() {
            let Some(next) = value.get(name) else {
                self.beside(step, value);
                return;
            };
            value = next;
        }
        self.carried += 1;
    }

    /// The one neighbour of which a name is the beginning, as `order` is of `order_id`.
    fn longer(&self, wanted: &str) -> Option<&str> {
        let mut longer = self.beside.keys().filter(|name| wanted.len() > 2 && name.starts_with(wanted));
        longer.next().filter(|_| longer.next().is_none()).map(String::as_str)
    }

    /// Notes what stands where a step was looked for: of those that came furthest.
    fn beside(&mut self, step: usize, value: &Value) {
        if step < self.reached {
            return;
        }
        if step > self.reached {
            self.reached = step;
            self.beside.clear();
        }
        for name in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
            if let Some(count) = self.beside.get_mut(name) {
                *count += 1;
            } else if self.beside.len() < MAX_NAMES && name.len() <= MAX_NAME {
                self.beside.insert(name.clone(), 1);
            }
        }
    }
}
