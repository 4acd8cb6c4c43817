//! Reads pieces of YAML as what they should be, and notes a mistake for each that is not.

use crate::model::time::Millis;

use super::mistake::{File, Mistakes, Spot, did_you_mean};
use super::yaml::{Key, Kind, Node};

/// The longest name, type or id, in bytes.
pub const MAX_NAME: usize = 1_024;

/// The longest text of one value, in bytes.
const MAX_TEXT: usize = 8 * 1024;

/// The longest time that a key may name.
pub const MAX_SPAN: Millis = Millis::hours(366 * 24);

/// A file being read, and where its mistakes go.
pub struct Reading<'a, 'm> {
    /// The file.
    pub file: File<'a>,
    /// Where mistakes go.
    pub mistakes: &'m mut Mistakes,
}

/// A mapping whose keys were checked.
pub struct Table<'n> {
    entries: &'n [(Key, Node)],
}

impl<'n> Table<'n> {
    /// The value of a key, where it is there and not null.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where a key was written.
    pub fn key_spot(&self, name: &str) -> Option<Spot> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(key, _)| key.spot)
    }
}

impl Reading<'_, '_> {
    /// Notes a mistake at a place.
    pub fn at(&mut self, spot: Spot, message: impl Into<String>) {
        self.mistakes.at(self.file, spot, message);
    }

    /// Notes a mistake with what was perhaps meant.
    pub fn at_with(&mut self, spot: Spot, message: impl Into<String>, suggestion: Option<String>) {
        let mistake = super::mistake::Mistake::at(self.file.path, self.file.text, spot, message);
        self.mistakes.add(mistake.suggest(suggestion));
    }

    /// Notes that a piece is not what it should be.
    pub fn wrong(&mut self, node: &Node, expected: &str) {
        self.at(node.spot, format!("{expected} is expected here, not {}", node.describe()));
    }

    /// A mapping with these keys and no others.
    pub fn table<'n>(&mut self, node: &'n Node, keys: &[&str]) -> Option<Table<'n>> {
        let Kind::Map(entries) = &node.kind else {
            self.wrong(node, "a mapping");
            return None;
        };
        for (key, _) in entries {
            if keys.contains(&key.name.as_str()) {
                continue;
            }
            let suggestion = did_you_mean(&key.name, keys.iter().copied())
                .or_else(|| Some(format!("keys here are {}", list(keys.iter().copied()))));
            self.at_with(key.spot, format!("there is no key `{}` here", short(&key.name)), suggestion);
        }
        Some(Table { entries })
    }

    /// A mapping from names to anything, in the order written.
    pub fn entries<'n>(&mut self, node: &'n Node) -> &'n [(Key, Node)] {
        match &node.kind {
            Kind::Map(entries) => entries,
            _ => {
                self.wrong(node, "a mapping");
                &[]
            }
        }
    }

    /// A list with so many items.
    pub fn items<'n>(&mut self, node: &'n Node, least: usize, most: usize) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => {
                if !(least..=most).contains(&items.len()) {
                    self.at(node.spot, format!("a list of {least} to {most} is expected here"));
                }
                items
            }
            _ => {
                self.wrong(node, "a list");
                &[]
            }
        }
    }

    /// A required key; its absence is a mistake at the mapping.
    pub fn required<'n>(&mut self, table: &Table<'n>, name: &str, within: Spot) -> Option<&'n Node> {
        let found = table.get(name);
        if found.is_none() {
            let spot = table.key_spot(name).unwrap_or(Spot { start: within.start, end: within.start });
            self.at(spot, format!("`{name}` is required here"));
        }
        found
    }

    /// Text; a number, true or false must be quoted to be meant as text.
    pub fn text(&mut self, node: &Node) -> Option<String> {
        let Some(scalar) = node.scalar() else {
            self.wrong(node, "text");
            return None;
        };
        if !scalar.value().is_string() {
            let suggestion = (!node.is_null()).then(|| format!("put it in quotes: \"{}\"", scalar.text));
            self.at_with(node.spot, format!("text is expected here, not {}", node.describe()), suggestion);
            return None;
        }
        if scalar.text.len() > MAX_TEXT {
            self.at(node.spot, format!("this is longer than {MAX_TEXT} bytes"));
            return None;
        }
        if scalar.text.contains('\0') {
            self.at(node.spot, "text with NUL is not supported");
            return None;
        }
        Some(scalar.text.clone())
    }

    /// Text that is not empty and not longer than a name may be.
    pub fn name(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if text.is_empty() || text.len() > MAX_NAME || text.chars().any(char::is_control) {
            self.at(node.spot, format!("a name of 1 to {MAX_NAME} bytes is expected here"));
            return None;
        }
        Some(text)
    }

    /// True or false.
    pub fn flag(&mut self, node: &Node) -> Option<bool> {
        let value = node.scalar().and_then(|scalar| scalar.value().as_bool());
        if value.is_none() {
            self.wrong(node, "true or false");
        }
        value
    }

    /// A whole number in a range.
    pub fn number(&mut self, node: &Node, least: u64, most: u64) -> Option<u64> {
        let value = node.scalar().and_then(|scalar| scalar.value().as_u64());
        match value {
            Some(value) if (least..=most).contains(&value) => Some(value),
            Some(_) => {
                self.at(node.spot, format!("a number from {least} to {most} is expected here"));
                None
            }
            None => {
                match node.scalar().is_some_and(|scalar| scalar.value().is_i64()) {
                    true => self.at(node.spot, format!("a number from {least} to {most} is expected here")),
                    false => self.wrong(node, "a whole number"),
                }
                None
            }
        }
    }

    /// A length of time in a range.
    pub fn span(&mut self, node: &Node, least: Millis, most: Millis) -> Option<Millis> {
        let text = node.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
        match Millis::parse(text) {
            Some(span) if (least..=most).contains(&span) => Some(span),
            Some(_) => {
                self.at(node.spot, format!("a time from {least} to {most} is expected here"));
                None
            }
            None => {
                let message = format!("a length of time is expected here, not {}", node.describe());
                self.at_with(
                    node.spot,
                    message,
                    Some("a number and one of ms, s, m, h, d, w, such as `30m`".to_owned()),
                );
                None
            }
        }
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words = choices.iter().map(|(word, _)| *word);
            let suggestion = did_you_mean(&text, words.clone());
            self.at_with(node.spot, format!("one of {} is expected here", list(words)), suggestion);
        }
        found
    }
}

/// Words in backticks with commas between them.
pub fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A word as messages show it: not longer than one would read.
pub fn short(word: &str) -> String {
    if word.chars().count() <= 60 { word.to_owned() } else { word.chars().take(60).chain(['…']).collect() }
}

/// Whether text can be a name in expressions and templates.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= 64
}
