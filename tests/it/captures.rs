//! What real clients sent, byte by byte, and all that it becomes: every request of the recordings, by the profiles that
//! come with Beckon.

use beckon::model::event::Event;
use beckon::model::time::Ms;
use serde_json::{Value, json};

use crate::door::{Door, RECORDED, Recorded, Setup, recording, shipped};

/// When Segment's calls come in.
const NOW: &str = "2026-11-23T12:00:00Z";

/// An event as it is kept; an absent part is null.
fn kept(event: &Event) -> Value {
    json!({
        "id": event.id, "source": event.source, "type": event.kind, "customer": event.customer,
        "time": event.time.map(|time| time.to_string()), "data": event.data, "traits": event.traits,
        "link": event.link, "extensions": event.extensions, "expires": event.expires, "trust": event.trust,
    })
}

/// The same for an event said by a server, of which `parts` are told and the rest is empty.
fn told(parts: Value) -> Value {
    let mut whole = json!({ "customer": null, "time": null, "data": null, "traits": {}, "link": null, "extensions": {},
        "expires": null, "trust": "server" });
    for (name, value) in parts.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

fn json_of(request: &Recorded) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

/// The events that a request became, in order, each accepted as new.
async fn became(door: &Door, request: &Recorded, path: &str, status: u16) -> Vec<Value> {
    let (answered, answer) = door.send(request.to(door, path)).await;
    assert_eq!(answered, status, "{answer}");
    let mut events = Vec::new();
    for result in answer["results"].as_array().unwrap() {
        assert_eq!(result["status"], "accepted", "{result}");
        events.push(kept(&door.event(&result["event"]).await));
    }
    events
}

async fn hooks() -> Door {
    let secrets = [
        ("env:BECKON_STRIPE_SECRET", "whsec_test_secret"),
        ("env:BECKON_WEBHOOK_SECRET", "whsec_YmVja29uLXRlc3Qtc2VjcmV0LTAxMjM0NTY3ODlhYmNk"),
        ("env:BECKON_SVIX_SECRET", "whsec_YmVja29uLXRlc3Qtc2VjcmV0LTAxMjM0NTY3ODlhYmNk"),
        ("env:BECKON_GITHUB_SECRET", "gh-secret"),
        ("env:BECKON_ALERTMANAGER_TOKEN", "am-token"),
    ];
    let secrets = secrets.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Door::open(Setup { sources: shipped(), secrets, now: Some(RECORDED), ..Setup::default() }).await
}

async fn segment() -> Door {
    let origins = vec!["http://127.0.0.1:46859".to_owned()];
    Door::open(Setup { now: Ms::parse_rfc3339(NOW), origins, ..Setup::default() }).await
}

/// What is kept beside the data of Segment's calls: empty members are not.
fn beside(item: &Value) -> Value {
    let mut kept = json!({});
    for name in ["context", "integrations"] {
        if item[name].as_object().is_some_and(|object| !object.is_empty()) {
            kept[name] = item[name].clone();
        }
    }
    kept
}

#[tokio::test]
async fn every_call_of_segments_node_library_is_kept_whole() {
    let door = segment().await;
    let request = &recording("segment-analytics-node")[0];
    let items = json_of(request)["batch"].clone();
    let events = became(&door, request, "/v1/batch", 200).await;
    // `receivedAt - (sentAt - timestamp)`, the clock of the sender set right.
    let expected = [
        json!({ "type": "segment.identify", "time": "2026-11-23T11:59:59.992Z",
            "traits": { "email": "ana@example.com", "plan": "pro" }, "data": { "email": "ana@example.com", "plan": "pro" } }),
        json!({ "type": "Order Delayed", "time": "2026-11-23T11:04:15.340Z",
            "data": { "order_id": "A1", "delay_hours": 26, "revenue": 59.9 } }),
        json!({ "type": "segment.page", "time": "2026-11-23T11:59:59.993Z",
            "data": { "url": "https://shop.test/checkout", "name": "Checkout" } }),
        json!({ "type": "segment.group", "time": "2026-11-23T11:59:59.994Z", "link": "group:g_1",
            "data": { "groupId": "g_1", "traits": { "name": "Acme" } } }),
        json!({ "type": "segment.alias", "time": "2026-11-23T11:59:59.994Z", "link": "alias:anon_9",
            "data": { "previousId": "anon_9" } }),
    ];
    assert_eq!(events.len(), expected.len());
    for (n, mut parts) in expected.into_iter().enumerate() {
        parts["id"] = items[n]["messageId"].clone();
        parts["source"] = json!("segment");
        parts["customer"] = json!("user:u_1");
        parts["extensions"] = beside(&items[n]);
        assert_eq!(events[n], told(parts));
    }
}

#[tokio::test]
async fn every_request_of_segments_browser_library_is_answered_and_kept_whole() {
    let door = segment().await;
    let requests = recording("segment-analytics-next-browser");
    assert_eq!(requests.len(), 9);
    let mut kinds = Vec::new();
    for request in &requests {
        if request.method != "POST" {
            let response = request.to(&door, &request.path).send().await.unwrap();
            let expected = if request.method == "OPTIONS" { 204 } else { 200 };
            assert_eq!(response.status().as_u16(), expected, "{} {}", request.method, request.path);
            assert_eq!(response.headers()["access-control-allow-origin"], "http://127.0.0.1:46859");
            continue;
        }
        let item = json_of(request);
        let mut parts = match request.path.as_str() {
            "/v1/i" => json!({ "type": "segment.identify", "time": "2026-11-23T11:59:59.897Z", "data": item["traits"],
                "traits": item["traits"] }),
            "/v1/p" => {
                json!({ "type": "segment.page", "time": "2026-11-23T11:59:59.988Z", "data": item["properties"] })
            }
            "/v1/t" => json!({ "type": "Order Delayed", "time": "2026-11-23T11:59:59.990Z",
                "data": { "order_id": "A1", "delay_hours": 26 } }),
            "/v1/g" => json!({ "type": "segment.group", "time": "2026-11-23T11:59:59.991Z", "link": "group:g_1",
                "data": { "groupId": "g_1", "traits": { "name": "Acme" } } }),
            other => panic!("{other}"),
        };
        parts["id"] = item["messageId"].clone();
        parts["source"] = json!("segment");
        parts["customer"] = json!("user:u_1");
        parts["extensions"] = beside(&item);
        assert_eq!(became(&door, request, &request.path, 200).await, [told(parts)], "{}", request.path);
        kinds.push(request.path.clone());
    }
    assert_eq!(kinds, ["/v1/i", "/v1/p", "/v1/t", "/v1/g"]);
}

#[tokio::test]
async fn every_mode_of_the_cloudevents_library_is_the_same_event() {
    let expected = told(json!({
        "id": "a7f0d333-c480-47b0-93fe-ecc9228d81cc", "source": "/orders", "type": "com.shop.order.delayed",
        "time": "2026-11-23T08:55:51.976Z", "customer": "user:A1",
        "data": { "order_id": "A1", "user_id": "u_1", "delay_hours": 26 },
        "extensions": {
            "subject": "A1", "datacontenttype": "application/json",
            "dataschema": "https://shop.test/schemas/order-delayed.json",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
    }));
    for request in recording("cloudevents-node") {
        // A server of its own for each: elsewhere the second would be a duplicate.
        let door = Door::open(Setup { now: Some(RECORDED), ..Setup::default() }).await;
        let (status, answer) = door.send(request.to(&door, "/v1/events").bearer_auth("k-backend")).await;
        assert_eq!(status, 202, "{answer}");
        let statuses: Vec<&Value> =
            answer["results"].as_array().unwrap().iter().map(|result| &result["status"]).collect();
        assert!(statuses == ["accepted"] || statuses == ["accepted", "duplicate"], "{answer}");
        assert_eq!(kept(&door.event(&answer["results"][0]["event"]).await), expected);
    }
}

#[tokio::test]
async fn the_shipped_profiles_read_standard_webhooks_and_svix() {
    let door = hooks().await;
    let requests = recording("standardwebhooks-svix-node");
    assert_eq!(requests.len(), 2);
    for (request, source) in requests.iter().zip(["standard-webhooks", "svix"]) {
        let expected = told(json!({
            "id": "msg_2f0", "source": source, "type": "order.delayed", "time": "2026-11-23T08:55:52.806Z",
            "customer": "user:u_1", "data": { "order_id": "A1", "user_id": "u_1" },
        }));
        assert_eq!(became(&door, request, &format!("/hooks/{source}"), 202).await, [expected]);
    }
}

#[tokio::test]
async fn the_shipped_profile_reads_stripe() {
    let door = hooks().await;
    let expected = told(json!({
        "id": "evt_1", "source": "stripe", "type": "stripe.invoice.payment_failed", "time": "2026-11-23T08:00:00.000Z",
        "data": { "id": "in_1", "object": "invoice", "customer": "cus_1", "customer_email": "ana@example.com",
            "amount_due": 5990, "attempt_count": 2 },
    }));
    assert_eq!(became(&door, &recording("stripe-node")[0], "/hooks/stripe", 202).await, [expected]);
}

#[tokio::test]
async fn the_shipped_profile_reads_github() {
    let door = hooks().await;
    let request = &recording("octokit-webhooks")[0];
    let expected = told(json!({
        "id": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "source": "github", "type": "github.issues.edited",
        "data": json_of(request),
    }));
    let events = became(&door, request, "/hooks/github", 202).await;
    assert_eq!(events[0]["data"]["action"], "edited");
    assert_eq!(events, [expected]);
}

#[tokio::test]
async fn the_shipped_profile_reads_alertmanager() {
    let door = hooks().await;
    let requests = recording("alertmanager");
    assert_eq!(requests.len(), 2);
    for (request, (state, time)) in
        requests.iter().zip([("firing", "2026-11-23T09:06:26.496Z"), ("resolved", "2026-11-23T09:06:30.000Z")])
    {
        assert!(request.body.ends_with("}\n"), "it ends its bodies with a new line");
        let expected = told(json!({
            "id": format!("0f0ab15ba90c73f8/2026-11-23T09:06:26.49622351Z/{state}"), "source": "alertmanager",
            "type": format!("alertmanager.{state}"), "time": time, "customer": "user:u_1",
            "data": json_of(request)["alerts"][0],
        }));
        assert_eq!(became(&door, request, "/hooks/alertmanager", 202).await, [expected]);
    }
}
