//! A running server with a company around it: its API, its model, its customers, its operators.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use beckon::app::{self, Running, Setup, Workspace};
use beckon::http::keys::{ApiKey, Right};
use beckon::model::ids::{ActorId, EventId, Partition};
use beckon::model::input::InForce;
use beckon::secret::Secret;
use serde_json::{Value, json};

use super::api::Api;
use super::chat::Chat;
use super::model::Model;
use crate::store::Place;

/// The key that signs customers' tokens.
pub const IDENTITY_KEY: &str = "journey-identity-key-of-32-bytes";

/// What notifications are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_am91cm5leS13ZWJob29rLXNlY3JldC0zMmI=";

/// The key of the company's backend.
pub const KEY: &str = "journey-api-key";

/// The keys of two operators, and one that stands in web pages.
pub const ANA: &str = "journey-key-of-ana";
pub const BEN: &str = "journey-key-of-ben";
pub const PAGE: &str = "journey-key-of-the-page";

/// A running server with a company around it.
pub struct World {
    pub api: Api,
    pub model: Model,
    /// Where the server looks for a model; none: the script is the assistant.
    model_at: Option<SocketAddr>,
    /// Where it looks for the next one.
    second_at: Option<SocketAddr>,
    /// How long it waits for the model's first word.
    first_token: Duration,
    /// Where notifications go; none: nowhere.
    webhook: Option<url::Url>,
    /// Effects of a partition under way at once.
    runners: usize,
    /// What files customers may send.
    attachments: beckon::http::chat::attachments::Settings,
    place: Place,
    data: tempfile::TempDir,
    workspace: PathBuf,
    copy: Option<tempfile::TempDir>,
    pub(super) http: reqwest::Client,
    running: Option<Running>,
    pub(super) url: String,
    next: u32,
}

impl World {
    /// Starts the server on this store, with the script as assistant.
    pub async fn start(place: Place) -> World {
        World::start_in(place, Path::new("tests/workspaces/checkout")).await
    }

    pub async fn start_in(place: Place, workspace: &Path) -> World {
        let mut world = World {
            api: Api::start().await,
            model: Model::start().await,
            model_at: None,
            second_at: None,
            first_token: Duration::from_secs(5),
            webhook: None,
            runners: beckon::engine::node::Settings::default().runners,
            attachments: beckon::http::chat::attachments::Settings::default(),
            place,
            data: tempfile::tempdir().unwrap(),
            workspace: Path::new(env!("CARGO_MANIFEST_DIR")).join(workspace),
            copy: None,
            http: reqwest::Client::new(),
            running: None,
            url: String::new(),
            next: 0,
        };
        world.up().await;
        world
    }

    /// Starts again with the model in front of the script.
    pub async fn with_model(mut self) -> World {
        self.model_at = Some(self.model.address);
        self.restart().await;
        self
    }

    /// Starts again with two models in front of the script, in order of preference; answers the second.
    pub async fn with_two_models(mut self) -> (World, Model) {
        let second = Model::start().await;
        self.second_at = Some(second.address);
        (self.with_model().await, second)
    }

    /// Starts again with a model that gets so long for its first word.
    pub async fn with_hasty_model(mut self, first_token: Duration) -> World {
        self.first_token = first_token;
        self.with_model().await
    }

    /// Starts again with a model where nobody listens.
    pub async fn with_model_gone(mut self) -> World {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.model_at = Some(listener.local_addr().unwrap());
        drop(listener);
        self.restart().await;
        self
    }

    /// With so many effects of a partition under way at once; holds from the next start.
    pub fn with_runners(mut self, runners: usize) -> World {
        self.runners = runners;
        self
    }

    /// Starts again with files taken.
    pub async fn with_attachments(mut self, settings: beckon::http::chat::attachments::Settings) -> World {
        self.attachments = settings;
        self.restart().await;
        self
    }

    /// Starts again with notifications sent to this webhook.
    pub async fn with_webhook(mut self, url: &url::Url) -> World {
        self.webhook = Some(url.clone());
        self.restart().await;
        self
    }

