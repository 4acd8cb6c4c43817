//! REST for companies: conversations, customers, playbooks, operation; on a whole server where something is decided.

use std::collections::BTreeSet;

use beckon::engine::pause::set_paused;
use beckon::model::input::InForce;
use serde_json::{Value, json};

use crate::door::{Door, Setup, Whole};

/// Opens on a late order, by key and goal; says where it cannot be computed.
const HELP: &str = r#"
playbook: help
on:
  - event: order.delayed
    when: event.data.hours > 2 && event.data.total > 10
open:
  key: event.data.order_id
  why: "Because your order is late."
  say: ["Order {{ event.data.order_id }} is late. Shall I help?"]
goal: { event: order.delivered, when: event.data.order_id == trigger.data.order_id, within: 24h, value: event.data.total }
"#;

async fn whole() -> Whole {
    Whole::start(&[("playbooks/help.yaml", HELP)]).await
}

fn late(id: &str, hours: u32) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "shop", "type": "order.delayed", "subject": "u_1",
        "data": { "order_id": "A1", "hours": hours, "total": 59.9 } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_opened_claimed_and_led_by_rest() {
    let server = whole().await;
    let open = || json!({ "customer": "user:u_1", "playbook": "help", "facts": { "order_id": "A1" } });
    let (status, opened) = server.post("/v1/conversations", open()).await;
    assert_eq!(
        (status, &opened["state"], &opened["holder"]),
        (201, &json!("waiting"), &json!("assistant")),
        "{opened}"
    );
    assert_eq!((&opened["customer"], &opened["playbook"]), (&json!("user:u_1"), &json!("help")));
    assert_eq!(opened["why"], "Because your order is late.");
    assert_eq!(opened["entries"][0]["text"], "Order A1 is late. Shall I help?");
    assert!(opened["entries"].as_array().unwrap().iter().all(|entry| entry["kind"] == "message"), "{opened}");
    let path = format!("/v1/conversations/{}", opened["id"].as_str().unwrap());
    let (status, again) = server.post("/v1/conversations", open()).await;
    assert_eq!((status, &again["id"]), (200, &opened["id"]), "there is one with this key");

    let (_, trace) = server.get(&format!("{path}?view=trace")).await;
    let kinds: Vec<&str> =
        trace["entries"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"event") && kinds.contains(&"verdict"), "{kinds:?}");
    assert_eq!(trace["holder_n"], 0);

    let words = json!({ "client_id": "0123456789abcdef", "text": "I take over." });
    let (status, problem) = server.post(&format!("{path}/messages"), words.clone()).await;
    assert_eq!((status, &problem["type"]), (409, &json!("/problems/conflict")), "only who claimed it speaks");
    let (status, holder) = server.post(&format!("{path}/claim"), json!({ "n": 0 })).await;
    assert_eq!((status, &holder["kind"], &holder["holder"]), (200, &json!("holder"), &json!("operator")), "{holder}");
    let (status, problem) = server.post(&format!("{path}/claim"), json!({ "n": 0 })).await;
    assert_eq!((status, &problem["type"]), (409, &json!("/problems/conflict")), "{problem}");
    let (_, shown) = server.get(&path).await;
    assert_eq!((&shown["holder"], &shown["operator"]), (&json!("operator"), &json!("backend")));
    assert_eq!(shown["holder_n"], holder["n"]);

    let (status, said) = server.post(&format!("{path}/messages"), words.clone()).await;
    assert_eq!((status, &said["by"], &said["text"]), (200, &json!("operator"), &json!("I take over.")), "{said}");
    let (status, again) = server.post(&format!("{path}/messages"), words).await;
    assert_eq!((status, &again["id"]), (200, &said["id"]), "sent again it is the same entry: {again}");

    let (status, problem) = server.post(&format!("{path}/calls/1/settle"), json!({ "state": "done" })).await;
    assert_eq!((status, &problem["type"]), (409, &json!("/problems/not-unknown")), "{problem}");
    let (status, problem) = server.post(&format!("{path}/pass"), json!({ "team": "a\nb" })).await;
    assert_eq!((status, &problem["pointer"]), (400, &json!("/team")), "{problem}");
    let (status, holder) = server.post(&format!("{path}/pass"), json!({ "team": "fraud", "note": "Look." })).await;
    assert_eq!((status, &holder["holder"]), (200, &json!("queue")), "{holder}");
    let (status, problem) = server.post(&format!("{path}/pass"), json!({})).await;
    assert_eq!((status, &problem["type"]), (409, &json!("/problems/conflict")), "it is nobody's: {problem}");
    let (_, shown) = server.get(&path).await;
    assert_eq!((&shown["holder"], &shown["team"]), (&json!("queue"), &json!("fraud")));
    let of_fraud = |list: &Value| list["items"].as_array().is_some_and(|items| items.len() == 1);
    let (_, list) = server.until("/v1/conversations?team=fraud", of_fraud).await;
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["team"]), (&opened["id"], &json!("fraud")));
    assert_eq!(server.get("/v1/conversations?team=payments").await.1["items"], json!([]));
    let (status, problem) = server.get("/v1/conversations?team=").await;
    assert_eq!((status, &problem["pointer"]), (400, &json!("query team")), "{problem}");
    let n = holder["n"].as_u64().unwrap();
    assert_eq!(server.post(&format!("{path}/claim"), json!({ "n": n })).await.0, 200);

    let (status, holder) = server.post(&format!("{path}/release"), json!({ "note": "Be kind." })).await;
    assert_eq!((status, &holder["holder"]), (200, &json!("assistant")), "{holder}");
    let (status, closed) = server.post(&format!("{path}/close"), json!({})).await;
    assert_eq!((status, &closed["outcome"]), (200, &json!("closed_by_operator")), "{closed}");
    let (status, problem) = server.post(&format!("{path}/claim"), json!({ "n": 0 })).await;
    assert_eq!((status, &problem["type"]), (409, &json!("/problems/closed")), "{problem}");
    let (_, shown) = server.get(&path).await;
    assert_eq!((&shown["state"], &shown["outcome"]["kind"]), (&json!("closed"), &json!("closed_by_operator")));

    let (_, list) = server
        .until("/v1/conversations?customer=user:u_1&state=closed", |list| {
            list["items"].as_array().is_some_and(|items| !items.is_empty())
        })
        .await;
    assert_eq!((&list["items"][0]["id"], &list["cursor"]), (&opened["id"], &Value::Null));
    assert_eq!(list["items"][0]["entries"], Value::Null, "lists have no entries");
    let (status, problem) =
        server.post("/v1/conversations", json!({ "customer": "user:u_1", "playbook": "nothing" })).await;
    assert_eq!((status, &problem["type"]), (404, &json!("/problems/unknown-playbook")), "{problem}");
    let (status, problem) =
        server.post("/v1/conversations", json!({ "customer": "user:u_1", "playbook": "help" })).await;
    assert_eq!((status, &problem["type"]), (422, &json!("/problems/failed")), "its key cannot be computed: {problem}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_events_can_be_asked_and_customers_forgotten() {
    let server = whole().await;
    let decided = |shown: &Value| shown["status"] == "decided";
    let id = server.event(late("e-1", 5)).await;
    let (_, shown) = server.until(&format!("/v1/events/{id}"), decided).await;
    let decision = shown["decisions"][0].clone();
    assert_eq!((&decision["playbook"], &decision["verdict"]), (&json!("help"), &json!("waiting")), "{shown}");
    assert_eq!(
        (&shown["id"], &shown["customer"], &shown["trust"]),
        (&json!("e-1"), &json!("user:u_1"), &json!("server"))
    );
    let conversation = decision["conversation"].as_str().unwrap().to_owned();

    let id = server.event(late("e-2", 1)).await;
    let (_, shown) = server.until(&format!("/v1/events/{id}"), decided).await;
    let decision = &shown["decisions"][0];
    assert_eq!(decision["verdict"], "not_matched");
    assert_eq!(decision["condition"], "event.data.hours > 2");
    assert_eq!(decision["values"]["event.data.hours"], 1, "{decision}");

    let mut unheard = late("e-3", 5);
    unheard["type"] = json!("order.delayd");
    let id = server.event(unheard).await;
    let (_, shown) = server.until(&format!("/v1/events/{id}"), decided).await;
    assert_eq!((&shown["decisions"], &shown["nearest"]), (&json!([]), &json!("order.delayed")), "{shown}");

    let mut reached = late("e-4", 5);
    reached["type"] = json!("order.delivered");
    let id = server.event(reached).await;
    let (_, shown) = server.until(&format!("/v1/events/{id}"), decided).await;
    assert_eq!(shown["goals"], json!([{ "conversation": conversation, "value": 59.9 }]), "{shown}");

    let (_, list) = server.get("/v1/events?id=e-2").await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["id"]), (1, &json!("e-2")));
    let (_, list) = server.get("/v1/events?id=e-2&source=elsewhere").await;
    assert_eq!(list, json!({ "items": [], "cursor": null }));
    assert_eq!(server.get("/v1/events").await.0, 400);

    let (status, known) = server.get("/v1/customers/user:u_1").await;
    assert_eq!((status, &known["conversations"]["items"][0]["id"]), (200, &json!(conversation)), "{known}");
    let (_, list) = server.get("/v1/playbooks").await;
    assert_eq!((&list["items"][0]["name"], &list["items"][0]["state"]), (&json!("help"), &json!("active")), "{list}");
    assert_eq!(list["items"][0]["counts"]["not_matched"], 1, "{list}");

    let (status, list) = server.post("/v1/playbooks/help/pause", json!({})).await;
    assert_eq!((status, &list["items"][0]["state"]), (200, &json!("paused")), "{list}");
    let mut other = late("e-5", 5);
    other["data"]["order_id"] = json!("A2");
    server.until_in_force(list["revision"].as_u64().unwrap()).await;
    let id = server.event(other).await;
    let (_, shown) = server.until(&format!("/v1/events/{id}"), decided).await;
    assert_eq!(shown["decisions"][0]["verdict"], "paused", "{shown}");
    let (_, list) = server.post("/v1/playbooks/all/resume", json!({})).await;
    assert_eq!(list["items"][0]["state"], "active");

    let (status, _) = server.delete("/v1/customers/user:u_1").await;
    assert_eq!(status, 204);
    let (status, _) = server.until_status(&format!("/v1/conversations/{conversation}"), 404).await;
    assert_eq!(status, 404);
    let (status, _) = server.until_status("/v1/customers/user:u_1", 404).await;
    assert_eq!(status, 404);
    server.stop().await;
}

