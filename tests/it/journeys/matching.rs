//! What becomes of events: joined, told again, judged by two playbooks.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::journeys;
use super::world::{World, of_kind, until};

journeys!(
    a_further_match_of_an_open_key_joins_it,
    an_event_sent_fifty_times_at_once_opens_once,
    two_playbooks_on_one_event_open_a_conversation_each,
);

async fn a_further_match_of_an_open_key_joins_it(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    let data = json!({ "order_id": "7", "attempt": 3, "total": 89.5 });
    let further = world.event("checkout.payment_failed", "42", data).await;
    let outcome = world.outcome(&further).await;
    assert_eq!(outcome["decisions"][0]["verdict"], "joined", "{outcome}");
    assert_eq!(outcome["decisions"][0]["conversation"], id.as_str());

    let trace = world.trace(&id).await;
    let events = of_kind(&trace, "event");
    assert_eq!(events.len(), 2, "{trace:#?}");
    assert_eq!(events[1]["event"], further.as_str());
    assert_eq!(events[1]["envelope"]["data"]["attempt"], 3);
    chat.catch_up().await;
    assert_eq!(chat.entries(&id).len(), 1, "the customer is not told of it");
    assert_eq!(world.conversations("42").await.len(), 1);
}

async fn an_event_sent_fifty_times_at_once_opens_once(world: World) {
    let mut chat = world.chat("42").await;
    let data = json!({ "order_id": "7", "attempt": 2, "total": 89.5 });
    let sending = (0..50).map(|_| world.event_with_id("the-same", "checkout.payment_failed", "42", data.clone()));
    let answers = join_all(sending).await;

    let mut counted: BTreeMap<String, u32> = BTreeMap::new();
    for answer in &answers {
        *counted.entry(answer["results"][0]["status"].as_str().unwrap().to_owned()).or_default() += 1;
        assert_eq!(answer["results"][0]["event"], answers[0]["results"][0]["event"], "all are the one event");
    }
    assert_eq!(counted, BTreeMap::from([("accepted".to_owned(), 1), ("duplicate".to_owned(), 49)]));
    let id = chat.opened().await;
    let outcome = world.outcome(answers[0]["results"][0]["event"].as_str().unwrap()).await;
    assert_eq!(outcome["decisions"].as_array().unwrap().len(), 1);
    chat.catch_up().await;
    assert_eq!(chat.all("opened").len(), 1);
    until("it is listed", || async { !world.conversations("42").await.is_empty() }).await;
    let conversations = world.conversations("42").await;
    assert_eq!(conversations.len(), 1, "{conversations:?}");
    assert_eq!(conversations[0]["id"], id.as_str());
    assert_eq!(of_kind(&world.trace(&id).await, "event").len(), 1, "a duplicate does not even join");
}

async fn two_playbooks_on_one_event_open_a_conversation_each(world: World) {
    let playbook = |name: &str, say: &str, when: &str| {
        format!(
            "playbook: {name}\non:\n  - event: parcel.late\n    when: {when}\nopen:\n  key: event.data.parcel\n  within: 30m\n  say: {say}\ntalk:\n  \
             script:\n    steps:\n      - on: \"true\"\n        say: \"{say}, again\"\n"
        )
    };
    let files = [
        ("playbooks/parcel-a.yaml", playbook("parcel-a", "Sorry", "event.data.days >= 1")),
        ("playbooks/parcel-b.yaml", playbook("parcel-b", "Rebook?", "event.data.days >= 2")),
        ("playbooks/parcel-c.yaml", playbook("parcel-c", "Refund?", "event.data.days >= 9")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let mut world = world.with_files(&files).await;
    let mut chat = world.chat("42").await;
    let event = world.event("parcel.late", "42", json!({ "days": 3, "parcel": "p-1" })).await;

    // Under the same key, which is each playbook's own.
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..2 {
        ids.push(chat.opened().await);
    }
    for id in &ids {
        chat.seen(id, 1).await;
    }
    for at in 0..2 {
        // The record may lag behind what is live.
        until("both are opened", || async { world.outcome(&event).await["decisions"][at]["verdict"] == "opened" })
            .await;
    }
    let outcome = world.outcome(&event).await;
    let decided: Vec<(&Value, &Value)> =
        outcome["decisions"].as_array().unwrap().iter().map(|d| (&d["playbook"], &d["verdict"])).collect();
    let (a, b, c) = (json!("parcel-a"), json!("parcel-b"), json!("parcel-c"));
    let (opened, not) = (json!("opened"), json!("not_matched"));
    assert_eq!(decided, [(&a, &opened), (&b, &opened), (&c, &not)], "{outcome}");
    chat.say(&ids[1], "hello").await;
    assert_eq!(chat.hears().await, "Rebook?, again");
}
