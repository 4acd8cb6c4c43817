//! Company APIs over real connections: what is sent, what every end means, and where requests never go.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method as HttpMethod, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use beckon::adapter::guard::Lookup;
use beckon::adapter::http::HttpAdapter;
use beckon::adapter::outcome::UNAVAILABLE;
use beckon::adapter::returns::Amount;
use beckon::adapter::{Adapter, Request, Settings, breaker};
use beckon::model::catalog::{Method, Operation};
use beckon::model::input::CallOutcome;
use beckon::model::time::Millis;
use beckon::secret::Secret;
use futures_util::StreamExt;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use url::Url;

/// A request as it came to the company.
pub struct Seen {
    pub method: HttpMethod,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A company's API.
pub struct Api {
    pub url: Url,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Api {
    pub fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// Starts an API that answers each request by `answer`.
pub async fn api<F: Fn() -> Response + Clone + Send + Sync + 'static>(answer: F) -> Api {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap()).parse().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let held = seen.clone();
    let handler = move |method: HttpMethod, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        held.lock().unwrap().push(Seen { method, uri, headers, body });
        answer()
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    Api { url, seen }
}

/// A server that reads a little and then says exactly this, or hangs, or closes.
async fn raw(answer: &'static [u8], hang: bool) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
                if hang {
                    let _ = stream.read(&mut request).await;
                }
            });
        }
    });
    url
}

fn settings(url: &Url) -> Settings {
    Settings {
        url: url.clone(),
        headers: vec![("authorization".to_owned(), Secret::new("Bearer planted"))],
        allow_private: true,
        concurrency: 8,
        max_body: 64 * 1024,
    }
}

fn adapter(url: &Url) -> HttpAdapter {
    HttpAdapter::new("shop", settings(url)).unwrap()
}

fn read(path: &str, returns: &[&str]) -> Operation {
    let args = json!({ "type": "object" });
    Operation {
        adapter: "shop".to_owned(),
        name: "shop.get_order".to_owned(),
        describe: String::new(),
        method: Method::Get,
        path: path.to_owned(),
        json: None,
        schema: jsonschema::validator_for(&args).unwrap(),
        args,
        returns: returns.iter().map(|path| (*path).to_owned()).collect(),
        writes: false,
        ask: false,
        public: false,
        bound: path.contains("{customer.id}"),
        once: Vec::new(),
        idempotency_header: None,
        confirm: None,
        timeout: Millis::seconds(5),
    }
}

fn write(json: Value) -> Operation {
    Operation {
        method: Method::Post,
        json: Some(json),
        writes: true,
        idempotency_header: Some("Idempotency-Key".to_owned()),
        ..read("/payments", &["id"])
    }
}

async fn call_with(adapter: &HttpAdapter, operation: &Operation, args: Value) -> CallOutcome {
    let args: Map<String, Value> = args.as_object().unwrap().clone();
    adapter
        .call(Request {
            operation,
            customer: Some("c1"),
            args: &args,
            key: "17-1764000000000-3-0/2",
            amount: Amount::Bounded,
        })
        .await
}

async fn call(url: &Url, operation: &Operation) -> CallOutcome {
    call_with(&adapter(url), operation, json!({})).await
}

fn is_away(outcome: &CallOutcome) -> bool {
    matches!(outcome, CallOutcome::Failed(why) if why.starts_with(UNAVAILABLE))
}

fn is_failed(outcome: &CallOutcome) -> bool {
    matches!(outcome, CallOutcome::Failed(why) if !why.starts_with(UNAVAILABLE))
}

fn is_unknown(outcome: &CallOutcome) -> bool {
    matches!(outcome, CallOutcome::Unknown(_))
}

fn empty() -> CallOutcome {
    CallOutcome::Done(json!({}))
}

