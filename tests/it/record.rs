//! The record: archive, views and accounts.

use std::collections::BTreeSet;

use beckon::model::decision::{GoalReached, JournalLine, Judged, Summary, SummaryState};
use beckon::model::entry::{By, Entry, HolderKind, Kind, Logged, Verdict};
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, ConversationId, EntryId, EventId, Partition, Pos};
use beckon::model::input::{Body, Envelope, Operator, To};
use beckon::model::time::{Millis, Ms};
use beckon::model::triage::Priority;
use beckon::record::{
    AuditRow, ConversationFilter, Cursor, EventFilter, EventStatus, Line, LineId, NewAccount, Record, RecordError,
    Role, StoredText, View,
};
use beckon::secret::Secret;
use serde_json::{Map, json};
use sqlx::{AnyPool, Column, Row};

pub const PARTITION: Partition = Partition(17);

/// A record in a folder that goes with it. `BECKON_TEST_RECORD` names a PostgreSQL server instead, such as
/// `postgres://tester@127.0.0.1:5433/postgres`: then each test makes a database there.
pub async fn record(folder: &tempfile::TempDir) -> Record {
    Record::open(&url(folder).await, folder.path()).await.unwrap()
}

pub async fn url(folder: &tempfile::TempDir) -> String {
    let Ok(server) = std::env::var("BECKON_TEST_RECORD") else { return "sqlite:".to_owned() };
    let name = folder.path().file_name().unwrap().to_string_lossy().replace('.', "t").to_lowercase();
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(&server).await.unwrap();
    // A test that opens its record twice finds it made.
    let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&pool).await;
    pool.close().await;
    format!("{}/{name}", server.rsplit_once('/').unwrap().0)
}

/// The database beneath, to look behind the record's back.
pub async fn beneath(folder: &tempfile::TempDir) -> AnyPool {
    let url = url(folder).await;
    let file = format!("sqlite:{}", folder.path().join("record.db").display());
    AnyPool::connect(if url == "sqlite:" { &file } else { &url }).await.unwrap()
}

/// All rows of these tables, as text.
pub async fn dump(folder: &tempfile::TempDir, tables: &[&str]) -> Vec<String> {
    let pool = beneath(folder).await;
    let mut all = Vec::new();
    for table in tables {
        let sql = sqlx::AssertSqlSafe(format!("select * from {table}"));
        let mut rows = Vec::new();
        for row in sqlx::query(sql).fetch_all(&pool).await.unwrap() {
            let cell = |n: usize| match row.try_get::<Option<String>, _>(n) {
                Ok(text) => format!("{text:?}"),
                Err(_) => format!("{:?}", row.try_get::<Option<i64>, _>(n).unwrap()),
            };
            let cells: Vec<String> =
                row.columns().iter().enumerate().map(|(n, column)| format!("{}={}", column.name(), cell(n))).collect();
            rows.push(format!("{table} {}", cells.join(" ")));
        }
        rows.sort();
        all.extend(rows);
    }
    all
}

pub const VIEWS: [&str; 7] = ["event", "verdict", "goal", "conversation", "conversation_label", "entry", "customer"];
const ARCHIVE: [&str; 3] = ["archive_line", "archive_refused", "archive_cursor"];

pub fn pos(n: u64) -> Pos {
    Pos { ms: 1_764_000_000_000 + n, n: 0 }
}

pub fn conversation(n: u64) -> ConversationId {
    ConversationId { partition: PARTITION, pos: pos(n), k: 0 }
}

pub fn event_id(n: u64) -> EventId {
    EventId { partition: PARTITION, pos: pos(n) }
}

pub fn empty_line(n: u64, actor: Option<ActorId>) -> JournalLine {
    serde_json::from_value(json!({ "pos": pos(n).to_string(), "revision": 1, "actor": actor })).unwrap()
}

