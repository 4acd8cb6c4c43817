//! What is known of values before they are there: the attributes of an event, what a customer has, and the fields that an
//! operation keeps of its answers. A path that can lead nowhere is a mistake.
//!
//! Not here: who reads which path (`walk` for conditions, `reads` for words).

use std::collections::BTreeMap;

use super::mistake::did_you_mean;
use super::read::{list, short};

/// Names that something may read, with what is known of their values.
pub type Names = BTreeMap<String, Shape>;

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Anything: senders and companies put there what they like.
    Any,
    /// Text, a number or the like: it has no fields.
    Plain,
    /// These fields and no others, and who says so.
    Fields(BTreeMap<String, Shape>, Said),
    /// A list of such.
    List(Box<Shape>),
    /// An event: its attributes, and what its sender added.
    Event,
}

/// Who says which fields there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is the same everywhere.
    Beckon,
    /// The operation's `returns`.
    Returns,
    /// The playbook's `goal`.
    Goal,
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A field: `.name`.
    Field(&'a str),
    /// A field in quotes: `['name']`. Who writes it so means it so.
    Quoted(&'a str),
    /// An item of a list: `[0]`.
    Item,
}

/// Where a path leads nowhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which step, from 0.
    pub step: usize,
    /// What is wrong.
    pub message: String,
    /// What was perhaps meant.
    pub suggestion: Option<String>,
}

/// Attributes of an event that are text.
const ATTRIBUTES: &[&str] = &["datacontenttype", "dataschema", "id", "source", "subject", "time", "type"];

/// Attributes with fields: `data`, and what Segment's calls have beside it.
const OBJECTS: &[&str] = &["context", "data", "integrations"];

/// Attributes that somebody may have misspelt where no sender would have added one of that name.
const USUAL: &[&str] = &["data", "source", "subject", "time", "type"];

impl Shape {
    /// What is known of one of Beckon's own names.
    pub fn named(name: &str) -> Shape {
        match name {
            "event" | "trigger" => Shape::Event,
            "events" => Shape::List(Box::new(Shape::Event)),
            "customer" => {
                let fields = [("id".to_owned(), Shape::Plain), ("traits".to_owned(), Shape::Any)];
                Shape::Fields(fields.into(), Said::Beckon)
            }
            _ => Shape::Any,
        }
    }

    /// The arguments of an operation.
    pub fn arguments<'a>(known: impl IntoIterator<Item = &'a String>) -> Shape {
        let fields = known.into_iter().map(|name| (name.clone(), Shape::Any));
        Shape::Fields(fields.collect(), Said::Beckon)
    }

    /// What is kept of something, by paths such as `id`, `customer.name` and `items[].label`.
    pub fn kept<'a>(paths: impl IntoIterator<Item = &'a str>, said: Said) -> Shape {
        let mut shape = Shape::Fields(BTreeMap::new(), said);
        for path in paths {
            shape = shape.and(path_of(path, said));
        }
        shape
    }

    /// What is known of a value that is one or the other.
    #[must_use]
    pub fn and(self, other: Shape) -> Shape {
        match (self, other) {
            (Shape::Fields(mut ours, said), Shape::Fields(theirs, _)) => {
                for (name, theirs) in theirs {
                    let merged = match ours.remove(&name) {
                        Some(ours) => ours.and(theirs),
                        None => theirs,
                    };
                    ours.insert(name, merged);
                }
                Shape::Fields(ours, said)
            }
            (Shape::List(ours), Shape::List(theirs)) => Shape::List(Box::new(ours.and(*theirs))),
            (ours, theirs) if ours == theirs => ours,
            _ => Shape::Any,
        }
    }

    /// What is known of the items where it is a list.
    pub fn item(&self) -> Shape {
        match self {
            Shape::List(item) => (**item).clone(),
            _ => Shape::Any,
        }
    }

    /// What a path from here leads to; `root` is what it is called.
    ///
    /// # Errors
    /// The first step that leads nowhere.
    pub fn follow(&self, root: &str, steps: &[Step<'_>]) -> Result<Shape, Missing> {
        let mut shape = self.clone();
        let mut path = root.to_owned();
        for (place, step) in steps.iter().enumerate() {
            let missing = |message, suggestion| Err(Missing { step: place, message, suggestion });
            let field = match *step {
                Step::Field(field) | Step::Quoted(field) => field,
                Step::Item => {
                    shape = shape.item();
                    path.push_str("[0]");
                    continue;
                }
            };
            let message = || format!("`{}` has no `{}`", short(&path), short(field));
            shape = match &shape {
                Shape::Any => return Ok(Shape::Any),
                Shape::Event => {
                    let is_last = place + 1 == steps.len();
                    match attribute(*step, is_last) {
                        Ok(shape) => shape,
                        Err(suggestion) => return missing(message(), Some(suggestion)),
                    }
                }
                Shape::Fields(known, said) => match known.get(field) {
                    Some(shape) => shape.clone(),
                    None => return missing(message(), Some(instead(field, known, *said))),
                },
                Shape::List(_) => {
                    let help = format!("go through it, or name an item: `{}[0].{}`", short(&path), short(field));
                    return missing(format!("`{}` is a list and has no `{}`", short(&path), short(field)), Some(help));
                }
                Shape::Plain => {
                    return missing(format!("`{}` is plain and has no `{}`", short(&path), short(field)), None);
                }
            };
            path.push('.');
            path.push_str(field);
        }
        Ok(shape)
    }
}

