//! Names of things: partitions, positions, customers, conversations, entries, calls.
//!
//! Ids are minted from positions (`<partition>-<position>-<k>`), never from chance, so deciding stays pure.

use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::time::Ms;

/// A text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid {1}")]
pub struct BadId(pub String, pub &'static str);

/// A share of the customers; 0 up to the number of partitions, which is fixed at the store's first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u16);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where an input stands in its partition's inbox: the store's time at append and a counter within that millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos {
    /// The store's time at append, monotonic in the partition.
    pub ms: u64,
    /// Counts the inputs of one millisecond from 0.
    pub n: u32,
}

impl Pos {
    /// Before every input.
    pub const START: Pos = Pos { ms: 0, n: 0 };

    /// The time of the input at this position.
    pub fn time(self) -> Ms {
        Ms(self.ms)
    }

    /// A position before this one and after every input that was before it.
    #[must_use]
    pub fn before(self) -> Pos {
        match self.n.checked_sub(1) {
            Some(n) => Pos { n, ..self },
            None => Pos { ms: self.ms.saturating_sub(1), n: u32::MAX },
        }
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.n)
    }
}

impl FromStr for Pos {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId(text.to_owned(), "position");
        let (ms, n) = text.split_once('-').ok_or_else(bad)?;
        Ok(Pos { ms: digits(ms).ok_or_else(bad)?, n: digits(n).ok_or_else(bad)? })
    }
}

/// Digits only: `parse` alone would take a sign.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

macro_rules! text_serde {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

text_serde!(Pos, EventId, ConversationId, EntryId, CallId);

/// Beckon's own id of an event: `<partition>-<position>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The partition whose inbox holds the event.
    pub partition: Partition,
    /// Its position there.
    pub pos: Pos,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.pos)
    }
}

impl FromStr for EventId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId(text.to_owned(), "event id");
        let (partition, pos) = text.split_once('-').ok_or_else(bad)?;
        Ok(EventId { partition: Partition(digits(partition).ok_or_else(bad)?), pos: pos.parse().map_err(|_| bad())? })
    }
}

/// An id minted while deciding: `<partition>-<position>-<k>`, `k` counted through the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId {
    /// The partition of the customer.
    pub partition: Partition,
    /// The input that made it.
    pub pos: Pos,
    /// Counts what that decision minted.
    pub k: u32,
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.partition, self.pos, self.k)
    }
}

impl FromStr for ConversationId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId(text.to_owned(), "conversation id");
        let (event, k) = text.rsplit_once('-').ok_or_else(bad)?;
        let event: EventId = event.parse().map_err(|_| bad())?;
        Ok(ConversationId { partition: event.partition, pos: event.pos, k: digits(k).ok_or_else(bad)? })
    }
}

/// The id of one entry of a log; minted like a conversation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub ConversationId);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EntryId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        text.parse().map(EntryId).map_err(|_| BadId(text.to_owned(), "entry id"))
    }
}

/// One call of an operation within a conversation, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u32);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for CallId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        digits(text).map(CallId).ok_or_else(|| BadId(text.to_owned(), "call id"))
    }
}

/// The longest id or name that is taken from outside, in bytes.
pub const MAX_ID: usize = 1_024;

/// Whom inputs concern: a customer, `user:<id>` or `anon:<id>`, or a topic, `topic:<playbook>:<key>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActorId(String);

impl ActorId {
    /// A customer the company knows by `id`.
    pub fn user(id: &str) -> ActorId {
        ActorId(format!("user:{id}"))
    }

    /// A customer known only by a secret that Beckon made.
    pub fn anonymous(id: &str) -> ActorId {
        ActorId(format!("anon:{id}"))
    }

    /// The partition itself, where its own state is kept: which catalog holds. No door lets a client name it.
    pub fn of_partition() -> ActorId {
        ActorId("partition:".to_owned())
    }

    /// The topic of a playbook about `key`; no door lets anybody name it.
    ///
    /// # Errors
    /// For a key that is too long or has control characters.
    pub fn topic(playbook: &str, key: &str) -> Result<ActorId, BadId> {
        let text = format!("topic:{playbook}:{key}");
        if text.len() > MAX_ID || text.chars().any(char::is_control) {
            return Err(BadId(key.chars().take(64).collect(), "key of a topic"));
        }
        Ok(ActorId(text))
    }

    /// A page of a topic's customers, of what began at a revision: no actor, but kept where the topic's state is, under a
    /// name like one. No name is used twice: who reads it late reads nothing of what began later.
    pub fn page_of(topic: &ActorId, begun: Pos, page: u32) -> ActorId {
        ActorId(format!("page:{begun}-{page}:{}", topic.0))
    }