/// Line `n` of epoch 1, about an event.
pub fn event_line(n: u64, customer: &str, kind: &str) -> Line {
    let actor = ActorId::user(customer);
    let event = Event::new("shop", &format!("evt-{n}"), kind, Some(actor.clone()), json!({ "n": n }));
    Line {
        id: LineId { epoch: 1, n },
        line: empty_line(n, Some(actor.clone())),
        input: Some(StoredText::from(&Envelope { to: To::Actor(actor), body: Body::Event(Box::new(event)) })),
    }
}

pub fn judged(event: u64, playbook: &str, verdict: Verdict, conversation: Option<ConversationId>) -> Judged {
    Judged {
        event: event_id(event),
        playbook: playbook.to_owned(),
        verdict,
        reason: None,
        condition: None,
        values: Map::new(),
        conversation,
    }
}

pub fn summary(n: u64, customer: &str, state: SummaryState, holder: HolderKind, at: u64) -> Summary {
    Summary {
        id: conversation(n),
        customer: ActorId::user(customer),
        playbook: "checkout-trouble".to_owned(),
        catalog: "c0ffee".to_owned(),
        key: "o-17".to_owned(),
        event: Some(event_id(n)),
        listed: true,
        state,
        holder,
        operator: None,
        holder_n: 0,
        why: "Because your payment failed.".to_owned(),
        team: None,
        outcome: None,
        created_at: Ms(pos(n).ms),
        opened_at: None,
        queued_at: (holder == HolderKind::Queue).then(|| Ms(pos(at).ms)),
        answer_by: None,
        unattended: false,
        unknown_call: false,
        priority: Priority::Normal,
        labels: BTreeSet::new(),
        rating: None,
        n: 1,
        seq: 1,
        updated_at: Ms(pos(at).ms),
    }
}

pub fn message(conversation: ConversationId, n: u32, by: By, text: &str) -> Logged {
    let id = EntryId(ConversationId { k: n + 10, ..conversation });
    let kind = Kind::Message {
        attachments: Vec::new(),
        text: text.to_owned(),
        locale: None,
        choices: Vec::new(),
        choice: None,
        client_id: None,
        name: (by == By::Operator).then(|| "Rui".to_owned()),
    };
    let at = Ms(conversation.pos.ms + u64::from(n));
    Logged { conversation, entry: Entry { n, seq: n, visible: true, id, at, by, turn_id: None, attempt: None, kind } }
}

/// An event opens a conversation, it is seen, talked in, handed to the queue, and reaches its goal.
pub fn a_day(customer: &str) -> Vec<Line> {
    let id = conversation(1);
    let mut lines: Vec<Line> =
        (1..=5).map(|n| event_line(n, customer, if n == 5 { "checkout.completed" } else { "page.viewed" })).collect();
    lines[0].line.verdicts = vec![
        judged(1, "checkout-trouble", Verdict::Waiting, Some(id)),
        Judged {
            reason: Some("condition".to_owned()),
            condition: Some("event.data.n > 5".to_owned()),
            values: json!({ "event.data.n": 1 }).as_object().unwrap().clone(),
            ..judged(1, "delayed-order", Verdict::NotMatched, None)
        },
    ];
    lines[0].line.conversations = vec![summary(1, customer, SummaryState::Waiting, HolderKind::Assistant, 1)];
    lines[0].line.entries = vec![message(id, 1, By::Assistant, "Your card was declined. Shall I help?")];
    lines[1].line.traits = json!({ "name": "Ana Duarte", "plan": "pro" }).as_object().cloned();
    lines[2].line.verdicts = vec![judged(1, "checkout-trouble", Verdict::Opened, None)];
    lines[2].line.entries = vec![message(id, 2, By::Customer, "Ja, 100% sicher: ÄRGER")];
    lines[2].line.conversations = vec![summary(1, customer, SummaryState::Open, HolderKind::Assistant, 3)];
    lines[3].line.conversations = vec![summary(1, customer, SummaryState::Open, HolderKind::Queue, 4)];
    lines[3].line.entries = vec![Logged {
        conversation: id,
        entry: Entry {
            n: 3,
            seq: 2,
            visible: false,
            id: EntryId(ConversationId { k: 77, ..id }),
            at: Ms(pos(4).ms),
            by: By::System,
            turn_id: None,
            attempt: None,
            kind: Kind::Handoff { reason: "asked for a human".to_owned(), summary: "card declined".to_owned() },
        },
    }];
    lines[4].line.goals = vec![GoalReached { conversation: id, value: Some(json!(89.5)) }];
    lines
}

