//! Events at the door: CloudEvents in all modes, and what is refused (bad input B1 to B8).

use std::io::Write;

use beckon::http::keys::{ApiKey, Right};
use beckon::http::limits::Limits;
use beckon::ingest::cloudevents::{self, Mode};
use beckon::ingest::segment::{self, Call};
use beckon::ingest::{Headers, Item, Received};
use beckon::model::event::Trust;
use beckon::model::ids::{ActorId, MAX_ID};
use beckon::model::time::Ms;
use beckon::secret::Secret;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::door::{Door, Setup, Whole, expression, recording, source};

fn event(id: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/orders", "type": "order.delayed", "subject": "u_1",
        "data": { "order_id": "A1" } })
}

#[tokio::test]
async fn real_cloudevents_clients_are_understood_in_every_mode() {
    let door = Door::open(Setup::default()).await;
    let requests = recording("cloudevents-node");
    let mut seen = Vec::new();
    for request in &requests {
        let (status, answer) = door.send(request.to(&door, "/v1/events").bearer_auth("k-backend")).await;
        assert_eq!(status, 202, "{answer}");
        seen.extend(answer["results"].as_array().unwrap().clone());
    }
    let statuses: Vec<&str> = seen.iter().map(|result| result["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["accepted", "duplicate", "duplicate", "duplicate"], "the same event in all modes is one");
    let event = door.event(&seen[0]["event"]).await;
    assert_eq!(event.kind, "com.shop.order.delayed");
    assert_eq!(event.customer.unwrap().as_str(), "user:A1");
    assert_eq!(event.data, json!({ "order_id": "A1", "user_id": "u_1", "delay_hours": 26 }));
    assert_eq!(event.extensions["traceparent"], "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!(event.extensions["dataschema"], "https://shop.test/schemas/order-delayed.json");
    assert_eq!(event.time, Ms::parse_rfc3339("2026-11-23T08:55:51.976Z").map(|time| time.min(event.time.unwrap())));
    assert_eq!(event.trust, Trust::Server);
}

#[tokio::test]
async fn an_accepted_event_is_pending_at_once_under_beckons_id() {
    let door = Door::open(Setup::default()).await;
    let (_, answer) = door.cloud_events(event("e-1").to_string(), false).await;
    assert_eq!(answer["accepted"], 1);
    assert_eq!(answer["results"][0]["id"], "e-1");
    let id = answer["results"][0]["event"].as_str().unwrap();
    let (status, shown) = door.send(door.get(&format!("/v1/events/{id}")).bearer_auth("k-backend")).await;
    assert_eq!((status, &shown["status"], &shown["customer"]), (200, &json!("pending"), &json!("user:u_1")));
    let (status, _) = door.send(door.get("/v1/events/3-1-1").bearer_auth("k-backend")).await;
    assert_eq!(status, 404);
    let (status, _) = door.send(door.get("/v1/events/60000-1-1").bearer_auth("k-backend")).await;
    assert_eq!(status, 404, "a partition that there is not");
}

#[tokio::test]
async fn one_bad_event_alone_is_400_and_points_at_the_field() {
    let door = Door::open(Setup::default()).await;
    let with = |name: &str, value: Value| {
        let mut event = event("e");
        event[name] = value;
        event.to_string()
    };
    let deep = format!("{{\"specversion\":\"1.0\",\"data\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let whole = event("e").to_string();
    let raw = |from: &str, to: &str| whole.replacen(from, to, 1);
    let table: Vec<(&str, String, &str)> = vec![
        ("not JSON", "hello".to_owned(), ""),
        ("an array", "[]".to_owned(), ""),
        ("duplicate names", raw("\"id\":\"e\"", "\"id\":\"e\",\"id\":\"f\""), "/id"),
        ("NaN", raw("\"A1\"", "NaN"), "/data/order_id"),
        ("1e999", raw("\"A1\"", "1e999"), "/data/order_id"),
        ("200 levels", deep, ""),
        ("lone surrogate", raw("A1", "\\ud800"), "/data/order_id"),
        ("NUL", raw("A1", "\\u0000"), "/data/order_id"),
        ("BOM", format!("\u{feff}{whole}"), ""),
        ("no id", with("id", Value::Null), "/id"),
        ("no type", with("type", Value::Null), "/type"),
        ("no source", with("source", Value::Null), "/source"),
        ("empty id", with("id", json!("")), "/id"),
        ("number as id", with("id", json!(7)), "/id"),
        ("long id", with("id", json!("x".repeat(10_000))), "/id"),
        ("new line in the id", with("id", json!("a\nb")), "/id"),
        ("old version", with("specversion", json!("0.3")), "/specversion"),
        ("no version", with("specversion", Value::Null), "/specversion"),
        ("data twice", with("data_base64", json!("e30=")), "/data_base64"),
        ("long subject", with("subject", json!("x".repeat(2_000))), "/subject"),
        ("year 9999", with("time", json!("9999-12-31T23:59:59Z")), "/time"),
        ("before 1970", with("time", json!("1969-12-31T23:59:59Z")), "/time"),
        ("no time", with("time", json!("yesterday")), "/time"),
        ("object as extension", with("partitionkey", json!({})), "/partitionkey"),
        ("a type of our own", with("type", json!("beckon.open")), "/type"),
        ("no expiry", with("expirytime", json!("soon")), "/expirytime"),
    ];
    for (what, body, pointer) in table {
        let (status, problem) = door.cloud_events(body, false).await;
        assert_eq!(status, 400, "{what}: {problem}");
        if what == "200 levels" {
            assert!(problem["pointer"].as_str().unwrap().starts_with("/data/0"), "{problem}");
        } else {
            assert_eq!(problem["pointer"], pointer, "{what}: {problem}");
        }
        assert!(problem["type"].as_str().unwrap().starts_with("/problems/invalid"), "{what}: {problem}");
    }
    assert_eq!(door.inputs().await, 0);
}

#[tokio::test]
async fn strange_ids_are_only_texts() {
    let door = Door::open(Setup::default()).await;
    for id in ["{}", "..", "*?[a]", "😀", "\u{202e}txt", "{bk:17}:in", "'; drop table event; --", "<script>"] {
        let (status, answer) = door.cloud_events(event(id).to_string(), false).await;
        assert_eq!(status, 202, "{id}: {answer}");
        assert_eq!(door.event(&answer["results"][0]["event"]).await.id, id);
    }
}

#[tokio::test]
async fn in_a_batch_each_item_has_its_own_result() {
    let door = Door::open(Setup::default()).await;
    let good = event("good");
    let twice = event("twice").to_string().replacen("\"id\"", "\"id\":\"x\",\"id\"", 1);
    let nul = event("nul").to_string().replacen("A1", "\\u0000", 1);
    let large = event("large").to_string().replacen("A1", &"x".repeat(70_000), 1);
    let mut late = event("late");
    late["specversion"] = json!("0.3");
    let body = format!("[{good},{twice},{nul},{large},{late},{good},7]");
    let (status, answer) = door.cloud_events(body, true).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<&str> = results.iter().map(|result| result["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["accepted", "rejected", "rejected", "rejected", "rejected", "duplicate", "rejected"]);
    let pointers: Vec<&str> = results.iter().filter_map(|result| result["error"]["pointer"].as_str()).collect();
    assert_eq!(pointers, ["/1/id", "/2/data/order_id", "/3", "/4/specversion", "/6"]);
    assert_eq!(results[4]["id"], "late");
    assert_eq!(results[0]["event"], results[5]["event"]);
    assert_eq!(results[3]["error"]["status"], 413);

    let (status, answer) = door.cloud_events("[]", true).await;
    assert_eq!((status, answer), (202, json!({ "accepted": 0, "results": [] })));
    let (status, _) = door.cloud_events("[{]", true).await;
    assert_eq!(status, 400, "what cannot be split is refused as a whole");
    let many = format!("[{}]", vec![good.to_string(); 101].join(","));
    let (status, _) = door.cloud_events(many, true).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn what_makes_a_duplicate_is_source_id_and_customer_together() {
    let door = Door::open(Setup::default()).await;
    // In the same partition, so that nothing else tells them apart.
    let partition = |customer: &str| ActorId::user(customer).partition(door.store.partitions());
    let neighbour = (0..).map(|n| format!("n{n}")).find(|name| partition(name) == partition("42")).unwrap();
    let about = |source: &str, id: &str, customer: &str| {
        let mut event = event(id);
        (event["source"], event["subject"]) = (json!(source), json!(customer));
        event
    };
    let first = about("shop", "e-1", "42");
    let others = [about("till", "e-1", "42"), about("shop", "e-2", "42"), about("shop", "e-1", &neighbour)];
    // The same letters in a row, cut at another place.
    let shifted = about("shope", "-1", "42");
    let all: Vec<Value> = [first.clone(), shifted].into_iter().chain(others).collect();
    let (_, answer) = door.cloud_events(Value::from(all).to_string(), true).await;
    let results = answer["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["status"] == "accepted"), "{answer}");
    let mut again = first;
    again["data"]["order_id"] = json!("another");
    let (_, answer) = door.cloud_events(Value::from(vec![again]).to_string(), true).await;
    assert_eq!(answer["results"][0]["status"], "duplicate", "whatever else it says");
    assert_eq!(answer["results"][0]["event"], results[0]["event"]);
}

#[tokio::test]
async fn times_expiry_and_data_are_read_as_the_specification_says() {
    let now = Ms::parse_rfc3339("2026-11-23T12:00:00Z").unwrap();
    let door = Door::open(Setup { now: Some(now), ..Setup::default() }).await;
    let mut sent = event("e");
    sent["time"] = json!("2030-01-01T00:00:00Z");
    sent["expirytime"] = json!("9999-12-31T23:59:59Z");
    sent["sequence"] = json!(7);
    sent["dataschema"] = Value::Null;
    sent.as_object_mut().unwrap().remove("data");
    sent["data_base64"] = json!("eyJhIjoxfQ==");
    let (status, answer) = door.cloud_events(sent.to_string(), false).await;
    assert_eq!(status, 202, "{answer}");
    let event = door.event(&answer["results"][0]["event"]).await;
    assert_eq!(event.time, Some(now), "a clock far ahead is not believed");
    assert_eq!(event.expires, None, "later than any time is never");
    assert_eq!(event.data, json!({ "a": 1 }));
    assert_eq!(event.extensions["sequence"], "7");
    assert!(!event.extensions.contains_key("dataschema"), "null is absent");
}

fn binary(door: &Door) -> reqwest::RequestBuilder {
    let request = door.post("/v1/events").bearer_auth("k-backend");
    request.header("ce-specversion", "1.0").header("ce-id", "b-1").header("ce-source", "/s").header("ce-type", "t")
}

#[tokio::test]
async fn binary_headers_are_unquoted_and_decoded_once() {
    let door = Door::open(Setup::default()).await;
    let request = binary(&door).header("ce-subject", "\"J%C3%BCrgen \\\"%2541\"").header("content-type", "text/plain");
    let (status, answer) = door.send(request.body("hello")).await;
    assert_eq!(status, 202, "{answer}");
    let event = door.event(&answer["results"][0]["event"]).await;
    assert_eq!(event.customer.unwrap().as_str(), "user:Jürgen \"%41");
    assert_eq!(event.data, json!("hello"));
    assert_eq!(event.extensions["datacontenttype"], "text/plain");

    for (name, value, pointer) in [
        ("ce-subject", &b"%C0%AF"[..], "header ce-subject"),
        ("ce-subject", b"\xc0\xaf", "header ce-subject"),
        ("ce-subject", b"%00", "header ce-subject"),
        ("ce-subject", b"\"open", "header ce-subject"),
        ("ce-datacontenttype", b"text/plain", "header ce-datacontenttype"),
        ("ce-time", b"now", "/time"),
    ] {
        let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
        let (status, problem) = door.send(binary(&door).header(name, value).body("{}")).await;
        assert_eq!((status, &problem["pointer"]), (400, &json!(pointer)), "{problem}");
    }
    let (status, answer) = door.send(binary(&door).body("{\"a\":1}")).await;
    assert_eq!(status, 202, "without a content type: {answer}");
    let plain = door.post("/v1/events").bearer_auth("k-backend").header("content-type", "application/json").body("{}");
    let (status, problem) = door.send(plain).await;
    assert_eq!((status, &problem["pointer"]), (400, &json!("/specversion")), "{problem}");
}

#[tokio::test]
async fn formats_that_are_not_spoken_are_415() {
    let door = Door::open(Setup::default()).await;
    for kind in ["application/cloudevents+avro", "application/cloudevents-batch+xml", "text/plain", "image/png"] {
        let request = door.post("/v1/events").bearer_auth("k-backend").header("content-type", kind).body("{}");
        let (status, problem) = door.send(request).await;
        assert_eq!((status, &problem["pointer"]), (415, &json!("header content-type")), "{kind}");
    }
    let kind = "Application/CloudEvents+JSON; charset=utf-8";
    let request = door.post("/v1/events").bearer_auth("k-backend").header("content-type", kind);
    let (status, _) = door.send(request.body(event("case").to_string())).await;
    assert_eq!(status, 202);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn bodies_are_bounded_as_sent_and_unpacked() {
    let door = Door::open(Setup::default()).await;
    let post =
        || door.post("/v1/events").bearer_auth("k-backend").header("content-type", "application/cloudevents+json");
    let packed = gzip(event("gz").to_string().as_bytes());
    let (status, _) = door.send(post().header("content-encoding", "gzip").body(packed.clone())).await;
    assert_eq!(status, 202);
    let (status, answer) = door.send(post().body(packed)).await;
    assert_eq!((status, &answer["results"][0]["status"]), (202, &json!("duplicate")), "gzip without saying so");
    let (status, _) = door.send(post().header("content-encoding", "gzip").body("{}")).await;
    assert_eq!(status, 400);
    let (status, _) = door.send(post().header("content-encoding", "br").body("{}")).await;
    assert_eq!(status, 415);
    let bomb = gzip(&vec![b' '; 100 << 20]);
    assert!(bomb.len() < 200 << 10, "the bomb passes as sent");
    let (status, _) = door.send(post().body(bomb)).await;
    assert_eq!(status, 413);
    let mut large = event("large");
    large["data"] = json!("x".repeat(100 << 10));
    let (status, problem) = door.cloud_events(large.to_string(), false).await;
    assert_eq!((status, &problem["type"]), (413, &json!("/problems/too-large")));
    assert_eq!(door.inputs().await, 1);
}

#[tokio::test]
async fn a_body_without_an_end_is_refused_while_it_streams() {
    let door = Door::open(Setup::default()).await;
    let address = door.url.trim_start_matches("http://").to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k-backend\r\n\
                content-type: application/cloudevents+json\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 1_000 && socket.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 1_000, "64 MB were read");
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || text.starts_with("HTTP/1.1 413"), "{text}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let limits = Limits { arrival: std::time::Duration::from_millis(200), ..Setup::default().limits };
    let door = Door::open(Setup { limits, ..Setup::default() }).await;
    let address = door.url.trim_start_matches("http://").to_owned();
    for (route, kind) in [("events", "application/cloudevents+json"), ("conversations", "application/json")] {
        let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /v1/{route} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k-backend\r\n\
             content-type: {kind}\r\ncontent-length: 100\r\n\r\n{{"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        let answered = tokio::time::timeout(std::time::Duration::from_secs(10), socket.read_exact(&mut answer)).await;
        answered.expect(route).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 408", "{route}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_whose_headers_stall_are_given_up_and_hold_up_nobody() {
    let server = Whole::start_within(&[], std::time::Duration::from_millis(300)).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut idle = Vec::new();
    for head in ["", "POST /v1/events HT", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: "].iter().cycle().take(300) {
        let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        idle.push(socket);
    }
    server.event(event("e")).await;
    for (n, mut socket) in idle.into_iter().enumerate() {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(10), socket.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{n} is still open");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_known_keys_with_the_right_may_send_or_read() {
    let door = Door::open(Setup::default()).await;
    let post = |key: Option<&str>| {
        let request = door.post("/v1/events").header("content-type", "application/cloudevents+json");
        let request = request.body(event("e").to_string());
        match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    };
    let mut problems = Vec::new();
    for (key, expected) in
        [(None, 401), (Some("k-wrong"), 401), (Some(""), 401), (Some("k-reader"), 403), (Some("k-root"), 202)]
    {
        let (status, problem) = door.send(post(key)).await;
        assert_eq!(status, expected, "{key:?}");
        problems.push(problem);
    }
    assert_eq!(problems[0], problems[1], "no hint which");
    let (status, _) = door.send(door.get("/v1/events?id=e").bearer_auth("k-page")).await;
    assert_eq!(status, 403, "a browser's key reads nothing");
}

#[tokio::test]
async fn a_browsers_key_speaks_only_of_anonymous_customers() {
    let door = Door::open(Setup::default()).await;
    let send = |subject: Option<&str>| {
        let mut event = event("e");
        event["subject"] = json!(subject);
        let request = door.post("/v1/events").bearer_auth("k-page");
        request.header("content-type", "application/cloudevents+json").body(event.to_string())
    };
    for subject in [Some("victim"), Some("user:victim"), None] {
        let (status, problem) = door.send(send(subject)).await;
        assert_eq!((status, &problem["type"]), (400, &json!("/problems/foreign-customer")), "{subject:?}: {problem}");
    }
    let (status, answer) = door.send(send(Some("anon:0123456789abcdefghij"))).await;
    assert_eq!(status, 202, "{answer}");
    let event = door.event(&answer["results"][0]["event"]).await;
    assert_eq!((event.customer.unwrap().as_str(), event.trust), ("anon:0123456789abcdefghij", Trust::Client));
}

#[tokio::test]
async fn a_keys_profile_says_whom_its_events_concern() {
    let mut shop = source("shop", beckon::model::catalog::Scheme::Bearer, &["x"]);
    shop.verify = None;
    shop.customer = expression("'user:' + item.data.user_id");
    shop.kind = expression("'shop.' + item.type");
    let mut setup = Setup { sources: vec![shop], ..Setup::default() };
    setup.keys.push(ApiKey {
        name: "shop".to_owned(),
        key: Secret::new("k-shop"),
        rights: vec![Right::Events],
        source: Some("shop".to_owned()),
        browser: false,
    });
    let door = Door::open(setup).await;
    let mut sent = event("e");
    sent["data"]["user_id"] = json!("u_9");
    let request = door.post("/v1/events").bearer_auth("k-shop").header("content-type", "application/cloudevents+json");
    let (status, answer) = door.send(request.body(sent.to_string())).await;
    assert_eq!(status, 202, "{answer}");
    let event = door.event(&answer["results"][0]["event"]).await;
    assert_eq!((event.customer.unwrap().as_str(), event.kind.as_str()), ("user:u_9", "shop.order.delayed"));
}

#[tokio::test]
async fn a_full_inbox_is_503_with_a_time_to_come_back() {
    let mut setup = Setup::default();
    setup.bounds.inbox = 1;
    let door = Door::open(setup).await;
    let mut statuses = Vec::new();
    for n in 0..4 {
        let request = door.post("/v1/events").bearer_auth("k-backend");
        let request =
            request.header("content-type", "application/cloudevents+json").body(event(&format!("{n}")).to_string());
        let response = request.send().await.unwrap();
        if response.status() == 503 {
            let after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&after));
        }
        statuses.push(response.status().as_u16());
    }
    assert_eq!((statuses[0], statuses[3]), (202, 503));
}

#[tokio::test]
async fn the_webhook_handshake_allows_who_asks() {
    let door = Door::open(Setup::default()).await;
    let request = door.http.request(reqwest::Method::OPTIONS, format!("{}/v1/events", door.url));
    let response = request
        .header("webhook-request-origin", "events.example")
        .header("webhook-request-rate", "120")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["webhook-allowed-origin"], "events.example");
    assert_eq!(response.headers()["webhook-allowed-rate"], "*");
}

#[tokio::test]
async fn every_answer_has_a_number_and_safe_headers() {
    let door = Door::open(Setup::default()).await;
    for (path, status) in [("/healthz", 200), ("/nowhere", 404), ("/v1/events", 401), ("/v1/track", 405)] {
        let response = door.get(path).header("x-request-id", "abc-1").send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["x-request-id"], "abc-1");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let policy = &response.headers()["content-security-policy"];
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'");
        if status >= 400 {
            assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        }
    }
    let response = door.get("/healthz").header("x-request-id", "a b\"").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"].len(), 16);
}

fn received() -> Received {
    Received { at: Ms(1_764_000_000_000), trust: Trust::Client, max_item: 2_000, max_items: 10, max_body: 20_000 }
}

/// What holds for every event that comes through any door as a browser's.
fn sound(items: &[Item]) -> bool {
    items.iter().filter_map(|item| item.event.as_ref().ok()).all(|event| {
        let plain = |text: &str| (1..=MAX_ID).contains(&text.len()) && !text.chars().any(char::is_control);
        let anonymous = event.customer.as_ref().is_some_and(|customer| customer.as_str().starts_with("anon:"));
        let timely = event.time.is_none_or(|time| time <= Ms(received().at.0 + 86_400_000));
        [&event.id, &event.source, &event.kind].into_iter().all(|text| plain(text))
            && !event.kind.starts_with("beckon.")
            && anonymous
            && timely
    })
}

/// A member of an event, often a right one.
fn member() -> impl Strategy<Value = (String, Value)> {
    let name = "specversion|id|source|type|subject|time|expirytime|data|data_base64|datacontenttype|messageId|event|\
                userId|anonymousId|timestamp|sentAt|originalTimestamp|properties|traits|context|groupId|previousId|x";
    let value = prop_oneof![
        Just(json!("1.0")),
        Just(json!("anon:abc")),
        Just(json!("2025-11-24T16:00:00Z")),
        Just(json!("beckon.open")),
        Just(json!("e30=")),
        Just(json!({ "traits": { "a": 1 } })),
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[a-z\n\u{0}]{0,4}".prop_map(Value::from),
    ];
    (name, value)
}

proptest! {
    #[test]
    fn no_body_makes_cloudevents_panic_or_lets_a_wrong_event_in(
        members in proptest::collection::vec(member(), 0..10),
        noise in "[\\[\\]{}\",:a-z0-9 ]{0,12}",
        at in 0..64_usize,
    ) {
        let whole: serde_json::Map<String, Value> = [("specversion", "1.0"), ("id", "a"), ("source", "s"), ("type", "t")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .chain(members)
            .collect();
        let mut text = Value::Object(whole).to_string();
        let headers: Headers = [("ce-id", "%C3"), ("content-type", "application/json")].into_iter().collect();
        for _ in 0..2 {
            for mode in [Mode::Binary, Mode::Structured] {
                let items = cloudevents::read(mode, &headers, text.as_bytes(), &received(), None).unwrap();
                prop_assert!(sound(&items), "{items:?}");
            }
            let batch = format!("[{text},{text}]");
            if let Ok(items) = cloudevents::read(Mode::Batched, &headers, batch.as_bytes(), &received(), None) {
                prop_assert!(sound(&items), "{items:?}");
            }
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            text.insert_str(at, &noise);
        }
    }

    #[test]
    fn no_body_makes_segments_calls_panic_or_lets_a_wrong_event_in(
        members in proptest::collection::vec(member(), 0..10),
        noise in "[\\[\\]{}\",:a-z0-9 ]{0,12}",
        at in 0..64_usize,
    ) {
        let mut text = Value::Object(members.into_iter().collect()).to_string();
        for _ in 0..2 {
            for call in [Call::Track, Call::Identify, Call::Page, Call::Group, Call::Alias] {
                if let Ok(request) = segment::open(Some(call), text.as_bytes()) {
                    let items = request.events(&Headers::default(), &received(), "segment", None).unwrap();
                    prop_assert!(sound(&items), "{items:?}");
                }
            }
            let batch = format!("{{\"batch\":[{text}],\"sentAt\":\"2025-11-24T16:00:00Z\"}}");
            if let Ok(request) = segment::open(None, batch.as_bytes()) {
                let items = request.events(&Headers::default(), &received(), "segment", None).unwrap();
                prop_assert!(sound(&items), "{items:?}");
            }
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            text.insert_str(at, &noise);
        }
    }
}
