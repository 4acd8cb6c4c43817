//! Strict JSON: what comes from outside is read once, and one way only.
//!
//! Refused beside what is no JSON: names that come twice in an object, a byte order mark, NUL and lone surrogates in
//! texts, more than [`MAX_DEPTH`] levels, numbers that no float holds, bytes after the end. An error says where.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// How many arrays and objects may stand in one another.
pub const MAX_DEPTH: usize = 64;

/// Why bytes are not the JSON they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (line {line}, column {column})")]
pub struct JsonError {
    /// What is wrong.
    pub problem: String,
    /// Where, in lines from 1.
    pub line: usize,
    /// Where, in bytes of that line, from 1; 0 before the first.
    pub column: usize,
    /// Where, in bytes from the start.
    pub offset: usize,
    /// JSON pointer to the value that is wrong; empty: the whole.
    pub pointer: String,
}

/// Reads one JSON value.
///
/// # Errors
/// What is wrong and where.
pub fn read(bytes: &[u8]) -> Result<Value, JsonError> {
    no_mark(bytes)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Strict { depth: 0, trail: None }.deserialize(&mut reader).and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    read.map_err(|error| {
        // Only what failed is read again to say where, so the common case pays nothing for it.
        let mut trail = Vec::new();
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let again = Strict { depth: 0, trail: Some(&mut trail) }.deserialize(&mut reader);
        let pointer = if again.is_err() { pointer(&trail) } else { String::new() };
        explain(bytes, &error, pointer)
    })
}

/// Splits an array into its items, unread: a bad one need not harm the others.
///
/// # Errors
/// It cannot be split: what is wrong and where.
pub fn split(bytes: &[u8]) -> Result<Vec<&RawValue>, JsonError> {
    no_mark(bytes)?;
    serde_json::from_slice(bytes).map_err(|error| explain(bytes, &error, String::new()))
}

/// Splits an object into its members, values unread; names come once.
///
/// # Errors
/// It cannot be split: what is wrong and where.
pub fn members(bytes: &[u8]) -> Result<Vec<(String, &RawValue)>, JsonError> {
    no_mark(bytes)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let split = reader.deserialize_map(Members).and_then(|members| {
        reader.end()?;
        Ok(members)
    });
    split.map_err(|error| explain(bytes, &error, String::new()))
}

impl JsonError {
    /// The same, for a value that stands at `prefix` in something larger.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> JsonError {
        self.pointer.insert_str(0, prefix);
        self
    }
}

fn no_mark(bytes: &[u8]) -> Result<(), JsonError> {
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        let problem = "a byte order mark before the JSON".to_owned();
        return Err(JsonError { problem, line: 1, column: 1, offset: 0, pointer: String::new() });
    }
    Ok(())
}

fn explain(bytes: &[u8], error: &serde_json::Error, pointer: String) -> JsonError {
    let (line, column) = (error.line().max(1), error.column());
    let before: usize = bytes.split_inclusive(|b| *b == b'\n').take(line - 1).map(<[u8]>::len).sum();
    let text = error.to_string();
    let problem = text.rfind(" at line ").and_then(|end| text.get(..end)).unwrap_or(&text).to_owned();
    let offset = before.saturating_add(column.saturating_sub(1)).min(bytes.len());
    JsonError { problem, line, column, offset, pointer }
}

fn pointer(trail: &[String]) -> String {
    trail.iter().map(|step| format!("/{}", escape(step))).collect()
}

/// A name as it stands in a JSON pointer; long ones are cut, for it is only shown.
pub fn escape(name: &str) -> String {
    let shown: String = name.chars().take(128).collect();
    shown.replace('~', "~0").replace('/', "~1")
}

/// Reads a value, `depth` levels below the whole; `trail` keeps the way to where it failed.
struct Strict<'t> {
    depth: usize,
    trail: Option<&'t mut Vec<String>>,
}

impl Strict<'_> {
    fn enter(&mut self, step: impl FnOnce() -> String) {
        if let Some(trail) = self.trail.as_deref_mut() {
            trail.push(step());
        }
    }

    fn leave(&mut self) {
        if let Some(trail) = self.trail.as_deref_mut() {
            trail.pop();
        }
    }

    fn below(&mut self) -> Strict<'_> {
        Strict { depth: self.depth + 1, trail: self.trail.as_deref_mut() }
    }

    fn check_depth<E: de::Error>(&self) -> Result<(), E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }
}

