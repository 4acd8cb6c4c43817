//! Reads values of the configuration as what they should be, and notes every mistake with its place. Secrets are
//! resolved here, and no message shows one.

use std::collections::BTreeMap;
use std::fmt;

use url::Url;

use crate::catalog::{Mistake, Spot, did_you_mean, nearest};
use crate::model::time::Millis;
use crate::secret::Secret;

use super::layers::{Item, NO_TOML, Place, Tree};

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigMistake {
    /// In the workspace's file.
    InFile(Mistake),
    /// In the environment, a flag, or nowhere in particular.
    Elsewhere {
        /// Where: the variable's or flag's name.
        place: String,
        /// What is wrong.
        message: String,
        /// What was perhaps meant.
        suggestion: Option<String>,
    },
}

impl ConfigMistake {
    /// Whether there may be more in the file than could be read.
    pub fn cuts_short(&self) -> bool {
        match self {
            ConfigMistake::InFile(mistake) => mistake.message.starts_with(NO_TOML),
            ConfigMistake::Elsewhere { .. } => false,
        }
    }
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigMistake::InFile(mistake) => mistake.fmt(f),
            ConfigMistake::Elsewhere { place, message, suggestion } => {
                write!(f, "{place}: {message}")?;
                match suggestion {
                    Some(suggestion) => write!(f, "\n  help: {suggestion}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Keys whose values are secrets, or may hold one.
pub const SECRET: [&str; 8] = ["key", "api_key", "identity_keys", "headers", "secret", "url", "webhook", "jwks_url"];

/// Whether secrets are read now, or only named (`beckon check` runs where they are not).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Read them: one that is missing is a mistake.
    Resolve,
    /// Leave them as they are written.
    Leave,
}

/// What reading needs, and the mistakes found.
pub struct Reading<'a> {
    /// The file's name.
    pub file: &'a str,
    /// The file's text.
    pub text: &'a str,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Whether secrets are read.
    pub secrets: Secrets,
    /// Keys of the file whose values are no secrets: lines with nothing else are shown as they are.
    pub plain: &'a [&'a str],
    /// What was found.
    pub mistakes: Vec<ConfigMistake>,
}

/// A table of the configuration, with its name for messages.
pub struct Section<'t> {
    /// Its name, such as `http` or `adapter.shop`.
    pub name: String,
    /// What is in it.
    pub table: &'t BTreeMap<String, Item>,
    /// Where it begins.
    pub place: Place,
}