    /// Whether it is such a page.
    pub fn is_page(&self) -> bool {
        self.0.starts_with("page:")
    }

    /// Whether it is a topic.
    pub fn is_topic(&self) -> bool {
        self.0.starts_with("topic:")
    }

    /// Reads what a store gives back: a customer or a topic.
    ///
    /// # Errors
    /// For anything else.
    pub fn stored(text: &str) -> Result<ActorId, BadId> {
        if text.starts_with("topic:") { Ok(ActorId(text.to_owned())) } else { ActorId::parse(text) }
    }

    /// A number that stands for it where its name would be too long.
    pub fn hash(&self) -> u64 {
        let mut hasher = siphasher::sip::SipHasher13::new();
        hasher.write(self.0.as_bytes());
        hasher.finish()
    }

    /// Reads `user:<id>` or `anon:<id>`; refuses other kinds, empty ids, ids over [`MAX_ID`] bytes and control characters.
    pub fn parse(text: &str) -> Result<ActorId, BadId> {
        let id = text.strip_prefix("user:").or_else(|| text.strip_prefix("anon:"));
        match id {
            Some(id) if !id.is_empty() && text.len() <= MAX_ID && !id.chars().any(char::is_control) => {
                Ok(ActorId(text.to_owned()))
            }
            _ => Err(BadId(text.chars().take(64).collect(), "customer")),
        }
    }

    /// The text form, `user:<id>` or `anon:<id>`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows `user:`; none for an anonymous customer.
    pub fn user_id(&self) -> Option<&str> {
        self.0.strip_prefix("user:")
    }

    /// The text form for logs: anonymous ids are secrets and are cut to their first four characters.
    pub fn masked(&self) -> String {
        match self.0.strip_prefix("anon:") {
            Some(id) => format!("anon:{}…", id.chars().take(4).collect::<String>()),
            None => self.0.clone(),
        }
    }

    /// The partition of this actor where there are `partitions` of them. Stable for ever: it names keys in stores.
    pub fn partition(&self, partitions: u16) -> Partition {
        partition_of(&self.0, partitions)
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The partition of any text key (an actor, a `partitionkey`, a source): SipHash-1-3 with a zero key, modulo.
pub fn partition_of(key: &str, partitions: u16) -> Partition {
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(key.as_bytes());
    let share = hasher.finish() % u64::from(partitions.max(1));
    Partition(u16::try_from(share).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written() {
        let event = EventId { partition: Partition(17), pos: Pos { ms: 1_764_000_000_000, n: 3 } };
        assert_eq!(event.to_string(), "17-1764000000000-3");
        assert_eq!("17-1764000000000-3".parse::<EventId>(), Ok(event));
        let conversation = ConversationId { partition: event.partition, pos: event.pos, k: 2 };
        assert_eq!(conversation.to_string().parse::<ConversationId>(), Ok(conversation));
        assert!("17-1764000000000".parse::<ConversationId>().is_err());
        assert!("+1-1-1".parse::<EventId>().is_err());
    }

    #[test]
    fn a_customer_is_a_user_or_anonymous_and_nothing_else() {
        assert!(ActorId::parse("user:42").is_ok());
        assert!(ActorId::parse("42").is_err());
        assert!(ActorId::parse("user:").is_err());
        assert!(ActorId::parse("topic:x").is_err());
        assert!(ActorId::parse("user:a\nb").is_err());
        assert!(ActorId::parse(&format!("user:{}", "x".repeat(2_000))).is_err());
    }

    #[test]
    fn topics_and_their_pages_are_named_by_nobody_outside() {
        let topic = ActorId::topic("outage", "a#1:b").unwrap();
        assert!(topic.is_topic() && ActorId::parse(topic.as_str()).is_err());
        assert_eq!(ActorId::stored(topic.as_str()), Ok(topic.clone()));
        let page = ActorId::page_of(&topic, Pos { ms: 1, n: 2 }, 7);
        assert!(page.is_page() && !page.is_topic() && ActorId::stored(page.as_str()).is_err());
        assert!(ActorId::topic("outage", &"x".repeat(MAX_ID)).is_err() && ActorId::topic("outage", "a\nb").is_err());
    }

    #[test]
    fn a_customers_partition_never_changes() {
        assert_eq!(ActorId::user("42").partition(64), ActorId::user("42").partition(64));
        assert_eq!(partition_of("user:42", 64), Partition(partition_of("user:42", 64).0));
    }
}