#[tokio::test]
async fn wrong_requests_point_at_the_field_and_reach_no_inbox() {
    let door = Door::open(Setup::default()).await;
    let there = "/v1/conversations/1-2-3-4";
    let table = [
        ("/v1/conversations", r#"{"playbook":"help"}"#, 400, "/customer"),
        ("/v1/conversations", r#"{"customer":"u_1","playbook":"help"}"#, 400, "/customer"),
        ("/v1/conversations", r#"{"customer":"user:u","playbook":7}"#, 400, "/playbook"),
        ("/v1/conversations", r#"{"customer":"user:u","playbook":"p","facts":[]}"#, 400, "/facts"),
        ("/v1/conversations", r#"{"customer":"user:u","playbook":"p","more":1}"#, 400, "/more"),
        ("/v1/conversations", r#"{"customer":"user:u","customer":"user:v"}"#, 400, "/customer"),
        ("/v1/conversations/1-2-3-4/claim", r#"{"n":-1}"#, 400, "/n"),
        ("/v1/conversations/1-2-3-4/claim", "", 400, "/n"),
        ("/v1/conversations/1-2-3-4/claim", r#"{"n":0}"#, 404, ""),
        ("/v1/conversations/x/claim", r#"{"n":0}"#, 404, ""),
        ("/v1/conversations/1-2-3-4/messages", r#"{"text":"a"}"#, 400, "/client_id"),
        ("/v1/conversations/1-2-3-4/messages", r#"{"client_id":"c","text":"a"}"#, 400, "/client_id"),
        ("/v1/conversations/1-2-3-4/messages", r#"{"client_id":"0123456789abcde!","text":"a"}"#, 400, "/client_id"),
        ("/v1/conversations/1-2-3-4/messages", r#"{"client_id":"0123456789abcdef","text":""}"#, 400, "/text"),
        ("/v1/conversations/1-2-3-4/calls/x/settle", r#"{"state":"done"}"#, 404, ""),
        ("/v1/conversations/1-2-3-4/calls/1/settle", r#"{"state":"maybe"}"#, 400, "/state"),
        ("/v1/conversations/1-2-3-4/close", "[]", 400, ""),
        ("/v1/conversations/1-2-3-4/release", r#"{"note":7}"#, 400, "/note"),
        ("/v1/conversations/1-2-3-4/triage", r#"{"priority":"high"}"#, 400, "/client_id"),
        ("/v1/conversations/1-2-3-4/triage", r#"{"client_id":"0123456789abcdef"}"#, 400, ""),
        ("/v1/conversations/1-2-3-4/triage", r#"{"client_id":"0123456789abcdef","priority":"top"}"#, 400, "/priority"),
        ("/v1/conversations/1-2-3-4/triage", r#"{"client_id":"0123456789abcdef","add":"vip"}"#, 400, "/add"),
        ("/v1/conversations/1-2-3-4/triage", r#"{"client_id":"0123456789abcdef","add":["vip",7]}"#, 400, "/add/1"),
        ("/v1/conversations/1-2-3-4/triage", r#"{"client_id":"0123456789abcdef","add":["a,b"]}"#, 400, "/add/0"),
        ("/v1/conversations/1-2-3-4/triage", r#"{"client_id":"0123456789abcdef","remove":[" "]}"#, 400, "/remove/0"),
        ("/v1/conversations/1-2-3-4/triage", r#"{"client_id":"0123456789abcdef","add":["vip"]}"#, 404, ""),
    ];
    for (path, body, expected, pointer) in table {
        let (status, problem) = door.send(door.post(path).bearer_auth("k-backend").body(body)).await;
        assert_eq!(status, expected, "{path} {body}: {problem}");
        if !pointer.is_empty() {
            assert_eq!(problem["pointer"], pointer, "{path} {body}: {problem}");
        }
    }
    for path in [there, "/v1/conversations/x", "/v1/customers/user:nobody", "/v1/customers/nobody"] {
        assert_eq!(door.send(door.get(path).bearer_auth("k-backend")).await.0, 404, "{path}");
    }
    for path in [
        "/v1/conversations?state=odd",
        "/v1/conversations?customer=u_1",
        "/v1/conversations/1-2-3-4?view=x",
        "/v1/conversations?priority=top",
        "/v1/conversations?rated=4",
        "/v1/conversations?label=a,b",
    ] {
        let (status, problem) = door.send(door.get(path).bearer_auth("k-backend")).await;
        assert_eq!(status, 400, "{path}");
        assert!(problem["pointer"].as_str().unwrap().starts_with("query"), "{problem}");
    }
    assert_eq!(door.inputs().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_a_cursor_that_is_none_is_not_sent_back_to_the_start() {
    let server = whole().await;
    for (path, pointer) in [
        ("/v1/conversations?cursor=zzz", "query cursor"),
        ("/v1/conversations?cursor=", "query cursor"),
        ("/v1/events?id=1&cursor=zzz", "query cursor"),
        ("/v1/customers/user:u?events=null", "query events"),
        ("/v1/customers/user:u?conversations=1_", "query conversations"),
        ("/v1/dead-letters?cursor=zzz", "query cursor"),
    ] {
        let (status, problem) = server.get(path).await;
        assert_eq!((status, &problem["pointer"]), (400, &json!(pointer)), "{path}: {problem}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_that_is_unknown_is_refused_with_what_was_perhaps_meant() {
    let server = whole().await;
    for (path, pointer, meant) in [
        ("/v1/conversations?custommer=user:u", "query custommer", "did you mean `customer`?"),
        ("/v1/conversations/1-2-3-4?veiw=trace", "query veiw", "did you mean `view`?"),
        ("/v1/events?id=1&page=2", "query page", "there are id, source, cursor, limit."),
        ("/v1/customers/user:u?event=1_x", "query event", "did you mean `events`?"),
        ("/v1/dead-letters?limits=9", "query limits", "did you mean `limit`?"),
    ] {
        let (status, problem) = server.get(path).await;
        assert_eq!((status, &problem["pointer"]), (400, &json!(pointer)), "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().ends_with(meant), "{problem}");
    }
    server.stop().await;
}

#[tokio::test]
async fn keys_open_only_what_they_may() {
    let door = Door::open(Setup::default()).await;
    let asked = |method: &str, path: &str, key: &str| {
        let method: reqwest::Method = method.parse().unwrap();
        door.send(door.http.request(method, format!("{}{path}", door.url)).bearer_auth(key).body("{}"))
    };
    for (method, path, key, expected) in [
        ("GET", "/v1/conversations", "k-reader", 200),
        ("GET", "/v1/conversations", "k-page", 403),
        ("GET", "/v1/conversations", "wk_test", 403),
        ("GET", "/v1/conversations", "wrong", 401),
        ("POST", "/v1/conversations", "k-page", 403),
        ("GET", "/v1/playbooks", "k-reader", 200),
        ("POST", "/v1/playbooks/all/pause", "k-reader", 403),
        ("POST", "/v1/playbooks/all/pause", "k-root", 200),
        ("POST", "/v1/playbooks/none/pause", "k-root", 404),
        ("POST", "/v1/events/1-1-1/revoke", "k-reader", 403),
        ("POST", "/v1/events/1-1-1/revoke", "k-root", 404),
        ("POST", "/v1/events/none/revoke", "k-root", 404),
        ("DELETE", "/v1/customers/user:u", "k-backend", 403),
        ("GET", "/v1/customers/user:u", "k-page", 403),
    ] {
        let (status, answer) = asked(method, path, key).await;
        assert_eq!(status, expected, "{method} {path} {key}: {answer}");
    }
}

#[tokio::test]
async fn pausing_is_compare_and_set_on_what_is_in_force() {
    let door = Door::open(Setup::default()).await;
    let first = InForce { revision: 1, hash: "h".to_owned(), paused: Vec::new() };
    assert!(door.store.set_in_force(0, &first).await.unwrap());
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let store = &door.store;
    let (a, b) = (names(&["b", "a"]), names(&["c"]));
    let (one, two) = tokio::join!(set_paused(store, &a, true), set_paused(store, &b, true));
    let last = one.unwrap().revision.max(two.unwrap().revision);
    assert_eq!(last, 3, "both came through");
    let now = store.in_force().await.unwrap();
    assert_eq!((now.paused.clone(), now.hash.as_str()), (names(&["a", "b", "c"]), "h"));
    assert_eq!(set_paused(store, &a, true).await.unwrap(), now, "nothing changes, nothing is written");
    assert_eq!(set_paused(store, &a, false).await.unwrap().paused, names(&["c"]));
}

#[tokio::test]
async fn readiness_says_what_is_kept_and_how_full_it_is() {
    let door = Door::open(Setup::default()).await;
    let event = json!({ "specversion": "1.0", "id": "e", "source": "s", "type": "t" }).to_string();
    assert_eq!(door.cloud_events(event, false).await.0, 202);
    let (status, ready) = door.send(door.get("/readyz")).await;
    assert_eq!((status, &ready["ready"]), (200, &json!(true)), "{ready}");
    assert_eq!(ready["store"]["mode"], "embedded");
    assert_eq!(ready["store"]["process_killed"], "nothing lost");
    assert_eq!(ready["undecided_inputs"], 1);
    assert!(ready["oldest_undecided"].is_string());
    assert_eq!((&ready["dead_letters"], &ready["pending_effects"]), (&json!(0), &json!(0)));
    assert_eq!(door.send(door.get("/healthz")).await.0, 200);
    assert_eq!(door.send(door.get("/metrics")).await.0, 200);
}

#[tokio::test]
async fn the_description_is_valid_and_names_every_route() {
    let door = Door::open(Setup::default()).await;
    let (status, api) = door.send(door.get("/openapi.json")).await;
    assert_eq!(status, 200);
    let shape: Value = serde_json::from_str(include_str!("openapi_shape.json")).unwrap();
    let validator = jsonschema::validator_for(&shape).unwrap();
    let problems: Vec<String> = validator.iter_errors(&api).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));

    // The routes as they are written, against the description.
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/mod.rs")).unwrap();
    let mut served = BTreeSet::new();
    for line in text.split(".route(").skip(1) {
        let line = line.split("\n        .").next().unwrap();
        let path = line.split('"').nth(1).unwrap();
        for method in ["get", "post", "delete", "options"] {
            if line.contains(&format!("{method}(")) {
                served.insert(format!("{method} {path}"));
            }
        }
    }
    let described: BTreeSet<String> = api["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    assert_eq!(served, described);
    assert!(served.len() > 30, "{served:?}");

    // Every reference leads somewhere.
    let text = api.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(api.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_given_in_pages_without_a_gap_or_a_double() {
    let server = whole().await;
    for n in 1..=3 {
        let open = json!({ "customer": format!("user:u_{n}"), "playbook": "help", "facts": { "order_id": "A1" } });
        assert_eq!(server.post("/v1/conversations", open).await.0, 201);
        let mut same = late("same", 1);
        same["subject"] = json!(format!("u_{n}"));
        server.event(same).await;
    }
    for list in ["/v1/conversations?limit=2", "/v1/events?id=same&limit=2"] {
        let all = list.replace("limit=2", "limit=200");
        let decided = |item: &Value| item["status"] != "pending";
        let (_, whole) = server
            .until(&all, |all| {
                all["items"].as_array().is_some_and(|items| items.len() == 3 && items.iter().all(decided))
            })
            .await;
        let (_, first) = server.get(list).await;
        assert_eq!(first["items"].as_array().unwrap().len(), 2, "{first}");
        let cursor = first["cursor"].as_str().expect("there is more");
        let (_, second) = server.get(&format!("{list}&cursor={cursor}")).await;
        assert_eq!(second["cursor"], Value::Null);
        let pages = [first["items"].as_array().unwrap().clone(), second["items"].as_array().unwrap().clone()].concat();
        assert_eq!(json!(pages), whole["items"], "{list}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_known_of_a_customer_can_be_taken_along() {
    let server = whole().await;
    server.event(late("e-open", 5)).await;
    let mut last = String::new();
    for n in 0..105 {
        last = server.event(late(&format!("e-{n}"), 1)).await;
    }
    server.until(&format!("/v1/events/{last}"), |shown| shown["status"] == "decided").await;
    let path = "/v1/customers/user:u_1";
    let (_, known) = server.get(path).await;
    let conversation = &known["conversations"]["items"][0];
    assert_eq!(conversation["state"], "waiting", "{conversation}");
    let entries = conversation["entries"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["text"] == "Order A1 is late. Shall I help?"), "{conversation}");
    assert!(entries.iter().any(|entry| entry["kind"] == "event"), "inner entries too");

    let mut seen = BTreeSet::new();
    let mut page = known["events"].clone();
    let mut pages = 1;
    loop {
        for event in page["items"].as_array().unwrap() {
            assert_eq!(event["data"]["order_id"], "A1", "{event}");
            assert!(seen.insert(event["id"].as_str().unwrap().to_owned()), "{event} comes twice");
        }
        let Some(cursor) = page["cursor"].as_str() else { break };
        let (_, next) = server.get(&format!("{path}?events={cursor}")).await;
        assert_eq!(next.get("conversations"), None, "only what is asked for");
        page = next["events"].clone();
        pages += 1;
    }
    assert_eq!((seen.len(), pages), (106, 2));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_decided_is_told_as_pending_everywhere() {
    // Nothing decides here.
    let door = Door::open(Setup::default()).await;
    let (status, answer) = door.cloud_events(late("e-1", 5).to_string(), false).await;
    assert_eq!(status, 202, "{answer}");
    for path in ["/v1/events?id=e-1", "/v1/events?id=e-1&source=shop"] {
        let (_, list) = door.send(door.get(path).bearer_auth("k-backend")).await;
        assert_eq!(list["items"][0]["status"], "pending", "{path}: {list}");
        assert_eq!(list["items"][0]["event"], answer["results"][0]["event"]);
    }
    let (_, list) = door.send(door.get("/v1/events?id=e-1&source=other").bearer_auth("k-backend")).await;
    assert_eq!(list["items"], json!([]));
    let (status, known) = door.send(door.get("/v1/customers/user:u_1").bearer_auth("k-backend")).await;
    assert_eq!((status, &known["events"]["items"][0]["data"]["hours"]), (200, &json!(5)), "{known}");
    assert_eq!(known["events"]["items"][0]["status"], "pending");
}

#[tokio::test]
async fn an_act_that_is_not_decided_in_five_seconds_is_202_and_says_where_to_look() {
    let door = Door::open(Setup::default()).await;
    let body = json!({ "customer": "user:u_1", "playbook": "help" }).to_string();
    let began = std::time::Instant::now();
    let response = door.post("/v1/conversations").bearer_auth("k-backend").body(body).send().await.unwrap();
    assert!(began.elapsed() >= std::time::Duration::from_secs(5));
    assert_eq!(response.status(), 202);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer, json!({ "status": "pending", "location": location }));
    let (status, shown) = door.send(door.get(&location).bearer_auth("k-backend")).await;
    assert_eq!((status, &shown["status"], &shown["type"]), (200, &json!("pending"), &json!("beckon.open")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_answers_are_what_the_description_says() {
    let server = whole().await;
    let (_, api) = server.get("/openapi.json").await;
    let event = server.event(late("e-1", 5)).await;
    server.until(&format!("/v1/events/{event}"), |shown| shown["status"] == "decided").await;
    let open = json!({ "customer": "user:u_2", "playbook": "help", "facts": { "order_id": "A1" } });
    let call = json!({ "event": "e", "userId": "u", "writeKey": "k-backend" });
    let none = Value::Null;
    let asked = [
        ("get", "/v1/events/{event}", format!("/v1/events/{event}"), &none, 200),
        ("get", "/v1/events/{event}", "/v1/events/1-1-1".to_owned(), &none, 404),
        ("get", "/v1/events", "/v1/events?id=e-1".to_owned(), &none, 200),
        ("get", "/v1/events", "/v1/events".to_owned(), &none, 400),
        ("post", "/v1/track", "/v1/track".to_owned(), &call, 200),
        ("post", "/v1/batch", "/v1/batch".to_owned(), &call, 400),
        ("post", "/v1/conversations", "/v1/conversations".to_owned(), &open, 201),
        ("post", "/v1/conversations", "/v1/conversations".to_owned(), &call, 400),
        ("get", "/v1/conversations", "/v1/conversations".to_owned(), &none, 200),
        ("get", "/v1/conversations/{id}", "/v1/conversations/1-1-1-1".to_owned(), &none, 404),
        ("get", "/v1/customers/{customer}", "/v1/customers/user:u_1".to_owned(), &none, 200),
        ("get", "/v1/playbooks", "/v1/playbooks".to_owned(), &none, 200),
        ("get", "/v1/dead-letters", "/v1/dead-letters".to_owned(), &none, 200),
        ("get", "/v1/dead-letters/{id}", "/v1/dead-letters/1-1-1".to_owned(), &none, 404),
        ("post", "/hooks/{source}", "/hooks/stripe".to_owned(), &call, 401),
        ("get", "/readyz", "/readyz".to_owned(), &none, 200),
    ];
    for (method, path, real, body, expected) in asked {
        let request = match method {
            "post" => server.http.post(format!("{}{real}", server.url)).body(body.to_string()),
            _ => server.http.get(format!("{}{real}", server.url)),
        };
        let response = request.bearer_auth("k-backend").send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{method} {real}");
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let answer: Value = response.json().await.unwrap();
        let described = &api["paths"][path][method]["responses"][expected.to_string()]["content"][&kind];
        assert!(described.is_object(), "{method} {path} {expected} {kind} is not described");
        let mut schema = described["schema"].clone();
        schema["components"] = api["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let problems: Vec<String> =
            validator.iter_errors(&answer).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(problems.is_empty(), "{method} {real}: {problems:?}");
    }
    for path in api["paths"].as_object().unwrap() {
        for (method, operation) in path.1.as_object().unwrap() {
            let needs_key = operation["security"].to_string().contains("key");
            for status in ["401", "403", "429", "503"] {
                let is_there = operation["responses"].get(status).is_some();
                assert!(is_there || !needs_key, "{method} {} may be answered {status}", path.0);
            }
        }
    }
    server.stop().await;
}