#[tokio::test]
async fn views_computed_anew_from_the_archive_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    record.archive(PARTITION, a_day("42")).await.unwrap();
    record.archive(Partition(3), vec![event_line(9, "7", "page.viewed")]).await.unwrap();
    let before = dump(&folder, &VIEWS).await;
    assert!(before.len() > 10, "{before:#?}");
    let mut seen = Vec::new();
    let done = record.rebuild(&mut |done, all| seen.push((done, all))).await.unwrap();
    assert_eq!(done, 6);
    assert_eq!(seen.last(), Some(&(6, 6)));
    assert_eq!(before, dump(&folder, &VIEWS).await);
}

#[tokio::test]
async fn views_do_not_depend_on_how_lines_were_batched() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let singly = record(&one).await;
    let at_once = record(&other).await;
    for line in a_day("42") {
        singly.archive(PARTITION, vec![line]).await.unwrap();
    }
    at_once.archive(PARTITION, a_day("42")).await.unwrap();
    assert_eq!(dump(&one, &VIEWS).await, dump(&other, &VIEWS).await);
}

#[tokio::test]
async fn lines_archived_twice_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let first = record.archive(PARTITION, a_day("42")[..3].to_vec()).await.unwrap();
    assert_eq!((first.archived, first.known), (3, 0));
    let again = record.archive(PARTITION, a_day("42")).await.unwrap();
    assert_eq!((again.archived, again.known, again.gaps), (2, 3, 0));
    assert_eq!(record.cursor(PARTITION).await.unwrap(), LineId { epoch: 1, n: 5 });
    assert_eq!(record.cursor(Partition(1)).await.unwrap(), LineId::default());
}

#[tokio::test]
async fn an_event_tells_what_every_playbook_made_of_it_as_it_stands_now() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    record.archive(PARTITION, a_day("42")).await.unwrap();
    let event = record.event(event_id(1)).await.unwrap().unwrap();
    assert_eq!(event.status, EventStatus::Decided);
    assert_eq!((event.event.id.as_str(), event.received_at), ("evt-1", Ms(pos(1).ms)));
    let verdicts: Vec<_> = event.decisions.iter().map(|judged| (judged.playbook.as_str(), judged.verdict)).collect();
    assert_eq!(verdicts, [("checkout-trouble", Verdict::Opened), ("delayed-order", Verdict::NotMatched)]);
    assert_eq!(event.decisions[0].conversation, Some(conversation(1)), "an update keeps the conversation");
    assert_eq!(event.decisions[1].condition.as_deref(), Some("event.data.n > 5"));
    let goal = record.event(event_id(5)).await.unwrap().unwrap().goals;
    assert_eq!(goal, [GoalReached { conversation: conversation(1), value: Some(json!(89.5)) }]);
    assert_eq!(record.events_by_sender("evt-1", None).await.unwrap(), [event]);
    assert_eq!(record.events_by_sender("evt-1", Some("other")).await.unwrap(), []);
    assert_eq!(record.event(event_id(99)).await.unwrap(), None);
    let counts = record.verdict_counts().await.unwrap();
    let counts: Vec<_> = counts.iter().map(|c| (c.playbook.as_str(), c.verdict.as_str(), c.count)).collect();
    assert_eq!(counts, [("checkout-trouble", "opened", 1), ("delayed-order", "not_matched", 1)]);
}

