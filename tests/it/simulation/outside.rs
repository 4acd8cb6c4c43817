//! The world outside Beckon: the company's API, which counts what it did, and a model, which says anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use beckon::adapter::{Adapter, Request};
use beckon::llm::{Completion, Llm, LlmError, Message, ToolCall};
use beckon::model::entry::{CallState, Entry, Kind};
use beckon::model::ids::{CallId, ConversationId};
use beckon::model::input::CallOutcome;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::chance::Chance;
use super::store::SimStore;

/// One write as the API knows it.
#[derive(Debug, Clone)]
pub struct Write {
    /// The operation.
    pub operation: String,
    /// Whose.
    pub customer: String,
    /// What it is about: the `once` values.
    pub about: String,
    /// How often a request for it came.
    pub arrived: u32,
    /// How often it was done.
    pub done: u32,
    /// Whether the other side honours its key.
    pub keyed: bool,
}

/// How the API behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As a healthy one: it does what it is asked.
    Good,
    /// Now and then something goes wrong.
    Moody,
    /// It does the write so much later.
    Slow(Duration),
    /// It does nothing, and says so.
    Refuses,
}

/// The company's API.
pub struct Api {
    inner: Mutex<ApiInner>,
    store: Arc<SimStore>,
}

struct ApiInner {
    chance: Chance,
    mood: Mood,
    writes: BTreeMap<String, Write>,
    wrong: Vec<String>,
}

impl Api {
    /// An API that did nothing yet.
    pub fn new(store: Arc<SimStore>, chance: Chance) -> Api {
        let inner = ApiInner { chance, mood: Mood::Moody, writes: BTreeMap::new(), wrong: Vec::new() };
        Api { inner: Mutex::new(inner), store }
    }

    /// Changes how it behaves.
    pub fn set_mood(&self, mood: Mood) {
        self.inner.lock().unwrap().mood = mood;
    }

    /// All writes that ever came, by their keys.
    pub fn writes(&self) -> BTreeMap<String, Write> {
        self.inner.lock().unwrap().writes.clone()
    }

    /// What it saw that must never be.
    pub fn wrong(&self) -> Vec<String> {
        self.inner.lock().unwrap().wrong.clone()
    }

    /// A write came: what must hold of it when it comes is looked at from outside, in the logs.
    fn arrives(&self, request: &Request<'_>) {
        let about: Vec<&Value> =
            request.operation.once.iter().map(|name| request.args.get(name).unwrap_or(&Value::Null)).collect();
        let write = Write {
            operation: request.operation.name.clone(),
            customer: request.customer.unwrap_or_default().to_owned(),
            about: serde_json::to_string(&about).unwrap(),
            arrived: 0,
            done: 0,
            keyed: request.operation.idempotency_header.is_some(),
        };
        self.store.trace.add(self.store.time(), || format!("the API gets {} {}", write.operation, request.key));
        let mut inner = self.inner.lock().unwrap();
        let mut wrong = Vec::new();
        for (key, other) in inner.writes.iter().filter(|(key, _)| *key != request.key) {
            let same =
                (&other.operation, &other.customer, &other.about) == (&write.operation, &write.customer, &write.about);
            if same && self.state_of(key) == Some(Known::Open) {
                wrong.push(format!("{} leaves while {key} about the same is pending or unknown", request.key));
            }
        }
        if request.operation.ask && !self.was_confirmed(request) {
            wrong.push(format!("{} leaves, and the customer never approved it as it is", request.key));
        }
        // One that was held up on its way for the first time may arrive though its end was given up as unknown meanwhile.
        let again = inner.writes.get(request.key).is_some_and(|before| before.arrived > 0);
        if again && !write.keyed && self.state_of(request.key) == Some(Known::Unknown) {
            wrong.push(format!("{} leaves again although its end is unknown", request.key));
        }
        let known = inner.writes.entry(request.key.to_owned()).or_insert(write);
        known.arrived += 1;
        if !known.keyed && known.arrived > 1 {
            wrong.push(format!("{} left twice without an idempotency key", request.key));
        }
        inner.wrong.extend(wrong);
    }

