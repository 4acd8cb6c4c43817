//! CloudEvents 1.0 over HTTP: binary, structured and batched.
//!
//! Attributes that are null are absent. Other attributes (`subject`, `traceparent`, extensions) are kept as text.
//! Data that is JSON is read as JSON, text stays text, anything else is kept as base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{Code, Headers, Item, Items, Received, Refused, fields, profile};
use crate::model::catalog::Source;
use crate::model::event::{Event, Trust};
use crate::model::ids::ActorId;
use crate::model::json;
use crate::model::time::Ms;

/// The most attributes beside the four required.
const MAX_EXTENSIONS: usize = 64;

/// How events stand in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One; attributes are headers.
    Binary,
    /// One; attributes and data are one JSON object.
    Structured,
    /// An array of them.
    Batched,
}

/// The mode, by the content type; the batch's prefix holds the other's, so it is asked first.
///
/// # Errors
/// [`Code::Unsupported`]: a format that is not JSON, or no CloudEvent at all.
pub fn mode(headers: &Headers) -> Result<Mode, Refused> {
    let content_type = headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let unsupported = |detail: String| Refused::at("header content-type", detail).coded(Code::Unsupported);
    let (mode, format) = match media.strip_prefix("application/cloudevents-batch") {
        Some(format) => (Mode::Batched, format),
        None => match media.strip_prefix("application/cloudevents") {
            Some(format) => (Mode::Structured, format),
            None if headers.iter().any(|(name, _)| name.starts_with("ce-")) || is_json(media) => {
                return Ok(Mode::Binary);
            }
            None => return Err(unsupported("no CloudEvent: neither its content type nor `ce-` headers".to_owned())),
        },
    };
    match format {
        "+json" => Ok(mode),
        other => Err(unsupported(format!("the format `{}` is not spoken here; `+json` is", cut(other)))),
    }
}

/// The events of a request. `profile` says whom they concern, where the key has one.
///
/// # Errors
/// The whole cannot be split: a batch that is no array, too many items.
pub fn read(mode: Mode, headers: &Headers, body: &[u8], received: &Received, profile: Option<&Source>) -> Items {
    let reader = Reader { headers, received, profile };
    match mode {
        Mode::Binary => Ok(vec![reader.item(received.check_size(body.len()).and_then(|()| binary(headers, body)))]),
        Mode::Structured => Ok(vec![reader.structured(body)]),
        Mode::Batched => {
            let items = json::split(body)?;
            received.check_count(items.len())?;
            let read = |(index, item): (usize, &&serde_json::value::RawValue)| {
                let mut item = reader.structured(item.get().as_bytes());
                item.event = item.event.map_err(|refused| refused.under(&format!("/{index}")));
                item
            };
            Ok(items.iter().enumerate().map(read).collect())
        }
    }
}

struct Reader<'r> {
    headers: &'r Headers,
    received: &'r Received,
    profile: Option<&'r Source>,
}

