//! The company is told by its webhook: signed, again under the same id where that may help, and never at others' cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use beckon::engine::notify::{key, sign};
use beckon::model::ids::{ActorId, Partition};
use beckon::secret::Secret;
use serde_json::{Value, json};
use url::Url;

use super::journeys;
use super::world::{WEBHOOK_SECRET, World, until};

journeys!(
    a_webhook_is_told_that_somebody_waits,
    a_webhook_that_was_away_is_told_again_under_the_same_id_after_a_restart,
    a_webhook_that_hangs_holds_up_nobody,
    what_was_to_be_told_of_an_erased_customer_is_forgotten,
);

/// How a receiver answers.
#[derive(Clone, Copy)]
enum Mood {
    Takes,
    Refuses,
    Hangs,
}

#[derive(Clone)]
struct Receiver {
    url: Url,
    inner: Arc<Inner>,
}

struct Inner {
    mood: Mutex<Mood>,
    told: Mutex<Vec<(HeaderMap, Bytes)>>,
    hung: AtomicBool,
}

impl Receiver {
    async fn start(mood: Mood) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/beckon", listener.local_addr().unwrap()).parse().unwrap();
        let inner =
            Arc::new(Inner { mood: Mutex::new(mood), told: Mutex::new(Vec::new()), hung: AtomicBool::new(false) });
        let router = Router::new().route("/beckon", post(take)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, inner }
    }

    fn told(&self) -> Vec<(HeaderMap, Bytes)> {
        self.inner.told.lock().unwrap().clone()
    }

    async fn was_told(&self, times: usize) -> Vec<(HeaderMap, Bytes)> {
        until("the webhook is told", || async { self.told().len() >= times }).await;
        self.told()
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    inner.told.lock().unwrap().push((headers, body));
    let mood = *inner.mood.lock().unwrap();
    match mood {
        Mood::Takes => StatusCode::NO_CONTENT.into_response(),
        Mood::Refuses => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Hangs => {
            inner.hung.store(true, Ordering::SeqCst);
            std::future::pending().await
        }
    }
}

/// Opens a conversation and asks for a person; answers the conversation.
async fn asks_for_a_person(world: &mut World, customer: &str) -> String {
    let mut chat = world.chat(customer).await;
    let id = world.talk(&mut chat, customer, "7").await;
    chat.say(&id, "I want a human").await;
    chat.holder("queue").await;
    id
}

async fn a_webhook_is_told_that_somebody_waits(world: World) {
    let receiver = Receiver::start(Mood::Takes).await;
    let mut world = world.with_webhook(&receiver.url).await;
    let id = asks_for_a_person(&mut world, "42").await;
    let told = receiver.was_told(1).await;
    let (headers, body) = &told[0];
    let text = |name: &str| headers[name].to_str().unwrap();
    let seconds: u64 = text("webhook-timestamp").parse().unwrap();
    let key = key(&Secret::new(WEBHOOK_SECRET)).unwrap();
    assert_eq!(text("webhook-signature"), sign(&key, text("webhook-id"), seconds, body).unwrap());
    let told: Value = serde_json::from_slice(body).unwrap();
    assert_eq!((&told["type"], &told["data"]["conversation"]), (&json!("handoff.waiting"), &json!(id)));
    // What the page for operators shows is what is sent, but for when and about which conversation.
    let page = include_str!("../../../docs/operations.md");
    let example = page.lines().map(str::trim).find(|line| line.starts_with(r#"{"type":"handoff.waiting""#)).unwrap();
    let of = |told: &Value| (told["timestamp"].to_string(), told["data"]["conversation"].to_string());
    let ((at, about), (now, here)) = (of(&serde_json::from_str(example).unwrap()), of(&told));
    assert_eq!(example.replace(&at, &now).replace(&about, &here).as_bytes(), &body[..]);
    assert_eq!((&told["data"]["customer"], &told["data"]["team"]), (&json!("user:42"), &json!("payments")));
    until("nothing is pending any more", || async { pending(&world, "42").await == 0 }).await;
    assert_eq!(receiver.told().len(), 1);
}

async fn a_webhook_that_was_away_is_told_again_under_the_same_id_after_a_restart(world: World) {
    let receiver = Receiver::start(Mood::Refuses).await;
    let mut world = world.with_webhook(&receiver.url).await;
    asks_for_a_person(&mut world, "42").await;
    receiver.was_told(1).await;
    assert_eq!(pending(&world, "42").await, 1, "what was refused stays pending");
    *receiver.inner.mood.lock().unwrap() = Mood::Takes;
    world.restart().await;
    let told = receiver.was_told(2).await;
    assert_eq!(told[0].0["webhook-id"], told[1].0["webhook-id"]);
    assert_eq!(told[0].1, told[1].1, "and the same body");
    until("nothing is pending any more", || async { pending(&world, "42").await == 0 }).await;
}

async fn a_webhook_that_hangs_holds_up_nobody(world: World) {
    let receiver = Receiver::start(Mood::Hangs).await;
    let mut world = world.with_runners(2).with_webhook(&receiver.url).await;
    let partitions = world.server().store.partitions();
    let partition = |customer: &str| ActorId::user(customer).partition(partitions);
    let home = partition("42");
    // More than any number of places: some hang, some wait, some are given up.
    let neighbours: Vec<String> = (0..).map(|n| format!("n{n}")).filter(|n| partition(n) == home).take(20).collect();
    for customer in &neighbours {
        asks_for_a_person(&mut world, customer).await;
    }
    assert!(receiver.inner.hung.load(Ordering::SeqCst));
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.choose(&id, "Use another card").await;
    assert_eq!(chat.hears().await, "Which card?", "the script and the API were asked all the same");
}

async fn what_was_to_be_told_of_an_erased_customer_is_forgotten(world: World) {
    let receiver = Receiver::start(Mood::Refuses).await;
    let mut world = world.with_webhook(&receiver.url).await;
    asks_for_a_person(&mut world, "42").await;
    receiver.was_told(1).await;
    let (status, _) = world.rest(reqwest::Method::DELETE, "/v1/customers/user:42", Value::Null).await;
    assert!(status < 300, "{status}");
    assert_eq!(pending(&world, "42").await, 0);
    world.restart().await;
    asks_for_a_person(&mut world, "another").await;
    let told = receiver.was_told(2).await;
    assert!(String::from_utf8_lossy(&told[1].1).contains("user:another"), "the next it hears is somebody else's");
}

/// How many effects are pending in a customer's partition.
async fn pending(world: &World, customer: &str) -> usize {
    let store = &world.server().store;
    let partition: Partition = ActorId::user(customer).partition(store.partitions());
    store.effects(partition, 100).await.unwrap().len()
}
