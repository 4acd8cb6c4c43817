//! `/asyncapi.json` and `frames.d.ts` say what the frames of `beckon.v1` are, and keep saying it.
//!
//! After a frame has changed: `BECKON_WRITE=1 cargo test --test it described`.

mod typescript;

use std::path::Path;

use beckon::http::chat::described::description;
use beckon::http::chat::frames::{ClientFrame, Hello, Stand};
use beckon::http::chat::read;
use beckon::http::chat::sent::{ServerFrame, Taken, Trouble};
use beckon::http::wire::{self, Shown, View};
use beckon::model::attachment::{Attachment, AttachmentId, FileType};
use beckon::model::customer::RefusalCode;
use beckon::model::decision::SummaryState;
use beckon::model::entry::{By, CallState, Entry, HolderKind, Kind, OutcomeKind};
use beckon::model::ids::{ActorId, CallId, ConversationId, EntryId, Partition, Pos};
use beckon::model::input::Choice;
use beckon::model::time::Ms;
use beckon::model::triage::Priority;
use serde_json::{Map, Value, json};

/// Compares a generated file with the one that is committed, or writes it where that is asked for.
fn committed(path: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("BECKON_WRITE").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == made, "{} is not what the types say: see the top of this file", path.display());
}

fn document() -> Value {
    serde_json::from_str(description()).unwrap()
}

/// A validator for one of the described types that also refuses members which are nowhere described.
fn validator(name: &str) -> jsonschema::Validator {
    let mut document = document();
    let schemas = document["components"]["schemas"].take();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "unevaluatedProperties": false,
        "components": { "schemas": schemas },
    });
    jsonschema::validator_for(&schema).unwrap()
}

fn conforms(validator: &jsonschema::Validator, frame: &Value) {
    let wrong: Vec<String> = validator.iter_errors(frame).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{frame}: {wrong:?}");
}

fn id() -> ConversationId {
    ConversationId { partition: Partition(3), pos: Pos { ms: 1_764_000_000_000, n: 1 }, k: 0 }
}

fn picture() -> Attachment {
    Attachment {
        id: AttachmentId::of("abcdefghijklmnop-_012345"),
        name: "screen.png".to_owned(),
        kind: FileType::Png,
        size: 12_345,
        width: Some(800),
        height: Some(600),
    }
}

fn receipt() -> Attachment {
    Attachment { name: "receipt.pdf".to_owned(), kind: FileType::Pdf, width: None, height: None, ..picture() }
}

/// One of everything that a customer may see in a log.
fn log() -> Vec<Value> {
    let choices = vec![Choice { label: "Visa".to_owned(), value: "c_1".to_owned() }];
    let client = Some("0123456789abcdef".to_owned());
    let args: Map<String, Value> = [("card".to_owned(), json!("c_1"))].into_iter().collect();
    let mut kinds = vec![
        Kind::Message {
            attachments: Vec::new(),
            text: "**Which** card?".to_owned(),
            locale: Some("pt-PT".to_owned()),
            choices,
            choice: None,
            client_id: None,
            name: Some("Ana".to_owned()),
        },
        Kind::Message {
            attachments: vec![picture(), receipt()],
            text: "Visa".to_owned(),
            locale: None,
            choices: vec![],
            choice: Some("c_1".to_owned()),
            client_id: client,
            name: None,
        },
        Kind::Confirm { call_id: CallId(1), summary: "Charge".to_owned(), args },
        Kind::Confirmed { call_id: CallId(1), approve: true, client_id: "0123456789abcdef".to_owned() },
    ];
    for state in [CallState::Done, CallState::Failed, CallState::Refused, CallState::Unknown] {
        kinds.push(Kind::Call {
            call_id: CallId(1),
            name: "shop.retry_payment".to_owned(),
            state,
            bind: Some("paid".to_owned()),
            args: Map::new(),
            result: json!({ "secret": 1 }),
            problem: Some("inner".to_owned()),
        });
    }
    for holder in [HolderKind::Assistant, HolderKind::Queue, HolderKind::Operator] {
        kinds.push(Kind::Holder { holder, name: Some("Ana".to_owned()) });
    }
    use OutcomeKind::{Abandoned, ClosedByOperator, Expired, Failed, Goal, Resolved};
    kinds
        .extend([Goal, Resolved, Abandoned, Expired, ClosedByOperator, Failed].map(|outcome| Kind::Closed { outcome }));
    let by = [By::Assistant, By::Customer, By::Operator, By::System];
    let entries = kinds.into_iter().zip(by.into_iter().cycle()).zip(1..).map(|((kind, by), n)| Entry {
        n,
        seq: n,
        visible: true,
        id: EntryId(id()),
        at: Ms(1_764_000_000_250),
        by,
        turn_id: Some(id().pos),
        attempt: Some(4_352),
        kind,
    });
    wire::entries(&entries.collect::<Vec<_>>(), View::Customer)
}