impl Reading<'_> {
    /// Notes a mistake.
    pub fn at(&mut self, place: &Place, message: impl Into<String>, suggestion: Option<String>) {
        let message = message.into();
        let mistake = match place {
            Place::File(range) => {
                let spot = Spot { start: range.start, end: range.end };
                let mut mistake = Mistake::at(self.file, self.text, spot, message).suggest(suggestion);
                // A value that does not parse may be a secret without quotes.
                let is_plain = is_plain(&mistake.line_text, section_at(self.text, spot.start), self.plain);
                mistake.line_text = match mistake.message.starts_with(NO_TOML) {
                    true => without_right_side(&mistake.line_text),
                    false if is_plain => mistake.line_text,
                    false => without_values(&mistake.line_text),
                };
                ConfigMistake::InFile(mistake)
            }
            Place::Env(name) | Place::Flag(name) => {
                ConfigMistake::Elsewhere { place: name.clone(), message, suggestion }
            }
            Place::Default => ConfigMistake::Elsewhere { place: self.file.to_owned(), message, suggestion },
        };
        self.mistakes.push(mistake);
    }

    /// A table under another, its keys checked. None where it is not there, or is no table.
    pub fn section<'t>(&mut self, of: &Section<'t>, name: &str, keys: &[&str]) -> Option<Section<'t>> {
        let item = of.table.get(name)?;
        let full = if of.name.is_empty() { name.to_owned() } else { format!("{}.{name}", of.name) };
        self.table(item, full, keys)
    }

    /// A table, its keys checked; no keys: any.
    pub fn table<'t>(&mut self, item: &'t Item, name: String, keys: &[&str]) -> Option<Section<'t>> {
        let Tree::Table(table) = &item.tree else {
            self.at(&item.place, format!("`{name}` is a table, not {}", item.tree.describe()), None);
            return None;
        };
        let section = Section { name, table, place: item.place.clone() };
        if !keys.is_empty() {
            self.keys(&section, keys);
        }
        Some(section)
    }

    /// Notes keys that a table does not have.
    pub fn keys(&mut self, section: &Section<'_>, keys: &[&str]) {
        for (key, item) in section.table {
            if !keys.contains(&key.as_str()) {
                let place = match (&item.place, &item.key) {
                    (Place::File(_), Some(range)) => Place::File(range.clone()),
                    (place, _) => place.clone(),
                };
                let within = if section.name.is_empty() { "here".to_owned() } else { format!("in `{}`", section.name) };
                let suggestion = did_you_mean(key, keys.iter().copied()).or_else(|| {
                    let words: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
                    Some(format!("keys are {}", words.join(", ")))
                });
                self.at(&place, format!("there is no `{key}` {within}"), suggestion);
            }
        }
    }

    fn wrong(&mut self, section: &Section<'_>, key: &str, item: &Item, expected: &str) {
        let what = item.tree.describe();
        let name = full(section, key);
        let message = match item.tree {
            Tree::Raw(_) => format!("{expected} is expected for `{name}`"),
            _ => format!("{expected} is expected for `{name}`, not {what}"),
        };
        self.at(&item.place, message, None);
    }

    /// The same of a value that may be of the right kind, and then is too small, too large, or has no unit that is known.
    fn out_of_range(&mut self, section: &Section<'_>, key: &str, item: &Item, expected: &str, is_kind: bool) {
        match is_kind {
            true => self.at(&item.place, format!("{expected} is expected for `{}`", full(section, key)), None),
            false => self.wrong(section, key, item, expected),
        }
    }

    /// Text; none where it is not there or empty.
    pub fn text(&mut self, section: &Section<'_>, key: &str) -> Option<String> {
        let item = section.table.get(key)?;
        match text_of(item) {
            Some(text) => Some(text).filter(|text| !text.is_empty()),
            None => {
                self.wrong(section, key, item, "text");
                None
            }
        }
    }

    /// Text that must be there.
    pub fn required(&mut self, section: &Section<'_>, key: &str) -> Option<String> {
        if section.table.get(key).is_none_or(|item| text_of(item).is_some_and(|text| text.is_empty())) {
            self.at(&section.place, format!("`{}` is required", full(section, key)), None);
            return None;
        }
        self.text(section, key)
    }

    /// A secret: the value itself, or where it is.
    pub fn secret(&mut self, section: &Section<'_>, key: &str) -> Option<Secret> {
        let item = section.table.get(key)?;
        self.secret_of(section, key, item)
    }

    fn secret_of(&mut self, section: &Section<'_>, key: &str, item: &Item) -> Option<Secret> {
        let Some(text) = text_of(item) else {
            self.wrong(section, key, item, "text");
            return None;
        };
        if self.secrets == Secrets::Leave {
            return Some(Secret::new(text)).filter(|secret| !secret.reveal().is_empty());
        }
        match Secret::resolve(&text, self.env) {
            Ok(secret) if secret.reveal().is_empty() => {
                self.at(&item.place, format!("`{}` is empty", full(section, key)), None);
                None
            }
            Ok(secret) => Some(secret),
            Err(problem) => {
                self.at(&item.place, format!("`{}`: {problem}", full(section, key)), None);
                None
            }
        }
    }

    /// A list of secrets.
    pub fn secret_list(&mut self, section: &Section<'_>, key: &str) -> Vec<Secret> {
        let items = self.list(section, key);
        items.iter().filter_map(|item| self.secret_of(section, key, item)).collect()
    }

    /// A list; one text of the environment is a list of one.
    pub fn list<'t>(&mut self, section: &Section<'t>, key: &str) -> Vec<&'t Item> {
        match section.table.get(key) {
            None => Vec::new(),
            Some(Item { tree: Tree::List(items), .. }) => items.iter().collect(),
            Some(Item { tree: Tree::Raw(text), .. }) if text.is_empty() => Vec::new(),
            Some(item @ Item { tree: Tree::Raw(_), .. }) => vec![item],
            Some(item) => {
                self.wrong(section, key, item, "a list");
                Vec::new()
            }
        }
    }

    /// A list of texts with their places.
    pub fn texts(&mut self, section: &Section<'_>, key: &str) -> Vec<(String, Place)> {
        let mut found = Vec::new();
        for item in self.list(section, key) {
            match text_of(item) {
                Some(text) => found.push((text, item.place.clone())),
                None => self.wrong(section, key, item, "text"),
            }
        }
        found
    }

    /// True or false.
    pub fn flag(&mut self, section: &Section<'_>, key: &str) -> Option<bool> {
        let item = section.table.get(key)?;
        match &item.tree {
            Tree::Flag(flag) => Some(*flag),
            Tree::Raw(text) if text == "true" => Some(true),
            Tree::Raw(text) if text == "false" => Some(false),
            _ => {
                self.wrong(section, key, item, "true or false");
                None
            }
        }
    }

    /// A whole number in a range.
    pub fn number(&mut self, section: &Section<'_>, key: &str, least: u64, most: u64) -> Option<u64> {
        let item = section.table.get(key)?;
        let number = match &item.tree {
            Tree::Whole(number) => u64::try_from(*number).ok(),
            Tree::Raw(text) => text.parse().ok(),
            _ => None,
        };
        let in_range = number.filter(|number| (least..=most).contains(number));
        if in_range.is_none() {
            let expected = format!("a number from {least} to {most}");
            self.out_of_range(section, key, item, &expected, matches!(item.tree, Tree::Whole(_)));
        }
        in_range
    }

    /// A number of things, in memory.
    pub fn count(&mut self, section: &Section<'_>, key: &str, least: u64, most: u64) -> Option<usize> {
        self.number(section, key, least, most).and_then(|number| usize::try_from(number).ok())
    }

    /// A length of time in a range.
    pub fn span(&mut self, section: &Section<'_>, key: &str, least: Millis, most: Millis) -> Option<Millis> {
        let item = section.table.get(key)?;
        let span = text_of(item).and_then(|text| Millis::parse(&text)).filter(|span| (least..=most).contains(span));
        if span.is_none() {
            let expected = format!("a time from {least} to {most}, such as `{most}`,");
            self.out_of_range(section, key, item, &expected, text_of(item).is_some());
        }
        span
    }

    /// A length of time of at least this; none where a word says that there is none.
    pub fn span_or(&mut self, section: &Section<'_>, key: &str, word: &str, least: Millis) -> Option<Millis> {
        let item = section.table.get(key)?;
        let text = text_of(item);
        if text.as_deref() == Some(word) {
            return None;
        }
        let span = text.as_deref().and_then(Millis::parse).filter(|span| *span >= least);
        if span.is_none() {
            let expected = format!("`{word}` or a time from {least} on, such as `400d`,");
            self.out_of_range(section, key, item, &expected, text.is_some());
        }
        span
    }

    /// A size in bytes in a range.
    pub fn size(&mut self, section: &Section<'_>, key: &str, least: u64, most: u64) -> Option<usize> {
        let item = section.table.get(key)?;
        let bytes = match &item.tree {
            Tree::Whole(bytes) => u64::try_from(*bytes).ok(),
            Tree::Text(text) | Tree::Raw(text) => parse_size(text),
            _ => None,
        };
        let in_range = bytes.filter(|bytes| (least..=most).contains(bytes));
        if in_range.is_none() {
            let expected = format!("a size from {} to {}", size_text(least), size_text(most));
            let is_size = matches!(item.tree, Tree::Whole(_) | Tree::Text(_));
            self.out_of_range(section, key, item, &expected, is_size);
        }
        in_range.and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// An address with one of these schemes; it may be named like a secret, for it may hold one.
    pub fn url(&mut self, section: &Section<'_>, key: &str, schemes: &[&str]) -> Option<Url> {
        let item = section.table.get(key)?;
        let text = self.secret_of(section, key, item)?;
        let named = ["env:", "file:"].iter().any(|kind| text.reveal().starts_with(kind));
        if self.secrets == Secrets::Leave && named {
            // Where it is not read, an address of this shape stands for it.
            return Url::parse(&format!("{}://secret.invalid", schemes.first().unwrap_or(&"https"))).ok();
        }
        match Url::parse(text.reveal()) {
            Ok(url) if schemes.contains(&url.scheme()) && url.host_str().is_some() => Some(url),
            _ => {
                let schemes: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
                let message = format!("`{}` is no address with {}", full(section, key), schemes.join(" or "));
                self.at(&item.place, message, None);
                None
            }
        }
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, section: &Section<'_>, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let item = section.table.get(key)?;
        let text = text_of(item).unwrap_or_default();
        self.one_of(&full(section, key), &text, &item.place, choices)
    }

    /// One of some words, written at a place.
    pub fn one_of<T: Copy>(&mut self, name: &str, text: &str, place: &Place, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            let suggestion = did_you_mean(text, choices.iter().map(|(word, _)| *word));
            self.at(place, format!("`{name}` is one of {}", words.join(", ")), suggestion);
        }
        found
    }
}

