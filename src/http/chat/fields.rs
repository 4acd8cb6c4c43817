//! Reads a client's frame field by field: bounded, and every mistake named.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::frames::{BadFrame, ClientFrame, Hello, Stand};
use crate::model::ids::ConversationId;
use crate::model::json;

/// The longest message, in characters.
pub const MAX_TEXT: usize = 8_000;
/// The most files of one message that any configuration allows.
pub const MAX_ATTACHMENTS: usize = 10;
/// The longest comment of a rating, in characters.
const MAX_COMMENT: usize = 2_000;
/// The longest value of a choice, in characters.
const MAX_CHOICE: usize = 1_024;
/// The longest type of a tracked event, in characters.
const MAX_EVENT: usize = 256;
/// What types of our own begin with; a page may send two of them.
const OWN: &str = "beckon.";
/// The customer waved a proactive opening away, or its bubble waits for a better moment; the properties name
/// `conversation_id`, `playbook`, and of the latter the `moment`.
const OF_PAGES: [&str; 2] = ["beckon.dismissed", "beckon.held"];
/// The largest properties of a tracked event, in bytes of JSON.
const MAX_PROPERTIES: usize = 16 * 1_024;
/// The longest token, in characters.
const MAX_TOKEN: usize = 8_192;
/// The longest name of a time zone, in characters.
const MAX_ZONE: usize = 64;
/// How many cursors of `hello` are looked at: the latest conversations; the rest is ignored.
pub const MAX_RESUME: usize = 100;

/// Reads one frame.
///
/// # Errors
/// [`BadFrame`], naming the first field that is wrong.
pub fn read(text: &str) -> Result<ClientFrame, BadFrame> {
    let bad = |message: String| BadFrame { code: "invalid", message, client_id: client_id_of(text) };
    let value = json::read(text.as_bytes()).map_err(|why| {
        let field = why.pointer.trim_start_matches('/');
        let of = if field.is_empty() { "the frame".to_owned() } else { format!("`{field}`") };
        bad(format!("{of} is not JSON as it should be: {why}"))
    })?;
    let Value::Object(map) = value else { return Err(bad("the frame is not a JSON object".to_owned())) };
    let mut fields = Fields(map);
    let client_id = fields.client_id().ok();
    fields.frame().map_err(|(code, message)| BadFrame { code, message, client_id })
}

/// The client's own id of a frame that is refused: of frames that are hardly JSON, too.
pub fn client_id_of(text: &str) -> Option<String> {
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let id = serde_json::from_str(members.remove("client_id")?.get()).ok()?;
    Fields(Map::from_iter([("client_id".to_owned(), id)])).client_id().ok()
}