#[tokio::test]
async fn a_read_is_made_for_its_customer_and_keeps_only_its_fields() {
    let order = json!({ "id": "A 1", "status": "late", "margin": 3, "items": [{ "label": "Shoe", "cost": 9 }] });
    let shop = api(move || axum::Json(order.clone()).into_response()).await;
    let operation = read("/customers/{customer.id}/orders/{id}?full={full}", &["id", "items[].label", "gone"]);
    let outcome = call_with(&adapter(&shop.url), &operation, json!({ "id": "A 1/..", "full": true })).await;
    assert_eq!(outcome, CallOutcome::Done(json!({ "id": "A 1", "items": [{ "label": "Shoe" }] })));
    let seen = shop.seen.lock().unwrap();
    assert_eq!(seen[0].method, "GET");
    assert_eq!(seen[0].uri, "/api/customers/c1/orders/A%201%2F..?full=true");
    assert_eq!(seen[0].headers["accept"], "application/json");
    assert_eq!(seen[0].headers["authorization"], "Bearer planted");
    assert!(!seen[0].headers.contains_key("idempotency-key") && seen[0].body.is_empty());
}

#[tokio::test]
async fn a_write_carries_its_body_and_the_same_key_on_every_try() {
    let shop = api(|| (StatusCode::CREATED, axum::Json(json!({ "id": 5 }))).into_response()).await;
    let adapter = adapter(&shop.url);
    let operation =
        write(json!({ "card": "{card}", "amount": "{amount}", "note": "for {customer.id}", "opt": "{opt}" }));
    for _ in 0..2 {
        let outcome = call_with(&adapter, &operation, json!({ "card": "visa", "amount": 12 })).await;
        assert_eq!(outcome, CallOutcome::Done(json!({ "id": 5 })));
    }
    let no_header = Operation { idempotency_header: None, ..write(json!({})) };
    call_with(&adapter, &no_header, json!({})).await;
    let seen = shop.seen.lock().unwrap();
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body, json!({ "card": "visa", "amount": 12, "note": "for c1" }));
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert_eq!(seen[0].headers["idempotency-key"], "17-1764000000000-3-0/2");
    assert_eq!(seen[1].headers["idempotency-key"], "17-1764000000000-3-0/2");
    assert!(!seen[2].headers.contains_key("idempotency-key"));
}

#[tokio::test]
async fn what_cannot_be_filled_in_is_refused_and_nothing_is_sent() {
    let shop = api(|| axum::Json(json!({})).into_response()).await;
    let adapter = adapter(&shop.url);
    let bound = read("/customers/{customer.id}/orders/{id}", &[]);
    for args in
        [json!({}), json!({ "id": "" }), json!({ "id": ".." }), json!({ "id": "." }), json!({ "id": { "a": 1 } })]
    {
        let outcome = call_with(&adapter, &bound, args.clone()).await;
        assert!(is_failed(&outcome), "{args}: {outcome:?}");
    }
    let args = Map::from_iter([("id".to_owned(), json!("7")), ("customer.id".to_owned(), json!("victim"))]);
    let anonymous = adapter
        .call(Request { operation: &bound, customer: None, args: &args, key: "k", amount: Amount::Bounded })
        .await;
    assert!(is_failed(&anonymous), "{anonymous:?}");
    let hidden = Operation { bound: true, ..read("/me", &[]) };
    let anonymous = adapter
        .call(Request { operation: &hidden, customer: None, args: &args, key: "k", amount: Amount::Bounded })
        .await;
    assert!(is_failed(&anonymous), "{anonymous:?}");
    assert_eq!(shop.asked(), 0);
    call_with(&adapter, &bound, json!({ "id": "7", "customer.id": "victim" })).await;
    assert_eq!(shop.seen.lock().unwrap()[0].uri, "/api/customers/c1/orders/7");
}

#[tokio::test]
async fn every_status_means_what_is_promised() {
    type Is = fn(&CallOutcome) -> bool;
    let done: Is = |outcome| matches!(outcome, CallOutcome::Done(_));
    let cases: [(u16, Is, Is); 17] = [
        (200, done, done),
        (201, done, done),
        (202, done, done),
        (204, done, done),
        (302, is_unknown, is_failed),
        (400, is_failed, is_failed),
        (401, is_failed, is_failed),
        (402, is_failed, is_failed),
        (404, is_failed, is_failed),
        (408, is_unknown, is_away),
        (409, is_unknown, is_failed),
        (422, is_failed, is_failed),
        (425, is_unknown, is_away),
        (429, is_failed, is_away),
        (500, is_unknown, is_away),
        (503, is_unknown, is_away),
        (599, is_unknown, is_away),
    ];
    for (status, write_is, read_is) in cases {
        let shop = api(move || StatusCode::from_u16(status).unwrap().into_response()).await;
        let outcome = call(&shop.url, &write(json!({}))).await;
        assert!(write_is(&outcome), "write {status}: {outcome:?}");
        let outcome = call(&shop.url, &read("/x", &["id"])).await;
        assert!(read_is(&outcome), "read {status}: {outcome:?}");
        assert_eq!(shop.asked(), 2, "{status}: one try each");
    }
}