fn text<E: de::Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') { Err(E::custom("a NUL character in a text")) } else { Ok(()) }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        text(value)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        text(&value)?;
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut items = Vec::new();
        loop {
            self.enter(|| items.len().to_string());
            let item = seq.next_element_seed(self.below())?;
            self.leave();
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            self.enter(|| name.clone());
            text(&name)?;
            if members.contains_key(&name) {
                return Err(de::Error::custom("a name comes twice in one object"));
            }
            let value = map.next_value_seed(self.below())?;
            self.leave();
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// Reads an object's members without their values.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, &'de RawValue)> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            text(&name)?;
            if !names.insert(name.clone()) {
                return Err(de::Error::custom("a name comes twice in one object"));
            }
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(bytes: &[u8]) -> (String, String) {
        let error = read(bytes).unwrap_err();
        (error.problem, error.pointer)
    }

    #[test]
    fn what_json_allows_but_nobody_should_send_is_refused_with_a_pointer() {
        assert_eq!(
            refused(br#"{"a":{"b/c":[1,{"d":1,"d":2}]}}"#),
            ("a name comes twice in one object".into(), "/a/b~1c/1/d".into())
        );
        assert_eq!(refused(br#"{"a":["x\u0000y"]}"#), ("a NUL character in a text".into(), "/a/0".into()));
        assert_eq!(refused(br#"{"a\u0000":1}"#).0, "a NUL character in a text");
        assert_eq!(refused(br#"{"n":1e999}"#), ("number out of range".into(), "/n".into()));
        assert_eq!(refused(br#"["\ud800"]"#).1, "/0");
        assert_eq!(refused(br#"{"n":NaN}"#), ("expected value".into(), "/n".into()));
        assert_eq!(refused(b"\xef\xbb\xbf{}").0, "a byte order mark before the JSON");
        assert_eq!(refused(b"{} {}").0, "trailing characters");
        assert_eq!(refused(b"").0, "EOF while parsing a value");
        assert_eq!(refused(b"\"\xc0\xaf\"").0, "invalid unicode code point");
        assert!(refused(b"not json").0.starts_with("expected"));
    }

    #[test]
    fn sixty_four_levels_are_read_and_one_more_is_not() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(deep(MAX_DEPTH).as_bytes()).is_ok());
        assert!(refused(deep(MAX_DEPTH + 1).as_bytes()).0.contains("levels deep"));
        assert!(refused(deep(200).as_bytes()).0.contains("levels deep"));
    }

    #[test]
    fn an_error_names_line_column_and_offset() {
        let error = read(b"{\n  \"a\": 1,\n  \"a\": 2\n}").unwrap_err();
        assert_eq!((error.line, error.pointer.as_str()), (3, "/a"));
        assert!(error.offset > 12 && error.offset < 22, "{error:?}");
    }

    #[test]
    fn one_bad_item_leaves_the_others_readable() {
        let items = split(br#"[{"a":1},{"a":1,"a":2},{"s":"\u0000"},{"n":1e999},{"s":"\ud800"}]"#).unwrap();
        let read: Vec<bool> = items.iter().map(|item| read(item.get().as_bytes()).is_ok()).collect();
        assert_eq!(read, [true, false, false, false, false]);
        assert!(split(br#"[{"a":1},"#).is_err());
        assert!(split(br"[] []").is_err());
        let names: Vec<String> = members(br#"{"batch":[1],"sentAt":null}"#).unwrap().into_iter().map(|m| m.0).collect();
        assert_eq!(names, ["batch", "sentAt"]);
        assert!(members(br#"{"a":1,"a":2}"#).is_err());
    }

    #[test]
    fn integers_stay_integers() {
        let value = json!({ "big": u64::MAX, "small": i64::MIN, "part": 0.1, "many": 1e21 });
        assert_eq!(read(value.to_string().as_bytes()).unwrap(), value);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = read(&bytes);
            let _ = split(&bytes);
            let _ = members(&bytes);
        }

        #[test]
        fn no_text_that_looks_like_json_makes_the_reader_panic(text in r#"[\[\]{}",:0-9eE.\\u+\-dD8a-c\n ]{0,64}"#) {
            let strict = read(text.as_bytes());
            if strict.is_ok() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
            }
        }
    }
}