#[test]
fn every_frame_of_the_server_is_as_described() {
    let server = validator("ServerFrame");
    let customer = ActorId::parse("user:42").unwrap();
    // What operators judge and customers gave is no part of any frame.
    let labels = ["vip".parse().unwrap()].into();
    let shown = |state| Shown {
        id: id(),
        customer: &customer,
        playbook: "checkout-trouble",
        state,
        holder: HolderKind::Assistant,
        operator: None,
        why: "Because.",
        outcome: None,
        opened_at: None,
        last_seq: 9,
        holder_n: 0,
        priority: Priority::Urgent,
        labels: &labels,
        rating: Some(2),
        team: Some("payments"),
    };
    let conversations = [SummaryState::Waiting, SummaryState::Open, SummaryState::Closed]
        .map(|state| wire::conversation(&shown(state), log(), View::Customer));
    let conversation = conversations[0].clone();
    let (conversation_id, turn_id) = (id(), id().pos);
    let mut frames = vec![
        ServerFrame::Welcome {
            customer: &customer,
            anonymous_id: Some("secret"),
            conversations: conversations.to_vec(),
            attachments: Some(Taken { max_size: 5_242_880, max_count: 3, types: &FileType::ALL }),
        },
        ServerFrame::Welcome { customer: &customer, anonymous_id: None, conversations: Vec::new(), attachments: None },
        ServerFrame::Opened { conversation },
        ServerFrame::Delta { conversation_id, turn_id, attempt: 1, index: 0, text: "W" },
        ServerFrame::Dropped { conversation_id, turn_id },
        ServerFrame::Typing { conversation_id, by: By::Operator, call: None },
        ServerFrame::Typing { conversation_id, by: By::Assistant, call: Some("shop.get_order") },
        ServerFrame::Ack { client_id: "0123456789abcdef", conversation_id: Some(conversation_id), seq: 2 },
        ServerFrame::Ack { client_id: "0123456789abcdef", conversation_id: None, seq: 0 },
        ServerFrame::Reset { conversation_id },
        ServerFrame::refused(RefusalCode::Closed, Some("0123456789abcdef"), Some(conversation_id)),
        ServerFrame::again("busy", "Again.", None, 2),
        ServerFrame::Error(Trouble::default()),
        ServerFrame::Pong,
    ];
    frames.extend(log().into_iter().map(|entry| ServerFrame::Entry { conversation_id, entry }));
    for frame in frames {
        conforms(&server, &serde_json::from_str(&frame.text()).unwrap());
        assert!(!frame.text().contains("vip") && !frame.text().contains("urgent"), "{}", frame.text());
    }
    let undescribed = json!({ "type": "pong", "more": 1 });
    assert!(!server.is_valid(&undescribed), "a member that is nowhere described is found");
    assert!(log().iter().any(|entry| entry.get("html").is_some()), "formatted words are among them");
}

#[test]
fn every_frame_of_a_client_is_as_described_and_is_read_back_as_it_was() {
    let client = validator("ClientFrame");
    let client_id = "0123456789abcdef".to_owned();
    let conversation = id();
    let resume = vec![(conversation, Stand { seq: 3, id: Some(EntryId(id())) })];
    let properties: Map<String, Value> = [("items".to_owned(), json!(2))].into_iter().collect();
    let frames = [
        ClientFrame::Hello(Box::new(Hello {
            token: Some("t".to_owned()),
            anonymous_id: None,
            timezone: Some("Europe/Lisbon".to_owned()),
            resume,
        })),
        ClientFrame::Say {
            client_id: client_id.clone(),
            conversation: None,
            text: "hi".to_owned(),
            attachments: Vec::new(),
        },
        ClientFrame::Say {
            client_id: client_id.clone(),
            conversation: Some(conversation),
            text: "hi".to_owned(),
            attachments: Vec::new(),
        },
        ClientFrame::Say {
            client_id: client_id.clone(),
            conversation: Some(conversation),
            text: String::new(),
            attachments: vec![picture().id.to_string()],
        },
        ClientFrame::Choose { client_id: client_id.clone(), conversation, choice: "c_1".to_owned() },
        ClientFrame::Confirm { client_id: client_id.clone(), conversation, call: CallId(1), approve: true },
        ClientFrame::Seen { conversation, seq: 4 },
        ClientFrame::Typing { conversation },
        ClientFrame::Rate { client_id: client_id.clone(), conversation, score: 5, comment: Some("kind".to_owned()) },
        ClientFrame::Helped { client_id: client_id.clone(), conversation, seq: 2, helped: false },
        ClientFrame::Stop { client_id: client_id.clone(), conversation },
        ClientFrame::Track { client_id: client_id.clone(), event: "cart.viewed".to_owned(), properties },
        ClientFrame::Close { client_id, conversation },
        ClientFrame::Ping,
    ];
    for frame in frames {
        let form = serde_json::to_value(&frame).unwrap();
        conforms(&client, &form);
        assert_eq!(read(&form.to_string()), Ok(frame));
    }
    for bad in [
        json!({ "type": "rate", "client_id": "short", "conversation_id": "1", "score": 9 }),
        json!({ "type": "shout" }),
    ] {
        assert!(!client.is_valid(&bad), "{bad}");
    }
}

#[test]
fn what_is_committed_is_what_the_types_say() {
    committed("docs/asyncapi.json", &format!("{}\n", description()));
    committed("web/package/frames.d.ts", &typescript::types(&document()["components"]["schemas"]));
}
