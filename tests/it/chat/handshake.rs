//! B10 and B11b: who gets in, as whom, and who does not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use beckon::model::customer::Trait;
use beckon::model::event::Trust;
use tokio_tungstenite::tungstenite::http::StatusCode;

use super::*;

async fn refused(server: &Server, origin: Option<&str>, protocol: Option<&str>) -> StatusCode {
    let stream = TcpStream::connect(server.address).await.unwrap();
    match Client::asking(stream, origin, protocol).await.err().expect("refused") {
        Error::Http(response) => {
            let kind = response.headers()["content-type"].to_str().unwrap();
            assert_eq!(kind, "application/problem+json");
            response.status()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn foreign_origins_and_wrong_subprotocols_are_refused_before_the_upgrade() {
    let server = Server::start().await;
    for foreign in ["https://evil.example", "null", "http://shop.example", "https://shop.example.evil.example"] {
        assert_eq!(refused(&server, Some(foreign), Some("beckon.v1")).await, StatusCode::FORBIDDEN, "{foreign}");
    }
    for wrong in [None, Some("beckon.v2"), Some("graphql-ws")] {
        assert_eq!(refused(&server, Some(ORIGIN), wrong).await, StatusCode::BAD_REQUEST, "{wrong:?}");
    }
    let plain = reqwest::get(format!("http://{}/v1/chat", server.address)).await.unwrap();
    assert!(plain.status().is_client_error());
    assert_eq!(server.chat.registry().open(), 0);
    // Not a page: there is no origin to check. Several subprotocols may be offered.
    let stream = TcpStream::connect(server.address).await.unwrap();
    assert!(Client::asking(stream, None, Some("other, beckon.v1")).await.is_ok());
}

#[tokio::test]
async fn a_token_that_is_not_good_closes_with_its_code() {
    let mut settings = settings();
    settings.identity.audience = Some("chat".to_owned());
    let server = Server::with(settings, Shelf::default()).await;
    let good = json!({ "sub": "42", "exp": seconds() + 60, "aud": "chat" });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        sign(&claims, KEY)
    };
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(json!({ "alg": "none" })), part(good.clone()));
    for (why, token, expected) in [
        ("expired", with("exp", json!(seconds() - 5)), 4401),
        ("unsigned", unsigned, 4501),
        ("wrong key", sign(&good, "another key"), 4501),
        ("wrong audience", with("aud", json!("billing")), 4501),
        ("no audience", sign(&json!({ "sub": "42", "exp": seconds() + 60 }), KEY), 4501),
        ("no subject", with("sub", json!("")), 4501),
        ("no token at all", "no.token.atall".to_owned(), 4501),
    ] {
        let mut client = server.connect().await;
        client.send(json!({ "type": "hello", "token": token, "resume": {} })).await;
        assert_eq!(client.closed().await.0, expected, "{why}");
    }
    let (_, welcome) = server.hello(json!({ "type": "hello", "token": sign(&good, KEY), "resume": {} })).await;
    assert_eq!(welcome, json!({ "type": "welcome", "customer": "user:42", "conversations": [] }));
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let server = Server::start().await;
    let exp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() + 0.3;
    let token = sign(&json!({ "sub": "42", "exp": exp }), KEY);
    let (mut client, _) = server.hello(json!({ "type": "hello", "token": token, "resume": {} })).await;
    assert_eq!(client.closed().await.0, 4401);
}

#[tokio::test]
async fn an_anonymous_customer_gets_a_secret_id_and_comes_back_with_it() {
    let server = Server::start().await;
    let (_, first) = server.hello(json!({ "type": "hello", "resume": {} })).await;
    let id = first["anonymous_id"].as_str().unwrap().to_owned();
    assert!(id.len() >= 20 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    assert_eq!(first["customer"], format!("anon:{id}"));
    let (_, again) = server.hello(json!({ "type": "hello", "anonymous_id": id, "resume": {} })).await;
    assert_eq!(again["customer"], first["customer"]);
    let (_, another) = server.hello(json!({ "type": "hello" })).await;
    assert_ne!(another["anonymous_id"], first["anonymous_id"]);
    let both = json!({ "type": "hello", "token": token("42"), "anonymous_id": id, "resume": {} });
    assert_eq!(server.hello(both).await.1["customer"], "user:42");
}

#[tokio::test]
async fn somebody_elses_id_as_anonymous_id_reaches_nothing_of_theirs() {
    let server = Server::start().await;
    let victims = server.owner.open(&user("victim"), "Your card was declined.", &[]).await;
    let chosen = ActorId::anonymous("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    server.owner.open(&chosen, "For an id that somebody chose.", &[]).await;
    for id in ["victim", "user:victim", chosen.as_str(), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let resume = json!({ victims.to_string(): { "seq": 0, "id": "" } });
        let hello = json!({ "type": "hello", "anonymous_id": id, "resume": resume });
        let (_, welcome) = server.hello(hello).await;
        assert_eq!(welcome["conversations"], json!([]), "{id}");
        assert_ne!(welcome["anonymous_id"], id);
    }
}

#[tokio::test]
async fn without_anonymous_customers_a_token_is_needed() {
    let mut settings = settings();
    settings.identity.anonymous = false;
    let server = Server::with(settings, Shelf::default()).await;
    let mut client = server.connect().await;
    client.send(json!({ "type": "hello", "resume": {} })).await;
    assert_eq!(client.closed().await.0, 4501);
}

#[tokio::test]
async fn hello_comes_first_and_in_time_and_once() {
    let mut settings = settings();
    settings.times.hello = Duration::from_millis(150);
    let server = Server::with(settings, Shelf::default()).await;
    let mut silent = server.connect().await;
    assert_eq!(silent.closed().await.0, 4504);
    let mut hasty = server.connect().await;
    hasty.send(json!({ "type": "ping" })).await;
    assert_eq!(hasty.closed().await.0, 4504);
    let (mut twice, _) = server.user("42").await;
    twice.send(json!({ "type": "hello", "token": token("43") })).await;
    assert_eq!(twice.closed().await.0, 4504);
    let mut clumsy = server.connect().await;
    clumsy.send(json!({ "type": "hello", "resume": 5 })).await;
    assert_eq!(clumsy.next().await["code"], "invalid");
    clumsy.send(json!({ "type": "hello", "token": token("42") })).await;
    assert_eq!(clumsy.next().await["type"], "welcome");
}

#[tokio::test]
async fn sockets_are_bounded_a_customer_and_a_node() {
    let mut settings = settings();
    (settings.bounds.sockets, settings.bounds.sockets_a_customer) = (3, 2);
    let server = Server::with(settings, Shelf::default()).await;
    let (mut first, _) = server.user("42").await;
    let (_second, _) = server.user("42").await;
    let mut third = server.connect().await;
    third.send(json!({ "type": "hello", "token": token("42") })).await;
    assert_eq!(third.closed().await, (4503, "{\"retry_after\": 30}".to_owned()));
    drop(third);
    server.until_open(2).await;
    let (_other, _) = server.user("43").await;
    let full = refused(&server, Some(ORIGIN), Some("beckon.v1")).await;
    assert_eq!(full, StatusCode::SERVICE_UNAVAILABLE);
    first.socket.close(None).await.unwrap();
    server.until_open(2).await;
    server.user("42").await;
}

#[tokio::test]
async fn traits_of_a_token_are_appended_where_they_differ() {
    let server = Server::start().await;
    let signed = |plan: &str| sign(&json!({ "sub": "7", "exp": seconds() + 60, "traits": { "plan": plan } }), KEY);
    for plan in ["free", "free", "pro"] {
        server.hello(json!({ "type": "hello", "token": signed(plan) })).await;
        server.owner.decided(&user("7"), |state| state.traits.get("plan").is_some_and(|held| held.value == plan)).await;
    }
    let partition = user("7").partition(server.owner.store.partitions());
    let inputs = server.owner.store.read(partition, Default::default(), 100).await.unwrap();
    assert_eq!(inputs.len(), 2, "the same traits again are nothing new");
}

#[tokio::test]
async fn a_zone_is_learned_of_who_is_known_and_of_nobody_else() {
    let server = Server::start().await;
    let hello = |zone: &str| json!({ "type": "hello", "token": token("8"), "timezone": zone, "resume": {} });
    let inputs = async || {
        let partition = user("8").partition(server.owner.store.partitions());
        server.owner.store.read(partition, Default::default(), 100).await.unwrap().len()
    };
    let learned = async |zone: &str, trust: Trust| {
        let is = |held: &Trait| held.value == zone && held.trust == trust;
        server.owner.decided(&user("8"), |state| state.traits.get("browser_timezone").is_some_and(is)).await;
    };
    server.hello(hello("Europe/Lisbon")).await;
    assert_eq!(inputs().await, 0, "of a stranger nothing is kept");
    server.owner.open(&user("8"), "Your card was declined.", &[]).await;
    server.hello(hello("Nowhere/Atall")).await;
    assert_eq!(inputs().await, 1, "a zone that is none is nothing");
    for zone in ["Europe/Lisbon", "Europe/Lisbon", "Europe/Berlin"] {
        server.hello(hello(zone)).await;
        learned(zone, Trust::Client).await;
    }
    assert_eq!(inputs().await, 3, "the same again is nothing new");
    let claims = json!({ "sub": "8", "exp": seconds() + 60, "traits": { "browser_timezone": "Asia/Tokyo" } });
    server.hello(json!({ "type": "hello", "token": sign(&claims, KEY) })).await;
    learned("Asia/Tokyo", Trust::Server).await;
    server.hello(hello("Europe/Lisbon")).await;
    assert_eq!(inputs().await, 4, "what the company says stands");
}
