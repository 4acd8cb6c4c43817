//! How much a caller may send, and how often: sizes once all is unfolded, partitions that are full, rates.

use beckon::ingest::{Code, Headers, Received, hooks, segment, size_of};
use beckon::model::event::Trust;
use beckon::model::ids::ActorId;
use beckon::model::time::Ms;
use serde_json::{Value, json};

use crate::door::{Door, Setup, expression, shipped};

fn received(max_item: usize, max_body: usize) -> Received {
    Received { at: Ms(1_764_000_000_000), trust: Trust::Server, max_item, max_items: 2_500, max_body }
}

fn batch(items: usize, common: &Value) -> String {
    let items: Vec<Value> = (0..items)
        .map(|n| json!({ "type": "track", "event": "e", "userId": "u", "messageId": format!("m-{n}") }))
        .collect();
    json!({ "batch": items, "context": common }).to_string()
}

#[test]
fn what_a_batch_says_for_all_counts_in_each_item() {
    let read = |body: &str, received: &Received| {
        segment::open(None, body.as_bytes()).unwrap().events(&Headers::default(), received, "segment", None)
    };
    let body = batch(2_500, &json!({ "a": "x".repeat(900_000) }));
    let refused = read(&body, &received(64 << 10, 1 << 20)).unwrap_err();
    assert_eq!((refused.code, refused.pointer.as_str()), (Code::TooLarge, "/context"), "larger than any item may be");
    let body = batch(2_500, &json!({ "a": "x".repeat(60_000) }));
    let refused = read(&body, &received(64 << 10, 1 << 20)).unwrap_err();
    assert_eq!(refused.code, Code::TooLarge, "each item would do, all together make 150 MB of 0.3");
    let items = read(&batch(100, &json!({ "a": "x".repeat(1_000) })), &received(64 << 10, 1 << 20)).unwrap();
    assert!(items.len() == 100 && items.iter().all(|item| item.event.is_ok()), "a usual batch is taken");

    let large = json!({ "type": "track", "event": "e", "userId": "u", "properties": { "a": "x".repeat(700) } });
    let small = json!({ "type": "track", "event": "e", "userId": "u" });
    let body = json!({ "batch": [large, small], "context": { "b": "x".repeat(400) } }).to_string();
    let items = read(&body, &received(1_000, 10_000)).unwrap();
    let refused = items[0].event.as_ref().unwrap_err();
    assert_eq!((refused.code, refused.pointer.as_str()), (Code::TooLarge, "/batch/0"));
    assert!(items[1].event.is_ok(), "it harms no other");
}

#[test]
fn the_events_of_a_webhook_are_bounded_one_by_one_and_together() {
    let mut source = shipped().into_iter().find(|source| source.name == "alertmanager").unwrap();
    let alert = |n: usize, pad: usize| {
        json!({ "fingerprint": format!("f{n}"), "status": "firing", "startsAt": "2026-11-23T09:06:26Z", "labels": {},
            "annotations": { "a": "x".repeat(pad) } })
    };
    let body = json!({ "alerts": [alert(0, 2_000), alert(1, 10)] }).to_string();
    let items = hooks::events_of(&source, &Headers::default(), body.as_bytes(), &received(1_000, 10_000)).unwrap();
    let refused = items[0].event.as_ref().unwrap_err();
    assert_eq!((refused.code, refused.pointer.as_str()), (Code::TooLarge, "/0/data"));
    assert!(items[1].event.is_ok(), "it harms no other");

    source.data = expression("body");
    let body = json!({ "alerts": (0..50).map(|n| alert(n, 100)).collect::<Vec<_>>() }).to_string();
    let all = hooks::events_of(&source, &Headers::default(), body.as_bytes(), &received(64 << 10, 20_000));
    assert_eq!(all.unwrap_err().code, Code::TooLarge, "a profile that gives each item the whole body");
}

#[test]
fn sizes_are_those_of_the_json() {
    for value in [json!(null), json!("ä\n\""), json!({ "a": [1, 2.5, true], "b": {} })] {
        assert_eq!(size_of(&value), value.to_string().len());
    }
}

#[tokio::test]
async fn facts_and_the_playbooks_name_are_bounded_when_a_conversation_is_opened() {
    let door = Door::open(Setup::default()).await;
    let open = |playbook: String, fact: usize| {
        let body = json!({ "customer": "user:u_1", "playbook": playbook, "facts": { "a": "x".repeat(fact) } });
        door.send(door.post("/v1/conversations").bearer_auth("k-backend").body(body.to_string()))
    };
    let (status, problem) = open("help".to_owned(), 65 << 10).await;
    assert_eq!((status, &problem["pointer"]), (413, &json!("/facts")), "{problem}");
    for name in ["x".repeat(1_025), "a\nb".to_owned()] {
        let (status, problem) = open(name, 1).await;
        assert_eq!((status, &problem["pointer"]), (400, &json!("/playbook")), "{problem}");
    }
    assert_eq!(door.inputs().await, 0);
}