    /// What the log says of a write; none: the log is gone (erased).
    fn state_of(&self, key: &str) -> Option<Known> {
        let (log, call) = self.log_of(key)?;
        let last = log.iter().rev().find_map(|entry| match &entry.kind {
            Kind::Call { call_id, state, .. } if *call_id == call => Some(*state),
            _ => None,
        });
        Some(match last {
            None => Known::Open,
            Some(CallState::Unknown) => Known::Unknown,
            Some(CallState::Done | CallState::Failed | CallState::Refused) => Known::Settled,
        })
    }

    fn was_confirmed(&self, request: &Request<'_>) -> bool {
        let Some((log, call)) = self.log_of(request.key) else { return true };
        let asked = log.iter().any(
            |entry| matches!(&entry.kind, Kind::Confirm { call_id, args, .. } if *call_id == call && args == request.args),
        );
        let approved = log
            .iter()
            .any(|entry| matches!(&entry.kind, Kind::Confirmed { call_id, approve: true, .. } if *call_id == call));
        asked && approved
    }

    fn log_of(&self, key: &str) -> Option<(Vec<Entry>, CallId)> {
        let (conversation, call) = key.split_once('/')?;
        let (conversation, call): (ConversationId, CallId) = (conversation.parse().ok()?, call.parse().ok()?);
        self.store.look(|memory| {
            let log = memory.parts[usize::from(conversation.partition.0)].logs.get(&conversation)?;
            Some((log.values().map(|entry| serde_json::from_slice(entry).unwrap()).collect(), call))
        })
    }

    fn does(&self, key: &str) {
        let mut inner = self.inner.lock().unwrap();
        if let Some(write) = inner.writes.get_mut(key)
            && (!write.keyed || write.done == 0)
        {
            write.done += 1;
            drop(inner);
            self.store.trace.add(self.store.time(), || format!("the API does {key}"));
        }
    }