/// The name of a key with its section.
pub fn full(section: &Section<'_>, key: &str) -> String {
    if section.name.is_empty() { key.to_owned() } else { format!("{}.{key}", section.name) }
}

fn text_of(item: &Item) -> Option<String> {
    match &item.tree {
        Tree::Text(text) | Tree::Raw(text) => Some(text.clone()),
        _ => None,
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// A size as one would write it.
pub fn size_text(bytes: u64) -> String {
    let units = [("GiB", 1024 * 1024 * 1024), ("MiB", 1024 * 1024), ("KiB", 1024)];
    match units.iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size)) {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => format!("{bytes}B"),
    }
}

/// A line of the file with all behind the `=` blotted out.
fn without_right_side(line: &str) -> String {
    let (left, right) = line.split_at(line.find('=').map_or(0, |at| at + 1));
    left.chars().chain(right.chars().map(|c| if c.is_whitespace() { c } else { '*' })).collect()
}

/// The last header, such as `[adapter.shop]`, before a place of the file.
fn section_at(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    before.lines().rev().map(str::trim).find(|line| line.starts_with('[')).unwrap_or_default()
}

/// Whether a line sets nothing but what is no secret, mistyped or not. What it goes on with from the line before is not
/// known, and the names of headers are anybody's: such lines are not plain.
fn is_plain(line: &str, section: &str, plain: &[&str]) -> bool {
    if section.contains("headers") {
        return false;
    }
    let shown = without_values(line);
    let mut parts: Vec<&str> = shown.split('=').collect();
    // What is right of the last `=` is a value.
    parts.pop();
    let key = |part: &str| {
        let word = part.trim_end();
        let start =
            word.rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))).map_or(0, |at| at + 1);
        let word = word.get(start..).unwrap_or_default();
        plain.contains(&word)
            || nearest(word, plain.iter().copied().chain(SECRET)).is_some_and(|near| plain.contains(&near))
    };
    !parts.is_empty() && parts.into_iter().all(key)
}

