//! Segment's tracking API, as its libraries and RudderStack's speak it.
//!
//! `track` becomes an event of its own name with its `properties`; `segment.identify`, `.page`, `.screen`, `.group`
//! and `.alias` are the others. `context` and `integrations` are kept beside the data.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Code, Headers, Item, Items, Received, Refused, fields, profile};
use crate::model::catalog::Source;
use crate::model::event::Event;
use crate::model::ids::ActorId;
use crate::model::json::{members, read as read_json, split};
use crate::model::time::Ms;

/// Members of a batch that stand for each of its items.
const MERGED: [&str; 2] = ["context", "integrations"];

/// The calls of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Something happened.
    Track,
    /// Who the customer is.
    Identify,
    /// A page was seen.
    Page,
    /// A screen was seen.
    Screen,
    /// The customer belongs to a group.
    Group,
    /// The customer has another name.
    Alias,
}

impl Call {
    /// The call of this name.
    pub fn parse(name: &str) -> Option<Call> {
        Some(match name {
            "track" => Call::Track,
            "identify" => Call::Identify,
            "page" => Call::Page,
            "screen" => Call::Screen,
            "group" => Call::Group,
            "alias" => Call::Alias,
            _ => return None,
        })
    }
}

/// A request of the API, taken apart as far as is needed to know who sends it.
#[derive(Debug)]
pub struct Request<'b> {
    /// The key in the body, which stands in for a header.
    pub write_key: Option<String>,
    items: Vec<&'b RawValue>,
    common: Map<String, Value>,
    /// The bytes of what every item gets of `common`.
    shared: usize,
    call: Option<Call>,
}

/// Takes a body apart: one call, or a batch where `call` is none.
///
/// # Errors
/// It is no JSON object, or its `batch` no array.
pub fn open(call: Option<Call>, body: &[u8]) -> Result<Request<'_>, Refused> {
    let members = members(body)?;
    let write_key = written_key(&members);
    if call.is_some() {
        let whole: &RawValue = serde_json::from_slice(body).map_err(|_| Refused::at("", "is no JSON"))?;
        return Ok(Request { write_key, items: vec![whole], common: Map::new(), shared: 0, call });
    }
    let mut common = Map::new();
    let mut shared = 0usize;
    let mut items = None;
    for (name, raw) in &members {
        match name.as_str() {
            "batch" => items = Some(split(raw.get().as_bytes()).map_err(|error| error.under("/batch"))?),
            "context" | "integrations" | "sentAt" => {
                let value = read_json(raw.get().as_bytes()).map_err(|error| error.under(&format!("/{name}")))?;
                if MERGED.contains(&name.as_str()) {
                    shared = shared.saturating_add(raw.get().len());
                }
                common.insert(name.clone(), value);
            }
            _ => {}
        }
    }
    let items = items.ok_or_else(|| Refused::at("/batch", "a batch is an object with an array `batch`"))?;
    Ok(Request { write_key, items, common, shared, call: None })
}

/// The `writeKey` of a body, whatever else is wrong with it: who sends it is told so by name, not turned away.
pub fn write_key(body: &[u8]) -> Option<String> {
    written_key(&members(body).ok()?)
}

fn written_key(members: &[(String, &RawValue)]) -> Option<String> {
    members.iter().find(|(name, _)| name == "writeKey").and_then(|(_, raw)| serde_json::from_str(raw.get()).ok())
}

