//! CEL values: JSON in, JSON out, and evaluating compiled expressions on one shared set of functions.
//!
//! Not here: reading expressions and finding their mistakes (`catalog::expression`), which names are bound where
//! (`trigger`, `dialogue`).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Map as CelMap, OptionalValue};
use cel::{Context, Env};
use serde_json::{Map, Number, Value};

use super::catalog::{Condition, Expression};
use super::event::Event;
use super::ids::ActorId;

/// Deeper values become null: nothing that came through the front door is as deep.
const MAX_DEPTH: usize = 128;

/// The longest list that `exists`, `map` and their like go through.
const MAX_ITEMS: usize = 1_000;

/// The longest list for those that stand in one another.
const MAX_ITEMS_NESTED: usize = 100;

/// CEL's standard functions and nothing else: none that knows the time or chance.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// The functions that expressions are compiled for.
pub fn env() -> &'static Env {
    &ENV
}

/// An empty context over the shared functions; cheap.
pub fn context() -> Context<'static, 'static> {
    Context::with_env(Arc::clone(&ENV))
}

/// A JSON value for CEL. Integers that fit are `int`, other numbers `double`: `uint` would not compare with literals.
pub fn from_json(value: &Value) -> cel::Value {
    from_json_at(value, 0)
}

fn from_json_at(value: &Value, depth: usize) -> cel::Value {
    if depth > MAX_DEPTH {
        return cel::Value::Null;
    }
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(b) => cel::Value::Bool(*b),
        Value::Number(n) => match n.as_i64() {
            Some(i) => cel::Value::Int(i),
            None => cel::Value::Float(n.as_f64().unwrap_or_default()),
        },
        Value::String(s) => cel::Value::String(Arc::new(s.clone())),
        Value::Array(items) => {
            cel::Value::List(Arc::new(items.iter().map(|item| from_json_at(item, depth + 1)).collect()))
        }
        Value::Object(fields) => {
            let map: HashMap<Key, cel::Value> = fields
                .iter()
                .map(|(name, value)| (Key::String(Arc::new(name.clone())), from_json_at(value, depth + 1)))
                .collect();
            cel::Value::Map(CelMap { map: Arc::new(map) })
        }
    }
}

/// A CEL value as JSON. Times are RFC 3339, durations seconds as text (`90s`), bytes base64, absent optionals null.
///
/// # Errors
/// A sentence, for values that JSON has no form for (functions, infinite numbers) or that are too deep.
pub fn to_json(value: &cel::Value) -> Result<Value, String> {
    to_json_at(value, 0)
}

