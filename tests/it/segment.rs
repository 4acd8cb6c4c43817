//! Segment's API: what real libraries sent, byte by byte, and what it becomes.

use std::io::Write;

use beckon::model::event::Trust;
use beckon::model::time::Ms;
use serde_json::{Value, json};

use crate::door::{Door, Setup, recording};

/// A page that may send events.
const PAGE: &str = "http://shop.example";
const NOW: &str = "2026-11-23T12:00:00Z";

fn now() -> Ms {
    Ms::parse_rfc3339(NOW).unwrap()
}

async fn open() -> Door {
    Door::open(Setup { now: Some(now()), ..Setup::default() }).await
}

fn results(answer: &Value) -> Vec<Value> {
    answer["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_node_library_is_understood() {
    let door = open().await;
    let request = &recording("segment-analytics-node")[0];
    let (status, answer) = door.send(request.to(&door, &request.path)).await;
    assert_eq!(status, 200, "{answer}");
    let results = results(&answer);
    assert!(results.iter().all(|result| result["status"] == "accepted"), "{answer}");
    let identify = door.event(&results[0]["event"]).await;
    assert_eq!((identify.kind.as_str(), identify.source.as_str()), ("segment.identify", "segment"));
    assert_eq!(identify.traits["plan"], "pro");
    assert_eq!(identify.id, "node-next-1795424144652-2521bc22-e6d9-42f5-8d54-6d48cb9cd375");
    let track = door.event(&results[1]["event"]).await;
    assert_eq!(track.kind, "Order Delayed");
    assert_eq!(track.data, json!({ "order_id": "A1", "delay_hours": 26, "revenue": 59.9 }));
    assert_eq!(track.customer.as_ref().unwrap().as_str(), "user:u_1");
    assert_eq!(track.extensions["context"]["locale"], "en-GB");
    assert_eq!(track.trust, Trust::Server);
    let page = door.event(&results[2]["event"]).await;
    assert_eq!((page.kind.as_str(), &page.data["name"]), ("segment.page", &json!("Checkout")));
    let group = door.event(&results[3]["event"]).await;
    assert_eq!(group.link.as_deref(), Some("group:g_1"));
    let (_, again) = door.send(request.to(&door, &request.path)).await;
    assert_eq!(again["accepted"], 0);
    assert!(self::results(&again).iter().all(|result| result["status"] == "duplicate"));
}

#[tokio::test]
async fn the_browser_library_is_understood_after_its_preflights() {
    let origins = vec!["http://127.0.0.1:46859".to_owned()];
    let door = Door::open(Setup { now: Some(now()), origins, ..Setup::default() }).await;
    for request in recording("segment-analytics-next-browser") {
        let response = request.to(&door, &request.path).send().await.unwrap();
        let status = response.status().as_u16();
        match request.method.as_str() {
            "OPTIONS" => {
                assert_eq!(status, 204);
                assert_eq!(response.headers()["access-control-allow-origin"], request.headers["origin"].as_str());
                let headers = response.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
                for wanted in request.headers["access-control-request-headers"].split(',') {
                    assert!(headers.contains(wanted), "{wanted}");
                }
            }
            "GET" => {
                assert_eq!(status, 200);
                let settings: Value = response.json().await.unwrap();
                assert_eq!(settings["integrations"]["Segment.io"]["apiKey"], "wk_test");
            }
            _ => {
                let answer: Value = response.json().await.unwrap();
                assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
            }
        }
    }
    assert_eq!(door.inputs().await, 4);
}

#[tokio::test]
async fn rudderstacks_libraries_are_understood() {
    let door = open().await;
    for request in recording("rudder-analytics-js-browser") {
        if request.path.starts_with("/v1/") && request.method == "POST" {
            let (status, answer) = door.send(request.to(&door, &request.path)).await;
            assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
            let event = door.event(&answer["results"][0]["event"]).await;
            if event.kind == "segment.identify" {
                assert_eq!(event.traits["email"], "ana@example.com", "its traits stand in the context");
            }
        }
    }
    for request in recording("rudder-sdk-node") {
        // It says `application/x-www-form-urlencoded`, and sends JSON as gzip.
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(request.body.as_bytes()).unwrap();
        let packed = request.to(&door, &request.path).header("content-encoding", "gzip").body(packer.finish().unwrap());
        let (status, answer) = door.send(packed).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    }
}

#[tokio::test]
async fn a_wrong_clock_of_the_sender_is_set_right() {
    let door = open().await;
    let item = |original: Value, sent: Value| json!({ "type": "track", "event": "e", "userId": "u", "originalTimestamp": original, "sentAt": sent });
    let table = [
        (item(json!("2020-01-01T00:00:00Z"), json!("2020-01-01T00:00:10Z")), "2026-11-23T11:59:50.000Z"),
        (item(json!("2026-11-22T12:00:00+00:00"), Value::Null), "2026-11-22T12:00:00.000Z"),
        (item(json!("2030-01-01T00:00:00Z"), Value::Null), "2026-11-23T12:00:00.000Z"),
        (item(json!("2030-01-01T00:00:00.123456Z"), json!("2030-01-01T00:00:00.123456Z")), "2026-11-23T12:00:00.000Z"),
        (item(json!("2027-01-01T01:00:00Z"), json!("2027-01-01T00:00:00Z")), "2026-11-23T13:00:00.000Z"),
    ];
    for (item, expected) in table {
        let body = json!({ "batch": [item], "writeKey": "wk_test" });
        let (_, answer) = door.send(door.post("/v1/batch").body(body.to_string())).await;
        let event = door.event(&answer["results"][0]["event"]).await;
        assert_eq!(event.time.unwrap().to_string(), expected, "{body}");
    }
}

#[tokio::test]
async fn one_bad_item_harms_no_other_and_the_answer_is_200() {
    let door = open().await;
    let good = json!({ "type": "track", "event": "e", "userId": null, "anonymousId": "anon-1", "messageId": "m-1" });
    let bad = [
        (r#"{"type":"track","userId":"u"}"#, "/event"),
        (r#"{"type":"track","event":"e","userId":null}"#, "/userId"),
        (r#"{"type":"jump","userId":"u"}"#, "/type"),
        (r#"{"userId":"u"}"#, "/type"),
        (r#"{"type":"track","event":"e","userId":"u","userId":"v"}"#, "/userId"),
        (r#"{"type":"track","event":"e","userId":"u","properties":{"a":"\u0000"}}"#, "/properties/a"),
        (r#"{"type":"track","event":"e","userId":"u","properties":[1]}"#, "/properties"),
        (r#"{"type":"track","event":"e","userId":"u","timestamp":"9999-01-01T00:00:00Z"}"#, "/timestamp"),
        (r#"{"type":"track","event":"beckon.open","userId":"u"}"#, "/event"),
        (r#"{"type":"group","userId":"u"}"#, "/groupId"),
        (r#"{"type":"alias","userId":"u"}"#, "/previousId"),
        (r#"{"type":"track","event":"e","userId":"a\nb"}"#, "/userId"),
        ("7", ""),
    ];
    let items: Vec<&str> = bad.iter().map(|(item, _)| *item).collect();
    let body = format!(r#"{{"batch":[{good},{},{good}],"sentAt":"{NOW}"}}"#, items.join(","));
    let request = door.post("/v1/b").basic_auth("wk_test", Some("")).header("content-type", "text/plain");
    let (status, answer) = door.send(request.body(body)).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    let results = results(&answer);
    for (n, (item, pointer)) in bad.iter().enumerate() {
        let result = &results[n + 1];
        assert_eq!(result["status"], "rejected", "{item}");
        assert_eq!(result["error"]["pointer"], format!("/batch/{}{pointer}", n + 1), "{item}: {result}");
    }
    assert_eq!(results[bad.len() + 1]["status"], "duplicate");
    let event = door.event(&results[0]["event"]).await;
    assert_eq!(event.customer.unwrap().as_str(), "anon:anon-1");

    for body in ["", "[]", "{\"batch\":{}}", "{\"batch\":[", "{\"a\":1,\"a\":2}"] {
        let request = door.post("/v1/batch").basic_auth("wk_test", Some("")).body(body);
        let (status, _) = door.send(request).await;
        assert_eq!(status, 400, "{body}");
    }
    // The key may stand in the body that is wrong: who has it is told what is wrong, who has not is not.
    for (key, expected) in [("wk_test", 400), ("wk_wrong", 401)] {
        let body = format!(r#"{{"writeKey":"{key}","batch":{{}}}}"#);
        let (status, problem) = door.send(door.post("/v1/batch").body(body)).await;
        assert_eq!(status, expected, "{key}: {problem}");
    }
}

#[tokio::test]
async fn the_batchs_context_stands_under_the_items_own() {
    let door = open().await;
    let body = json!({
        "batch": [{ "type": "track", "event": "e", "userId": 42, "context": { "locale": "de-DE" } }],
        "context": { "locale": "en-GB", "ip": "203.0.113.7" }, "integrations": { "All": true },
        "writeKey": "wk_test",
    });
    let (_, answer) = door.send(door.post("/v1/batch").body(body.to_string())).await;
    let event = door.event(&answer["results"][0]["event"]).await;
    assert_eq!(event.extensions["context"], json!({ "locale": "de-DE", "ip": "203.0.113.7" }));
    assert_eq!(event.extensions["integrations"], json!({ "All": true }));
    assert_eq!(event.customer.unwrap().as_str(), "user:42");
    assert!(event.id.starts_with("beckon-"), "an id stands in for a missing one");
}

#[tokio::test]
async fn the_key_may_come_in_a_header_or_in_the_body() {
    let door = open().await;
    let body = |key: Option<&str>| json!({ "event": "e", "userId": "u", "writeKey": key }).to_string();
    let post = |body: String| door.post("/v1/track").body(body);
    let tries = [
        (post(body(None)).basic_auth("wk_test", Some("")), 200),
        (post(body(None)).header("authorization", "Basic d2tfdGVzdA=="), 200),
        (post(body(None)).bearer_auth("wk_test"), 200),
        (post(body(Some("wk_test"))), 200),
        (post(body(Some("wk_test"))).bearer_auth("an oauth token"), 200),
        (post(body(None)), 401),
        (post(body(Some("wrong"))), 401),
        (post(body(Some("wk_test"))).basic_auth("wrong", Some("")), 401),
        (post(body(Some("k-reader"))), 403),
        (post("no json".to_owned()), 401),
    ];
    for (n, (request, expected)) in tries.into_iter().enumerate() {
        let (status, answer) = door.send(request).await;
        assert_eq!(status, expected, "try {n}: {answer}");
    }
    assert_eq!(door.send(door.get("/v1/projects/wk_test/settings")).await.0, 200);
    assert_eq!(door.send(door.get("/v1/projects/wrong/settings")).await.0, 401);
}

#[tokio::test]
async fn a_browsers_key_speaks_only_of_anonymous_customers() {
    let door = open().await;
    let body = json!({ "writeKey": "k-page", "batch": [
        { "type": "identify", "userId": "victim", "anonymousId": "mine", "traits": { "plan": "pro" } },
        { "type": "track", "event": "checkout.completed", "anonymousId": "mine" },
    ] });
    let (status, answer) = door.send(door.post("/v1/batch").body(body.to_string())).await;
    let results = results(&answer);
    assert_eq!((status, &results[0]["status"]), (200, &json!("rejected")));
    assert_eq!(results[0]["error"]["type"], "/problems/foreign-customer");
    let event = door.event(&results[1]["event"]).await;
    assert_eq!((event.customer.unwrap().as_str(), event.trust), ("anon:mine", Trust::Client));
}

#[tokio::test]
async fn only_pages_of_the_configured_origins_are_allowed() {
    let door = open().await;
    let preflight = |origin: &str| {
        door.http
            .request(reqwest::Method::OPTIONS, format!("{}/v1/t", door.url))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "anonymousid,authorization,content-type,sentat")
    };
    let ours = preflight(PAGE).send().await.unwrap();
    assert_eq!(ours.headers()["access-control-allow-origin"], PAGE);
    assert_eq!(ours.headers()["vary"], "origin");
    for origin in ["https://evil.example", "http://shop.example.evil.example", "null"] {
        let foreign = preflight(origin).send().await.unwrap();
        assert!(!foreign.headers().contains_key("access-control-allow-origin"), "{origin}");
    }
    let rest = door.get("/v1/playbooks").header("origin", PAGE).send().await.unwrap();
    assert!(!rest.headers().contains_key("access-control-allow-origin"), "REST is not for pages");
}
