//! Words: templates filled with facts, and the few sentences that Beckon says by itself.

use serde_json::{Map, Value};

use crate::model::catalog::{Catalog, Playbook, Template};
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

/// Fills a template with values.
///
/// # Errors
/// What is missing or wrong, in a sentence.
pub fn fill(catalog: &Catalog, template: &Template, values: &Map<String, Value>) -> Result<String, String> {
    let mut context = tera::Context::new();
    for (name, value) in values {
        context.insert(name.clone(), value);
    }
    let text = catalog.templates.render(&template.name, &context).map_err(|problem| problem.to_string())?;
    Ok(cut(text.trim()))
}

/// A message in the playbook's own words, and so in its language.
pub fn written(playbook: &Playbook, text: String, choices: Vec<Choice>) -> Kind {
    Kind::Message { text, locale: playbook.locale.clone(), choices, choice: None, client_id: None, name: None }
}

/// Cuts a text to [`MAX_TEXT`] at a character's end.
pub fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    text.char_indices().take_while(|(at, _)| *at < MAX_TEXT - 4).map(|(_, c)| c).chain(['…']).collect()
}
