//! A demo that runs, and somebody in front of the company's page.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use beckon::cli::demo::{self, Demo, Playing};
use serde_json::{Value, json};

use crate::journeys::chat::Chat;
use crate::journeys::world::until;

/// A running demo, with one visitor.
pub struct Stage {
    playing: Playing,
    http: reqwest::Client,
    cookie: String,
    /// The visitor's user id.
    pub customer: String,
}

impl Stage {
    /// Starts the demo of an example, or of a folder; somebody opens its front page.
    pub async fn of(workspace: &str) -> Stage {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let demo = Demo {
            model: None,
            model_name: "default".to_owned(),
            model_key: None,
            workspace: PathBuf::from(workspace),
            listen: any,
            example_listen: any,
            data: None,
            store: None,
        };
        let playing = demo::begin(&demo, |_| Ok(Arc::new(String::new))).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (cookie, customer) = (String::new(), String::new());
        let mut stage = Stage { playing, http, cookie, customer };
        let front = stage.http.get(&stage.playing.company).send().await.unwrap();
        stage.is_now(&front).await;
        stage
    }

    /// The browser is whose cookie an answer set.
    async fn is_now(&mut self, answer: &reqwest::Response) {
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
        self.customer = self.token().await["customer"].as_str().unwrap().to_owned();
    }

    async fn token(&self) -> Value {
        serde_json::from_str(&self.page("/token").await).unwrap()
    }

    /// A page of the company as the visitor sees it.
    pub async fn page(&self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.playing.company)).header("cookie", &self.cookie);
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Presses a button; where that makes them somebody new, they are.
    pub async fn press(&mut self, path: &str) {
        let request = self.http.post(format!("{}{path}", self.playing.company)).header("cookie", &self.cookie);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 303, "{path}");
        if answer.headers().contains_key("set-cookie") {
            self.is_now(&answer).await;
        }
    }

    /// The socket of the visitor's page, by the token that stands on it.
    pub async fn chat(&self) -> Chat {
        let token = self.token().await["token"].clone();
        let url = format!("{}/v1/chat", self.playing.beckon.replacen("http", "ws", 1));
        Chat::connect(&url, json!({ "type": "hello", "token": token, "resume": {} })).await
    }

    /// What the company's own API says, asked as Beckon asks it.
    pub async fn api(&self, path: &str) -> Value {
        let url = format!("{}/api/customers/{}{path}", self.playing.company, self.customer);
        let request = self.http.get(url).bearer_auth(&self.playing.api_token);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The slots that the company offers this customer there.
    pub async fn slots(&self, path: &str) -> Vec<String> {
        let slots = self.api(path).await;
        slots.as_array().unwrap().iter().map(|slot| slot["id"].as_str().unwrap().to_owned()).collect()
    }

    /// A write at the company's own API, as Beckon makes it.
    pub async fn write(&self, path: &str, key: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/api/customers/{}{path}", self.playing.company, self.customer);
        let request = self.http.post(url).bearer_auth(&self.playing.api_token).header("idempotency-key", key);
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// How the company's own API answers a customer's path: with the token, and without it.
    pub async fn doors(&self, customer: &str, path: &str) -> (u16, u16) {
        let url = format!("{}/api/customers/{customer}{path}", self.playing.company);
        let with = self.http.get(&url).bearer_auth(&self.playing.api_token).send().await.unwrap();
        let without = self.http.get(&url).send().await.unwrap();
        (with.status().as_u16(), without.status().as_u16())
    }

    /// Waits until a conversation has come to its goal; answers it.
    pub async fn goal(&self, conversation: &str) -> Value {
        let url = format!("{}/v1/conversations/{conversation}", self.playing.beckon);
        let read = || async {
            let request = self.http.get(&url).bearer_auth(&self.playing.api_key);
            request.send().await.unwrap().json::<Value>().await.unwrap()
        };
        until("it has come to its goal", || async { read().await["outcome"]["kind"] == "goal" }).await;
        read().await
    }

    /// What a path of the company's API says with the token, and the status without it.
    pub async fn company_says(&self, path: &str) -> (Value, u16) {
        let url = format!("{}{path}", self.playing.company);
        let with = self.http.get(&url).bearer_auth(&self.playing.api_token).send().await.unwrap();
        let without = self.http.get(&url).send().await.unwrap();
        (with.json().await.unwrap(), without.status().as_u16())
    }

    /// What Beckon's REST says to the company's key.
    pub async fn beckon(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.playing.beckon)).bearer_auth(&self.playing.api_key);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Waits until the event of many, of which this visitor got theirs, was told to so many.
    pub async fn was_told(&self, customers: u64) {
        let path = format!("/v1/customers/user:{}", self.customer);
        let own = || async { self.beckon(&path).await["events"]["items"][0]["event"].clone() };
        until("the record has it", || async { own().await.is_string() }).await;
        let own = self.beckon(&format!("/v1/events/{}", own().await.as_str().unwrap())).await;
        let sent = format!("/v1/events/{}", own["origin"].as_str().unwrap());
        until("all were told", || async {
            let told = self.beckon(&sent).await["told"].clone();
            let counts = told.as_array().into_iter().flatten().map(|told| told["count"].as_u64().unwrap());
            counts.sum::<u64>() == customers
        })
        .await;
    }

    /// This visitor's conversations, once the record has this one: what came before it is then there as well.
    pub async fn conversations(&self, with: &str) -> Vec<String> {
        let path = format!("/v1/conversations?customer=user:{}", self.customer);
        let read = || async {
            let items = self.beckon(&path).await["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        until("the record has it", || async { read().await.iter().any(|id| id == with) }).await;
        read().await
    }

    /// Waits until the front page says something.
    pub async fn shows(&self, path: &str, words: &str) {
        until(words, || async { self.page(path).await.contains(words) }).await;
    }

    /// Ends the demo; its company must not have broken.
    pub async fn close(self) {
        self.playing.stop().await.unwrap();
    }
}

/// Waits for an opening, if it is not there already, and sees it; answers the conversation and what was said.
pub async fn opening(chat: &mut Chat) -> (String, String) {
    let there = chat.welcome["conversations"][0].clone();
    let conversation = if there.is_null() { chat.frame("opened").await["conversation"].clone() } else { there };
    let id = conversation["id"].as_str().unwrap().to_owned();
    let said = conversation["entries"][0]["text"].as_str().unwrap().to_owned();
    chat.seen(&id, 1).await;
    (id, said)
}

/// Chooses what leads to a confirmation, and approves it; answers what was asked to be confirmed.
pub async fn choose_and_confirm(chat: &mut Chat, id: &str, choice: &str) -> String {
    chat.choose(id, choice).await;
    let confirm = chat.entry("confirm").await;
    chat.confirm(id, &confirm["call_id"], true).await;
    confirm["summary"].as_str().unwrap().to_owned()
}

/// The values that the latest words offer.
pub fn offered(chat: &Chat, id: &str) -> Vec<String> {
    let entries = chat.entries(id);
    let words = entries.iter().rev().find(|entry| entry["choices"].is_array()).unwrap();
    let choices = words["choices"].as_array().unwrap();
    choices.iter().map(|choice| choice["value"].as_str().unwrap().to_owned()).collect()
}