impl Reader<'_> {
    fn structured(&self, bytes: &[u8]) -> Item {
        let envelope = self.received.check_size(bytes.len()).and_then(|()| match json::read(bytes)? {
            Value::Object(envelope) => Ok(envelope),
            _ => Err(Refused::at("", "an event is an object")),
        });
        self.item(envelope.and_then(|mut envelope| {
            envelope.retain(|_, value| !value.is_null());
            unpack_base64(&mut envelope)?;
            Ok(envelope)
        }))
    }

    fn item(&self, envelope: Result<Map<String, Value>, Refused>) -> Item {
        match envelope {
            Err(refused) => Item::refused(None, refused),
            Ok(envelope) => {
                let id = envelope.get("id").and_then(Value::as_str).map(cut);
                match self.event(envelope) {
                    Ok(event) => Item::taken(event),
                    Err(refused) => Item::refused(id, refused),
                }
            }
        }
    }

    fn event(&self, mut envelope: Map<String, Value>) -> Result<Event, Refused> {
        match fields::text("/specversion", envelope.get("specversion"))? {
            Some("1.0") => {}
            Some(other) => {
                return Err(Refused::at("/specversion", format!("`{}`; 1.0 is spoken here", cut(other))));
            }
            None => return Err(missing("specversion")),
        }
        let said = match self.profile {
            Some(source) => profile::read(source, &Value::Object(envelope.clone()), self.headers)?,
            None => profile::Said::default(),
        };
        let id = match said.id {
            Some(id) => id,
            None => fields::name("/id", &required(&envelope, "id")?)?,
        };
        let source = fields::name("/source", &required(&envelope, "source")?)?;
        let kind = match said.kind {
            Some(kind) => kind,
            None => fields::kind("/type", &required(&envelope, "type")?)?,
        };
        let time = match (said.time, fields::text("/time", envelope.get("time"))?) {
            (Some(time), _) => Some(fields::within(time, self.received.at)),
            (None, Some(text)) => Some(fields::time("/time", text, self.received.at)?),
            (None, None) => None,
        };
        let expires = match fields::text("/expirytime", envelope.get("expirytime"))? {
            Some(text) => expiry(text)?,
            None => None,
        };
        let subject = fields::text("/subject", envelope.get("subject"))?;
        let customer = match (said.customer, subject) {
            (Some(customer), _) => customer,
            (None, Some(subject)) => Some(customer_of(subject, self.received.trust)?),
            (None, None) => None,
        };
        let data = envelope.remove("data");
        let data = said.data.or(data).unwrap_or_default();
        let mut event = Event::new(&source, &id, &kind, customer, data);
        (event.time, event.expires, event.trust) = (time, expires, self.received.trust);
        event.extensions = extensions(envelope)?;
        Ok(event)
    }
}

/// By default a subject is a user's id. A browser has no user's id to speak of: its subject is `anon:<id>`.
fn customer_of(subject: &str, trust: Trust) -> Result<ActorId, Refused> {
    match (trust, subject.strip_prefix("anon:")) {
        (Trust::Client, Some(id)) => fields::customer_of("/subject", "anon", id),
        _ => fields::customer_of("/subject", "user", subject),
    }
}

/// Never, where it is later than any time that is taken.
fn expiry(text: &str) -> Result<Option<Ms>, Refused> {
    let wrong = || Refused::at("/expirytime", format!("`{}` is no RFC 3339 time", cut(text)));
    let Ok(stamp) = text.parse::<jiff::Timestamp>() else {
        // The last days of 9999, a usual way to say never, are no instants of the library.
        let day: jiff::civil::Date = text.get(..10).and_then(|day| day.parse().ok()).ok_or_else(wrong)?;
        return if day.year() > 9_000 { Ok(None) } else { Err(wrong()) };
    };
    let ms = Ms(u64::try_from(stamp.as_millisecond()).unwrap_or_default());
    Ok(Some(ms).filter(|ms| *ms <= Ms::MAX))
}

fn required(envelope: &Map<String, Value>, name: &str) -> Result<String, Refused> {
    let text = fields::text(&format!("/{name}"), envelope.get(name))?;
    text.map(str::to_owned).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Refused {
    Refused::at(format!("/{name}"), format!("the attribute `{name}` is required"))
}

/// What remains of the envelope, as text.
fn extensions(envelope: Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    const READ: [&str; 7] = ["specversion", "id", "source", "type", "time", "expirytime", "data_base64"];
    let rest = envelope.into_iter().filter(|(name, _)| !READ.contains(&name.as_str()));
    let mut kept = Map::new();
    for (name, value) in rest {
        let pointer = format!("/{}", json::escape(&name));
        fields::name(&pointer, &name)?;
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => return Err(Refused::at(pointer, "an attribute is a text, a number or true or false")),
        };
        if kept.len() == MAX_EXTENSIONS {
            return Err(Refused::at(pointer, format!("more than {MAX_EXTENSIONS} attributes")));
        }
        kept.insert(name, Value::String(text));
    }
    Ok(kept)
}

