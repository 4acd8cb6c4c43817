//! What the company does by REST: it reads, its operators act, it waits for what became of things.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{KEY, World, until};

impl World {
    /// A call of the REST API by the backend's key; the status and the body.
    pub async fn rest(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.rest_as(KEY, method, path, body).await
    }

    pub async fn rest_as(&self, key: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(key);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.rest(Method::GET, path, Value::Null).await;
        assert!(status < 300, "GET {path}: {status} {body}");
        body
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.rest(Method::POST, path, body).await
    }

    /// An operator's act in a conversation: `claim`, `release`, `messages`, `close`, `calls/1/settle`.
    pub async fn act(&self, operator: &str, conversation: &str, act: &str, body: Value) -> (u16, Value) {
        let path = format!("/v1/conversations/{conversation}/{act}");
        self.rest_as(operator, Method::POST, &path, body).await
    }

    /// An operator takes a conversation over from whoever holds it now.
    pub async fn claim(&self, operator: &str, conversation: &str) -> Value {
        let n = self.conversation(conversation).await["holder_n"].clone();
        let (status, entry) = self.act(operator, conversation, "claim", json!({ "n": n })).await;
        assert_eq!(status, 200, "{entry}");
        entry
    }

    /// The holder of a conversation says something.
    pub async fn write(&self, operator: &str, conversation: &str, text: &str) -> (u16, Value) {
        let client_id = format!("operator-{:016x}", rand::random::<u64>());
        self.act(operator, conversation, "messages", json!({ "client_id": client_id, "text": text })).await
    }

    pub async fn conversation(&self, id: &str) -> Value {
        self.get(&format!("/v1/conversations/{id}")).await
    }

    pub async fn trace(&self, id: &str) -> Vec<Value> {
        let conversation = self.get(&format!("/v1/conversations/{id}?view=trace")).await;
        conversation["entries"].as_array().unwrap().clone()
    }

    /// What became of an event, once it is decided and archived.
    pub async fn outcome(&self, event: &str) -> Value {
        let path = format!("/v1/events/{event}");
        until("the event is decided", || async { self.get(&path).await["status"] != "pending" }).await;
        self.get(&path).await
    }

    /// What a playbook made of an event, once it is as wanted.
    pub async fn until_verdict(&self, event: &str, verdict: &str) -> Value {
        let path = format!("/v1/events/{event}");
        let begun = Instant::now();
        loop {
            let told = self.get(&path).await;
            if told["decisions"][0]["verdict"] == verdict {
                return told["decisions"][0].clone();
            }
            assert!(begun.elapsed() < Duration::from_secs(40), "it never was {verdict}: {told}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends an event that concerns nobody in particular; answers Beckon's id of it.
    pub async fn nobodys_event(&mut self, kind: &str, data: Value) -> String {
        let id = format!("n-{:016x}", rand::random::<u64>());
        let event = json!({ "specversion": "1.0", "id": id, "source": "network", "type": kind, "data": data });
        let (status, answer) = self.send_event(KEY, event).await;
        assert_eq!((status, &answer["results"][0]["status"]), (202, &json!("accepted")), "{answer}");
        answer["results"][0]["event"].as_str().unwrap().to_owned()
    }

    /// How many of those whom a topic told made what of an event, once it is as wanted.
    pub async fn until_told(&self, event: &str, wanted: Value) -> Value {
        let path = format!("/v1/events/{event}");
        let begun = Instant::now();
        loop {
            let told = self.get(&path).await;
            let counts: serde_json::Map<String, Value> = told["told"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|told| (told["verdict"].as_str().unwrap().to_owned(), told["count"].clone()))
                .collect();
            if Value::Object(counts) == wanted {
                return told;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "it never was {wanted}: {told}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Conversations of a customer as lists show them.
    pub async fn conversations(&self, customer: &str) -> Vec<Value> {
        self.get(&format!("/v1/conversations?customer=user:{customer}")).await["items"].as_array().unwrap().clone()
    }

    /// Waits until a conversation is as wanted.
    pub async fn until_conversation(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || async { wanted(&self.conversation(id).await) }).await;
        self.conversation(id).await
    }
}