#[tokio::test]
async fn events_are_listed_in_pages_that_neither_skip_nor_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut lines: Vec<Line> = (1..=25).map(|n| event_line(n, &(n % 2).to_string(), "page.viewed")).collect();
    lines[24].line.dead = true;
    record.archive(PARTITION, lines).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = record.recent_events(&EventFilter::default(), cursor.as_ref(), 10).await.unwrap();
        seen.extend(page.items);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let ids: Vec<_> = seen.iter().map(|row| row.id).collect();
    assert_eq!(ids, (1..=25).rev().map(event_id).collect::<Vec<_>>());
    assert_eq!(seen[0].status, EventStatus::Dead);
    let filter = EventFilter {
        kind: Some("page.viewed".to_owned()),
        source: Some("shop".to_owned()),
        customer: Some(ActorId::user("1")),
        ..EventFilter::default()
    };
    assert_eq!(record.recent_events(&filter, None, 100).await.unwrap().items.len(), 13);
}

#[tokio::test]
async fn the_inbox_lists_who_needs_a_person_longest_first() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut lines = Vec::new();
    for n in 1..=6 {
        let mut line = event_line(n, &n.to_string(), "page.viewed");
        let mut row = summary(n, &n.to_string(), SummaryState::Open, HolderKind::Assistant, n);
        match n {
            1 => row.unattended = true,
            2 => (row.holder, row.queued_at) = (HolderKind::Queue, Some(Ms(5))),
            3 => (row.state, row.unknown_call) = (SummaryState::Closed, true),
            4 => {
                row.holder = HolderKind::Operator;
                row.operator = Some(Operator { id: "op-me".to_owned(), name: "Rui".to_owned() });
            }
            5 => row.listed = false,
            _ => row.state = SummaryState::Waiting,
        }
        line.line.conversations = vec![row];
        lines.push(line);
    }
    record.archive(PARTITION, lines).await.unwrap();
    let list = async |view: View, cursor: Option<&Cursor>, limit| {
        let filter = ConversationFilter { view, ..ConversationFilter::default() };
        let page = record.conversations(&filter, cursor, limit).await.unwrap();
        (page.items.iter().map(|row| row.summary.id.pos.ms - pos(0).ms).collect::<Vec<_>>(), page.cursor)
    };
    let needs = View::NeedsPerson { operator: "op-me".to_owned(), now: Ms(pos(9).ms) };
    assert_eq!(list(needs.clone(), None, 50).await.0, [2, 1, 3, 4]);
    let (first, cursor) = list(needs.clone(), None, 3).await;
    let (rest, end) = list(needs, cursor.as_ref(), 3).await;
    assert_eq!((first, rest, end), (vec![2, 1, 3], vec![4], None));
    assert_eq!(
        list(View::NeedsPerson { operator: "op-other".to_owned(), now: Ms(pos(9).ms) }, None, 50).await.0,
        [2, 1, 3]
    );
    assert_eq!(list(View::Assistant, None, 50).await.0, [1]);
    assert_eq!(list(View::Waiting, None, 50).await.0, [6]);
    assert_eq!(list(View::Closed, None, 50).await.0, [3]);
    assert_eq!(list(View::All, None, 50).await.0, [6, 4, 3, 2, 1]);
    let counts = record.counts("op-me", Ms(pos(9).ms)).await.unwrap();
    assert_eq!((counts.needs_person, counts.assistant, counts.all), (Some(4), Some(1), Some(5)));
}