fn to_json_at(value: &cel::Value, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err("the value is too deep".to_owned());
    }
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(b) => Value::Bool(*b),
        cel::Value::Int(i) => Value::from(*i),
        cel::Value::UInt(u) => Value::from(*u),
        cel::Value::Float(f) => Value::Number(Number::from_f64(*f).ok_or_else(|| format!("{f} is not a number"))?),
        cel::Value::String(s) => Value::String(s.as_ref().clone()),
        cel::Value::Bytes(b) => {
            use base64::Engine;
            Value::String(base64::engine::general_purpose::STANDARD.encode(b.as_slice()))
        }
        cel::Value::List(items) => {
            Value::Array(items.iter().map(|item| to_json_at(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        cel::Value::Map(map) => {
            let mut object = Map::new();
            for (key, value) in map.map.iter() {
                object.insert(key.to_string(), to_json_at(value, depth + 1)?);
            }
            Value::Object(object)
        }
        cel::Value::Timestamp(time) => Value::String(time.to_rfc3339()),
        cel::Value::Duration(length) => {
            let ms = length.num_milliseconds();
            let text = if ms % 1_000 == 0 { format!("{}s", ms / 1_000) } else { format!("{ms}ms") };
            Value::String(text)
        }
        cel::Value::Opaque(opaque) => match opaque.downcast_ref::<OptionalValue>() {
            Some(optional) => optional.value().map_or(Ok(Value::Null), |inner| to_json_at(inner, depth + 1))?,
            None => return Err("the value has no JSON form".to_owned()),
        },
        _ => return Err("the value has no JSON form".to_owned()),
    })
}

/// An event as conditions and words see it: the envelope's attributes beside `data`.
pub fn event_json(event: &Event) -> Value {
    let mut object = event.extensions.clone();
    object.insert("id".to_owned(), Value::from(event.id.as_str()));
    object.insert("source".to_owned(), Value::from(event.source.as_str()));
    object.insert("type".to_owned(), Value::from(event.kind.as_str()));
    if let Some(time) = event.time {
        object.insert("time".to_owned(), Value::from(time.to_string()));
    }
    object.insert("data".to_owned(), event.data.clone());
    Value::Object(object)
}

/// A customer as conditions and words see them: `id` is what follows `user:`, and `traits`. An anonymous id is a
/// secret: it is null here.
pub fn customer_json(customer: &ActorId, traits: Map<String, Value>) -> Value {
    serde_json::json!({ "id": customer.user_id(), "traits": traits })
}

impl Expression {
    /// The expression's value in a context that binds its names.
    ///
    /// # Errors
    /// A sentence for people: a name or field that is not there, types that do not go together.
    pub fn evaluate(&self, context: &Context<'_, '_>) -> Result<cel::Value, String> {
        self.within_bounds(context)?;
        self.program.execute(context).map_err(|problem| words(&problem))
    }

    /// What it goes through item by item is short enough: senders choose the lengths, and each loop multiplies by one.
    fn within_bounds(&self, context: &Context<'_, '_>) -> Result<(), String> {
        let most = match self.loops {
            0 => return Ok(()),
            1 => MAX_ITEMS,
            _ => MAX_ITEMS_NESTED,
        };
        for path in &self.paths {
            let Some((name, fields)) = path.split_first() else { continue };
            let value = context.get_variable(name).and_then(|value| cel::Value::try_from(&*value).ok());
            let Some(mut value) = value else { continue };
            for field in fields {
                let cel::Value::Map(map) = &value else { break };
                let Some(inner) = map.get(&Key::String(Arc::new(field.clone()))).cloned() else { break };
                value = inner;
            }
            let longest = longest(&value);
            if longest > most {
                let (path, nested) = (path.join("."), if self.loops > 1 { ", one in another," } else { "" });
                return Err(format!(
                    "`{path}` has a list of {longest}; `exists` and its like{nested} take up to {most}"
                ));
            }
        }
        Ok(())
    }

    /// The expression's value as JSON.
    ///
    /// # Errors
    /// As [`Expression::evaluate`], and where JSON has no form for the value.
    pub fn evaluate_json(&self, context: &Context<'_, '_>) -> Result<Value, String> {
        to_json(&self.evaluate(context)?)
    }

    /// Whether the expression is true.
    ///
    /// # Errors
    /// As [`Expression::evaluate`], and where it is neither true nor false.
    pub fn holds(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        match self.evaluate(context)? {
            cel::Value::Bool(held) => Ok(held),
            other => Err(format!("`{}` is {}, neither true nor false", self.source, other.type_of())),
        }
    }
}

/// The length of the longest list or map in a value, itself included.
fn longest(value: &cel::Value) -> usize {
    match value {
        cel::Value::List(items) => items.iter().map(longest).max().unwrap_or(0).max(items.len()),
        cel::Value::Map(map) => map.map.values().map(longest).max().unwrap_or(0).max(map.map.len()),
        _ => 0,
    }
}

/// What became of asking a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// All parts hold.
    Yes,
    /// This part (by its place) is false.
    No(usize),
    /// This part could not be evaluated, and why.
    Failed(usize, String),
}

impl Condition {
    /// Asks the parts in order, up to the first that does not hold.
    pub fn ask(&self, context: &Context<'_, '_>) -> Held {
        for (place, part) in self.parts.iter().enumerate() {
            match part.holds(context) {
                Ok(true) => {}
                Ok(false) => return Held::No(place),
                Err(problem) => return Held::Failed(place, problem),
            }
        }
        Held::Yes
    }
}

