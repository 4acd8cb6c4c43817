//! Names for conditions: each value is converted once, then asked by many conditions.

use cel::{Context, Value as Cel};
use serde_json::{Map, Value};

use super::catalog::{Condition, Expression};
use super::cel_value::{self, context, from_json};
pub use super::cel_value::{customer_json as customer_value, event_json as event_value};

/// Values by name, ready for conditions.
pub struct Scope {
    context: Context<'static, 'static>,
    values: Map<String, Value>,
}

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// It does.
    Yes,
    /// It does not: the first part that failed, what it saw, and the error where it could not be asked.
    No {
        /// The part, as written.
        condition: String,
        /// Its paths with their values.
        values: Map<String, Value>,
        /// Why it could not be asked.
        error: Option<String>,
    },
}

impl Default for Scope {
    fn default() -> Self {
        Scope::new()
    }
}

impl Scope {
    /// Nothing but the standard functions.
    pub fn new() -> Scope {
        Scope { context: context(), values: Map::new() }
    }

    /// Gives a value a name; the last one counts.
    pub fn bind(&mut self, name: &str, value: Value) {
        self.context.add_variable_from_value(name, from_json(&value));
        self.values.insert(name.to_owned(), value);
    }

    /// Names an expression reads but nobody bound become null: the script's rule.
    pub fn bind_missing(&mut self, expression: &Expression) {
        for name in &expression.names {
            if !self.values.contains_key(name) {
                self.context.add_variable_from_value(name.as_str(), Cel::Null);
            }
        }
    }

    /// Asks a condition, part by part.
    pub fn ask(&self, condition: &Condition) -> Held {
        let (place, error) = match condition.ask(&self.context) {
            cel_value::Held::Yes => return Held::Yes,
            cel_value::Held::No(place) => (place, None),
            cel_value::Held::Failed(place, problem) => (place, Some(problem)),
        };
        let part = condition.parts.get(place);
        Held::No {
            condition: part.map_or(&condition.source, |part| &part.source).clone(),
            values: part.map(|part| self.seen_by(part)).unwrap_or_default(),
            error,
        }
    }

    /// Evaluates an expression to JSON.
    ///
    /// # Errors
    /// What went wrong, in a sentence.
    pub fn value(&self, expression: &Expression) -> Result<Value, String> {
        expression.evaluate_json(&self.context)
    }

    /// Whether an expression is true; errors are false: the script's rule.
    pub fn is_true(&self, expression: &Expression) -> bool {
        expression.holds(&self.context).unwrap_or(false)
    }

    /// All values by name, for words.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    fn seen_by(&self, part: &Expression) -> Map<String, Value> {
        let seen = part.paths.iter().filter_map(|path| {
            let (first, rest) = path.split_first()?;
            let value = rest.iter().try_fold(self.values.get(first)?, |value, field| value.get(field));
            Some((path.join("."), short(value.cloned().unwrap_or(Value::Null))))
        });
        seen.collect()
    }
}

/// Explanations are read by people: long values are cut.
fn short(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > 200 => {
            Value::String(text.chars().take(200).chain(['…']).collect())
        }
        Value::Array(items) if items.len() > 20 => Value::String(format!("a list of {}", items.len())),
        Value::Object(fields) if fields.len() > 20 => Value::String(format!("an object of {} fields", fields.len())),
        other => other,
    }
}
