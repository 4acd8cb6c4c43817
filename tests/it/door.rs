//! A server with the routes for events and REST, on a real store and record in a folder of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use beckon::clock::{Clock, SystemClock};
use beckon::engine::inbox::Inbox;
use beckon::http::keys::{ApiKey, Keys, Right};
use beckon::http::layers::{Origins, around};
use beckon::http::limits::Limits;
use beckon::http::{Parts, operation, router};
use beckon::model::catalog::{Catalog, Catalogs, Expression, Scheme, Source, Verify};
use beckon::model::cel_value;
use beckon::model::event::Event;
use beckon::model::ids::EventId;
use beckon::model::input::{Body, Envelope, InForce};
use beckon::model::time::{Millis, Ms};
use beckon::record::Record;
use beckon::secret::Secret;
use beckon::store::{Bounds, Settings, Store, embedded};
use serde_json::Value;

/// The time that recorded webhooks were signed at.
pub const RECORDED: Ms = Ms(1_795_424_153_000);

/// A clock that stands still.
struct Still(Ms);

impl Clock for Still {
    fn now(&self) -> Ms {
        self.0
    }
}

/// What a test's server has.
pub struct Setup {
    pub keys: Vec<ApiKey>,
    pub sources: Vec<Source>,
    /// Secrets by their names; one that is not here is its name itself.
    pub secrets: BTreeMap<String, String>,
    pub limits: Limits,
    pub now: Option<Ms>,
    pub bounds: Bounds,
    pub origins: Vec<String>,
}

impl Default for Setup {
    fn default() -> Setup {
        let key = |name: &str, rights: &[Right], browser| ApiKey {
            name: name.to_owned(),
            key: Secret::new(format!("k-{name}")),
            rights: rights.to_vec(),
            source: None,
            browser,
        };
        let mut segment = key("wk", &[Right::Events], false);
        segment.key = Secret::new("wk_test");
        Setup {
            keys: vec![
                key("backend", &[Right::Events, Right::Conversations], false),
                key("page", &[Right::Events], true),
                key("reader", &[Right::Conversations], false),
                key("root", &[Right::Admin], false),
                segment,
            ],
            sources: Vec::new(),
            secrets: BTreeMap::new(),
            limits: Limits {
                body: 256 << 10,
                item: 64 << 10,
                items: 100,
                arrival: Duration::from_secs(10),
                rate: 100_000,
            },
            now: None,
            origins: vec!["http://shop.example".to_owned()],
            bounds: Bounds {
                inbox: 10_000,
                effects: 1_000,
                journal: 1_000,
                dedupe_keys: 10_000,
                dedupe: Millis::hours(24),
                dead: 100,
                dead_a_customer: 50,
            },
        }
    }
}

/// A running server; it ends with the test.
pub struct Door {
    pub url: String,
    pub http: reqwest::Client,
    pub store: Arc<dyn Store>,
    task: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Compiles an expression of a source's profile.
pub fn expression(source: &str) -> Option<Expression> {
    let names = ["body", "headers", "item"].iter().filter(|name| source.contains(*name)).map(ToString::to_string);
    let program = cel_value::env().compile(source).unwrap();
    Some(Expression { source: source.to_owned(), program, names: names.collect(), paths: Vec::new(), loops: 0 })
}

/// The profiles that come with Beckon.
pub fn shipped() -> Vec<Source> {
    let catalog = beckon::catalog::compile(&BTreeMap::new(), None).unwrap();
    catalog.sources.into_values().map(|source| Arc::into_inner(source).expect("nobody else holds it")).collect()
}

/// A source that verifies by `scheme` with one secret.
pub fn source(name: &str, scheme: Scheme, secrets: &[&str]) -> Source {
    Source {
        name: name.to_owned(),
        verify: Some(Verify {
            scheme,
            secrets: secrets.iter().map(ToString::to_string).collect(),
            tolerance: Millis::minutes(5),
        }),
        each: None,
        id: None,
        kind: None,
        time: None,
        customer: None,
        data: None,
        clock: beckon::model::catalog::SourceClock::default(),
    }
}

impl Door {
    pub async fn open(setup: Setup) -> Door {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            url: "embedded:".to_owned(),
            prefix: "bk".to_owned(),
            partitions: 4,
            min_replicas: 0,
            bounds: setup.bounds,
        };
        let store: Arc<dyn Store> = Arc::new(embedded::open(folder.path(), &settings).unwrap());
        let record = Record::open("sqlite:", folder.path()).await.unwrap();
        let sources: BTreeMap<String, Arc<Source>> =
            setup.sources.into_iter().map(|source| (source.name.clone(), Arc::new(source))).collect();
        let catalog = Catalog { hash: "test".to_owned(), sources, ..Catalog::default() };
        let catalogs = Catalogs {
            in_force: InForce { revision: 1, hash: "test".to_owned(), paused: Vec::new() },
            by_hash: [("test".to_owned(), Arc::new(catalog))].into_iter().collect(),
        };
        let clock: Arc<dyn Clock> = match setup.now {
            Some(now) => Arc::new(Still(now)),
            None => Arc::new(SystemClock),
        };
        let parts = Parts {
            store: Arc::clone(&store),
            inbox: Inbox::new(Arc::clone(&store)),
            record,
            catalogs: Arc::new(move || catalogs.clone()),
            keys: Arc::new(Keys::new(setup.keys, setup.limits.rate)),
            limits: setup.limits,
            origins: Origins::new(setup.origins),
            secrets: Arc::new(move |name| {
                Ok(Secret::new(setup.secrets.get(name).map_or_else(|| name.to_owned(), Clone::clone)))
            }),
            clock,
            lag: Arc::new(|| None),
            draining: Arc::new(|| false),
            metrics: Arc::new(String::new),
        };
        let routes = around(router(parts).fallback(operation::nothing), setup.limits.arrival);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Door { url, http: reqwest::Client::new(), store, task, _folder: folder }
    }

