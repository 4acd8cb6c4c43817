//! Fills an operation's path and body with arguments. Pure.
//!
//! What an argument says never changes where a request goes: in a path it is one segment, in a body one value.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

/// The longest value in a path, in bytes.
const MAX_SEGMENT: usize = 1_024;

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What fills a template.
#[derive(Debug, Clone, Copy)]
pub struct Filling<'a> {
    /// What follows `user:`; none for an anonymous customer.
    pub customer: Option<&'a str>,
    /// The arguments; `customer.id` is none of them.
    pub args: &'a Map<String, Value>,
}

/// Why a template could not be filled; for the assistant, so without values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// The operation is for a known customer.
    #[error("this is only possible for a customer who is signed in")]
    Anonymous,
    /// An argument is not there.
    #[error("the argument `{0}` is missing")]
    Missing(String),
    /// A value that cannot be one segment of a path.
    #[error("`{0}` cannot be used in a path")]
    Segment(String),
    /// A list or an object within text.
    #[error("`{0}` cannot be used within text")]
    Text(String),
}

/// Fills a path; each value becomes percent-encoded text within one segment.
///
/// # Errors
/// [`Unfilled`]: a value is missing, empty, `.`, `..`, too long, has control characters, is no text, number or boolean,
/// or makes a segment `.` or `..` together with what is around it.
pub fn path(template: &str, filling: Filling<'_>) -> Result<String, Unfilled> {
    let mut filled = String::with_capacity(template.len());
    let mut last = String::new();
    for part in parts(template) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Name(name) => {
                let value = filling.value(name)?.ok_or_else(|| Unfilled::Missing(name.to_owned()))?;
                let value = scalar(&value).ok_or_else(|| Unfilled::Segment(name.to_owned()))?;
                let unfit = value.is_empty() || value == "." || value == ".." || value.len() > MAX_SEGMENT;
                if unfit || value.chars().any(char::is_control) {
                    return Err(Unfilled::Segment(name.to_owned()));
                }
                filled.extend(utf8_percent_encode(&value, SEGMENT));
                name.clone_into(&mut last);
            }
        }
    }
    let before_query = filled.split(['?', '#']).next().unwrap_or_default();
    if before_query.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(Unfilled::Segment(last));
    }
    Ok(filled)
}

/// Fills a body. A string that is one `{name}` becomes the value with its type; within other text a value becomes text.
/// A member or item whose whole value is a missing argument is left out.
///
/// # Errors
/// [`Unfilled`]: a value within text is missing, or is a list or an object; the customer is anonymous.
pub fn json(template: &Value, filling: Filling<'_>) -> Result<Value, Unfilled> {
    Ok(fill(template, filling)?.unwrap_or(Value::Null))
}

fn fill(template: &Value, filling: Filling<'_>) -> Result<Option<Value>, Unfilled> {
    match template {
        Value::String(text) => string(text, filling),
        Value::Array(items) => {
            let items: Result<Vec<Option<Value>>, Unfilled> = items.iter().map(|item| fill(item, filling)).collect();
            Ok(Some(Value::Array(items?.into_iter().flatten().collect())))
        }
        Value::Object(members) => {
            let mut filled = Map::new();
            for (name, member) in members {
                if let Some(value) = fill(member, filling)? {
                    filled.insert(name.clone(), value);
                }
            }
            Ok(Some(Value::Object(filled)))
        }
        other => Ok(Some(other.clone())),
    }
}

fn string(template: &str, filling: Filling<'_>) -> Result<Option<Value>, Unfilled> {
    let mut parts = parts(template).peekable();
    if let Some(Part::Name(name)) = parts.peek()
        && name.len() + 2 == template.len()
    {
        return filling.value(name);
    }
    let mut filled = String::with_capacity(template.len());
    for part in parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Name(name) => {
                let value = filling.value(name)?.ok_or_else(|| Unfilled::Missing(name.to_owned()))?;
                filled.push_str(&scalar(&value).ok_or_else(|| Unfilled::Text(name.to_owned()))?);
            }
        }
    }
    Ok(Some(Value::String(filled)))
}