#[tokio::test]
async fn a_search_takes_wildcards_and_quotes_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    record.archive(PARTITION, a_day("42")).await.unwrap();
    let found = async |search: &str| {
        let filter = ConversationFilter { search: Some(search.to_owned()), ..ConversationFilter::default() };
        record.conversations(&filter, None, 10).await.unwrap().items.len()
    };
    for search in ["ana duarte", "100%", "ärger", "USER:42", "checkout", "  "] {
        assert_eq!(found(search).await, 1, "{search}");
    }
    let long = "x".repeat(100_000);
    for search in ["100_", "%zzz%", "' or 1 = 1 --", "\"; drop table entry; --", "_____________", &long] {
        assert_eq!(found(search).await, 0, "{search}");
    }
    let row = record.conversations(&ConversationFilter::default(), None, 10).await.unwrap().items.remove(0);
    assert_eq!(row.name.as_deref(), Some("Ana Duarte"));
    assert_eq!(row.last.unwrap().text, "Ja, 100% sicher: ÄRGER");
    assert_eq!(record.entries(conversation(1), 1, 10).await.unwrap().len(), 2);
    assert_eq!(record.summary(conversation(1)).await.unwrap().unwrap().holder, HolderKind::Queue);
    let filter = ConversationFilter {
        customer: Some(ActorId::user("42")),
        state: Some(SummaryState::Open),
        holder: Some(HolderKind::Queue),
        playbook: Some("checkout-trouble".to_owned()),
        ..ConversationFilter::default()
    };
    assert_eq!(record.conversations(&filter, None, 10).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn an_erased_customer_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut lines = a_day("planted-name");
    lines.push(Line { id: LineId { epoch: 1, n: 6 }, ..event_line(6, "other", "page.viewed") });
    record.archive(PARTITION, lines).await.unwrap();
    let known = record.customer(&ActorId::user("planted-name")).await.unwrap().unwrap();
    assert_eq!((known.conversations.items.len(), known.events.items.len()), (1, 5));
    assert_eq!(known.traits["plan"], "pro");

    let actor = ActorId::user("planted-name");
    let mut erase = Line {
        id: LineId { epoch: 1, n: 7 },
        line: empty_line(7, Some(actor.clone())),
        input: Some(StoredText::from(&Envelope { to: To::Actor(actor.clone()), body: Body::Erase })),
    };
    erase.line.erased = true;
    record.archive(PARTITION, vec![erase]).await.unwrap();

    assert_eq!(record.customer(&actor).await.unwrap(), None);
    assert_eq!(record.entries(conversation(1), 0, 10).await.unwrap(), []);
    assert_eq!(record.event(event_id(1)).await.unwrap(), None);
    let left = format!("{:?} {:?}", dump(&folder, &VIEWS).await, dump(&folder, &ARCHIVE).await);
    for planted in ["planted-name", "Ana Duarte", "sicher", "declined"] {
        assert!(!left.contains(planted), "{planted} in {left}");
    }
    assert!(left.contains("user:other"));
    let before = dump(&folder, &VIEWS).await;
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(before, dump(&folder, &VIEWS).await);

    record.archive(PARTITION, vec![event_line(8, "planted-name", "page.viewed")]).await.unwrap();
    assert_eq!(record.customer(&actor).await.unwrap().unwrap().events.items.len(), 1, "later events start afresh");
}

#[tokio::test]
async fn a_line_that_sql_refuses_is_put_aside_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let mut lines: Vec<Line> = (1..=4).map(|n| event_line(n, "42", "page.viewed")).collect();
    lines[1] = event_line(2, "42", &"x".repeat(2_000));
    let answer = record.archive(PARTITION, lines).await.unwrap();
    assert_eq!(answer.archived, 3);
    assert_eq!(answer.dead.iter().map(|dead| dead.input).collect::<Vec<_>>(), [event_id(2)]);
    assert_eq!(record.cursor(PARTITION).await.unwrap().n, 4);
    assert_eq!(record.archive_state(PARTITION).await.unwrap().refused, 1);
    assert_eq!(record.recent_events(&EventFilter::default(), None, 10).await.unwrap().items.len(), 3);
    let before = dump(&folder, &VIEWS).await;
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(before, dump(&folder, &VIEWS).await);
}

