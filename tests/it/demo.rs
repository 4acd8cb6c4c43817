//! `beckon demo --model URL` as a process, beside a real model server: a visitor plays the shop over its own pages, and
//! talks over the socket that the shop's token opens.

use reqwest::Method;
use serde_json::{Value, json};

use crate::chaos::process::Site;
use crate::journeys::chat::Chat;
use crate::journeys::model::{Model, Says};
use crate::journeys::world::of_kind;
use crate::store::Place;

/// A visitor of the shop, known by a cookie.
struct Visitor {
    http: reqwest::Client,
    shop: String,
    cookie: String,
}

impl Visitor {
    async fn new(shop: &str) -> Visitor {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let page = http.get(shop).send().await.unwrap();
        let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        Visitor { http, shop: shop.trim_end_matches('/').to_owned(), cookie }
    }

    async fn ask(&self, method: Method, path: &str, form: &'static str) -> reqwest::Response {
        let request = self.http.request(method, format!("{}{path}", self.shop)).header("cookie", &self.cookie);
        request.header("content-type", "application/x-www-form-urlencoded").body(form).send().await.unwrap()
    }

    /// Sends a form; where the shop leads then.
    async fn send(&self, path: &str, form: &'static str) -> String {
        let answer = self.ask(Method::POST, path, form).await;
        assert_eq!(answer.status(), 303, "{path}");
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    async fn read(&self, path: &str) -> Value {
        self.ask(Method::GET, path, "").await.json().await.unwrap()
    }
}

/// What follows a word in a line that the demo prints.
fn after<'l>(line: &'l str, word: &str) -> &'l str {
    line.split_once(word).unwrap_or_else(|| panic!("no `{word}` in: {line}")).1.split_whitespace().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_speaks_through_the_model_that_it_is_given() {
    let model = Model::start().await;
    let site = Site::new(Place::embedded(), None);
    let temporary = tempfile::tempdir().unwrap();
    let url = format!("http://{}/v1", model.address);
    let mut demo = site.command(&["demo", "--listen", "127.0.0.1:0", "--shop-listen", "127.0.0.1:0"]);
    demo.args(["--model", &url, "--model-name", "northwind-7b"]).env("TMPDIR", temporary.path());
    let mut demo = site.launch(demo);
    let said: Vec<String> = (0..3).map_while(|_| demo.prints()).collect();
    assert_eq!(said.len(), 3, "it prints where everything is: {said:?}\n{}", site.log());
    let beckon = after(&said[1], "dashboard").replace("/operator/", "").replacen("http", "ws", 1);
    let visitor = Visitor::new(after(&said[0], "shop")).await;

    visitor.send("/cart/lines", "product=storm-lantern").await;
    let checkout = visitor.send("/checkout", "").await;
    let order = checkout.trim_start_matches("/orders/").trim_end_matches("/checkout").to_owned();
    let token = visitor.read("/token").await["token"].clone();
    let hello = json!({ "type": "hello", "token": token, "resume": {} });
    let mut chat = Chat::connect(&format!("{beckon}/v1/chat"), hello).await;
    for _ in 0..2 {
        visitor.send(&format!("/orders/{order}/pay"), "card=visa-0002").await;
    }
    let id = chat.opened().await;
    assert_eq!(model.requests().len(), 0, "the opening is the playbook's own");
    chat.seen(&id, 1).await;

    // No step of the script says this, and the call reaches the shop's real API.
    model.will_say([
        Says::Calls("shop__list_cards", "{}".to_owned()),
        Says::Words("The harbour bank sleeps. Shall I try another card?"),
        Says::Calls("shop__retry_payment", json!({ "id": order, "card": "visa-4242" }).to_string()),
        Says::Words("Paid, and the lantern is yours."),
    ]);
    chat.say(&id, "what now?").await;
    assert_eq!(chat.hears().await, "The harbour bank sleeps. Shall I try another card?");
    chat.say(&id, "the one ending 4242").await;
    let asked = chat.entry("confirm").await;
    chat.confirm(&id, &asked["call_id"], true).await;
    assert_eq!(chat.hears().await, "Paid, and the lantern is yours.");
    assert_eq!(visitor.read(&format!("/orders/{order}/status")).await["status"], "paid");
    let entries = chat.entries(&id);
    assert!(of_kind(&entries, "call").iter().all(|call| call["state"] == "done"), "{entries:#?}");

    let requests = model.requests();
    assert_eq!(requests.len(), 4);
    for request in &requests {
        assert_eq!((&request["model"], &request["stream"]), (&json!("northwind-7b"), &json!(true)));
        assert!(request["messages"][0]["content"].as_str().unwrap().contains("You are the assistant of Northwind"));
    }
    assert!(requests[1]["messages"].to_string().contains("visa-4242"), "the shop's cards came back to the model");

    // Stopped as Ctrl-C does it: in order, and nothing of it is left behind.
    demo.signal("-INT");
    assert!(demo.ended().success(), "{}", site.log());
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}
