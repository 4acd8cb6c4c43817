//! The dashboard, by what a browser sees and sends.

use std::sync::Arc;

use axum::Router;
use beckon::clock::SystemClock;
use beckon::engine::assistant::Assistant;
use beckon::engine::inbox::Inbox;
use beckon::engine::projector::Projector;
use beckon::engine::shelf::Shelf;
use beckon::engine::suggest::Suggester;
use beckon::http::dashboard::{
    Checked, Dashboard, Front, Installation, Parts, PlaybookFiles, PlaybookRow, PlaybookState, Playbooks, Settings,
    Sightings, routes,
};
use beckon::llm::{Completion, Llm, LlmError, Request};
use beckon::model::catalog::Files;
use beckon::model::customer::{RefusalCode, State};
use beckon::model::decision::{Answer, JournalLine, Judged, Reply, SummaryState};
use beckon::model::entry::{By, CallState, Entry, HolderKind, Kind, Logged, Verdict};
use beckon::model::event::Event;
use beckon::model::ids::{ActorId, CallId, ConversationId, EntryId, EventId, Partition, Pos};
use beckon::model::input::{Body, Envelope, To};
use beckon::model::live::Live;
use beckon::model::time::{Millis, Ms};
use beckon::model::triage::Triage;
use beckon::record::{NewAccount, Record, Role};
use beckon::secret::Secret;
use beckon::store::{Batch, Bounds, Channel, Committed, NewEntry, NewInput, Store};
use beckon::trigger::pending::pending;
use beckon::trigger::topic::revoking::Firm;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::record::{empty_line, summary};

const PASSWORD: &str = "correct horse";

/// A server with a store, a record and two operators. Deciding is done by hand: what the engine would commit, a test does.
pub struct Office {
    _folder: tempfile::TempDir,
    pub store: Arc<dyn Store>,
    pub record: Record,
    pub projector: Projector,
    owner: Mutex<Owner>,
    pub actor: ActorId,
    pub partition: Partition,
    pub address: String,
    closing: CancellationToken,
}

struct Owner {
    epoch: u64,
    at: Pos,
    lines: u64,
    wakes: mpsc::Receiver<Partition>,
}

/// A model that says one word.
struct Ready;

#[async_trait::async_trait]
impl Llm for Ready {
    fn name(&self) -> &str {
        "main"
    }

    async fn ask(&self, _: &Request, words: &mpsc::Sender<String>) -> Result<Completion, LlmError> {
        words.send("ready".to_owned()).await.unwrap();
        Ok(Completion { text: "ready".to_owned(), ..Completion::default() })
    }
}

struct Two(std::sync::Mutex<Vec<String>>);

impl Playbooks for Two {
    fn list(&self) -> BoxFuture<'_, Result<Vec<PlaybookRow>, String>> {
        let paused = self.0.lock().unwrap().clone();
        let row = move |name: &str| PlaybookRow {
            name: name.to_owned(),
            hears: vec!["checkout.payment_failed".to_owned()],
            state: if paused.iter().any(|p| p == name) { PlaybookState::Paused } else { PlaybookState::Running },
        };
        async move { Ok(vec![row("checkout-trouble"), row("delayed-order")]) }.boxed()
    }

    fn set(&self, name: &str, state: PlaybookState) -> BoxFuture<'_, Result<(), String>> {
        let known = ["checkout-trouble", "delayed-order"].contains(&name);
        self.0.lock().unwrap().retain(|paused| paused != name);
        if known && state == PlaybookState::Paused {
            self.0.lock().unwrap().push(name.to_owned());
        }
        async move { if known { Ok(()) } else { Err("There is no such playbook.".to_owned()) } }.boxed()
    }

    fn files(&self, name: &str) -> BoxFuture<'_, Result<Option<PlaybookFiles>, String>> {
        let known = ["checkout-trouble", "delayed-order"].contains(&name);
        let files = PlaybookFiles {
            playbook: (format!("playbooks/{name}.yaml"), format!("playbook: {name}\n# <b>not markup</b>\n")),
            prompt: Some(("prompts/help.md".to_owned(), "Help {{ customer.id }}.".to_owned())),
            why: "Because your payment failed.".to_owned(),
            goal: Some("checkout.completed".to_owned()),
        };
        async move { Ok(known.then_some(files)) }.boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<Checked, String>> {
        let mistake = "playbooks/delayed-order.yaml:3:5: there is no key `whne`".to_owned();
        async move { Ok(Checked { mistakes: vec![mistake], in_force: false }) }.boxed()
    }
}

/// What waits for a cart that is left.
pub const CART: &str = "playbook: cart\non:\n  - absence: { of: paid, after: cart.updated, within: 1h, key: event.data.cart }\nopen: { say: Hi }\n";

