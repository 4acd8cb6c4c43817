//! F21 on a real Redis: a replica that is behind is promoted in the place of its server, while a process serves, a customer
//! is connected and the record knows more than the store.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::process::Site;
use crate::journeys::world::{assert_dense, until};
use crate::store::Place;
use crate::store::server::Server;

/// An address that leads to one server, and after a failover to another; lines to the first one are cut.
struct Address {
    at: SocketAddr,
    now: Arc<Mutex<(u16, CancellationToken)>>,
}

impl Address {
    async fn of(server: &Server) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let now = Arc::new(Mutex::new((server.port(), CancellationToken::new())));
        let leads = Arc::clone(&now);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (port, cut) = leads.lock().unwrap().clone();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let _ = cut.run_until_cancelled(tokio::io::copy_bidirectional(&mut near, &mut far)).await;
                });
            }
        });
        Address { at, now }
    }

    fn leads_to(&self, server: &Server) {
        let before = std::mem::replace(&mut *self.now.lock().unwrap(), (server.port(), CancellationToken::new()));
        before.1.cancel();
    }
}

/// A replica that has all that its server has now, and hears no more of it.
async fn left_behind(server: &Server) -> Server {
    let port = server.port().to_string();
    let replica = Server::start(&["--appendonly", "yes", "--replicaof", &format!("127.0.0.1 {port}")]);
    let mut to = (server.connection(), replica.connection());
    redis::cmd("SET").arg("here").arg("yes").exec(&mut to.0).unwrap();
    until("the replica has it all", || {
        let there: Option<String> = redis::cmd("GET").arg("here").query(&mut to.1).ok().flatten();
        async move { there.is_some() }
    })
    .await;
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut to.1).unwrap();
    replica
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_a_replica_that_is_behind_takes_over_and_nobody_goes_on_from_what_is_gone() {
    let mut server = Server::start(&["--appendonly", "yes"]);
    let address = Address::of(&server).await;
    let place = Place::Redis { url: format!("redis://{}/", address.at), prefix: "back".to_owned() };
    let site = Site::new(place, None);
    let process = site.start();
    let open = async |thing: &str| {
        let data = json!({ "id": thing, "level": 2 });
        site.event(&process, "quick.opened", "ann", data).await
    };
    let mut chat = site.chat(&process, "ann", json!({})).await;
    open("kept").await;
    let id = chat.opened().await;
    chat.seen(&id, 1).await;
    let said = async |chat: &mut crate::journeys::chat::Chat, words: &str| {
        let client_id = chat.say(&id, words).await;
        chat.answer(&client_id).await.unwrap();
        assert_eq!(chat.hears().await, format!("You said {words}."));
    };
    said(&mut chat, "one").await;
    site.rest_comes(&process).await;

    let replica = left_behind(&server).await;
    for words in ["two", "three"] {
        said(&mut chat, words).await;
    }
    let lost = open("lost").await;
    let gone = chat.opened().await;
    site.rest_comes(&process).await;
    server.kill();
    address.leads_to(&replica);

    // Who is connected is told to start over, and has what the store has.
    let reset = |f: &Value, of: &str| f["type"] == "reset" && f["conversation_id"] == of;
    chat.wait("a reset", |f| reset(f, &id)).await;
    said(&mut chat, "four").await;
    // The record takes back what it has of the other one with the next line of this partition.
    if !chat.frames.iter().any(|f| reset(f, &gone)) {
        chat.wait("a reset of what is gone", |f| reset(f, &gone)).await;
    }
    assert_dense(&chat.entries(&id));
    let spoken: Vec<String> = chat.words(&id).into_iter().map(|(_, text)| text).collect();
    assert_eq!(spoken, ["Something happened to kept.", "one", "You said one.", "four", "You said four."]);
    assert_eq!(chat.entries(&gone), Vec::<Value>::new());

    // So has everybody who looks, in the store and in the record.
    site.rest_comes(&process).await;
    let shown = site.get(&process, &format!("/v1/conversations/{id}")).await;
    let text = |e: &Value| e["text"].as_str().unwrap_or_default().to_owned();
    let log: Vec<String> = shown["entries"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(log, spoken, "{shown:#}");
    assert!(site.log().contains("journals have gaps"), "{}", site.log());
    for path in [format!("/v1/events/{lost}"), format!("/v1/conversations/{gone}")] {
        assert_eq!(site.rest(&process, reqwest::Method::GET, &path, Value::Null).await.0, 404, "{path}");
    }

    // What was accepted and is lost may happen again, and opens.
    open("lost").await;
    assert_ne!(chat.opened().await, gone);
}
