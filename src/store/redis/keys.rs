//! The names of keys and channels. All of one partition share a hash tag, and nothing from outside gets in unescaped.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::model::ids::{ActorId, ConversationId, Partition};
use crate::store::Channel;

/// The longest name taken into a key as it is, in bytes; longer ones are hashed.
const LONGEST: usize = 200;

/// Makes names that begin with the configured prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
    partitions: u16,
    slots: u64,
}

impl Keys {
    /// Names for a store of so many partitions, whose dedupe window takes so many slots of an hour.
    pub(super) fn new(prefix: &str, partitions: u16, slots: u64) -> Keys {
        Keys { prefix: prefix.to_owned(), partitions, slots }
    }

    /// A key of a partition.
    pub(super) fn of(&self, partition: Partition, name: &str) -> String {
        format!("{}:{{{:02}}}:{name}", self.prefix, partition.0)
    }

    /// The slots of `seen`: one for each hour of the window, and two more.
    pub(super) fn seen(&self, partition: Partition) -> Vec<String> {
        (0..self.slots).map(|slot| self.of(partition, &format!("seen:{slot}"))).collect()
    }

    /// A customer's state.
    pub(super) fn state(&self, partition: Partition, actor: &ActorId) -> String {
        self.of(partition, &format!("c:{}", escape(actor.as_str())))
    }

    /// A conversation's log.
    pub(super) fn log(&self, conversation: ConversationId) -> String {
        self.of(conversation.partition, &format!("log:{conversation}"))
    }

    /// A catalog's files.
    pub(super) fn catalog(&self, hash: &str) -> String {
        format!("{}:catalog:{}", self.prefix, escape(hash))
    }

    /// A key of the whole store.
    pub(super) fn global(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// The name of a channel as a commit of this partition publishes to it. Where it is an actor's of another
    /// partition, a single server does that too; a cluster would not.
    pub(super) fn channel(&self, partition: Partition, channel: &Channel) -> String {
        match channel {
            Channel::Actor(actor) => {
                self.of(actor.partition(self.partitions), &format!("live:{}", escape(actor.as_str())))
            }
            Channel::Record => self.of(partition, "record"),
        }
    }

    /// Everywhere that a channel's hints may come from.
    pub(super) fn channels(&self, channel: &Channel) -> Vec<String> {
        match channel {
            Channel::Actor(_) => vec![self.channel(Partition(0), channel)],
            Channel::Record => self.all().map(|partition| self.channel(partition, channel)).collect(),
        }
    }

    /// All partitions.
    pub(super) fn all(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.partitions).map(Partition)
    }
}

/// Escapes all but letters, digits, `_`, `.`, `:` and `-`; what gets too long is named by its hash.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b':' | b'-' => escaped.push(char::from(byte)),
            other => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "%{other:02x}");
            }
        }
    }
    if escaped.len() <= LONGEST {
        return escaped;
    }
    // No escaped name begins like this.
    let mut hashed = "%%".to_owned();
    for byte in Sha256::digest(name.as_bytes()) {
        let _ = write!(hashed, "{byte:02x}");
    }
    hashed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_apart_short_and_plain() {
        let long = "x".repeat(300);
        let names = ["a", "A", "a%", "a%25", "{x}", "x", "é", "*", " ", &long, &format!("{long}y")];
        let escaped: Vec<String> = names.iter().map(|name| escape(name)).collect();
        for (n, name) in escaped.iter().enumerate() {
            assert!(name.len() <= LONGEST);
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-%".contains(&b)), "{name}");
            assert!(!escaped[..n].contains(name), "{name}");
        }
        assert_eq!(escape("user:a-1_b.c"), "user:a-1_b.c");
    }

    #[test]
    fn a_partitions_keys_share_a_hash_tag() {
        let keys = Keys::new("bk", 64, 26);
        assert_eq!(keys.of(Partition(7), "in"), "bk:{07}:in");
        assert_eq!(keys.state(Partition(7), &ActorId::user("a{b}")), "bk:{07}:c:user:a%7bb%7d");
        assert_eq!(keys.seen(Partition(0)).len(), 26);
    }
}
