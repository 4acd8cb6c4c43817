//! The running shop, somebody with a browser, and a small server in Beckon's place that keeps what it is sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use beckon_example_shop::EXAMPLE;
use beckon_example_site::Settings;
use reqwest::{Client, Method, Response, redirect};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The shop's key at Beckon.
pub const API_KEY: &str = "a-backend-key";
/// Signs the customer tokens.
pub const IDENTITY_KEY: &str = "an-identity-key-of-some-length-for-tests";
/// Beckon's token at the shop.
pub const API_TOKEN: &str = "a-shop-token";

/// What Beckon was sent, and what it answers: the given statuses first, then 202.
#[derive(Clone)]
struct Beckon {
    sent: mpsc::UnboundedSender<(HeaderMap, Value)>,
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
}

async fn take(State(beckon): State<Beckon>, headers: HeaderMap, body: String) -> StatusCode {
    beckon.sent.send((headers, serde_json::from_str(&body).unwrap())).unwrap();
    beckon.answers.lock().unwrap().pop_front().unwrap_or(StatusCode::ACCEPTED)
}

/// The running shop. Its tasks end with it.
pub struct World {
    pub shop: String,
    pub beckon: String,
    events: mpsc::UnboundedReceiver<(HeaderMap, Value)>,
    _tasks: JoinSet<()>,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(&[], 0).await
    }

    /// Beckon first hangs up on `hang_ups` connections, then gives `answers`, then takes everything.
    pub async fn start_with(answers: &[StatusCode], hang_ups: usize) -> Self {
        let (sent, events) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let mut tasks = JoinSet::new();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let beckon = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/events", post(take)).with_state(Beckon { sent, answers });
        tasks.spawn(async move {
            for _ in 0..hang_ups {
                drop(listener.accept().await.unwrap());
            }
            axum::serve(listener, router).await.unwrap();
        });

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shop = format!("http://{}", listener.local_addr().unwrap());
        let settings = Settings {
            beckon: beckon.clone(),
            api_key: API_KEY.into(),
            identity_key: IDENTITY_KEY.into(),
            api_token: API_TOKEN.into(),
        };
        tasks.spawn(async move { EXAMPLE.serve(listener, settings, std::future::pending()).await.unwrap() });
        Self { shop, beckon, events, _tasks: tasks }
    }

    /// The next event about a checkout that Beckon was sent, however it answered.
    pub async fn event(&mut self) -> Value {
        self.checkout().await.1
    }

    pub async fn checkout(&mut self) -> (HeaderMap, Value) {
        loop {
            let sent = self.sent().await;
            if sent.1["type"].as_str().unwrap().starts_with("checkout.") {
                return sent;
            }
        }
    }

    /// The next event of any kind.
    pub async fn sent(&mut self) -> (HeaderMap, Value) {
        let waited = tokio::time::timeout(Duration::from_secs(10), self.events.recv()).await;
        waited.unwrap_or_else(|_| panic!("no event came")).unwrap()
    }

    /// Somebody opens the front page for the first time.
    pub async fn visitor(&self) -> Visitor {
        let http = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        let front = http.get(&self.shop).send().await.unwrap();
        let cookie = front.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let mut visitor = Visitor { http, shop: self.shop.clone(), cookie, id: String::new() };
        visitor.id = visitor.json("/token").await["customer"].as_str().unwrap().to_owned();
        visitor
    }

    /// A call of the shop's own API, as Beckon makes it.
    pub async fn api(&self, method: Method, path: &str, key: Option<&str>, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = Client::new().request(method, format!("{}/api{path}", self.shop)).bearer_auth(API_TOKEN);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub async fn charge(&self, customer: &str, order: &str, card: &str, key: &str) -> (StatusCode, Value) {
        let path = format!("/customers/{customer}/orders/{order}/payments");
        self.api(Method::POST, &path, Some(key), Some(json!({ "card": card }))).await
    }

    pub async fn charges(&self, order: &str) -> Value {
        self.api(Method::GET, "/stats", None, None).await.1["charges"][order].clone()
    }
}

/// Somebody with a browser.
pub struct Visitor {
    pub http: Client,
    pub shop: String,
    pub cookie: String,
    pub id: String,
}

impl Visitor {
    pub async fn get(&self, path: &str) -> Response {
        self.http.get(format!("{}{path}", self.shop)).header("cookie", &self.cookie).send().await.unwrap()
    }

    pub async fn page(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// Sends a form and says where it leads.
    pub async fn send(&self, path: &str, form: &str) -> String {
        let request = self.http.post(format!("{}{path}", self.shop)).header("cookie", &self.cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        request.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned()
    }

    /// Puts a lantern into the cart and goes to the checkout; the order's id.
    pub async fn order_a_lantern(&self) -> String {
        assert_eq!(self.send("/cart/lines", "product=storm-lantern").await, "/cart");
        let checkout = self.send("/checkout", "").await;
        checkout.strip_prefix("/orders/").unwrap().strip_suffix("/checkout").unwrap().to_owned()
    }

    /// Presses the Pay button with this card; where it leads.
    pub async fn pay(&self, order: &str, card: &str) -> String {
        self.send(&format!("/orders/{order}/pay"), &format!("card={card}")).await
    }
}