impl Office {
    pub async fn open(front: Front) -> Office {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds {
            inbox: 1_000,
            effects: 1_000,
            journal: 1_000,
            dedupe_keys: 10_000,
            dedupe: Millis::hours(24),
            dead: 100,
            dead_a_customer: 50,
        };
        let settings = beckon::store::Settings {
            url: "embedded:".to_owned(),
            prefix: "bk".to_owned(),
            partitions: 8,
            min_replicas: 0,
            bounds,
        };
        let store = beckon::store::open(&settings, folder.path()).await.unwrap();
        let record = Record::open("sqlite:", folder.path()).await.unwrap();
        for (email, name, role) in
            [("rui@shop.example", "Rui", Role::Operator), ("ada@shop.example", "Ada", Role::Admin)]
        {
            let password = Secret::new(PASSWORD);
            let account = NewAccount { email: email.to_owned(), name: name.to_owned(), role, team: None, password };
            record.add_operator(account, Ms(1)).await.unwrap();
        }
        let actor = ActorId::user("42");
        let partition = actor.partition(8);
        let wakes = store.wakes().await.unwrap();
        let lease = store.acquire(partition, "test", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
        let closing = CancellationToken::new();
        let dashboard = Dashboard::new(Parts {
            record: record.clone(),
            store: store.clone(),
            inbox: Inbox::new(store.clone()),
            clock: Arc::new(SystemClock),
            settings: Settings { front, ..Settings::default() },
            nearest: Arc::new(|kind: &str| kind.starts_with("checkout").then(|| "checkout.payment_failed".to_owned())),
            under_way: Arc::new(|state, now| {
                let files = Files::from([("playbooks/cart.yaml".to_owned(), CART.as_bytes().to_vec())]);
                pending(&beckon::catalog::compile(&files, None).unwrap(), state, now)
            }),
            revocable: Arc::new(|event, _| {
                let known = event.kind == "incident.opened";
                known.then(|| vec![("outage".to_owned(), "7".to_owned())]).ok_or(Firm::Single)
            }),
            lag: Arc::new(|| Some(Millis::seconds(95))),
            playbooks: Arc::new(Two(std::sync::Mutex::default())),
            suggester: Suggester::new(
                store.clone(),
                Shelf::new(
                    store.clone(),
                    Arc::new(|files| beckon::catalog::compile(files, None).map_err(|_| String::new())),
                ),
                Assistant::new(vec![(Arc::new(Ready), 500)], std::time::Duration::ZERO),
            ),
            installation: Installation {
                origins: vec!["https://shop.example".to_owned()],
                anonymous: true,
                tokens: false,
                sockets: Arc::new(|| 3),
                sightings: Sightings::new(Arc::new(SystemClock)),
                models: vec![Arc::new(Ready)],
            },
            closing: closing.clone(),
        })
        .unwrap();
        let address = serve(routes(dashboard)).await;
        let owner = Owner { epoch: lease.epoch, at: lease.at, lines: 0, wakes };
        let projector = Projector::new(store.clone(), record.clone());
        Office {
            _folder: folder,
            store,
            record,
            projector,
            owner: Mutex::new(owner),
            actor,
            partition,
            address,
            closing,
        }
    }

    async fn append(&self, body: Body) -> Pos {
        let payload = serde_json::to_vec(&Envelope { to: To::Actor(self.actor.clone()), body }).unwrap();
        let input = NewInput {
            partition: self.partition,
            actor: self.actor.clone(),
            payload,
            dedupe: None,
            bounded: false,
            guest: false,
        };
        self.store.append(vec![input]).await.unwrap()[0].pos
    }

    /// Appends an input and decides it: `line` says what it changed.
    pub async fn happens(&self, body: Body, line: impl FnOnce(Pos) -> JournalLine) -> Pos {
        let pos = self.append(body).await;
        let mut owner = self.owner.lock().await;
        self.commit(&mut owner, line(pos)).await;
        pos
    }

    /// Decides the next input that the dashboard appends.
    pub async fn decide_next(&self, line: impl FnOnce(Pos, Body) -> JournalLine) {
        let mut owner = self.owner.lock().await;
        loop {
            let found = self.store.read(self.partition, owner.at, 1).await.unwrap();
            if let Some(input) = found.into_iter().next() {
                let envelope: Envelope = serde_json::from_slice(&input.payload).unwrap();
                return self.commit(&mut owner, line(input.pos, envelope.body)).await;
            }
            owner.wakes.recv().await.unwrap();
        }
    }

    /// The customer's state is this from now on.
    pub async fn remembers(&self, state: &State) {
        let pos = self.append(Body::Tick).await;
        let mut owner = self.owner.lock().await;
        let states = vec![(self.actor.clone(), Some(state.encode()))];
        self.commit_with(&mut owner, self.line(pos), Batch { states, ..Batch::default() }).await;
    }

    async fn commit(&self, owner: &mut Owner, line: JournalLine) {
        self.commit_with(owner, line, Batch::default()).await;
    }

    async fn commit_with(&self, owner: &mut Owner, line: JournalLine, batch: Batch) {
        let entries = line
            .entries
            .iter()
            .map(|Logged { conversation, entry }| NewEntry {
                conversation: *conversation,
                n: entry.n,
                seq: entry.seq,
                payload: serde_json::to_vec(entry).unwrap(),
            })
            .collect();
        let live = Live::Committed { entries: line.entries.clone(), answers: line.answers.clone() };
        let hint = (Channel::Actor(self.actor.clone()), serde_json::to_vec(&live).unwrap());
        let batch = Batch {
            entries,
            journal: vec![serde_json::to_vec(&line).unwrap()],
            journal_from: owner.lines + 1,
            hints: vec![hint],
            ..batch
        };
        let done = self.store.commit(self.partition, owner.epoch, owner.at, line.pos, batch).await.unwrap();
        assert_eq!(done, Committed::Applied);
        owner.at = line.pos;
        owner.lines += 1;
    }

    pub async fn project(&self) -> usize {
        self.projector.project(&[self.partition]).await.unwrap().lines
    }

    /// A declined card opened a conversation that waits for a person; a charge of it has an unknown end.
    pub async fn a_conversation(&self) -> ConversationId {
        let event =
            Event::new("shop", "evt-1", "checkout.payment_failed", Some(self.actor.clone()), json!({ "total": 89.5 }));
        let mut id = None;
        self.happens(Body::Event(Box::new(event.clone())), |pos| {
            let conversation = ConversationId { partition: self.partition, pos, k: 0 };
            id = Some(conversation);
            let about = EventId { partition: self.partition, pos };
            let mut line = self.line(pos);
            let kind = Kind::Event { event: about, envelope: Box::new(event), silent: false };
            line.entries = vec![
                entry(conversation, 1, 0, By::System, kind),
                entry(conversation, 2, 1, By::Assistant, words("Your card was declined. Shall I help?", None)),
                entry(conversation, 3, 1, By::Customer, Kind::Opened {}),
                entry(conversation, 4, 2, By::Customer, words("Yes please, quickly", None)),
                entry(conversation, 5, 3, By::System, call(CallState::Unknown)),
                entry(conversation, 6, 3, By::System, handoff("asked for a human")),
                entry(conversation, 7, 4, By::System, Kind::Holder { holder: HolderKind::Queue, name: None }),
            ];
            line.verdicts = vec![
                judged(about, "checkout-trouble", Verdict::Opened, None, Some(conversation)),
                judged(about, "delayed-order", Verdict::NotMatched, Some("event.data.total > 100.0"), None),
            ];
            line.traits = json!({ "name": "Ana Duarte", "plan": "pro" }).as_object().cloned();
            line.conversations = vec![self.summary(conversation, HolderKind::Queue, 7)];
            line
        })
        .await;
        self.project().await;
        id.unwrap()
    }

    pub fn line(&self, pos: Pos) -> JournalLine {
        JournalLine { pos, ..empty_line(0, Some(self.actor.clone())) }
    }

    pub fn summary(&self, id: ConversationId, holder: HolderKind, n: u32) -> beckon::model::decision::Summary {
        let mut row = summary(1, "42", SummaryState::Open, holder, 1);
        (row.id, row.customer, row.holder_n, row.n) = (id, self.actor.clone(), n, n);
        (row.created_at, row.updated_at) = (id.pos.time(), id.pos.time());
        row.queued_at = (holder == HolderKind::Queue).then(|| id.pos.time());
        row.unknown_call = true;
        row
    }

    pub fn browser(&self) -> Browser {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Browser { client, base: self.address.clone(), cookie: None, csrf: String::new() }
    }

    pub async fn signed_in(&self, email: &str) -> Browser {
        let mut browser = self.browser();
        let page = browser.sign_in(email, PASSWORD).await;
        assert_eq!(page.status, 303, "{}", page.body);
        let page = browser.get("/operator/").await;
        browser.csrf = page.field("csrf");
        browser
    }

    pub async fn audited(&self) -> Vec<String> {
        self.record.audited(None, 100).await.unwrap().items.into_iter().map(|row| row.act).collect()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
        axum::serve(listener, service).await.unwrap();
    });
    address
}

