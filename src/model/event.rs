//! An event: a fact from the business, as a CloudEvents 1.0 envelope.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::ActorId;
use super::time::Ms;
use super::topic::{News, Revoke};

/// Who vouches for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// The company's backend, by a secret key or a signed webhook.
    #[default]
    Server,
    /// A browser: it can only speak of itself.
    Client,
}

/// A fact from the business, ready for the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The sender's id; unique with `source` and customer within the dedupe window.
    pub id: String,
    /// Where it comes from.
    pub source: String,
    /// What happened, such as `checkout.payment_failed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened by the sender's clock; none where the sender did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Ms>,
    /// After this nobody needs to hear of it (CloudEvents extension `expirytime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Ms>,
    /// Whom it concerns; none where nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<ActorId>,
    /// Who vouches for it.
    #[serde(default)]
    pub trust: Trust,
    /// The payload; null where there is none.
    #[serde(default)]
    pub data: Value,
    /// Other attributes of the envelope (`subject`, `traceparent`, …), as text.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extensions: Map<String, Value>,
    /// What it says of the customer, merged into the customer's traits (Segment's `identify`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub traits: Map<String, Value>,
    /// Another name of the customer that it tells of (`group:<id>`, `alias:<id>`), recorded only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Set on `beckon.open`: the one playbook that hears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// Set where a topic tells it: what it is to this customer. No door lets anybody say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<Box<News>>,
    /// Set on `beckon.revoke`: what is taken back, and by whom. No door lets anybody say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<Box<Revoke>>,
}

impl Event {
    /// An event of `kind` about `customer` with `data`, said by the server; the rest empty.
    pub fn new(source: &str, id: &str, kind: &str, customer: Option<ActorId>, data: Value) -> Event {
        Event {
            id: id.to_owned(),
            source: source.to_owned(),
            kind: kind.to_owned(),
            time: None,
            expires: None,
            customer,
            trust: Trust::Server,
            data,
            extensions: Map::new(),
            traits: Map::new(),
            link: None,
            only: None,
            news: None,
            revoke: None,
        }
    }
}

/// The type of the event that `POST /v1/conversations` appends.
pub const OPEN: &str = "beckon.open";

/// The type of the event that `POST /v1/events/{event}/revoke` appends.
pub const REVOKE: &str = "beckon.revoke";