#[tokio::test]
async fn a_key_that_calls_too_often_is_told_how_long_to_wait() {
    let mut setup = Setup::default();
    setup.limits.rate = 1;
    let door = Door::open(setup).await;
    let ask = || door.get("/v1/conversations").bearer_auth("k-backend").send();
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let answers = [a, b, c, d].map(Result::unwrap);
    let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status() == 429).collect();
    assert!((2..=3).contains(&refused.len()), "{} of 4 at once were too many for one a second", refused.len());
    for answer in refused {
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["type"], "/problems/too-many-requests");
    }
    let (status, _) = door.send(door.get("/v1/conversations").bearer_auth("k-reader")).await;
    assert_eq!(status, 200, "another key has its own pace");
    let call = json!({ "event": "e", "userId": "u" }).to_string();
    let segment = || door.send(door.post("/v1/track").basic_auth("wk_test", Some("")).body(call.clone()));
    let (a, b, c) = tokio::join!(segment(), segment(), segment());
    assert!([a.0, b.0, c.0].contains(&429), "Segment's calls are counted too");
}

#[tokio::test]
async fn a_batch_is_503_as_a_whole_where_one_partition_is_full() {
    let mut setup = Setup::default();
    setup.bounds.inbox = 1;
    let door = Door::open(setup).await;
    let event =
        |id: &str, user: &str| json!({ "specversion": "1.0", "id": id, "source": "s", "type": "t", "subject": user });
    let full = ActorId::user("u_1").partition(4);
    let elsewhere = (2..).map(|n| format!("u_{n}")).find(|user| ActorId::user(user).partition(4) != full).unwrap();
    let (status, _) = door.cloud_events(event("first", "u_1").to_string(), false).await;
    assert_eq!(status, 202);
    for order in [["u_1", &elsewhere], [&elsewhere, "u_1"]] {
        let batch = json!([event("second", order[0]), event("second", order[1])]);
        let request = door
            .post("/v1/events")
            .bearer_auth("k-backend")
            .header("content-type", "application/cloudevents-batch+json");
        let response = request.body(batch.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 503);
        let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait));
        let problem: Value = response.json().await.unwrap();
        assert!(problem.get("results").is_none() && problem["status"] == 503, "nothing is told as accepted: {problem}");
    }
    let (status, _) = door.cloud_events(event("second", &elsewhere).to_string(), false).await;
    assert_eq!(status, 202, "what found room may be sent again");
    assert_eq!(door.inputs().await, 2, "and is there once");
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn ids_of_strangers_reach_no_log_line_and_no_error_unbounded() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // With one dispatcher only, a place that another test's thread logs at first would stay silent for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).finish());
    // The server of this test runs on this thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let door = Door::open(Setup { sources: shipped(), ..Setup::default() }).await;
    let long = "L".repeat(10_000);
    for id in
        ["STRANGE\nSTRANGE injected", "STRANGE{}", "../../STRANGE", "STRANGE*?[a]:|", "STRANGE\u{202e}\u{1f600}", &long]
    {
        let escaped: String = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string();
        for path in ["/v1/events", "/v1/conversations", "/v1/customers", "/v1/dead-letters"] {
            let response = door.get(&format!("{path}/{escaped}")).bearer_auth("k-root").send().await.unwrap();
            assert_eq!(response.status(), 404, "{path} {id}");
            assert!(response.bytes().await.unwrap().len() < 500);
        }
        let hook = door.post(&format!("/hooks/{escaped}")).body("{}").send().await.unwrap();
        assert_eq!(hook.status(), 404);
        let event = json!({ "specversion": "1.0", "id": id, "source": id, "type": id, "subject": id });
        let (status, answer) = door.cloud_events(event.to_string(), false).await;
        assert!(matches!(status, 202 | 400), "{id}: {answer}");
        if status == 400 {
            assert!(answer.to_string().len() < 500, "{answer}");
            let batch = door.cloud_events(format!("[{event}]"), true).await.1;
            let told = batch["results"][0]["id"].as_str().unwrap_or_default();
            assert!(told.len() <= 1_024, "{} bytes of an id that is not taken", told.len());
        }
    }
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.lines().count() > 20, "{logged}");
    assert!(!logged.contains("STRANGE") && !logged.contains("LLLL"), "paths are logged as routes: {logged}");
}