pub fn entry(conversation: ConversationId, n: u32, seq: u32, by: By, kind: Kind) -> Logged {
    let visible = matches!(kind, Kind::Message { .. } | Kind::Call { .. } | Kind::Holder { .. } | Kind::Closed { .. });
    let id = EntryId(ConversationId { k: n + 10, ..conversation });
    let at = conversation.pos.time();
    Logged { conversation, entry: Entry { n, seq, visible, id, at, by, turn_id: None, attempt: None, kind } }
}

pub fn words(text: &str, name: Option<&str>) -> Kind {
    let name = name.map(str::to_owned);
    Kind::Message {
        text: text.to_owned(),
        attachments: Vec::new(),
        locale: None,
        choices: Vec::new(),
        choice: None,
        client_id: None,
        name,
    }
}

fn handoff(reason: &str) -> Kind {
    Kind::Handoff { reason: reason.to_owned(), summary: "Card declined twice.".to_owned() }
}

fn call(state: CallState) -> Kind {
    Kind::Call {
        call_id: CallId(3),
        name: "shop.retry_payment".to_owned(),
        state,
        bind: None,
        args: json!({ "card": "a" }).as_object().unwrap().clone(),
        result: serde_json::Value::Null,
        problem: Some("no answer within 5 s".to_owned()),
    }
}

pub fn judged(
    event: EventId,
    playbook: &str,
    verdict: Verdict,
    condition: Option<&str>,
    conversation: Option<ConversationId>,
) -> Judged {
    let mut values = serde_json::Map::new();
    if condition.is_some() {
        values.insert("event.data.total".to_owned(), json!(89.5));
    }
    let condition = condition.map(str::to_owned);
    Judged { event, playbook: playbook.to_owned(), verdict, reason: None, condition, values, conversation }
}

/// A browser that follows nothing by itself.
pub struct Browser {
    client: reqwest::Client,
    base: String,
    pub cookie: Option<String>,
    pub csrf: String,
}