impl Request<'_> {
    /// The events. `source` is their source; `profile` says whom they concern, where the key has one.
    ///
    /// # Errors
    /// Too many items, or more than is taken once each has the batch's `context` and `integrations`. That is asked before
    /// anything is copied.
    pub fn events(&self, headers: &Headers, received: &Received, source: &str, profile: Option<&Source>) -> Items {
        received.check_count(self.items.len())?;
        received.check_size(self.shared).map_err(|refused| refused.under("/context"))?;
        let own = self.items.iter().fold(0usize, |sum, item| sum.saturating_add(item.get().len()));
        received.check_whole(own.saturating_add(self.shared.saturating_mul(self.items.len())))?;
        let read = |(index, raw): (usize, &&RawValue)| {
            let prefix = if self.call.is_some() { String::new() } else { format!("/batch/{index}") };
            let text = raw.get();
            let item = received
                .check_size(text.len().saturating_add(self.shared))
                .and_then(|()| Ok(read_json(text.as_bytes())?));
            let object = match item {
                Ok(Value::Object(object)) => object,
                Ok(_) => return Item::refused(None, Refused::at(prefix, "a call is an object")),
                Err(refused) => return Item::refused(None, refused.under(&prefix)),
            };
            let id = object.get("messageId").and_then(Value::as_str).map(|id| id.chars().take(64).collect());
            let reader = Reader { headers, received, source, profile, request: self };
            match reader.event(object, index, text) {
                Ok(event) => Item::taken(event),
                Err(refused) => Item::refused(id, refused.under(&prefix)),
            }
        };
        Ok(self.items.iter().enumerate().map(read).collect())
    }
}

struct Reader<'r> {
    headers: &'r Headers,
    received: &'r Received,
    source: &'r str,
    profile: Option<&'r Source>,
    request: &'r Request<'r>,
}

impl Reader<'_> {
    fn event(&self, mut item: Map<String, Value>, index: usize, raw: &str) -> Result<Event, Refused> {
        for name in MERGED {
            merge(&mut item, name, self.request.common.get(name));
        }
        let call = match self.request.call {
            Some(call) => call,
            None => {
                let name = fields::text("/type", item.get("type"))?;
                let name = name.ok_or_else(|| Refused::at("/type", "each item of a batch needs a `type`"))?;
                Call::parse(name).ok_or_else(|| {
                    Refused::at("/type", "one of track, identify, page, screen, group, alias").coded(Code::Unsupported)
                })?
            }
        };
        let said = match self.profile {
            Some(source) => profile::read(source, &Value::Object(item.clone()), self.headers)?,
            None => profile::Said::default(),
        };
        let kind = match said.kind {
            Some(kind) => kind,
            None => kind_of(call, &item)?,
        };
        let id = match (said.id, fields::id("/messageId", item.get("messageId"))?) {
            (Some(id), _) => id,
            (None, Some(id)) => fields::name("/messageId", &id)?,
            (None, None) => self.stand_in(index, raw),
        };
        let customer = match said.customer {
            Some(customer) => customer,
            None => Some(customer_of(&item)?),
        };
        let mut event = Event::new(self.source, &id, &kind, customer, Value::Null);
        event.trust = self.received.trust;
        event.time = match said.time {
            Some(time) => Some(fields::within(time, self.received.at)),
            None => self.time(&item)?,
        };
        tell(call, &mut item, &mut event)?;
        if let Some(data) = said.data {
            event.data = data;
        }
        for name in MERGED {
            if let Some(Value::Object(kept)) = item.remove(name)
                && !kept.is_empty()
            {
                event.extensions.insert(name.to_owned(), Value::Object(kept));
            }
        }
        Ok(event)
    }

    /// `receivedAt - (sentAt - originalTimestamp)`: the sender's clock may be wrong, the span between is right.
    fn time(&self, item: &Map<String, Value>) -> Result<Option<Ms>, Refused> {
        let far = Ms::MAX;
        let read = |name: &str, value: Option<&Value>| {
            let pointer = format!("/{name}");
            fields::text(&pointer, value)?.map(|text| fields::time(&pointer, text, far)).transpose()
        };
        let original = match read("originalTimestamp", item.get("originalTimestamp"))? {
            Some(time) => Some(time),
            None => read("timestamp", item.get("timestamp"))?,
        };
        let sent = match read("sentAt", item.get("sentAt"))? {
            Some(time) => Some(time),
            None => read("sentAt", self.request.common.get("sentAt"))?,
        };
        let (Some(original), Some(sent)) = (original, sent) else {
            return Ok(original.map(|time| fields::within(time, self.received.at)));
        };
        let at = self.received.at;
        let time = if sent >= original {
            at.0.checked_sub(sent.since(original).0).map(Ms)
        } else {
            Some(fields::within(at.plus(original.since(sent)), at))
        };
        time.map(Some).ok_or_else(|| Refused::at("/timestamp", "is before 1970 once the sender's clock is set right"))
    }

    /// An id where the sender has none: nothing that comes later is taken for the same.
    fn stand_in(&self, index: usize, raw: &str) -> String {
        let hash = Sha256::digest(raw.as_bytes());
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("beckon-{}-{index}-{hash}", self.received.at.0)
    }
}