#[tokio::test]
async fn lines_of_a_lost_epoch_leave_the_views_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    record.archive(PARTITION, a_day("42")).await.unwrap();
    // The store went back: the owner of epoch 9 found input 3 undecided, and decided otherwise.
    let mut other = event_line(3, "42", "page.viewed");
    other.id = LineId { epoch: 9, n: 1 };
    let mut skipping = event_line(4, "42", "page.viewed");
    skipping.id = LineId { epoch: 9, n: 4 };
    let answer = record.archive(PARTITION, vec![other, skipping]).await.unwrap();
    assert_eq!((answer.archived, answer.lost, answer.gaps), (2, 3, 2));
    let event = record.event(event_id(1)).await.unwrap().unwrap();
    assert_eq!(event.decisions[0].verdict, Verdict::Waiting, "it was never opened");
    assert_eq!(record.event(event_id(5)).await.unwrap(), None);
    assert_eq!(record.entries(conversation(1), 0, 10).await.unwrap().len(), 1);
    let before = dump(&folder, &VIEWS).await;
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(before, dump(&folder, &VIEWS).await);
    let state = record.archive_state(PARTITION).await.unwrap();
    assert_eq!((state.gaps, state.lost, state.pos), (2, 3, pos(4)));
}

#[tokio::test]
async fn lines_of_inputs_that_the_store_lost_leave_the_views_though_later_ones_follow() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    record.archive(PARTITION, a_day("42")).await.unwrap();
    // A replica that knew of two inputs was promoted; what comes is later than all that the archive has.
    let mut later = event_line(9, "42", "page.viewed");
    later.id = LineId { epoch: 9, n: 1 };
    later.line.after = Some(pos(2));
    let answer = record.archive(PARTITION, vec![later]).await.unwrap();
    assert_eq!((answer.archived, answer.lost, answer.gaps), (1, 3, 0));
    assert_eq!(record.event(event_id(5)).await.unwrap(), None);
    assert!(record.event(event_id(9)).await.unwrap().is_some());
    // The next owner goes on from there, and loses nothing.
    let mut next = event_line(10, "42", "page.viewed");
    next.id = LineId { epoch: 12, n: 1 };
    next.line.after = Some(pos(9));
    let answer = record.archive(PARTITION, vec![next]).await.unwrap();
    assert_eq!((answer.archived, answer.lost, answer.gaps), (1, 0, 0));
    let before = dump(&folder, &VIEWS).await;
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert_eq!(before, dump(&folder, &VIEWS).await);
}

#[tokio::test]
async fn a_newer_or_broken_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.db");
    std::fs::write(&file, vec![b'x'; 9_000]).unwrap();
    let error = Record::open("sqlite:", folder.path()).await.unwrap_err();
    assert!(matches!(&error, RecordError::Corrupt { place, .. } if place.ends_with("record.db")), "{error}");
    std::fs::remove_file(&file).unwrap();
    Record::open("sqlite:", folder.path()).await.unwrap().close().await;
    std::fs::File::options().write(true).open(&file).unwrap().set_len(6_000).unwrap();
    let error = Record::open("sqlite:", folder.path()).await.unwrap_err();
    assert!(matches!(error, RecordError::Corrupt { .. }), "a file cut off: {error}");
    std::fs::remove_file(&file).unwrap();
    let record = Record::open("sqlite:", folder.path()).await.unwrap();
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                 values (9999, 'newer', true, x'00', 0)";
    let pool = AnyPool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::query(newer).execute(&pool).await.unwrap();
    pool.close().await;
    record.close().await;
    let error = Record::open("sqlite:", folder.path()).await.unwrap_err();
    assert!(matches!(error, RecordError::Newer { found: 9_999, .. }), "{error}");
    assert!(
        matches!(Record::open("mysql://x:secret@y", folder.path()).await, Err(RecordError::Address(a)) if a == "mysql")
    );
}