pub struct Answered {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answered {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The value of a form's field.
    pub fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(&marker).unwrap_or_else(|| panic!("no field {name} in {}", self.body)).1;
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Browser {
    pub async fn sign_in(&mut self, email: &str, password: &str) -> Answered {
        let page = self.post("/operator/sign-in", &[("email", email), ("password", password)], &[]).await;
        if let Some((cookie, _)) = page.header("set-cookie").split_once(';') {
            self.cookie = Some(cookie.to_owned());
        }
        page
    }

    pub async fn get(&self, path: &str) -> Answered {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)], headers: &[(&'static str, &str)]) -> Answered {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Posts with the token of this session.
    pub async fn act(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        let mut all = vec![("csrf", self.csrf.as_str())];
        all.extend(fields);
        self.post(path, &all, &[]).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answered {
        let response = self.with_cookie(request).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answered { status, headers, body: response.text().await.unwrap() }
    }

    fn with_cookie(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// Opens a stream and answers with its text as it grows.
    pub async fn stream(&self, path: &str, last: Option<&str>) -> Stream {
        let mut request = self.client.get(format!("{}{path}", self.base));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.with_cookie(request).send().await.unwrap();
        assert_eq!(response.status(), 200);
        Stream { body: response.bytes_stream().boxed(), text: String::new() }
    }
}

pub struct Stream {
    body: futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    pub text: String,
}

impl Stream {
    /// Reads on until the text has this.
    pub async fn until(&mut self, wanted: &str) {
        let reading = async {
            while !self.text.contains(wanted) {
                let chunk = self.body.next().await.expect("the stream ended").unwrap();
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let limit = std::time::Duration::from_secs(40);
        assert!(tokio::time::timeout(limit, reading).await.is_ok(), "no {wanted:?} in {}", self.text);
    }
}

#[tokio::test]
async fn an_operator_signs_in_sees_the_inbox_and_signs_out_for_good() {
    let office = Office::open(Front::Nothing).await;
    let mut browser = office.browser();
    let page = browser.get("/operator/conversations/1-2-3-0?view=all").await;
    assert_eq!(page.status, 303);
    assert_eq!(
        page.header("location"),
        "/operator/sign-in?next=%2Foperator%2Fconversations%2F1%2D2%2D3%2D0%3Fview%3Dall"
    );
    let form = browser.get(page.header("location")).await;
    assert_eq!(form.field("next"), "/operator/conversations/1-2-3-0?view=all");
    assert!(form.body.contains("name=\"email\"") && form.body.contains("name=\"password\""));

    let page = browser.sign_in("RUI@shop.example", PASSWORD).await;
    assert_eq!((page.status, page.header("location")), (303, "/operator/"));
    let cookie = page.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/operator"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    let inbox = browser.get("/operator/").await;
    assert_eq!(inbox.status, 200);
    assert!(inbox.body.contains("Nobody needs you now."));
    assert!(inbox.body.contains("Lists and events are 1 m behind; nothing is lost."));
    browser.csrf = inbox.field("csrf");

    assert_eq!(browser.act("/operator/sign-out", &[]).await.status, 303);
    let again = browser.get("/operator/").await;
    assert_eq!(
        (again.status, again.header("location")),
        (303, "/operator/sign-in"),
        "a stolen cookie is worth nothing"
    );
    assert_eq!(office.audited().await, ["sign-out", "sign-in"]);
}

#[tokio::test]
async fn the_cookie_is_secure_where_our_proxy_says_https() {
    for (front, secure) in [(Front::Proxy, true), (Front::Nothing, false)] {
        let office = Office::open(front).await;
        let fields = [("email", "rui@shop.example"), ("password", PASSWORD)];
        let page = office.browser().post("/operator/sign-in", &fields, &[("x-forwarded-proto", "https")]).await;
        assert_eq!(page.header("set-cookie").contains("Secure"), secure);
    }
}

#[tokio::test]
async fn after_twenty_wrong_passwords_even_the_right_one_waits() {
    let office = Office::open(Front::Nothing).await;
    let mut browser = office.browser();
    for _ in 0..20 {
        let page = browser.sign_in("rui@shop.example", "wrong").await;
        assert_eq!(page.status, 401);
        assert!(page.body.contains("E-mail or password is wrong."));
    }
    let page = browser.sign_in("rui@shop.example", PASSWORD).await;
    assert_eq!((page.status, page.header("set-cookie")), (429, ""));
    assert!(page.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(browser.sign_in("rui@shop.example", PASSWORD).await.status, 429);
    let unknown = browser.sign_in("nobody@shop.example", "wrong").await;
    assert_eq!(unknown.status, 401, "who is unknown is told the same");
    let acts = office.audited().await;
    assert_eq!(acts.iter().filter(|act| *act == "sign-in.refused").count(), 21);
    assert_eq!(acts.iter().filter(|act| *act == "sign-in.limited").count(), 1, "a flood does not fill the audit");
}

/// Fields and headers of a form.
type Attempt<'a> = (&'a [(&'a str, &'a str)], &'a [(&'static str, &'a str)]);

#[tokio::test]
async fn a_form_that_is_not_ours_is_refused_and_audited() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let browser = office.signed_in("rui@shop.example").await;
    let path = format!("/operator/conversations/{id}/close");
    let csrf = browser.csrf.as_str();
    let host = browser.base.clone();
    let refused: [Attempt<'_>; 6] = [
        (&[], &[]),
        (&[("csrf", "guessed")], &[]),
        (&[("csrf", csrf)], &[("origin", "https://evil.example")]),
        (&[("csrf", csrf)], &[("origin", "null")]),
        (&[("csrf", csrf)], &[("sec-fetch-site", "cross-site")]),
        (&[("csrf", csrf)], &[("sec-fetch-site", "same-site"), ("origin", &host)]),
    ];
    for (fields, headers) in refused {
        assert_eq!(browser.post(&path, fields, headers).await.status, 403, "{fields:?} {headers:?}");
    }
    let sign_in = [("email", "rui@shop.example"), ("password", PASSWORD)];
    let foreign = office.browser().post("/operator/sign-in", &sign_in, &[("origin", "https://evil.example")]).await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, ""));
    assert_eq!(office.audited().await.iter().filter(|act| *act == "form.refused").count(), 7);
    let fill = office.store.fill().await.unwrap();
    assert_eq!(fill.values().map(|fill| fill.undecided).sum::<u64>(), 0, "nothing was appended");
    let unsigned = office.browser().post(&path, &[("csrf", csrf)], &[]).await;
    assert_eq!(unsigned.status, 303);
}

#[tokio::test]
async fn what_comes_from_outside_is_text_on_every_page() {
    let office = Office::open(Front::Nothing).await;
    let evil = "<script>alert(1)</script>{{ 7 * 7 }}{% if x %}\" onload=\"x' \u{202e}gnp.exe";
    let event = Event::new(evil, evil, evil, Some(office.actor.clone()), json!({ evil: evil }));
    let mut id = None;
    let pos = office
        .happens(Body::Event(Box::new(event.clone())), |pos| {
            let conversation = ConversationId { partition: office.partition, pos, k: 0 };
            id = Some(conversation);
            let about = EventId { partition: office.partition, pos };
            let mut line = office.line(pos);
            let mut row = office.summary(conversation, HolderKind::Queue, 1);
            row.why = evil.to_owned();
            row.playbook = evil.to_owned();
            row.team = Some(evil.to_owned());
            // No door takes such a label; what is stored is escaped all the same.
            row.labels = [serde_json::from_value(json!(evil)).unwrap()].into();
            let triage = Triage { add: row.labels.clone(), ..Triage::default() };
            line.conversations = vec![row];
            line.traits = json!({ "name": evil, evil: evil }).as_object().cloned();
            line.verdicts = vec![judged(about, evil, Verdict::NotMatched, Some(evil), None)];
            line.entries = vec![
                entry(
                    conversation,
                    1,
                    0,
                    By::System,
                    Kind::Event { event: about, envelope: Box::new(event), silent: false },
                ),
                entry(conversation, 2, 1, By::Customer, words(evil, None)),
                entry(conversation, 3, 2, By::Operator, words(evil, Some(evil))),
                entry(conversation, 4, 2, By::System, handoff(evil)),
                entry(conversation, 5, 2, By::Operator, Kind::Note { text: evil.to_owned(), name: evil.to_owned() }),
                entry(
                    conversation,
                    6,
                    2,
                    By::Customer,
                    Kind::Rated { score: 1, comment: Some(evil.to_owned()), client_id: String::new() },
                ),
                entry(conversation, 7, 2, By::Operator, Kind::Triaged { triage, name: evil.to_owned() }),
            ];
            line
        })
        .await;
    office.project().await;
    let browser = office.signed_in("ada@shop.example").await;
    let name: String = evil.chars().take(80).collect();
    let saved = browser.act("/operator/replies", &[("name", &name), ("words", evil)]).await;
    assert_eq!(saved.status, 303, "{}", saved.body);
    let filter = [("name", &name[..40]), ("query", &format!("view=all&q={evil}")), ("shared", "yes")];
    assert_eq!(browser.act("/operator/filters", &filter).await.status, 303);
    let quoted: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    let pages = [
        "/operator/".to_owned(),
        format!("/operator/?view=all&q={quoted}"),
        format!("/operator/conversations/{}", id.unwrap()),
        "/operator/events".to_owned(),
        format!("/operator/events?id={quoted}&source={quoted}&kind={quoted}&customer={quoted}"),
        format!("/operator/events/{}-{pos}", office.partition),
        format!("/operator/events?q={quoted}&verdict={quoted}&playbook={quoted}"),
        "/operator/playbooks".to_owned(),
        "/operator/playbooks/checkout-trouble".to_owned(),
        "/operator/customers".to_owned(),
        format!("/operator/customers?q={quoted}"),
        "/operator/customers/user%3A42".to_owned(),
        "/operator/flow".to_owned(),
        "/operator/filters".to_owned(),
        format!("/operator/?label={quoted}&priority={quoted}"),
        "/operator/replies".to_owned(),
        "/operator/replies/pick".to_owned(),
        format!("/operator/palette?q={quoted}"),
        "/operator/setup".to_owned(),
        format!("/operator/sign-in?next={quoted}"),
        "/operator/nowhere".to_owned(),
    ];
    let inline =
        regex::Regex::new(r#"<style|<[^>]* style=|<[^>]* on[a-z]+="|javascript:|<script(?: defer)?>"#).unwrap();
    for path in pages {
        let page = browser.get(&path).await;
        assert!(matches!(page.status, 200 | 404), "{path}: {}", page.status);
        assert!(!page.body.contains("<script>alert"), "{path}");
        assert!(!page.body.contains("\" onload="), "{path}");
        assert!(!page.body.contains("49{%"), "{path}");
        assert!(!inline.is_match(&page.body), "{path}: {:?}", inline.find(&page.body));
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
    }
    let thread = browser.get(&format!("/operator/conversations/{}", id.unwrap())).await.body;
    assert!(thread.contains("&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}{% if x %}"));
    assert!(thread.contains("\u{27e8}U+202E\u{27e9}gnp.exe"), "in a line, what turns text is written out");
}

#[tokio::test]
async fn the_inbox_shows_who_why_and_the_last_words() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let browser = office.signed_in("rui@shop.example").await;
    let inbox = browser.get("/operator/").await.body;
    for part in ["Ana Duarte", "Yes please, quickly", "nobody knows whether a call was done", &id.to_string()] {
        assert!(inbox.contains(part), "{part} in {inbox}");
    }
    assert!(browser.get("/operator/?view=all&q=QUICKLY").await.body.contains("Ana Duarte"));
    assert!(browser.get("/operator/?view=all&q=%25").await.body.contains("Nothing has these words."));
    assert!(!browser.get("/operator/?view=closed").await.body.contains("Ana Duarte"));
    let thread = browser.get(&format!("/operator/conversations/{id}")).await.body;
    for part in [
        "checkout.payment_failed",
        "Your card was declined. Shall I help?",
        "the customer saw it",
        "shop.retry_payment",
        "It was not",
        "a person is needed: asked for a human",
        "Waits for a person.",
        "Take over",
        "pro",
    ] {
        assert!(thread.contains(part), "{part} in {thread}");
    }
}

#[tokio::test]
async fn a_conversation_that_the_store_forgot_is_read_from_the_record() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let browser = office.signed_in("rui@shop.example").await;
    office.happens(Body::Tick, |pos| JournalLine { retired: vec![id], ..office.line(pos) }).await;
    assert_eq!(office.project().await, 1);
    assert_eq!(office.store.log(id, Default::default(), 10).await.unwrap(), []);
    assert!(browser.get(&format!("/operator/conversations/{id}")).await.body.contains("Yes please, quickly"));
}

/// The engine's answer to a claim: granted where the number is right.
pub fn decide_claim(office: &Office, id: ConversationId, holder_n: u32, pos: Pos, body: Body) -> JournalLine {
    let Body::Claim { operator, n, .. } = body else { panic!("a claim was expected") };
    let mut line = office.line(pos);
    let reply = if n == holder_n { Reply::Done { seq: 5 } } else { Reply::Refused(RefusalCode::Conflict) };
    if n == holder_n {
        let holder = Kind::Holder { holder: HolderKind::Operator, name: Some(operator.name.clone()) };
        line.entries = vec![entry(id, 8, 5, By::Operator, holder)];
        let mut row = office.summary(id, HolderKind::Operator, 8);
        row.operator = Some(operator);
        line.conversations = vec![row];
    }
    line.answers = vec![Answer { pos, client_id: None, conversation: Some(id), reply }];
    line
}

#[tokio::test]
async fn of_two_operators_who_take_over_the_second_is_told_who_has_it() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let rui = office.signed_in("rui@shop.example").await;
    let ada = office.signed_in("ada@shop.example").await;
    let path = format!("/operator/conversations/{id}");
    let shown = ada.get(&path).await.field("n");
    assert_eq!(shown, "7");
    let claim = format!("{path}/claim");

    let fields = [("n", shown.as_str())];
    let (page, ()) =
        tokio::join!(rui.act(&claim, &fields), office.decide_next(|pos, body| decide_claim(&office, id, 7, pos, body)));
    assert_eq!((page.status, page.header("location")), (303, format!("{path}?view=needs").as_str()));
    assert!(rui.get(&path).await.body.contains("You have the conversation."), "the record lags, the log does not");

    let (page, ()) =
        tokio::join!(ada.act(&claim, &fields), office.decide_next(|pos, body| decide_claim(&office, id, 8, pos, body)));
    assert_eq!(page.status, 409);
    assert!(page.body.contains("The conversation changed hands meanwhile. Rui has it now."), "{}", page.body);
    office.project().await;
    assert!(ada.get(&path).await.body.contains("Rui has the conversation."));
    assert!(rui.get("/operator/").await.body.contains("nobody knows whether"));
    assert_eq!(office.audited().await.iter().filter(|act| *act == "claim").count(), 2);
}

#[tokio::test]
async fn words_that_were_refused_stay_in_the_form_under_the_same_id() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let rui = office.signed_in("rui@shop.example").await;
    let path = format!("/operator/conversations/{id}");
    let claim = format!("{path}/claim");
    let _ = tokio::join!(
        rui.act(&claim, &[("n", "7")]),
        office.decide_next(|pos, body| decide_claim(&office, id, 7, pos, body))
    );
    let form = rui.get(&path).await;
    let client_id = form.field("client_id");
    assert!(client_id.len() >= 16);
    assert_ne!(client_id, rui.get(&path).await.field("client_id"), "every form has its own");

    let say = format!("{path}/say");
    let fields = [("client_id", client_id.as_str()), ("text", "I am <b>Rui</b>")];
    let (page, ()) = tokio::join!(
        rui.act(&say, &fields),
        office.decide_next(|pos, body| {
            assert!(matches!(body, Body::OperatorSaid { text, .. } if text == "I am <b>Rui</b>"));
            let mut line = office.line(pos);
            let reply = Reply::Refused(RefusalCode::Full);
            line.answers = vec![Answer { pos, client_id: None, conversation: Some(id), reply }];
            line
        })
    );
    assert_eq!(page.status, 409);
    assert!(
        page.body.contains("This conversation is full.")
            && page.body.contains("I am &lt;b&gt;Rui&lt;/b&gt;</textarea>")
    );
    assert_eq!(page.field("client_id"), client_id, "sent again it counts once");

    let empty = rui.act(&say, &[("client_id", client_id.as_str()), ("text", " \r\n ")]).await;
    assert_eq!(empty.status, 422);
    let forged = rui.act(&say, &[("client_id", "short"), ("text", "x")]).await;
    assert_eq!(forged.status, 422);

    let done = |office: &Office, pos: Pos| {
        let mut line = office.line(pos);
        line.entries = vec![entry(id, 9, 6, By::Operator, words("I am Rui", Some("Rui")))];
        let reply = Reply::Done { seq: 6 };
        line.answers = vec![Answer { pos, client_id: None, conversation: Some(id), reply }];
        line
    };
    let fields = [("csrf", rui.csrf.as_str()), ("client_id", client_id.as_str()), ("text", "I am Rui")];
    let (page, ()) = tokio::join!(
        rui.post(&say, &fields, &[("hx-request", "true")]),
        office.decide_next(|pos, _| done(&office, pos))
    );
    assert_eq!(page.status, 200);
    assert!(page.body.trim_start().starts_with("<section") && !page.body.contains("I am Rui"), "{}", page.body);
    assert_ne!(page.field("client_id"), client_id);
}

#[tokio::test]
async fn a_live_page_gets_each_new_entry_once_and_resumes_where_it_was() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let rui = office.signed_in("rui@shop.example").await;
    let page = rui.get(&format!("/operator/conversations/{id}")).await;
    let live = page.body.split("hx-sse:connect=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    assert!(live.ends_with("&after=4-7&aside=0-0"), "{live}");

    let mut stream = rui.stream(&live, None).await;
    stream.until("Ana Duarte").await;
    let turn = Pos { ms: 5, n: 0 };
    for (index, text) in ["Let me ", "<look>"].into_iter().enumerate() {
        let delta = Live::Delta { conversation: id, turn, attempt: 9, index: index as u32, text: text.to_owned() };
        let payload = serde_json::to_vec(&delta).unwrap();
        office.store.publish(Channel::Actor(office.actor.clone()), payload).await.unwrap();
    }
    stream.until("Let me &lt;look&gt;").await;
    office
        .happens(Body::Tick, |pos| {
            let mut said = entry(id, 8, 5, By::Assistant, words("I looked.", None));
            (said.entry.turn_id, said.entry.attempt) = (Some(turn), Some(9));
            JournalLine { entries: vec![said], ..office.line(pos) }
        })
        .await;
    stream.until("I looked.").await;
    stream.until("id: 5-8").await;
    let after = stream.text.split_once("I looked.").unwrap().1;
    assert!(!after.contains("Let me"), "the entry replaced the words on their way");
    assert_eq!(stream.text.matches("I looked.").count(), 1);
    assert!(!stream.text.contains("Your card was declined"), "what was on the page is not sent again");
    drop(stream);

    let holder = Kind::Holder { holder: HolderKind::Operator, name: Some("Ada".to_owned()) };
    office
        .happens(Body::Tick, |pos| JournalLine {
            entries: vec![entry(id, 9, 6, By::Operator, holder)],
            ..office.line(pos)
        })
        .await;
    let mut again = rui.stream(&live, Some("5-8")).await;
    again.until("id: 6-9").await;
    assert!(!again.text.contains("I looked."));
    assert!(again.text.contains("Ada has the conversation."), "{}", again.text);

    let mut gone = rui.stream(&live, Some("50-80")).await;
    gone.until("event: reload").await;
}

#[tokio::test]
async fn a_list_that_is_live_shows_what_the_record_learned() {
    let office = Office::open(Front::Nothing).await;
    let rui = office.signed_in("rui@shop.example").await;
    let mut stream = rui.stream("/operator/live?view=needs", None).await;
    stream.until("Nobody needs you now.").await;
    office.a_conversation().await;
    stream.until("Ana Duarte").await;
    assert_eq!(office.browser().get("/operator/live?view=needs").await.status, 303);
}

#[tokio::test]
async fn an_event_page_names_the_first_condition_that_failed() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let event = EventId { partition: id.partition, pos: id.pos };
    let rui = office.signed_in("rui@shop.example").await;
    let found = rui.get(&format!("/operator/events?id={event}")).await;
    assert_eq!((found.status, found.header("location")), (303, format!("/operator/events/{event}").as_str()));
    let page = rui.get(&format!("/operator/events/{event}")).await.body;
    for part in ["event.data.total &gt; 100.0", "event.data.total", "89.5", "not matched", &id.to_string(), "evt-1"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(rui.get("/operator/events?id=evt-1").await.body.contains(&event.to_string()));
    assert!(rui.get("/operator/events?id=evt-2").await.body.contains("No event has this id."));
    assert!(rui.get("/operator/events?customer=42").await.body.contains("user:ID"));

    let unheard = Event::new("shop", "evt-9", "checkout.payment_faild", Some(office.actor.clone()), json!({}));
    let pos = office.happens(Body::Event(Box::new(unheard)), |pos| office.line(pos)).await;
    let path = format!("/operator/events/{}-{pos}", office.partition);
    assert!(rui.get(&path).await.body.contains("It stands in the inbox"), "pending until archived");
    office.project().await;
    let page = rui.get(&path).await.body;
    assert!(page.contains("Nothing listens to") && page.contains("checkout.payment_failed"), "{page}");
    for path in
        ["/operator/events/0-1-0", "/operator/events/999-1-0", "/operator/events/x", "/operator/conversations/x"]
    {
        assert_eq!(rui.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn only_an_administrator_pauses_a_playbook() {
    let office = Office::open(Front::Nothing).await;
    office.a_conversation().await;
    let rui = office.signed_in("rui@shop.example").await;
    assert_eq!(rui.act("/operator/playbooks/checkout-trouble/pause", &[]).await.status, 403);
    assert!(!rui.get("/operator/playbooks").await.body.contains("Pause<"));
    let ada = office.signed_in("ada@shop.example").await;
    assert_eq!(ada.act("/operator/playbooks/checkout-trouble/pause", &[]).await.status, 303);
    let page = ada.get("/operator/playbooks").await.body;
    assert!(page.contains("paused</span>") && page.contains("/operator/playbooks/checkout%2Dtrouble/resume"), "{page}");
    let unknown = ada.act("/operator/playbooks/nowhere/pause", &[]).await;
    assert_eq!(unknown.status, 409);
    assert!(unknown.body.contains("There is no such playbook."));
    let acts = office.audited().await;
    assert!(acts.contains(&"role.refused".to_owned()) && acts.contains(&"playbook.pause".to_owned()));
}

#[tokio::test]
async fn static_files_are_kept_by_their_content_and_lead_nowhere_else() {
    let office = Office::open(Front::Nothing).await;
    let browser = office.browser();
    let form = browser.get("/operator/sign-in").await.body;
    let path = form.split("href=\"").find(|part| part.contains("dashboard.css")).unwrap().split('"').next().unwrap();
    let file = browser.get(path).await;
    assert_eq!((file.status, file.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(file.header("cache-control").contains("immutable"));
    assert!(!browser.get("/operator/static/dashboard.css").await.header("cache-control").contains("immutable"));
    let request = browser.client.get(format!("{}{path}", browser.base)).header("if-none-match", file.header("etag"));
    assert_eq!(browser.send(request).await.status, 304);
    assert_eq!(browser.get("/operator/static/fonts/hanken-grotesk-latin-wght-normal.woff2").await.status, 200);
    for path in ["..%2F..%2FCargo.toml", "nothing.css", "vendor/README.md", "fonts", ".css", "..%5Cx.css"] {
        assert_eq!(browser.get(&format!("/operator/static/{path}")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_projector_that_died_before_it_trimmed_goes_on_where_it_was() {
    let office = Office::open(Front::Nothing).await;
    let id = office.a_conversation().await;
    let state = office.record.archive_state(office.partition).await.unwrap();
    assert_eq!((state.cursor.n, state.pos), (1, id.pos));
    assert_eq!(office.store.fill().await.unwrap()[&office.partition].journal, 0, "trimmed once archived");

    let retire = |pos| JournalLine { retired: vec![id], ..office.line(pos) };
    let pos = office.happens(Body::Tick, retire).await;
    let stored = office.store.journal(office.partition, Default::default(), 10).await.unwrap();
    let line = beckon::record::Line {
        id: beckon::record::LineId { epoch: stored[0].0.epoch, n: stored[0].0.n },
        line: serde_json::from_slice(&stored[0].1).unwrap(),
        input: None,
    };
    office.record.archive(office.partition, vec![line]).await.unwrap();
    assert_eq!(office.project().await, 1, "archived already, trimmed now");
    assert_eq!(office.store.log(id, Default::default(), 10).await.unwrap(), []);
    assert_eq!(office.store.input(office.partition, pos).await.unwrap(), None);
    assert_eq!(office.project().await, 0);
}

#[tokio::test]
async fn while_the_record_is_away_nothing_is_forgotten_and_it_catches_up() {
    let office = Office::open(Front::Nothing).await;
    let away = Record::open("sqlite:", tempfile::tempdir().unwrap().path()).await.unwrap();
    away.close().await;
    let id = ConversationId { partition: office.partition, pos: Pos { ms: 1, n: 0 }, k: 0 };
    for n in 1..=3 {
        let said = entry(id, n, n, By::Customer, words("hello", None));
        office.happens(Body::Tick, |pos| JournalLine { entries: vec![said], ..office.line(pos) }).await;
    }
    let broken = Projector::new(office.store.clone(), away);
    assert!(broken.project(&[office.partition]).await.is_err());
    assert!(broken.project(&[office.partition]).await.is_err());
    assert_eq!(office.store.fill().await.unwrap()[&office.partition].journal, 3);
    assert_eq!(office.project().await, 3);
    assert_eq!(office.record.entries(id, 0, 10).await.unwrap().len(), 3);
    assert_eq!(office.store.fill().await.unwrap()[&office.partition].journal, 0);
}

#[tokio::test]
async fn more_lines_than_one_piece_holds_are_copied_with_their_inputs() {
    let office = Office::open(Front::Nothing).await;
    for n in 0..520 {
        let event =
            Event::new("shop", &format!("evt-{n}"), "page.viewed", Some(office.actor.clone()), json!({ "n": n }));
        office.happens(Body::Event(Box::new(event)), |pos| office.line(pos)).await;
    }
    assert_eq!((office.project().await, office.project().await, office.project().await), (500, 20, 0));
    let last = office.record.events_by_sender("evt-519", None).await.unwrap();
    assert_eq!(last[0].event.data, json!({ "n": 519 }));
    let state = office.record.archive_state(office.partition).await.unwrap();
    assert_eq!((state.cursor.n, state.gaps, state.lost, state.refused), (520, 0, 0, 0));
}

#[tokio::test]
async fn the_page_of_an_event_for_many_counts_live_what_they_made_of_it() {
    use beckon::model::topic::{News, Stage};

    let office = Office::open(Front::Nothing).await;
    let rui = office.signed_in("rui@shop.example").await;
    let sent = Event::new("network", "evt-1", "incident.opened", Some(office.actor.clone()), json!({}));
    let mut origin = None;
    office
        .happens(Body::Event(Box::new(sent.clone())), |pos| {
            let id = EventId { partition: office.partition, pos };
            origin = Some(id);
            let mut line = office.line(pos);
            line.verdicts = vec![judged(id, "outage", Verdict::Told, None, None)];
            line
        })
        .await;
    office.project().await;
    let origin = origin.unwrap();
    let path = format!("/operator/events/{origin}");
    assert!(!rui.get(&path).await.body.contains("Those whom"), "nobody was told yet");
    let mut stream = rui.stream(&format!("/operator/live?page=event&event={origin}"), None).await;
    for (number, verdict) in [Verdict::Waiting, Verdict::Waiting, Verdict::Limited].into_iter().enumerate() {
        let topic = ActorId::topic("outage", "7").unwrap();
        let (begun, stage) = (origin.pos, Stage::Begun);
        let news = News { topic, playbook: "outage".to_owned(), begun, revision: begun, stage, origin };
        let event = Event { id: format!("evt-1-{number}"), news: Some(Box::new(news)), ..sent.clone() };
        office
            .happens(Body::Event(Box::new(event)), |pos| {
                let mut line = office.line(pos);
                let id = EventId { partition: office.partition, pos };
                line.verdicts = vec![judged(id, "outage", verdict, None, None)];
                line
            })
            .await;
    }
    office.project().await;
    stream.until("Those whom").await;
    let page = rui.get(&path).await.body;
    for part in ["<code>outage</code> told: 3", "</span></a> 2", "</span></a> 1", "verdict=limited"] {
        assert!(page.contains(part) && stream.text.contains(part), "{part} in {page}\n{}", stream.text);
    }
    let listed = rui.get("/operator/events").await.body;
    assert!(listed.contains(&origin.to_string()) && !listed.contains("evt-1-0"), "what was sent is listed once");
}