/// Replaces `data_base64` by the data it holds.
fn unpack_base64(envelope: &mut Map<String, Value>) -> Result<(), Refused> {
    let Some(packed) = envelope.get("data_base64") else { return Ok(()) };
    if envelope.contains_key("data") {
        return Err(Refused::at("/data_base64", "`data` and `data_base64` exclude each other"));
    }
    let packed = packed.as_str().ok_or_else(|| Refused::at("/data_base64", "must be a text"))?;
    let bytes = STANDARD.decode(packed).map_err(|_| Refused::at("/data_base64", "is no base64"))?;
    let media = envelope.get("datacontenttype").and_then(Value::as_str).unwrap_or("application/json");
    let data = data_of(&bytes, Some(media)).map_err(|refused| refused.under("/data_base64"))?;
    envelope.insert("data".to_owned(), data);
    Ok(())
}

/// Data as its content type says; without one, what it looks like.
fn data_of(bytes: &[u8], content_type: Option<&str>) -> Result<Value, Refused> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let media = content_type.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let as_text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Value::String(text.to_owned()),
        _ => Value::String(STANDARD.encode(bytes)),
    };
    match media.as_deref() {
        Some(media) if is_json(media) => Ok(json::read(bytes)?),
        Some(media) if media.starts_with("text/") => Ok(as_text(bytes)),
        Some(_) => Ok(Value::String(STANDARD.encode(bytes))),
        None => Ok(json::read(bytes).unwrap_or_else(|_| as_text(bytes))),
    }
}

fn is_json(media: &str) -> bool {
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

/// The envelope of binary mode: attributes from `ce-` headers, the body is the data.
fn binary(headers: &Headers, body: &[u8]) -> Result<Map<String, Value>, Refused> {
    let mut envelope = Map::new();
    for (header, value) in headers.iter() {
        let Some(name) = header.strip_prefix("ce-") else { continue };
        let pointer = format!("header {}", cut(header));
        if name == "datacontenttype" {
            return Err(Refused::at(pointer, "in binary mode `content-type` says this"));
        }
        if matches!(name, "data" | "data_base64") {
            return Err(Refused::at(pointer, "in binary mode the body is the data"));
        }
        let text = attribute(value).map_err(|why| Refused::at(pointer.as_str(), why))?;
        if envelope.insert(name.to_owned(), Value::String(text)).is_some() {
            return Err(Refused::at(pointer, "comes twice"));
        }
    }
    for name in ["specversion", "id", "source", "type"] {
        if !envelope.contains_key(name) {
            let detail = format!("the attribute `{name}` is required, in binary mode as header `ce-{name}`");
            return Err(Refused::at(format!("/{name}"), detail));
        }
    }
    let content_type = headers.get("content-type");
    envelope.insert("data".to_owned(), data_of(body, content_type).map_err(|refused| refused.under("/data"))?);
    if let Some(content_type) = content_type {
        envelope.insert("datacontenttype".to_owned(), Value::String(content_type.to_owned()));
    }
    Ok(envelope)
}

/// A header's value: quotes undone, then one round of percent-decoding; UTF-8 as it must be written.
fn attribute(value: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(value).map_err(|_| "is not UTF-8")?.trim();
    let unquoted = match text.strip_prefix('"').map(|rest| rest.strip_suffix('"')) {
        None => text.to_owned(),
        Some(None) => return Err("has a quote that does not end"),
        Some(Some(inner)) => unescape(inner)?,
    };
    let decoded = percent_encoding::percent_decode_str(&unquoted).decode_utf8().map_err(|_| "is not UTF-8")?;
    if decoded.contains('\0') {
        return Err("has a NUL character");
    }
    Ok(decoded.into_owned())
}

fn unescape(inner: &str) -> Result<String, &'static str> {
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => plain.push(rest.next().ok_or("has a quote that does not end")?),
            '"' => return Err("has a quote within quotes"),
            c => plain.push(c),
        }
    }
    Ok(plain)
}

/// Enough of a text to recognise it by.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
