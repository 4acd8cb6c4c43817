//! What a customer of the simulation counts: conversations that opened, and the numbers of their entries.

use std::collections::BTreeMap;

use serde_json::Value;

/// Counts what comes on a socket.
#[derive(Debug, Default)]
pub struct Watch {
    last_seq: BTreeMap<String, u64>,
    /// How often a conversation opened.
    pub openings: usize,
    /// Entries whose number was not the next of their conversation: a hole, or one that came twice.
    pub misnumbered: usize,
}

/// What a frame was.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// A conversation opened.
    Opened(String),
    /// Words of the assistant, whole or in part, in a conversation.
    Words {
        /// Which conversation.
        conversation: String,
        /// Whether this is the entry.
        whole: bool,
    },
    /// The answer to a `ping`.
    Pong,
    /// Something else.
    Other,
}

impl Watch {
    /// Counts a frame and says what it was.
    pub fn take(&mut self, frame: &Value) -> Seen {
        match frame.get("type").and_then(Value::as_str) {
            Some("opened") => {
                self.openings += 1;
                let conversation = frame.get("conversation").cloned().unwrap_or_default();
                let id = text(&conversation, "id");
                for entry in conversation.get("entries").and_then(Value::as_array).into_iter().flatten() {
                    self.count(&id, entry);
                }
                Seen::Opened(id)
            }
            Some("delta") => Seen::Words { conversation: text(frame, "conversation_id"), whole: false },
            Some("entry") => {
                let conversation = text(frame, "conversation_id");
                self.count(&conversation, frame);
                if text(frame, "by") == "assistant" && text(frame, "kind") == "message" {
                    Seen::Words { conversation, whole: true }
                } else {
                    Seen::Other
                }
            }
            Some("pong") => Seen::Pong,
            _ => Seen::Other,
        }
    }

    fn count(&mut self, conversation: &str, entry: &Value) {
        let seq = entry.get("seq").and_then(Value::as_u64).unwrap_or_default();
        let last = self.last_seq.insert(conversation.to_owned(), seq).unwrap_or_default();
        self.misnumbered += usize::from(seq != last + 1);
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(seq: u64) -> Value {
        json!({ "type": "entry", "conversation_id": "c", "seq": seq, "by": "assistant", "kind": "message" })
    }

    fn opened() -> Value {
        json!({ "type": "opened", "conversation": { "id": "c", "entries": [{ "seq": 1 }] } })
    }

    #[test]
    fn what_comes_once_and_in_order_is_as_it_should_be() {
        let mut watch = Watch::default();
        assert_eq!(watch.take(&opened()), Seen::Opened("c".into()));
        assert_eq!(watch.take(&entry(2)), Seen::Words { conversation: "c".into(), whole: true });
        assert_eq!((watch.openings, watch.misnumbered), (1, 0));
    }

    #[test]
    fn holes_repeats_and_second_openings_are_counted() {
        let mut watch = Watch::default();
        for frame in [opened(), entry(3), entry(3), opened()] {
            watch.take(&frame);
        }
        assert_eq!((watch.openings, watch.misnumbered), (2, 3));
    }
}
