//! Words: templates filled with facts, and the few sentences that Beckon says by itself.

use serde_json::{Map, Value};

use crate::model::catalog::{Catalog, Playbook, Sentence, Template};
use crate::model::entry::Kind;
use crate::model::input::Choice;

/// Said where a call of the script failed and the playbook has no words for it.
pub const FAILED: &str = "That did not work.";

/// Said where the customer declined a call of the script and the playbook has no words for it.
pub const DECLINED: &str = "All right, I leave it as it is.";

/// Said where nobody knows whether a write happened.
pub const UNKNOWN: &str = "I could not find out whether that went through. A colleague will check it and tell you.";

/// The longest text that is said at once, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;

/// The longest list in the values of a template with loops in one another: senders choose how long theirs are.
const MAX_ITEMS: usize = 1_000;

/// Fills a template with values.
///
/// # Errors
/// What is missing or wrong, in a sentence.
pub fn fill(catalog: &Catalog, template: &Template, values: &Map<String, Value>) -> Result<String, String> {
    let mut context = tera::Context::new();
    for (name, value) in values {
        let longest = if template.loops > 1 { longest(value) } else { 0 };
        if longest > MAX_ITEMS {
            return Err(format!("`{name}` has a list of {longest}; loops in one another take up to {MAX_ITEMS}"));
        }
        context.insert(name.clone(), value);
    }
    let mut said = Said::default();
    match catalog.templates.render_to(&template.name, &context, &mut said) {
        // What was written until then is cut like any other text.
        Err(_) if said.full => {}
        other => other.map_err(|problem| problem.to_string())?,
    }
    Ok(cut(String::from_utf8_lossy(&said.bytes).trim()))
}

/// The length of the longest list or object in a value, itself included.
fn longest(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(longest).max().unwrap_or(0).max(items.len()),
        Value::Object(fields) => fields.values().map(longest).max().unwrap_or(0).max(fields.len()),
        _ => 0,
    }
}

/// What a template writes, as far as it can be said: loops over a sender's lists write no more into memory than that.
#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    full: bool,
}

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Blanks at the ends do not count: they are trimmed.
        self.full = self.bytes.len() > 2 * MAX_TEXT;
        if self.full {
            return Err(std::io::Error::other("more than can be said"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A message in the playbook's own words, and so in its language.
pub fn written(playbook: &Playbook, text: String, choices: Vec<Choice>) -> Kind {
    Kind::words(text, playbook.locale.clone(), choices)
}

/// A message in the playbook's words where it has some that can be filled, else in Beckon's own, which name no language.
pub fn own_words(
    catalog: &Catalog,
    playbook: &Playbook,
    template: &Template,
    otherwise: &Sentence,
    values: &Map<String, Value>,
) -> Kind {
    match fill(catalog, template, values) {
        Ok(text) if template.name != otherwise.name => written(playbook, text, Vec::new()),
        _ => Kind::words(otherwise.text, None, Vec::new()),
    }
}

/// Cuts a text to [`MAX_TEXT`] at a character's end.
pub fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    text.char_indices().take_while(|(at, _)| *at < MAX_TEXT - 4).map(|(_, c)| c).chain(['…']).collect()
}