#[tokio::test]
async fn an_api_that_is_not_there_was_surely_not_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    for operation in [write(json!({})), read("/x", &["id"])] {
        let outcome = call(&url, &operation).await;
        assert!(is_away(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_api_that_hangs_up_or_is_silent_may_have_done_it() {
    let closes = raw(b"", false).await;
    let half = raw(b"HTTP/1.1 200 O", false).await;
    let garbage = raw(b"SSH-2.0-OpenSSH_9.2\r\n", false).await;
    let hangs = raw(b"", true).await;
    for url in [&closes, &half, &garbage, &hangs] {
        let quick = |operation| Operation { timeout: Millis(300), ..operation };
        let outcome = call(url, &quick(write(json!({})))).await;
        assert!(is_unknown(&outcome), "{outcome:?}");
        let outcome = call(url, &quick(read("/x", &["id"]))).await;
        assert!(is_away(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_no_answer_but_a_write_is_done() {
    let bodies: [&'static [u8]; 6] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n<html>hi</html>",
        b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"id\": 1",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\": 1}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{\"id\": 1}\r\nzz",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0",
        b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"id\": 1e999}",
    ];
    for body in bodies {
        let url = raw(body, false).await;
        let outcome = call(&url, &read("/x", &["id"])).await;
        assert!(is_away(&outcome), "{}: {outcome:?}", String::from_utf8_lossy(body));
        assert_eq!(call(&url, &write(json!({}))).await, empty());
    }
}

#[tokio::test]
async fn a_large_body_costs_bounded_memory() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let endless = api(move || {
        let counted = counted.clone();
        let pieces = futures_util::stream::repeat_with(move || {
            counted.fetch_add(16 * 1024, Ordering::SeqCst);
            Ok::<_, std::io::Error>(vec![b' '; 16 * 1024])
        });
        Body::from_stream(pieces).into_response()
    })
    .await;
    let announced = api(|| vec![b'1'; 10 << 20].into_response()).await;
    for shop in [&endless, &announced] {
        let outcome = call(&shop.url, &read("/x", &["id"])).await;
        let CallOutcome::Failed(why) = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("longer than 65536 bytes"), "{why}");
        assert_eq!(call(&shop.url, &write(json!({}))).await, empty());
    }
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 64 << 20, "the connection stayed open: {sent} bytes");
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_operations_time() {
    let shop = api(|| {
        let pieces = futures_util::stream::once(async { Ok::<_, std::io::Error>("{\"id\": ") });
        Body::from_stream(pieces.chain(futures_util::stream::pending())).into_response()
    })
    .await;
    let started = Instant::now();
    let slow = |operation| Operation { timeout: Millis(300), ..operation };
    let outcome = call(&shop.url, &slow(read("/x", &["id"]))).await;
    assert!(is_away(&outcome), "{outcome:?}");
    assert_eq!(call(&shop.url, &slow(write(json!({})))).await, empty());
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn answers_are_made_fit_to_be_kept() {
    let text = br#"HTTP/1.1 200 OK
connection: close

[{"id": "a\u0000b\ud800c\ud83d\ude00", "x": "\udc00"}]"#;
    let url = raw(text, false).await;
    let outcome = call(&url, &read("/x", &["items[].id"])).await;
    assert_eq!(outcome, CallOutcome::Done(json!({ "items": [{ "id": "a\u{fffd}b\u{fffd}c\u{1f600}" }] })));
    let url = raw(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"id\": \"\xff\"}", false).await;
    assert_eq!(call(&url, &read("/x", &["id"])).await, CallOutcome::Done(json!({ "id": "\u{fffd}" })));
    assert_eq!(call(&url, &read("/x", &[])).await, empty());
}

#[tokio::test]
async fn redirects_lead_to_no_other_host_and_to_no_private_address() {
    let target = api(|| axum::Json(json!({ "id": "stolen" })).into_response()).await;
    let port = target.url.port().unwrap();
    let other = format!("http://localhost:{port}/api/x");
    let metadata = "http://169.254.169.254/latest/meta-data".to_owned();
    let elsewhere =
        [target.url.to_string(), other, metadata, format!("//127.0.0.1:{port}/"), "file:///etc/passwd".to_owned()];
    for to in elsewhere {
        for status in [302, 308] {
            let location = to.clone();
            let answer =
                move || (StatusCode::from_u16(status).unwrap(), [("location", location.clone())]).into_response();
            let shop = api(answer).await;
            let outcome = call(&shop.url, &read("/x", &["id"])).await;
            assert!(matches!(outcome, CallOutcome::Failed(_)), "{to} {status}: {outcome:?}");
            let outcome = call(&shop.url, &write(json!({}))).await;
            assert!(is_unknown(&outcome), "{to} {status}: {outcome:?}");
            assert_eq!(shop.asked(), 2);
        }
    }
    assert_eq!(target.asked(), 0);
    // Its own host is opened for requests, not for redirects.
    let own = api(|| (StatusCode::FOUND, [("location", "/api/y")]).into_response()).await;
    let outcome = call(&own.url, &read("/x", &["id"])).await;
    assert!(matches!(&outcome, CallOutcome::Failed(why) if why.contains("private")), "{outcome:?}");
    // A write that was answered so may have been done: it is not sent on, and not called undone.
    let outcome = call(&own.url, &write(json!({}))).await;
    assert!(is_unknown(&outcome), "{outcome:?}");
    assert_eq!(own.asked(), 2);
}

/// Names that lead where the test says, by turns; the last for ever.
struct Names {
    turns: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.turns[n.min(self.turns.len() - 1)].clone())
    }
}

fn names(turns: &[&[&str]]) -> Arc<Names> {
    let turns = turns.iter().map(|turn| turn.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
    Arc::new(Names { turns, asked: AtomicUsize::new(0) })
}

#[tokio::test]
async fn private_addresses_are_not_asked_unless_the_configuration_opens_them() {
    let shop = api(|| axum::Json(json!({ "id": 1 })).into_response()).await;
    let closed = |url: &Url| Settings { allow_private: false, ..settings(url) };
    let port = shop.url.port().unwrap();
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1"] {
        let url: Url = format!("http://{host}:{port}/").parse().unwrap();
        let adapter = HttpAdapter::new("shop", closed(&url)).unwrap();
        for operation in [read("/x", &["id"]), write(json!({}))] {
            let outcome = call_with(&adapter, &operation, json!({})).await;
            assert!(matches!(&outcome, CallOutcome::Failed(why) if why.contains("private")), "{host}: {outcome:?}");
        }
    }
    let name: Url = format!("http://api.test:{port}/").parse().unwrap();
    for ip in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0"] {
        let adapter = HttpAdapter::with_lookup("shop", closed(&name), names(&[&[ip, "192.168.0.1"]])).unwrap();
        let outcome = call_with(&adapter, &read("/x", &["id"]), json!({})).await;
        assert!(matches!(&outcome, CallOutcome::Failed(why) if why.contains("private")), "{ip}: {outcome:?}");
    }
    assert_eq!(shop.asked(), 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let shop = api(|| ([("connection", "close")], axum::Json(json!({ "id": 1 }))).into_response()).await;
    let url: Url = format!("http://api.test:{}/", shop.url.port().unwrap()).parse().unwrap();
    // First the company's own, then an address that no configuration opens, then the first again among others.
    let names = names(&[&["127.0.0.1"], &["169.254.169.254"], &["169.254.169.254", "127.0.0.1"]]);
    let adapter = HttpAdapter::with_lookup("shop", settings(&url), names.clone()).unwrap();
    let operation = read("/x", &["id"]);
    assert_eq!(call_with(&adapter, &operation, json!({})).await, CallOutcome::Done(json!({ "id": 1 })));
    assert_eq!((names.asked.load(Ordering::SeqCst), shop.asked()), (1, 1));
    let outcome = call_with(&adapter, &operation, json!({})).await;
    assert!(matches!(&outcome, CallOutcome::Failed(why) if why.contains("private")), "{outcome:?}");
    assert_eq!((names.asked.load(Ordering::SeqCst), shop.asked()), (2, 1));
    assert_eq!(call_with(&adapter, &operation, json!({})).await, CallOutcome::Done(json!({ "id": 1 })));
    assert_eq!((names.asked.load(Ordering::SeqCst), shop.asked()), (3, 2));
}

#[tokio::test]
async fn an_api_that_fails_again_and_again_is_left_alone() {
    let failing = Arc::new(AtomicUsize::new(500));
    let status = failing.clone();
    let shop = api(move || {
        let status = u16::try_from(status.load(Ordering::SeqCst)).unwrap();
        StatusCode::from_u16(status).unwrap().into_response()
    })
    .await;
    let adapter = adapter(&shop.url);
    let five = usize::try_from(breaker::FAILURES).unwrap();
    for _ in 0..five {
        assert!(is_unknown(&call_with(&adapter, &write(json!({})), json!({})).await));
    }
    for operation in [write(json!({})), read("/x", &["id"])] {
        let outcome = call_with(&adapter, &operation, json!({})).await;
        assert!(is_away(&outcome), "{outcome:?}");
    }
    assert_eq!(shop.asked(), five);

    // An API that says no is not one that fails.
    failing.store(404, Ordering::SeqCst);
    let adapter = self::adapter(&shop.url);
    for _ in 0..five * 3 {
        assert!(is_failed(&call_with(&adapter, &read("/x", &["id"]), json!({})).await));
    }
    assert_eq!(shop.asked(), five * 4);
}

#[tokio::test]
async fn no_more_than_so_many_calls_are_under_way() {
    let asked = Arc::new(Notify::new());
    let gate = Arc::new(Notify::new());
    let (begun, held) = (asked.clone(), gate.clone());
    let shop = api(move || {
        begun.notify_one();
        let held = held.clone();
        let body = futures_util::stream::once(async move {
            held.notified().await;
            Ok::<_, std::io::Error>("{\"id\": 1}")
        });
        Body::from_stream(body).into_response()
    })
    .await;
    let adapter = HttpAdapter::new("shop", Settings { concurrency: 1, ..settings(&shop.url) }).unwrap();
    let patient = read("/x", &["id"]);
    let mut first = std::pin::pin!(call_with(&adapter, &patient, json!({})));
    tokio::select! {
        outcome = &mut first => panic!("{outcome:?}"),
        () = asked.notified() => {}
    }
    let quick = Operation { timeout: Millis(100), ..write(json!({})) };
    let second = call_with(&adapter, &quick, json!({})).await;
    assert!(is_away(&second), "{second:?}");
    assert_eq!(shop.asked(), 1);
    gate.notify_one();
    assert_eq!(first.await, CallOutcome::Done(json!({ "id": 1 })));
}

#[test]
fn settings_that_cannot_work_are_named_and_secrets_never_shown() {
    let url: Url = "https://api.shop.example/v2".parse().unwrap();
    let refused = |settings| HttpAdapter::new("shop", settings).unwrap_err();
    for wrong in ["ftp://a.example/", "https://a.example/?x=1", "https://me:planted@a.example/", "data:x"] {
        let why = refused(settings(&wrong.parse().unwrap()));
        assert!(why.contains("`shop`") && why.contains("`url`") && !why.contains("planted"), "{why}");
    }
    let header = |name: &str, value: &str| vec![(name.to_owned(), Secret::new(value))];
    let why = refused(Settings { headers: header("x-key", "planted\n"), ..settings(&url) });
    assert!(why.contains("`x-key`") && !why.contains("planted"), "{why}");
    assert!(refused(Settings { headers: header("x key", "v"), ..settings(&url) }).contains("`x key`"));
    let shown = format!("{:?}", adapter(&url));
    assert!(!shown.contains("planted"), "{shown}");
}
