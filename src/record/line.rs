//! What the archive is given: a journal line with the input it came from, as text, and what the views want to know of it.

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::archive::json;
use crate::model::decision::JournalLine;
use crate::model::event::Trust;
use crate::model::ids::{ActorId, EventId};
use crate::model::input::Envelope;
use crate::model::time::Ms;

/// The id of a journal line: `<epoch>-<n>`, `n` dense from 1 within an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LineId {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// Counts its lines.
    pub n: u64,
}

impl std::fmt::Display for LineId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.n)
    }
}

/// A journal line with the input it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its id.
    pub id: LineId,
    /// What the input changed.
    pub line: JournalLine,
    /// The input; none where it cannot be read.
    pub input: Option<StoredText>,
}

/// An input as the inbox had it. The archive keeps the text; reading all of it again would be half of the projector's work.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredText {
    text: String,
    event: Option<EventHead>,
}

/// What the views show of an event.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct EventHead {
    /// The sender's id.
    pub(super) id: String,
    /// Where it comes from.
    pub(super) source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// When, by the sender's clock.
    #[serde(default)]
    pub(super) time: Option<Ms>,
    /// Whom it concerns.
    #[serde(default)]
    pub(super) customer: Option<ActorId>,
    /// Who vouches for it.
    #[serde(default)]
    pub(super) trust: Trust,
    /// Where a topic gave it to its customer.
    #[serde(default)]
    pub(super) news: Option<NewsHead>,
}

/// What the views show of a topic's news.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct NewsHead {
    /// The event that was sent.
    pub(super) origin: EventId,
}

impl StoredText {
    /// The stored form of an [`Envelope`]; none where it is none.
    pub fn read(payload: Vec<u8>) -> Option<StoredText> {
        let text = String::from_utf8(payload).ok()?;
        let head: EnvelopeHead = serde_json::from_str(&text).ok()?;
        Some(StoredText { text, event: head.body.0 })
    }

    /// The text as stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn event(&self) -> Option<&EventHead> {
        self.event.as_ref()
    }
}

impl From<&Envelope> for StoredText {
    fn from(envelope: &Envelope) -> StoredText {
        let text = json(envelope);
        let event = serde_json::from_str::<EnvelopeHead>(&text).ok().and_then(|head| head.body.0);
        StoredText { text, event }
    }
}

/// The part of `model::input::Envelope` that is read.
#[derive(Deserialize)]
struct EnvelopeHead {
    body: BodyHead,
}

/// The event, where `model::input::Body` is one: `{"event": {…}}`, other bodies having other names.
struct BodyHead(Option<EventHead>);

impl<'de> Deserialize<'de> for BodyHead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BodyHead, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = BodyHead;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body of an input")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<BodyHead, E> {
        Ok(BodyHead(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BodyHead, A::Error> {
        let mut event = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if name == "event" {
                event = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(BodyHead(event))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::event::Event;
    use crate::model::input::{Body, To};

    #[test]
    fn the_head_of_an_event_is_what_the_event_says() {
        let customer = ActorId::user("42");
        let mut event =
            Event::new("shop", "e-1", "checkout.completed", Some(customer.clone()), json!({ "a": [1, {}] }));
        event.time = Some(Ms(7));
        event.trust = Trust::Client;
        let envelope = Envelope { to: To::Actor(customer.clone()), body: Body::Event(Box::new(event)) };
        let stored = StoredText::from(&envelope);
        let head = stored.event().unwrap();
        assert_eq!((head.id.as_str(), head.source.as_str(), head.kind.as_str()), ("e-1", "shop", "checkout.completed"));
        assert_eq!((head.time, head.customer.as_ref(), head.trust), (Some(Ms(7)), Some(&customer), Trust::Client));
        assert_eq!(StoredText::read(stored.as_str().as_bytes().to_vec()), Some(stored));
    }

    #[test]
    fn other_inputs_have_no_event_and_what_is_no_input_is_nothing() {
        let tick = Envelope { to: To::Actor(ActorId::user("42")), body: Body::Tick };
        assert!(StoredText::from(&tick).event().is_none());
        assert!(StoredText::read(b"{}".to_vec()).is_none());
        assert!(StoredText::read(vec![0xff]).is_none());
    }
}