/// Names of Beckon's own.
pub fn names(own: &[&str]) -> Names {
    own.iter().map(|name| ((*name).to_owned(), Shape::named(name))).collect()
}

/// An attribute of an event: what a sender added is text and may have any name, but not one that is a slip of the pen.
fn attribute(step: Step<'_>, is_last: bool) -> Result<Shape, String> {
    let (name, is_quoted) = match step {
        Step::Field(name) => (name, false),
        Step::Quoted(name) => (name, true),
        Step::Item => return Ok(Shape::Any),
    };
    if OBJECTS.contains(&name) {
        return Ok(Shape::Any);
    }
    let usual = did_you_mean(name, USUAL.iter().copied());
    match usual {
        _ if ATTRIBUTES.contains(&name) => Ok(Shape::Plain),
        None if is_last => Ok(Shape::Plain),
        Some(_) if is_last && is_quoted => Ok(Shape::Plain),
        Some(usual) if is_last => Err(format!("{usual} An attribute of that name is written `['{}']`", short(name))),
        Some(usual) => Err(usual),
        None => Err(format!("fields are in {}", list(OBJECTS.iter().copied()))),
    }
}

/// What to write instead of a field that is not there.
fn instead(field: &str, known: &BTreeMap<String, Shape>, said: Said) -> String {
    let names = || known.keys().map(String::as_str);
    if let Some(meant) = did_you_mean(field, names()) {
        return meant;
    }
    match said {
        Said::Goal => "of the trigger, the fields are kept that `goal` names".to_owned(),
        Said::Returns if known.is_empty() => {
            format!("its operation keeps nothing: name `{}` in `returns`", short(field))
        }
        Said::Returns => format!("its operation gives {}; name `{}` in `returns`", list(names()), short(field)),
        Said::Beckon => format!("there are {}", list(names())),
    }
}

fn path_of(path: &str, said: Said) -> Shape {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let name = first.trim_end_matches("[]");
    let mut shape = rest.map_or(Shape::Any, |rest| path_of(rest, said));
    for _ in 0..(first.len() - name.len()) / 2 {
        shape = Shape::List(Box::new(shape));
    }
    Shape::Fields([(name.to_owned(), shape)].into(), said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Step<'_> {
        match text {
            "0" => Step::Item,
            text => text.strip_prefix('\'').map_or(Step::Field(text), Step::Quoted),
        }
    }

    /// The step that leads nowhere, and the help.
    fn told(shape: &Shape, path: &str) -> Option<(usize, String)> {
        let steps: Vec<Step<'_>> = path.split('.').map(step).collect();
        let missing = shape.follow("x", &steps).err()?;
        Some((missing.step, missing.suggestion.unwrap_or_default()))
    }

    #[test]
    fn a_senders_own_attributes_are_no_mistake_and_slips_are() {
        for path in ["data.a.b", "context.page.url", "time", "subject", "traceparent", "tenant", "'date", "uid"] {
            assert_eq!(told(&Shape::Event, path), None, "{path}");
        }
        for (path, step, help) in [
            ("dta.a", 0, "did you mean `data`?"),
            ("dta", 0, "did you mean `data`? An attribute of that name is written `['dta']`"),
            ("typ", 0, "did you mean `type`? An attribute of that name is written `['typ']`"),
            ("tenant.id", 0, "fields are in `context`, `data`, `integrations`"),
            ("type.of", 1, ""),
        ] {
            assert_eq!(told(&Shape::Event, path), Some((step, help.to_owned())), "{path}");
        }
    }

    #[test]
    fn what_is_kept_is_known_through_lists_and_in_depth() {
        let kept = Shape::kept(
            ["id", "customer.name", "items[].label", "items[].tags[]", "whole", "whole.part"],
            Said::Returns,
        );
        for path in ["id.any", "customer.name", "items.0.label.any", "items.0.tags.0.any", "whole.other"] {
            assert_eq!(told(&kept, path), None, "{path}");
        }
        for (path, step, help) in [
            ("idd", 0, "did you mean `id`?"),
            ("customer.nme", 1, "did you mean `name`?"),
            ("items.0.lable", 2, "did you mean `label`?"),
            ("items.label", 1, "go through it, or name an item: `x.items[0].label`"),
            ("nothing", 0, "its operation gives `customer`, `id`, `items`, `whole`; name `nothing` in `returns`"),
        ] {
            assert_eq!(told(&kept, path), Some((step, help.to_owned())), "{path}");
        }
        let nothing = Shape::kept([], Said::Returns);
        assert_eq!(told(&nothing, "id"), Some((0, "its operation keeps nothing: name `id` in `returns`".to_owned())));
    }
}