    /// Starts again on a copy of the workspace with these files added.
    pub async fn with_files(mut self, files: &[(&str, &str)]) -> World {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&self.workspace, copy.path());
        self.workspace = copy.path().to_owned();
        self.copy = Some(copy);
        for (path, text) in files {
            self.write_file(path, text);
        }
        self.restart().await;
        self.holds_everywhere().await;
        self
    }

    /// Waits until every partition decides by what is in force now.
    pub async fn holds_everywhere(&self) {
        let store = &self.server().store;
        let newest = store.in_force().await.unwrap();
        until("every partition holds the newest catalog", || async {
            for partition in (0..store.partitions()).map(Partition) {
                let held = store.load(partition, &[ActorId::of_partition()]).await.unwrap();
                let held = held.into_iter().flatten().next().map(|b| serde_json::from_slice::<InForce>(&b).unwrap());
                if held.unwrap_or_default() != newest {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// Waits until this revision of the catalog holds.
    pub async fn until_revision(&self, revision: u64) {
        until("the new revision is in force", || async {
            self.server().store.in_force().await.unwrap().revision == revision
        })
        .await;
        self.holds_everywhere().await;
    }

    /// Writes a file of the copied workspace, whole at once as editors do.
    pub fn write_file(&self, path: &str, text: &str) {
        let folder = self.copy.as_ref().expect("a copy of the workspace").path();
        std::fs::write(folder.join("half-written"), text).unwrap();
        std::fs::rename(folder.join("half-written"), folder.join(path)).unwrap();
    }

    pub fn read_file(&self, path: &str) -> String {
        std::fs::read_to_string(self.workspace.join(path)).unwrap()
    }

    /// The folder whose files are in force.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// The running server.
    pub fn server(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    /// Stops the server as an operator would.
    pub async fn down(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    pub async fn restart(&mut self) {
        self.down().await;
        self.up().await;
    }

    async fn up(&mut self) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = app::start(self.setup(), listener).await.unwrap();
        self.url = format!("http://{}", running.address);
        self.running = Some(running);
    }

    fn setup(&self) -> Setup {
        let shop = beckon::adapter::Settings {
            url: format!("http://{}", self.api.address).parse().unwrap(),
            headers: vec![("authorization".to_owned(), Secret::new("Bearer shop-token"))],
            allow_private: true,
            concurrency: 16,
            max_body: 64 * 1024,
        };
        let model = |name: &str, address: SocketAddr| beckon::llm::Settings {
            name: name.to_owned(),
            url: format!("http://{address}/v1"),
            model: "stub".to_owned(),
            api_key: None,
            first_token: self.first_token,
            concurrency: 8,
            max_tokens: 500,
        };
        let mut chat = beckon::http::chat::Settings {
            origins: vec!["http://shop.example".to_owned()],
            playbook: Some("help".to_owned()),
            attachments: self.attachments.clone(),
            ..beckon::http::chat::Settings::default()
        };
        chat.identity.keys = vec![Secret::new(IDENTITY_KEY)];
        chat.identity.anonymous = true;
        Setup {
            data: self.data.path().to_owned(),
            store: self.place.settings(),
            record: "sqlite:".to_owned(),
            keep: None,
            workspace: Workspace::Folder(self.workspace.clone()),
            models: [("stub", self.model_at), ("second", self.second_at)]
                .into_iter()
                .filter_map(|(name, address)| Some(model(name, address?)))
                .collect(),
            adapters: BTreeMap::from([("shop".to_owned(), shop)]),
            notify: self.webhook.clone().map(|url| beckon::engine::notify::Settings {
                url,
                secret: Some(Secret::new(WEBHOOK_SECRET)),
                allow_private: true,
            }),
            keys: vec![
                key("backend", KEY, vec![Right::Events, Right::Conversations, Right::Admin], false),
                key("Ana", ANA, vec![Right::Conversations], false),
                key("Ben", BEN, vec![Right::Conversations], false),
                key("page", PAGE, vec![Right::Events], true),
            ],
            limits: beckon::http::limits::Limits::default(),
            connections: app::Connections { connections: 1_000, headers: Duration::from_secs(30) },
            chat,
            node: "journey".to_owned(),
            engine: beckon::engine::node::Settings { runners: self.runners, ..Default::default() },
            dashboard: beckon::http::dashboard::Settings::default(),
            script_pace: Duration::ZERO,
            secrets: Arc::new(|name| Secret::resolve(name, &|_| None)),
            metrics: Arc::new(String::new),
        }
    }

    /// An event of the company's backend about a customer; answers Beckon's id of it.
    pub async fn event(&mut self, kind: &str, customer: &str, data: Value) -> String {
        self.next += 1;
        let id = format!("e-{}", self.next);
        let answer = self.event_with_id(&id, kind, customer, data).await;
        assert_eq!(answer["results"][0]["status"], "accepted", "{answer}");
        answer["results"][0]["event"].as_str().unwrap().to_owned()
    }

    /// The input of an event, as the record has it.
    pub fn archived_input(&self, event: &str) -> String {
        let id: EventId = event.parse().unwrap();
        let db = rusqlite::Connection::open(self.data.path().join("record.db")).unwrap();
        let sql = "select input from archive_line where part = ?1 and pos_ms = ?2 and pos_n = ?3";
        db.query_row(sql, (id.partition.0, id.pos.ms as i64, id.pos.n), |row| row.get(0)).unwrap()
    }

    /// Puts an input into the inbox at its old place, as if it had not been trimmed yet.
    pub fn put_back(&self, event: &str, input: &str) {
        let id: EventId = event.parse().unwrap();
        match &self.place {
            Place::Embedded(_) => {
                let db = rusqlite::Connection::open(self.data.path().join("beckon.db")).unwrap();
                let sql = "insert into inbox (partition, ms, n, payload) values (?1, ?2, ?3, ?4)";
                db.execute(sql, (id.partition.0, id.pos.ms as i64, id.pos.n, input.as_bytes())).unwrap();
            }
            Place::Redis { prefix, .. } => {
                let inbox = format!("{prefix}:{{{:02}}}:in", id.partition.0);
                let mut redis = crate::store::server::shared().connection();
                // A stream takes no older entry than its last, so it begins anew.
                redis::cmd("DEL").arg(&inbox).exec(&mut redis).unwrap();
                let entry = ["o", "1", "p", input];
                redis::cmd("XADD").arg(&inbox).arg(id.pos.to_string()).arg(&entry).exec(&mut redis).unwrap();
            }
        }
    }

    /// Waits until everything about a customer that was sent before is decided.
    pub async fn settle(&mut self, customer: &str) {
        let event = self.event("nobody.listens", customer, Value::Null).await;
        self.outcome(&event).await;
    }

    pub async fn event_with_id(&self, id: &str, kind: &str, customer: &str, data: Value) -> Value {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "shop", "type": kind, "subject": customer, "data": data,
        });
        let (status, answer) = self.send_event(KEY, event).await;
        assert_eq!(status, 202, "{answer}");
        answer
    }

    /// Sends one CloudEvent as it is, by any key.
    pub async fn send_event(&self, key: &str, event: Value) -> (u16, Value) {
        let request = self.http.post(format!("{}/v1/events", self.url)).bearer_auth(key);
        let request = request.header("content-type", "application/cloudevents+json").body(event.to_string());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The event that opens `checkout-trouble` for an order.
    pub async fn decline(&mut self, customer: &str, order: &str) -> String {
        let data = json!({ "order_id": order, "attempt": 2, "total": 89.5 });
        self.event("checkout.payment_failed", customer, data).await
    }

    /// A socket of a customer.
    pub async fn chat(&self, customer: &str) -> Chat {
        self.chat_resuming(customer, json!({})).await
    }

    pub async fn chat_resuming(&self, customer: &str, resume: Value) -> Chat {
        let hello = json!({ "type": "hello", "token": token(customer), "resume": resume });
        Chat::connect(&self.chat_url(), hello).await
    }

    /// A socket of somebody who is not signed in.
    pub async fn anonymous_chat(&self) -> Chat {
        Chat::connect(&self.chat_url(), json!({ "type": "hello", "resume": {} })).await
    }

    /// Opens `checkout-trouble` for an order, seen by the customer; answers the conversation.
    pub async fn talk(&mut self, chat: &mut Chat, customer: &str, order: &str) -> String {
        self.decline(customer, order).await;
        let id = chat.opened().await;
        chat.seen(&id, 1).await;
        id
    }

    /// Opens `quick` for a thing, seen by the customer; answers the conversation.
    pub async fn quick_talk(&mut self, chat: &mut Chat, customer: &str, thing: &str) -> String {
        let event = self.event("quick.opened", customer, json!({ "id": thing, "level": 2 })).await;
        let outcome = self.outcome(&event).await;
        assert!(["waiting", "opened"].contains(&outcome["decisions"][0]["verdict"].as_str().unwrap()), "{outcome}");
        let id = chat.opened().await;
        chat.seen(&id, 1).await;
        self.until_conversation(&id, "it is open", |c| c["state"] == "open").await;
        id
    }

    pub fn chat_url(&self) -> String {
        format!("{}/v1/chat", self.url.replacen("http", "ws", 1))
    }
}

fn key(name: &str, key: &str, rights: Vec<Right>, browser: bool) -> ApiKey {
    ApiKey { name: name.to_owned(), key: Secret::new(key), rights, source: None, browser }
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

/// Entries of a kind.
pub fn of_kind<'e>(entries: &'e [Value], kind: &str) -> Vec<&'e Value> {
    entries.iter().filter(|entry| entry["kind"] == kind).collect()
}

/// A token for a customer.
pub fn token(customer: &str) -> String {
    let expires = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 600;
    jsonwebtoken::encode(
        &jsonwebtoken::Header::default(),
        &json!({ "sub": customer, "exp": expires }),
        &jsonwebtoken::EncodingKey::from_secret(IDENTITY_KEY.as_bytes()),
    )
    .unwrap()
}

/// Asks again until it holds; fails after forty seconds.
pub async fn until<F>(what: &str, mut holds: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(40), "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Numbers of entries are dense from 1, without a repeat.
pub fn assert_dense(entries: &[Value]) {
    let seqs: Vec<u64> = entries.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    let dense: Vec<u64> = (1..=seqs.len() as u64).collect();
    assert_eq!(seqs, dense, "{entries:#?}");
}