/// An error of the evaluation without values: they may be a customer's.
fn words(problem: &cel::ExecutionError) -> String {
    use cel::ExecutionError as E;
    match problem {
        E::NoSuchKey(key) => format!("there is no field `{key}`"),
        E::UndeclaredReference(name) => format!("there is no `{name}`"),
        E::UnexpectedType { got, want } => format!("the type is {got}, not {want}"),
        E::NoSuchOverload(overload) => {
            let types = overload.argument_types().join(" and ");
            format!("`{}` cannot be applied to {types}", overload.function().trim_matches(['_', '@']))
        }
        E::ValuesNotComparable(left, right) => {
            format!("{} cannot be compared with {}", left.type_of(), right.type_of())
        }
        E::UnsupportedBinaryOperator(operator, left, right) => {
            format!("`{operator}` cannot be applied to {} and {}", left.type_of(), right.type_of())
        }
        E::UnsupportedIndex(_, of) => format!("{} has no such field", of.type_of()),
        E::UnsupportedTargetType { target } => format!("{} is not a type for this function", target.type_of()),
        E::NotSupportedAsMethod { method, target } => format!("{} has no function `{method}`", target.type_of()),
        E::DivisionByZero(_) | E::RemainderByZero(_) => "division by zero".to_owned(),
        E::Overflow(..) => "the number is too large".to_owned(),
        E::IndexOutOfBounds(_) => "the list has no such place".to_owned(),
        E::FunctionError { function, .. } => format!("`{function}` failed"),
        E::InvalidArgumentCount { expected, actual } => format!("{expected} arguments are expected, not {actual}"),
        _ => "it cannot be evaluated".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expression(source: &str, names: &[&str]) -> Expression {
        Expression {
            source: source.to_owned(),
            program: env().compile(source).unwrap(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            paths: Vec::new(),
            loops: 0,
        }
    }

    #[test]
    fn a_senders_list_is_gone_through_up_to_a_bound_and_never_squared() {
        let list = |len: usize| Value::Array((0..len).map(Value::from).collect());
        for (source, loops, most) in [
            ("data.items.exists(x, x == -1)", 1, MAX_ITEMS),
            ("data.items.exists(x, data.items.exists(y, x + y == -1))", 2, MAX_ITEMS_NESTED),
        ] {
            for len in [most, most + 1, 30_000] {
                let data = serde_json::json!({ "items": list(len), "other": list(2) });
                let mut context = context();
                context.add_variable_from_value("data", from_json(&data));
                let paths = vec![vec!["data".to_owned(), "items".to_owned()]];
                let asked = Expression { paths, loops, ..expression(source, &["data"]) };
                let expected = if len > most {
                    let nested = if loops > 1 { ", one in another," } else { "" };
                    Err(format!("`data.items` has a list of {len}; `exists` and its like{nested} take up to {most}"))
                } else {
                    Ok(false)
                };
                assert_eq!(asked.holds(&context), expected);
            }
        }
    }

    fn evaluate(source: &str, data: &Value) -> Result<Value, String> {
        let mut context = context();
        context.add_variable_from_value("data", from_json(data));
        expression(source, &["data"]).evaluate_json(&context)
    }

    #[test]
    fn json_comes_back_as_it_went_in() {
        let data = json!({ "a": [1, -2, 2.5, true, null, "x"], "b": { "c": {} } });
        assert_eq!(to_json(&from_json(&data)), Ok(data));
    }

    #[test]
    fn integers_that_fit_are_ints_and_others_doubles() {
        let data = json!({ "n": 3, "big": u64::MAX, "f": 3.5 });
        assert_eq!(evaluate("data.n + 1", &data), Ok(json!(4)));
        assert_eq!(evaluate("data.n >= 2 && data.n > 2.5", &data), Ok(json!(true)));
        assert_eq!(evaluate("data.big > 1e18", &data), Ok(json!(true)));
        assert_eq!(evaluate("data.f < 4", &data), Ok(json!(true)));
        assert_eq!(evaluate("data.n == 3.0", &data), Ok(json!(true)));
    }

    #[test]
    fn errors_say_what_is_wrong_and_show_no_values() {
        let data = json!({ "card": "4242424242424242" });
        assert_eq!(evaluate("data.total > 20.0", &data), Err("there is no field `total`".to_owned()));
        for source in ["data.card > 20", "data.card + 1", "data.card.x", "nobody.x"] {
            let problem = evaluate(source, &data).unwrap_err();
            assert!(!problem.contains("4242"), "{source}: {problem}");
        }
    }

    #[test]
    fn a_condition_names_the_part_that_fails() {
        let parts = ["data.a > 1", "data.b", "data.c"].map(|part| expression(part, &["data"]));
        let condition = Condition { source: String::new(), parts: parts.into() };
        let ask = |data: Value| {
            let mut context = context();
            context.add_variable_from_value("data", from_json(&data));
            condition.ask(&context)
        };
        assert_eq!(ask(json!({ "a": 2, "b": true, "c": true })), Held::Yes);
        assert_eq!(ask(json!({ "a": 2, "b": false })), Held::No(1));
        assert_eq!(ask(json!({ "a": 2, "b": true })), Held::Failed(2, "there is no field `c`".to_owned()));
        assert!(matches!(ask(json!({ "a": 2, "b": "yes" })), Held::Failed(1, _)));
    }

    #[test]
    fn optional_fields_and_times_have_json_forms() {
        assert_eq!(evaluate("data.?x.orValue(7)", &json!({})), Ok(json!(7)));
        assert_eq!(evaluate("data.?x", &json!({})), Ok(json!(null)));
        assert_eq!(evaluate("timestamp(1764000000)", &json!({})), Ok(json!("2025-11-24T16:00:00+00:00")));
        assert_eq!(evaluate("duration('90s')", &json!({})), Ok(json!("90s")));
        assert_eq!(evaluate("type(data.x) == int", &json!({ "x": 1 })), Ok(json!(true)));
        assert_eq!(evaluate("'a1b'.matches('[0-9]') && 'ab'.size() == 2", &json!({})), Ok(json!(true)));
    }
}