    fn plan(&self) -> (u64, u64, u64) {
        let mut inner = self.inner.lock().unwrap();
        match inner.mood {
            Mood::Good => (20, 10, 999),
            Mood::Refuses => (20, 10, 0),
            Mood::Slow(length) => (length.as_millis() as u64, 10, 999),
            Mood::Moody => {
                let slow = if inner.chance.often(100) { 20_000 } else { 900 };
                (inner.chance.between(0, slow), inner.chance.between(0, slow), inner.chance.between(0, 999))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Open,
    Unknown,
    Settled,
}

#[async_trait]
impl Adapter for Api {
    async fn call(&self, request: Request<'_>) -> CallOutcome {
        let writes = request.operation.writes;
        if writes {
            self.arrives(&request);
        }
        let (before, behind, luck) = self.plan();
        tokio::time::sleep(Duration::from_millis(before)).await;
        let away = || "it hung up".to_owned();
        let outcome = match luck {
            0..60 => CallOutcome::Failed("400".to_owned()),
            60..120 if writes => CallOutcome::Unknown(away()),
            120..240 if writes => {
                self.does(request.key);
                CallOutcome::Unknown(away())
            }
            60..240 => CallOutcome::Failed(away()),
            _ => {
                if writes {
                    self.does(request.key);
                }
                CallOutcome::Done(json!({ "id": "o-1", "number": 1, "items": [{ "id": "visa", "label": "Visa" }] }))
            }
        };
        tokio::time::sleep(Duration::from_millis(behind)).await;
        outcome
    }
}

/// What the model answers.
pub struct Model {
    inner: Mutex<(Chance, Voice)>,
    store: Arc<SimStore>,
}

/// How the model behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// It answers with words, at once.
    Plain,
    /// It says and wants anything, and fails now and then.
    Wild,
    /// It always proposes the same charge.
    Charges,
    /// It says nothing for an hour.
    Silent,
}

impl Model {
    /// A wild model.
    pub fn new(store: Arc<SimStore>, chance: Chance) -> Model {
        Model { inner: Mutex::new((chance, Voice::Wild)), store }
    }

    /// Changes how it behaves.
    pub fn set_voice(&self, voice: Voice) {
        self.inner.lock().unwrap().1 = voice;
    }

    fn plan(&self, request: &beckon::llm::Request) -> (u64, Result<Completion, LlmError>) {
        let (chance, voice) = &mut *self.inner.lock().unwrap();
        match voice {
            Voice::Plain => (10, Ok(words("I see."))),
            Voice::Silent => (3_600_000, Ok(words("Where were we?"))),
            Voice::Charges => {
                let spoken = request.messages.iter().rev().find(|m| !matches!(m, Message::Tool { .. }));
                match spoken {
                    Some(Message::User(_)) => (10, Ok(calls(vec![charge("o-1")]))),
                    _ => (10, Ok(words("Done what I can."))),
                }
            }
            Voice::Wild => {
                let slow = if chance.often(60) { 25_000 } else { 800 };
                (chance.between(0, slow), wild(chance))
            }
        }
    }
}

fn wild(chance: &mut Chance) -> Result<Completion, LlmError> {
    let order = format!("o-{}", chance.between(1, 2));
    let call = |name: &str, arguments: Value| ToolCall {
        id: "x".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_string(),
    };
    let completion = match chance.below(100) {
        0..30 => words("Of course."),
        30..52 => calls(vec![charge(&order)]),
        52..57 => calls(vec![charge(&order), charge(&order)]),
        57..62 => calls(vec![call("shop__refund", json!({ "id": order, "card": "visa" }))]),
        62..67 => calls(vec![
            call("shop__note", json!({ "id": order, "card": "none" })),
            call("shop__get_order", json!({ "id": order })),
        ]),
        67..73 => calls(vec![call("shop__get_order", json!({ "id": order }))]),
        73..76 => calls(vec![call("shop__delete_everything", json!({}))]),
        76..79 => calls(vec![call("shop__retry_payment", json!({ "id": 7 }))]),
        79..81 => calls(vec![ToolCall { arguments: "{".to_owned(), ..call("shop__get_order", json!({})) }]),
        81..86 => calls(vec![call("offer", json!({ "text": "Which?", "choices": ["Try again", "Not now"] }))]),
        86..89 => calls(vec![call("handoff", json!({ "reason": "hard", "summary": "so far" }))]),
        89..91 => Completion { text: "Good bye.".to_owned(), ..calls(vec![call("close", json!({}))]) },
        91..93 => Completion::default(),
        93..95 => return Err(LlmError::Busy { retry_after: None }),
        95..97 => return Err(LlmError::Broken("cut".to_owned())),
        97..98 => return Err(LlmError::TooLong),
        _ => return Err(LlmError::Away("500".to_owned())),
    };
    Ok(completion)
}

fn words(text: &str) -> Completion {
    Completion { text: text.to_owned(), calls: Vec::new(), tokens: 20 }
}

fn calls(calls: Vec<ToolCall>) -> Completion {
    Completion { text: String::new(), calls, tokens: 20 }
}

fn charge(order: &str) -> ToolCall {
    let arguments = json!({ "id": order, "card": "visa" }).to_string();
    ToolCall { id: "c".to_owned(), name: "shop__retry_payment".to_owned(), arguments }
}

#[async_trait]
impl Llm for Model {
    fn name(&self) -> &str {
        "wild"
    }

    async fn ask(&self, request: &beckon::llm::Request, pieces: &mpsc::Sender<String>) -> Result<Completion, LlmError> {
        let (pause, answer) = self.plan(request);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if let Ok(completion) = &answer {
            for word in completion.text.split_inclusive(' ') {
                let _ = pieces.send(word.to_owned()).await;
            }
        }
        self.store.trace.add(self.store.time(), || format!("the model says {answer:?}"));
        answer
    }
}