/// Puts the batch's members under the item's own, which win.
fn merge(item: &mut Map<String, Value>, name: &str, common: Option<&Value>) {
    let Some(Value::Object(common)) = common else { return };
    let own = item.entry(name.to_owned()).or_insert_with(|| json!({}));
    if own.is_null() {
        *own = json!({});
    }
    if let Value::Object(own) = own {
        for (key, value) in common {
            own.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

fn kind_of(call: Call, item: &Map<String, Value>) -> Result<String, Refused> {
    Ok(match call {
        Call::Track => {
            let event = fields::text("/event", item.get("event"))?;
            fields::kind("/event", event.ok_or_else(|| Refused::at("/event", "a track call needs its `event`"))?)?
        }
        Call::Identify => "segment.identify".to_owned(),
        Call::Page => "segment.page".to_owned(),
        Call::Screen => "segment.screen".to_owned(),
        Call::Group => "segment.group".to_owned(),
        Call::Alias => "segment.alias".to_owned(),
    })
}

fn customer_of(item: &Map<String, Value>) -> Result<ActorId, Refused> {
    if let Some(id) = fields::id("/userId", item.get("userId"))? {
        return fields::customer_of("/userId", "user", &id);
    }
    match fields::id("/anonymousId", item.get("anonymousId"))? {
        Some(id) => fields::customer_of("/anonymousId", "anon", &id),
        None => Err(Refused::at("/userId", "`userId` or `anonymousId` is required")),
    }
}

/// Data, traits and links, by the call.
fn tell(call: Call, item: &mut Map<String, Value>, event: &mut Event) -> Result<(), Refused> {
    match call {
        Call::Track => event.data = object(item, "properties")?,
        Call::Page | Call::Screen => {
            let mut properties = object(item, "properties")?;
            if let Value::Object(properties) = &mut properties {
                for name in ["name", "category"] {
                    if let Some(Value::String(value)) = item.remove(name) {
                        properties.entry(name.to_owned()).or_insert(Value::String(value));
                    }
                }
            }
            event.data = properties;
        }
        Call::Identify => {
            let mut traits = object(item, "traits")?;
            // RudderStack's browser library has them in the context only.
            if traits.as_object().is_some_and(Map::is_empty)
                && let Some(held) = item.get("context").and_then(|context| context.get("traits"))
                && held.is_object()
            {
                traits = held.clone();
            }
            if let Value::Object(traits) = &traits {
                event.traits = traits.clone();
            }
            event.data = traits;
        }
        Call::Group => {
            let id = fields::id("/groupId", item.get("groupId"))?;
            let id = id.ok_or_else(|| Refused::at("/groupId", "a group call needs its `groupId`"))?;
            event.link = Some(link("/groupId", "group", &id)?);
            event.data = json!({ "groupId": id, "traits": object(item, "traits")? });
        }
        Call::Alias => {
            let id = fields::id("/previousId", item.get("previousId"))?;
            let id = id.ok_or_else(|| Refused::at("/previousId", "an alias call needs its `previousId`"))?;
            event.link = Some(link("/previousId", "alias", &id)?);
            event.data = json!({ "previousId": id });
        }
    }
    Ok(())
}

fn link(pointer: &str, kind: &str, id: &str) -> Result<String, Refused> {
    Ok(format!("{kind}:{}", fields::name(pointer, id)?))
}

/// An object of the item; absent and null are empty.
fn object(item: &mut Map<String, Value>, name: &str) -> Result<Value, Refused> {
    match item.remove(name) {
        None | Some(Value::Null) => Ok(json!({})),
        Some(object @ Value::Object(_)) => Ok(object),
        Some(_) => Err(Refused::at(format!("/{name}"), "must be an object")),
    }
}