    /// Sends a request; answers status and body.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    /// Sends one structured CloudEvent, or several, as the backend.
    pub async fn cloud_events(&self, body: impl Into<reqwest::Body>, batch: bool) -> (u16, Value) {
        let kind = if batch { "application/cloudevents-batch+json" } else { "application/cloudevents+json" };
        self.send(self.post("/v1/events").bearer_auth("k-backend").header("content-type", kind).body(body)).await
    }

    /// What stands in the inbox under Beckon's id.
    pub async fn event(&self, id: &Value) -> Event {
        let id: EventId = id.as_str().unwrap().parse().unwrap();
        let stored = self.store.input(id.partition, id.pos).await.unwrap().unwrap();
        match serde_json::from_slice::<Envelope>(&stored.payload).unwrap().body {
            Body::Event(event) => *event,
            other => panic!("no event: {other:?}"),
        }
    }

    /// How many inputs stand in all inboxes.
    pub async fn inputs(&self) -> u64 {
        self.store.fill().await.unwrap().values().map(|fill| fill.undecided).sum()
    }
}

/// A recording of a real client, by its name.
pub fn recording(name: &str) -> Vec<Recorded> {
    let path = format!("{}/tests/captures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let whole: RecordedFile<'_> = serde_json::from_str(&text).unwrap();
    whole
        .requests
        .into_iter()
        .map(|request| {
            let raw = request.body.map(|raw| raw.get()).unwrap_or_default();
            let written = match serde_json::from_str::<String>(raw) {
                Ok(text) => vec![text],
                Err(_) => vec![compact(raw), format!("{}\n", compact(raw)), pretty(raw)],
            };
            // A packed body was recorded unpacked: its length is not known.
            let length = match request.gzipped {
                Some(true) => written[0].len(),
                _ => request.body_bytes.expect("every recording says how long its body was"),
            };
            if let (Some(announced), None | Some(false)) = (request.headers.get("content-length"), request.gzipped) {
                assert_eq!(announced, &length.to_string(), "{name} {}", request.path);
            }
            let body = written.into_iter().find(|body| body.len() == length);
            let body = body.unwrap_or_else(|| panic!("{name} {}: the body is not as it was sent", request.path));
            Recorded { method: request.method, path: request.path, headers: request.headers, body }
        })
        .collect()
}

/// A recorded request. Bodies that are JSON were recorded as JSON: of the ways to write it this is the one that is as long
/// as what was sent.
pub struct Recorded {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

#[derive(serde::Deserialize)]
struct RecordedFile<'f> {
    #[serde(borrow)]
    requests: Vec<RecordedRequest<'f>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedRequest<'f> {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body_bytes: Option<usize>,
    gzipped: Option<bool>,
    #[serde(borrow)]
    body: Option<&'f serde_json::value::RawValue>,
}

/// JSON without white space between its parts, names in their order.
pub fn compact(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    json.chars()
        .filter(|c| {
            let kept = quoted || !c.is_whitespace();
            if quoted {
                quoted = escaped || *c != '"';
                escaped = !escaped && *c == '\\';
            } else {
                quoted = *c == '"';
            }
            kept
        })
        .collect()
}

/// JSON as `JSON.stringify(body, null, 2)` writes it: recordings are indented by one.
fn pretty(raw: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let base = raw.lines().last().map(depth).unwrap_or_default();
    let mut lines = raw.lines().map(|line| {
        let level = depth(line).saturating_sub(base);
        format!("{}{}", "  ".repeat(level), line.trim_start())
    });
    let first = lines.next().unwrap_or_default();
    lines.fold(first.trim_start().to_owned(), |text, line| format!("{text}\n{line}"))
}

impl Recorded {
    /// The same request to another path; what belongs to the connection is left to the client.
    pub fn to(&self, door: &Door, path: &str) -> reqwest::RequestBuilder {
        let method: reqwest::Method = self.method.parse().unwrap();
        let mut request = door.http.request(method, format!("{}{path}", door.url)).body(self.body.clone());
        for (name, value) in &self.headers {
            let of_connection =
                ["host", "connection", "content-length", "transfer-encoding", "content-encoding", "accept-encoding"];
            if !of_connection.contains(&name.as_str()) {
                request = request.header(name, value);
            }
        }
        request
    }
}

/// A whole server: doors, engine, projector.
pub struct Whole {
    pub url: String,
    pub http: reqwest::Client,
    running: beckon::app::Running,
    _folder: tempfile::TempDir,
}

impl Whole {
    /// Starts a server on these files of a workspace.
    pub async fn start(files: &[(&str, &str)]) -> Whole {
        Whole::start_within(files, Duration::from_secs(30)).await
    }

    /// Starts a server that closes connections whose headers take longer than this.
    pub async fn start_within(files: &[(&str, &str)], headers: Duration) -> Whole {
        let folder = tempfile::tempdir().unwrap();
        let door = Setup::default();
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        let setup = beckon::app::Setup {
            data: folder.path().to_owned(),
            store: Settings {
                url: "embedded:".to_owned(),
                prefix: "bk".to_owned(),
                partitions: 4,
                min_replicas: 0,
                bounds: door.bounds,
            },
            record: "sqlite:".to_owned(),
            keep: None,
            workspace: beckon::app::Workspace::Files(files),
            models: Vec::new(),
            adapters: BTreeMap::new(),
            notify: None,
            keys: vec![ApiKey {
                name: "backend".to_owned(),
                key: Secret::new("k-backend"),
                rights: vec![Right::Events, Right::Conversations, Right::Admin],
                source: None,
                browser: false,
            }],
            limits: door.limits,
            connections: beckon::app::Connections { connections: 1_000, headers },
            chat: beckon::http::chat::Settings::default(),
            node: "test".to_owned(),
            engine: beckon::engine::node::Settings::default(),
            dashboard: beckon::http::dashboard::Settings::default(),
            script_pace: Duration::ZERO,
            secrets: Arc::new(|name| Ok(Secret::new(name))),
            metrics: Arc::new(String::new),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = beckon::app::start(setup, listener).await.unwrap();
        let url = format!("http://{}", running.address);
        Whole { url, http: reqwest::Client::new(), running, _folder: folder }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.bearer_auth("k-backend").send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.http.post(format!("{}{path}", self.url)).body(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.http.delete(format!("{}{path}", self.url))).await
    }

    /// Sends one event; answers Beckon's id of it.
    pub async fn event(&self, event: Value) -> String {
        let request = self.http.post(format!("{}/v1/events", self.url));
        let request = request.header("content-type", "application/cloudevents+json").body(event.to_string());
        let (status, answer) = self.send(request).await;
        assert_eq!(status, 202, "{answer}");
        answer["results"][0]["event"].as_str().unwrap().to_owned()
    }

    /// Asks again and again until the answer is as wanted; fails after 20 seconds.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> (u16, Value) {
        self.until_answer(path, |_, answer| wanted(answer)).await
    }

    /// Asks again and again until the answer has this status; fails after 20 seconds.
    pub async fn until_status(&self, path: &str, status: u16) -> (u16, Value) {
        self.until_answer(path, |answered, _| answered == status).await
    }

    async fn until_answer(&self, path: &str, wanted: impl Fn(u16, &Value) -> bool) -> (u16, Value) {
        let mut last = Value::Null;
        let asking = async {
            let mut pause = tokio::time::interval(Duration::from_millis(20));
            loop {
                pause.tick().await;
                let (status, answer) = self.get(path).await;
                if wanted(status, &answer) {
                    return (status, answer);
                }
                last = answer;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), asking).await;
        found.unwrap_or_else(|_| panic!("{path} stays {last}"))
    }

    /// Waits until every partition decides under this revision: the journal of an input appended now would say so.
    pub async fn until_in_force(&self, revision: u64) {
        let looking = async {
            let mut pause = tokio::time::interval(Duration::from_millis(20));
            loop {
                pause.tick().await;
                let id = self.event(probe()).await;
                let event: EventId = id.parse().unwrap();
                let mut after = beckon::store::JournalId::default();
                loop {
                    let lines = self.running.store.journal(event.partition, after, 1_000).await.unwrap();
                    let Some((last, _)) = lines.last() else { break };
                    after = *last;
                    let reached = lines.iter().any(|(_, line)| {
                        let line: Value = serde_json::from_slice(line).unwrap();
                        line["revision"].as_u64() >= Some(revision)
                    });
                    if reached {
                        return;
                    }
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), looking).await.expect("the revision does not come into force");
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// An event that nothing listens to, about the customer that tests speak of.
fn probe() -> Value {
    let id = format!("{:x}", rand::random::<u64>());
    serde_json::json!({ "specversion": "1.0", "id": id, "source": "probe", "type": "probe", "subject": "u_1" })
}