/// A line of the file with all quoted text blotted out: some of it may be a secret.
fn without_values(line: &str) -> String {
    let mut quote = None;
    let mut escaped = false;
    line.chars()
        .map(|c| match quote {
            Some(open) if c == open && !escaped => {
                quote = None;
                c
            }
            Some(open) => {
                escaped = c == '\\' && open == '"' && !escaped;
                '*'
            }
            None => {
                if matches!(c, '"' | '\'') {
                    quote = Some(c);
                    escaped = false;
                }
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_no_values() {
        let line = r#"headers = { a = "Bearer \"x\" y", b = 'z' } # "open"#;
        assert_eq!(without_values(line), r#"headers = { a = "**************", b = '*' } # "****"#);
        assert_eq!(without_values("key = \"never closed"), "key = \"************");
    }

    #[test]
    fn lines_without_a_secret_are_shown_as_they_are() {
        let plain = ["listen", "rights", "name", "origins"];
        for line in ["listn = \"127.0.0.1:1\"", "rights = [\"event\"]", "{ name = 'a', rights = [] }"] {
            assert!(is_plain(line, "[http]", &plain), "{line}");
        }
        for line in
            ["key = \"x\"", "kye = \"x\"", "name = 'a', key = 'x'", "  \"x\", 3]", "headers.name = 'x'", "zzz = 'x'"]
        {
            assert!(!is_plain(line, "[[http.api_key]]", &plain), "{line}");
        }
        assert!(!is_plain("name = 'x'", section_at("[adapter.a.headers]\nname = 'x'", 20), &plain));
    }

    #[test]
    fn sizes_are_read_and_written() {
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("1 MiB"), Some(1_048_576));
        assert_eq!(parse_size("12"), Some(12));
        assert_eq!((parse_size("12kb"), parse_size(""), parse_size("-1")), (None, None, None));
        assert_eq!((size_text(65_536), size_text(100)), ("64KiB".to_owned(), "100B".to_owned()));
    }
}