fn account(email: &str) -> NewAccount {
    NewAccount {
        email: email.to_owned(),
        name: "Rui".to_owned(),
        role: Role::Admin,
        team: Some("payments".to_owned()),
        password: Secret::new("correct horse"),
    }
}

#[tokio::test]
async fn an_operator_signs_in_with_the_right_password_only() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let now = Ms(1_000);
    let made = record.add_operator(account(" Rui@Shop.example "), now).await.unwrap();
    assert_eq!((made.email.as_str(), made.role), ("rui@shop.example", Role::Admin));
    assert!(matches!(record.add_operator(account("RUI@shop.example"), now).await, Err(RecordError::Rejected(_))));
    assert!(matches!(record.add_operator(account("no address"), now).await, Err(RecordError::Rejected(_))));
    let check = async |email: &str, password: &str| {
        record.check_password(email, Secret::new(password)).await.unwrap().map(|account| account.id)
    };
    assert_eq!(check("rui@shop.example", "correct horse").await, Some(made.id.clone()));
    assert_eq!(check("rui@shop.example", "wrong").await, None);
    assert_eq!(check("rui@shop.example", &"x".repeat(5_000)).await, None);
    assert_eq!(check("nobody@shop.example", "nobody's").await, None);
    assert!(record.reset_password("rui@shop.example", Secret::new("other")).await.unwrap());
    assert_eq!(check("rui@shop.example", "correct horse").await, None);
    assert_eq!(record.operators().await.unwrap(), [made]);
    assert!(record.remove_operator("rui@shop.example").await.unwrap());
    assert!(!record.remove_operator("rui@shop.example").await.unwrap());
    assert_eq!(record.operators().await.unwrap(), []);
}

#[tokio::test]
async fn a_session_ends_by_time_by_sign_out_and_by_a_new_password() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let made = record.add_operator(account("rui@shop.example"), Ms(0)).await.unwrap();
    let token = record.create_session(&made, Ms(1_000), Millis(500)).await.unwrap();
    let session = record.session(token.reveal(), Ms(1_499)).await.unwrap().unwrap();
    assert_eq!((session.account, session.expires_at), (made.clone(), Ms(1_500)));
    assert!(session.csrf.len() >= 32);
    assert_eq!(record.session(token.reveal(), Ms(1_500)).await.unwrap(), None);
    assert_eq!(record.session("guessed", Ms(0)).await.unwrap(), None);
    record.end_session(token.reveal()).await.unwrap();
    assert_eq!(record.session(token.reveal(), Ms(1_000)).await.unwrap(), None);
    let token = record.create_session(&made, Ms(1_000), Millis(500)).await.unwrap();
    record.reset_password("rui@shop.example", Secret::new("other")).await.unwrap();
    assert_eq!(record.session(token.reveal(), Ms(1_000)).await.unwrap(), None);
    let file = std::fs::read(folder.path().join("record.db")).unwrap_or_default();
    let stolen = String::from_utf8_lossy(&file);
    assert!(!stolen.contains(token.reveal()) && !stolen.contains("correct horse"));
}

#[tokio::test]
async fn the_audit_lists_the_latest_first() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    for n in 0..5 {
        let row = AuditRow {
            at: Ms(n),
            who: "op-1".to_owned(),
            act: "sign-in".to_owned(),
            about: "x".repeat(1_000),
            address: "127.0.0.1".to_owned(),
        };
        record.audit(row).await.unwrap();
    }
    let page = record.audited(None, 3).await.unwrap();
    assert_eq!(page.items.iter().map(|row| row.at.0).collect::<Vec<_>>(), [4, 3, 2]);
    assert_eq!(page.items[0].about.len(), 300);
    let rest = record.audited(page.cursor.as_ref(), 3).await.unwrap();
    assert_eq!(rest.items.iter().map(|row| row.at.0).collect::<Vec<_>>(), [1, 0]);
}
