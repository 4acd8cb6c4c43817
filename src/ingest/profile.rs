//! A source's profile: whom an item concerns and what it is called, by the expressions of `sources/<name>.yaml`.
//!
//! Expressions see `body` (the whole), `item` (one event of it) and `headers` (names in lower case).

use cel::Context;
use serde_json::{Map, Value};

use super::{Headers, Refused, fields};
use crate::model::catalog::{Expression, Source};
use crate::model::cel_value;
use crate::model::ids::ActorId;
use crate::model::time::Ms;

/// What a profile says of one item; none: it does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The event's id.
    pub id: Option<String>,
    /// The event's type.
    pub kind: Option<String>,
    /// The event's time.
    pub time: Option<Ms>,
    /// Whom it concerns; inner none: nobody in particular.
    pub customer: Option<Option<ActorId>>,
    /// The event's data.
    pub data: Option<Value>,
}

/// A profile over one request.
pub struct Profile<'s> {
    source: &'s Source,
    context: Context<'static, 'static>,
}

impl<'s> Profile<'s> {
    /// Binds `body` and `headers`, where an expression reads them.
    pub fn new(source: &'s Source, body: &Value, headers: &Headers) -> Profile<'s> {
        let mut context = cel_value::context();
        let written = [&source.each, &source.id, &source.kind, &source.time, &source.customer, &source.data];
        let reads = |name: &str| written.iter().copied().flatten().any(|e| e.names.iter().any(|read| read == name));
        if reads("body") {
            context.add_variable_from_value("body", cel_value::from_json(body));
        }
        if reads("headers") {
            context.add_variable_from_value("headers", cel_value::from_json(&shown(headers)));
        }
        Profile { source, context }
    }

    /// The items of the body: what `each` names, else the body itself.
    ///
    /// # Errors
    /// `each` cannot be evaluated, or names something that holds no JSON.
    pub fn items(&self, body: &Value) -> Result<Vec<Value>, Refused> {
        let Some(each) = &self.source.each else { return Ok(vec![body.clone()]) };
        match json(each, &self.context).map_err(|why| wrong("", "each", each, &why))? {
            Value::Array(items) => Ok(items),
            Value::Null => Ok(Vec::new()),
            one => Ok(vec![one]),
        }
    }

    /// What the profile says of one item.
    ///
    /// # Errors
    /// An expression cannot be evaluated, or says something that is no id, type, time or customer. A customer that
    /// cannot be evaluated is none: vendors send kinds of events that concern nobody.
    pub fn read(&self, item: &Value) -> Result<Said, Refused> {
        let mut context = self.context.new_inner_scope();
        context.add_variable_from_value("item", cel_value::from_json(item));
        let value = |field: &str, written: &Option<Expression>| match written {
            None => Ok::<_, Refused>(None),
            Some(written) => {
                let value = json(written, &context).map_err(|why| wrong(field, field, written, &why))?;
                Ok(Some(value))
            }
        };
        let id = match value("id", &self.source.id)? {
            Some(id) => fields::id("/id", Some(&id))?.map(|id| fields::name("/id", &id)).transpose()?,
            None => None,
        };
        let kind = match value("type", &self.source.kind)? {
            Some(kind) => fields::text("/type", Some(&kind))?.map(|kind| fields::kind("/type", kind)).transpose()?,
            None => None,
        };
        let time = match value("time", &self.source.time)? {
            Some(time) => fields::text("/time", Some(&time))?.map(|text| fields::time("/time", text, Ms::MAX)),
            None => None,
        };
        let customer = match &self.source.customer {
            None => None,
            Some(written) => match json(written, &context) {
                Ok(Value::String(text)) => Some(Some(fields::customer("/customer", &text)?)),
                Ok(Value::Null) | Err(_) => Some(None),
                Ok(_) => return Err(Refused::at("/customer", "the source's `customer` is no text")),
            },
        };
        Ok(Said { id, kind, time: time.transpose()?, customer, data: value("data", &self.source.data)? })
    }
}

/// What a profile says of a request with one item.
///
/// # Errors
/// As [`Profile::read`].
pub fn read(source: &Source, item: &Value, headers: &Headers) -> Result<Said, Refused> {
    Profile::new(source, item, headers).read(item)
}

fn json(written: &Expression, context: &Context<'_, '_>) -> Result<Value, String> {
    cel_value::to_json(&written.evaluate(context)?)
}

fn wrong(pointer: &str, field: &str, written: &Expression, why: &str) -> Refused {
    let pointer = if pointer.is_empty() { String::new() } else { format!("/{pointer}") };
    Refused::at(pointer, format!("the source's `{field}: {}` cannot be evaluated: {why}", written.source))
}

/// Headers for expressions; what proves who speaks is no business of theirs.
fn shown(headers: &Headers) -> Value {
    let mut object = Map::new();
    for (name, value) in headers.iter() {
        if matches!(name, "authorization" | "cookie" | "proxy-authorization") {
            continue;
        }
        if let Ok(text) = std::str::from_utf8(value) {
            object.entry(name.to_owned()).or_insert_with(|| Value::from(text));
        }
    }
    Value::Object(object)
}