type Wrong = (&'static str, String);

fn invalid(message: impl Into<String>) -> Wrong {
    ("invalid", message.into())
}

struct Fields(Map<String, Value>);

impl Fields {
    fn frame(&mut self) -> Result<ClientFrame, Wrong> {
        let kind = self.text("type", 32)?;
        Ok(match kind.as_str() {
            "hello" => ClientFrame::Hello(Box::new(self.hello()?)),
            "say" => ClientFrame::Say {
                client_id: self.client_id()?,
                conversation: self.present("conversation_id").then(|| self.conversation()).transpose()?,
                attachments: self.attachments()?,
                text: self.said()?,
            },
            "choose" => ClientFrame::Choose {
                client_id: self.client_id()?,
                conversation: self.conversation()?,
                choice: self.text("choice", MAX_CHOICE)?,
            },
            "confirm" => ClientFrame::Confirm {
                client_id: self.client_id()?,
                conversation: self.conversation()?,
                call: self.text("call_id", 32)?.parse().map_err(|_| invalid("`call_id` is not the id of a call"))?,
                approve: self.flag("approve")?,
            },
            "seen" => ClientFrame::Seen { conversation: self.conversation()?, seq: self.number("seq")? },
            "typing" => ClientFrame::Typing { conversation: self.conversation()? },
            "rate" => ClientFrame::Rate {
                client_id: self.client_id()?,
                conversation: self.conversation()?,
                score: self.score()?,
                comment: self.present("comment").then(|| self.text("comment", MAX_COMMENT)).transpose()?,
            },
            "helped" => ClientFrame::Helped {
                client_id: self.client_id()?,
                conversation: self.conversation()?,
                seq: self.number("seq")?,
                helped: self.flag("helped")?,
            },
            "stop" => ClientFrame::Stop { client_id: self.client_id()?, conversation: self.conversation()? },
            "track" => ClientFrame::Track {
                client_id: self.client_id()?,
                event: self.event()?,
                properties: self.properties()?,
            },
            "close" => ClientFrame::Close { client_id: self.client_id()?, conversation: self.conversation()? },
            "ping" => ClientFrame::Ping,
            _ => {
                return Err(invalid(
                    "`type` is none of hello, say, choose, confirm, seen, typing, rate, helped, stop, track, close, ping",
                ));
            }
        })
    }

    fn hello(&mut self) -> Result<Hello, Wrong> {
        let token = self.present("token").then(|| self.text("token", MAX_TOKEN)).transpose()?;
        let anonymous_id = self.present("anonymous_id").then(|| self.text("anonymous_id", 256)).transpose()?;
        let timezone = self.present("timezone").then(|| self.text("timezone", MAX_ZONE)).transpose()?;
        let mut resume = Vec::new();
        match self.0.remove("resume") {
            None | Some(Value::Null) => {}
            Some(Value::Object(cursors)) => {
                for (conversation, cursor) in cursors {
                    let stand = stand(&cursor)?;
                    // An id that is none is unknown, and unknown ones are ignored without a hint.
                    if let Ok(conversation) = conversation.parse::<ConversationId>() {
                        resume.push((conversation, stand));
                    }
                }
            }
            Some(_) => return Err(invalid("`resume` is not an object")),
        }
        resume.sort_unstable_by_key(|(conversation, _)| std::cmp::Reverse(conversation.pos));
        resume.truncate(MAX_RESUME);
        Ok(Hello { token, anonymous_id, timezone, resume })
    }

    fn present(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    fn field(&self, name: &str) -> Result<&Value, Wrong> {
        self.0.get(name).filter(|value| !value.is_null()).ok_or_else(|| invalid(format!("`{name}` is missing")))
    }

    /// Text of 1 to `max` characters.
    fn text(&self, name: &str, max: usize) -> Result<String, Wrong> {
        let text = self.field(name)?.as_str().ok_or_else(|| invalid(format!("`{name}` is not a text")))?;
        if text.is_empty() {
            return Err(invalid(format!("`{name}` is empty")));
        }
        if text.chars().count() > max {
            return Err(invalid(format!("`{name}` is longer than {max} characters")));
        }
        Ok(text.to_owned())
    }

    /// Text that says something.
    fn words(&self, name: &str, max: usize) -> Result<String, Wrong> {
        let text = self.text(name, max)?;
        if text.trim().is_empty() {
            return Err(invalid(format!("`{name}` is empty")));
        }
        Ok(text)
    }

    /// What a customer says: it may be nothing where files are sent.
    fn said(&self) -> Result<String, Wrong> {
        let attached = self.0.get("attachments").and_then(Value::as_array).is_some_and(|ids| !ids.is_empty());
        match self.0.get("text") {
            None | Some(Value::Null) if attached => Ok(String::new()),
            Some(Value::String(text)) if attached && text.trim().is_empty() => Ok(String::new()),
            _ => self.words("text", MAX_TEXT),
        }
    }

    /// Ids of files, each once. Whether they are ids at all is seen where they are looked up.
    fn attachments(&self) -> Result<Vec<String>, Wrong> {
        let listed = match self.0.get("attachments") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(listed)) => listed,
            Some(_) => return Err(invalid("`attachments` is not a list")),
        };
        if listed.len() > MAX_ATTACHMENTS {
            return Err(invalid(format!("`attachments` has more than {MAX_ATTACHMENTS} ids")));
        }
        let mut ids = Vec::with_capacity(listed.len());
        for id in listed {
            let id = id.as_str().ok_or_else(|| invalid("`attachments` has something that is not a text"))?;
            if ids.iter().any(|known| known == id) {
                return Err(invalid("`attachments` names a file twice"));
            }
            ids.push(id.to_owned());
        }
        Ok(ids)
    }

    fn client_id(&self) -> Result<String, Wrong> {
        let id = self.text("client_id", 64)?;
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if id.len() < 16 || !plain {
            return Err(invalid("`client_id` is not 16 to 64 letters, digits, `-` or `_`"));
        }
        Ok(id)
    }

    fn conversation(&self) -> Result<ConversationId, Wrong> {
        let text = self.text("conversation_id", 128)?;
        text.parse().map_err(|_| ("unknown_conversation", "There is no such conversation.".to_owned()))
    }

    fn number(&self, name: &str) -> Result<u32, Wrong> {
        whole(self.field(name)?).ok_or_else(|| invalid(format!("`{name}` is not a whole number from 0")))
    }

    fn flag(&self, name: &str) -> Result<bool, Wrong> {
        self.field(name)?.as_bool().ok_or_else(|| invalid(format!("`{name}` is neither true nor false")))
    }

    fn score(&self) -> Result<u8, Wrong> {
        let score = whole(self.field("score")?).and_then(|n| u8::try_from(n).ok());
        score.filter(|n| (1..=5).contains(n)).ok_or_else(|| invalid("`score` is not a whole number from 1 to 5"))
    }

    fn event(&self) -> Result<String, Wrong> {
        let event = self.words("event", MAX_EVENT)?;
        if event.starts_with(OWN) && !OF_PAGES.contains(&event.as_str()) {
            return Err(invalid("`event` begins with `beckon.`: those are Beckon's own"));
        }
        if event.chars().any(char::is_control) {
            return Err(invalid("`event` contains control characters"));
        }
        Ok(event)
    }

    fn properties(&mut self) -> Result<Map<String, Value>, Wrong> {
        let properties = match self.0.remove("properties") {
            None | Some(Value::Null) => return Ok(Map::new()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(invalid("`properties` is not an object")),
        };
        if serde_json::to_string(&properties).unwrap_or_default().len() > MAX_PROPERTIES {
            return Err(invalid(format!("`properties` is over {MAX_PROPERTIES} bytes")));
        }
        Ok(properties)
    }
}

fn whole(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

fn stand(cursor: &Value) -> Result<Stand, Wrong> {
    let seq = cursor.get("seq").and_then(whole);
    let seq = seq.ok_or_else(|| invalid("`resume` has a cursor whose `seq` is not a whole number from 0"))?;
    // An id that reads as none matches no entry: the client has to start over, as with a wrong one.
    let id = cursor.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    Ok(Stand { seq, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(frame: &str) -> BadFrame {
        read(frame).unwrap_err()
    }

    #[test]
    fn a_mistake_names_its_field() {
        let id = "0123456789abcdef";
        for (frame, field) in [
            ("[]", "not a JSON object"),
            ("{", "not JSON"),
            ("{}", "`type` is missing"),
            (r#"{"type":"shout"}"#, "`type`"),
            (r#"{"type":5}"#, "`type` is not a text"),
            (r#"{"type":"say","text":"a"}"#, "`client_id` is missing"),
            (r#"{"type":"say","client_id":"short","text":"a"}"#, "`client_id`"),
            (r#"{"type":"say","client_id":"0123456789abcde!","text":"a"}"#, "`client_id`"),
            (&format!(r#"{{"type":"say","client_id":"{id}"}}"#), "`text` is missing"),
            (&format!(r#"{{"type":"say","client_id":"{id}","text":"  "}}"#), "`text` is empty"),
            (&format!(r#"{{"type":"say","client_id":"{id}","text":"","attachments":[]}}"#), "`text` is empty"),
            (&format!(r#"{{"type":"say","client_id":"{id}","text":"","attachments":"att_1"}}"#), "`attachments`"),
            (&format!(r#"{{"type":"say","client_id":"{id}","text":"","attachments":[1]}}"#), "`attachments`"),
            (&format!(r#"{{"type":"say","client_id":"{id}","text":"","attachments":["a","a"]}}"#), "twice"),
            (
                &format!(r#"{{"type":"say","client_id":"{id}","attachments":[{}"a"]}}"#, r#""b","#.repeat(10)),
                "more than 10",
            ),
            (&format!(r#"{{"type":"say","client_id":"{id}","text":"a\u0000"}}"#), "`text` is not JSON"),
            (&format!(r#"{{"type":"say","client_id":"{id}","text":"{}"}}"#, "x".repeat(8_001)), "`text` is longer"),
            (&format!(r#"{{"type":"rate","client_id":"{id}","conversation_id":"1-1-1-1","score":6}}"#), "`score`"),
            (r#"{"type":"seen","conversation_id":"1-1-1-1","seq":-1}"#, "`seq`"),
            (r#"{"type":"hello","resume":[]}"#, "`resume`"),
            (r#"{"type":"hello","resume":{"1-1-1-1":{}}}"#, "`resume`"),
        ] {
            let bad = wrong(frame);
            assert!(bad.message.contains(field), "{frame}: {}", bad.message);
            assert_eq!(bad.code, "invalid", "{frame}");
        }
    }

    #[test]
    fn a_file_needs_no_words() {
        for text in [r#""text":"","#, r#""text":" ","#, r#""text":null,"#, ""] {
            let frame = format!(r#"{{"type":"say","client_id":"0123456789abcdef",{text}"attachments":["att_1"]}}"#);
            let Ok(ClientFrame::Say { text, attachments, .. }) = read(&frame) else { panic!("{frame}") };
            assert_eq!((text.as_str(), attachments), ("", vec!["att_1".to_owned()]));
        }
    }

    #[test]
    fn a_page_sends_no_event_of_our_own_but_what_became_of_a_bubble() {
        let track = |event: &str| {
            format!(r#"{{"type":"track","client_id":"0123456789abcdef","event":"{event}","properties":{{}}}}"#)
        };
        assert!(wrong(&track("beckon.open")).message.contains("Beckon's own"));
        assert!(read(&track("beckon.dismissed")).is_ok() && read(&track("beckon.held")).is_ok());
        assert!(read(&track("beckoning")).is_ok());
    }

    #[test]
    fn an_id_that_is_none_is_an_unknown_conversation() {
        let bad = wrong(r#"{"type":"close","client_id":"0123456789abcdef","conversation_id":"../etc"}"#);
        assert_eq!((bad.code, bad.client_id.as_deref()), ("unknown_conversation", Some("0123456789abcdef")));
    }

    #[test]
    fn hello_takes_the_latest_conversations_and_ignores_what_is_no_id() {
        let cursors: Vec<String> = (1..=150).map(|n| format!(r#""3-{n}-0-0":{{"seq":2,"id":"3-{n}-0-1"}}"#)).collect();
        let frame = format!(r#"{{"type":"hello","resume":{{"nonsense":{{"seq":1,"id":"x"}},{}}}}}"#, cursors.join(","));
        let Ok(ClientFrame::Hello(hello)) = read(&frame) else { panic!("a hello") };
        assert_eq!(hello.resume.len(), MAX_RESUME);
        assert!(hello.resume.iter().all(|(conversation, _)| conversation.pos.ms > 50));
    }
}