impl Filling<'_> {
    /// The value of a name; none where there is no such argument.
    fn value(&self, name: &str) -> Result<Option<Value>, Unfilled> {
        if name == "customer.id" {
            return self.customer.map(|id| Some(Value::from(id))).ok_or(Unfilled::Anonymous);
        }
        Ok(self.args.get(name).cloned())
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// The parts of a template: `{name}` where the name is letters, digits, `_`, `-` and `.`; all else is text.
fn parts(template: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(at) = rest.get(from..).and_then(|tail| tail.find('{')).map(|at| from + at) {
            let tail = rest.get(at + 1..).unwrap_or_default();
            let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')));
            match end.and_then(|end| tail.split_at_checked(end)) {
                Some((name, after)) if !name.is_empty() && after.starts_with('}') => {
                    if at > 0 {
                        let (text, named) = rest.split_at_checked(at)?;
                        rest = named;
                        return Some(Part::Text(text));
                    }
                    rest = after.strip_prefix('}').unwrap_or_default();
                    return Some(Part::Name(name));
                }
                _ => from = at + 1,
            }
        }
        Some(Part::Text(std::mem::take(&mut rest)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filling<'a>(args: &'a Value) -> Filling<'a> {
        Filling { customer: Some("c/1"), args: args.as_object().unwrap() }
    }

    #[test]
    fn an_argument_in_a_path_is_one_segment() {
        let cases = [
            ("/orders/{id}", json!({ "id": "A 1" }), "/orders/A%201"),
            ("/orders/{id}", json!({ "id": 7 }), "/orders/7"),
            ("/orders/{id}", json!({ "id": "../admin" }), "/orders/..%2Fadmin"),
            ("/orders/{id}", json!({ "id": "%2e%2e" }), "/orders/%252e%252e"),
            ("/orders/{id}", json!({ "id": "a?b#c&d" }), "/orders/a%3Fb%23c%26d"),
            ("/orders/{id}", json!({ "id": "é" }), "/orders/%C3%A9"),
            ("/orders/{id}", json!({ "id": "\\..\\" }), "/orders/%5C..%5C"),
            ("/orders/{id}", json!({ "id": "{customer.id}" }), "/orders/%7Bcustomer.id%7D"),
            ("/c/{customer.id}/{id}", json!({ "id": "x", "customer.id": "other" }), "/c/c%2F1/x"),
            ("/orders?q={id}&n=1", json!({ "id": "a&n=2" }), "/orders?q=a%26n%3D2&n=1"),
            ("/odd/{/{}/{ x}", json!({}), "/odd/{/{}/{ x}"),
        ];
        for (template, args, expected) in cases {
            assert_eq!(path(template, filling(&args)).as_deref(), Ok(expected), "{template} {args}");
        }
    }

    #[test]
    fn what_would_leave_its_segment_is_refused() {
        for value in [
            json!(""),
            json!("."),
            json!(".."),
            json!("a\nb"),
            json!("\u{0}"),
            json!(null),
            json!([1]),
            json!({ "a": 1 }),
            json!("x".repeat(1_025)),
        ] {
            let args = json!({ "id": value });
            assert_eq!(path("/orders/{id}", filling(&args)), Err(Unfilled::Segment("id".into())), "{args}");
        }
        let dots = json!({ "a": "x", "b": "." });
        assert!(path("/{b}.", filling(&dots)).is_err());
        let missing = json!({});
        assert_eq!(path("/orders/{id}", filling(&missing)), Err(Unfilled::Missing("id".into())));
        let anonymous = Filling { customer: None, args: missing.as_object().unwrap() };
        assert_eq!(path("/c/{customer.id}", anonymous), Err(Unfilled::Anonymous));
        assert_eq!(json(&json!({ "c": "{customer.id}" }), anonymous), Err(Unfilled::Anonymous));
    }

    #[test]
    fn a_name_alone_keeps_its_type_and_within_text_is_text() {
        let args = json!({ "card": "visa", "n": 3, "flag": true, "list": [1, "{n}"], "none": null });
        let cases = [
            (json!({ "card": "{card}" }), json!({ "card": "visa" })),
            (json!({ "n": "{n}", "f": "{flag}", "l": "{list}" }), json!({ "n": 3, "f": true, "l": [1, "{n}"] })),
            (json!({ "none": "{none}" }), json!({ "none": null })),
            (json!("{n} of {card}"), json!("3 of visa")),
            (json!({ "a": [{ "b": "for {customer.id}" }, 1, null] }), json!({ "a": [{ "b": "for c/1" }, 1, null] })),
            (json!({ "x": "{gone}", "y": ["{gone}", "{n}"] }), json!({ "y": [3] })),
            (json!({ "{card}": "plain { text }" }), json!({ "{card}": "plain { text }" })),
            (json!("{n}{n}"), json!("33")),
        ];
        for (template, expected) in cases {
            assert_eq!(json(&template, filling(&args)), Ok(expected), "{template}");
        }
        assert_eq!(json(&json!("of {gone}"), filling(&args)), Err(Unfilled::Missing("gone".into())));
        assert_eq!(json(&json!("of {list}"), filling(&args)), Err(Unfilled::Text("list".into())));
    }

    proptest::proptest! {
        #[test]
        fn no_argument_changes_the_number_of_segments(value in ".{1,40}") {
            let args = json!({ "id": value });
            if let Ok(filled) = path("/a/{id}/b", filling(&args)) {
                let url: url::Url = format!("http://h{filled}").parse().unwrap();
                proptest::prop_assert_eq!(url.path(), filled.as_str());
                proptest::prop_assert_eq!(url.path_segments().unwrap().count(), 3);
                proptest::prop_assert_eq!(url.query(), None);
            }
        }
    }
}
