//! After the end: goals still count, ratings still come, words do not; and a customer is forgotten.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::journeys;
use super::model::Says;
use super::world::{World, of_kind, until};

journeys!(
    after_the_close_a_goal_and_a_rating_count_and_words_do_not,
    a_customer_closes_and_a_silent_one_is_closed,
    an_erased_customer_is_forgotten_and_starts_afresh,
    a_late_answer_for_an_erased_customer_is_nothing,
);

const SILENT: &str = r#"
playbook: silent
on:
  - event: silent.opened
open:
  within: 30m
  say: "Well?"
talk:
  idle: 1s
  script: { steps: [{ on: "true", say: "Yes." }] }
"#;

async fn after_the_close_a_goal_and_a_rating_count_and_words_do_not(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.choose(&id, "Not now").await;
    assert_eq!(chat.hears().await, "All right. Your cart stays as it is.");
    let closed = chat.entry("closed").await;
    assert_eq!(closed["outcome"], "resolved");

    let late = chat.ask(json!({ "type": "say", "conversation_id": id, "text": "wait" })).await;
    assert_eq!(late, Err("closed".to_owned()));
    let rated = chat.ask(json!({ "type": "rate", "conversation_id": id, "score": 4, "comment": "kind" })).await;
    assert_eq!(rated, Ok(closed["seq"].as_u64().unwrap()));
    let again = chat.ask(json!({ "type": "rate", "conversation_id": id, "score": 1 })).await;
    assert_eq!(again, rated, "the first one stands");
    let paid = world.event("checkout.completed", "42", json!({ "order_id": "7", "total": 89.5 })).await;
    assert_eq!(world.outcome(&paid).await["goals"], json!([{ "conversation": id, "value": 89.5 }]));
    let conversation = world.conversation(&id).await;
    assert_eq!((&conversation["state"], &conversation["outcome"]["kind"]), (&json!("closed"), &json!("goal")));
    let again = world.event("checkout.completed", "42", json!({ "order_id": "7", "total": 1.0 })).await;
    assert_eq!(world.outcome(&again).await["goals"], json!([]), "reached once");

    assert_eq!(conversation["rating"], 4);
    let listed = async |rated: &str| {
        let list = world.get(&format!("/v1/conversations?rated={rated}")).await;
        list["items"].as_array().unwrap().iter().any(|row| row["id"] == id.as_str() && row["rating"] == 4)
    };
    until("it is listed by its rating", async || listed("happy").await).await;
    assert!(!listed("unhappy").await && !listed("neutral").await);

    let trace = world.trace(&id).await;
    let rating = of_kind(&trace, "rated")[0];
    assert_eq!((&rating["score"], &rating["comment"]), (&json!(4), &json!("kind")));
    assert_eq!(of_kind(&trace, "outcome")[0]["value"], 89.5);
    let welcome = world.chat("42").await.welcome;
    assert_eq!(welcome["conversations"], json!([]), "a closed one is listed no more");
    let named = world.chat_resuming("42", json!({ &id: { "seq": 1, "id": chat.entries(&id)[0]["id"] } })).await;
    assert_eq!(named.welcome["conversations"][0]["state"], "closed", "but comes where it is named");
}

async fn a_customer_closes_and_a_silent_one_is_closed(world: World) {
    let mut world = world.with_files(&[("playbooks/silent.yaml", SILENT)]).await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    chat.ask(json!({ "type": "close", "conversation_id": id })).await.unwrap();
    assert_eq!(world.conversation(&id).await["outcome"]["kind"], "abandoned");

    world.event("silent.opened", "42", json!({})).await;
    let silent = chat.opened().await;
    chat.seen(&silent, 1).await;
    let closed = chat.wait("the end", |f| f["kind"] == "closed" && f["conversation_id"] == silent.as_str()).await;
    assert_eq!(closed["outcome"], "abandoned");
}

async fn an_erased_customer_is_forgotten_and_starts_afresh(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.say(&id, "my secret is xyzzy-4711").await;
    chat.hears().await;
    let event = world.decline("42", "7").await;
    world.outcome(&event).await;

    let begun = std::time::Instant::now();
    let (status, _) = world.rest(Method::DELETE, "/v1/customers/user:42", Value::Null).await;
    assert_eq!(status, 204);
    assert!(begun.elapsed() < Duration::from_secs(4), "it is answered when it is decided");
    assert_eq!(chat.frame("reset").await["conversation_id"], id.as_str());
    let gone = chat.ask(json!({ "type": "say", "conversation_id": id, "text": "still here?" })).await;
    assert_eq!(gone, Err("unknown_conversation".to_owned()));

    let path = format!("/v1/conversations/{id}?view=trace");
    until("the conversation is gone", || async { world.rest(Method::GET, &path, Value::Null).await.0 == 404 }).await;
    let path = format!("/v1/events/{event}");
    until("the record has forgotten its events", || async {
        let (status, told) = world.rest(Method::GET, &path, Value::Null).await;
        status == 404 || told["customer"].is_null()
    })
    .await;
    assert!(world.conversations("42").await.is_empty());
    let found = world.rest(Method::GET, "/v1/customers/user:42", Value::Null).await;
    assert!(found.0 == 404 || found.1["conversations"]["items"] == json!([]), "{found:?}");
    assert!(!found.1.to_string().contains("xyzzy"));

    let again = world.decline("42", "7").await;
    let fresh = chat.opened().await;
    assert_ne!(fresh, id);
    chat.seen(&fresh, 1).await;
    world.until_verdict(&again, "opened").await;
    let back = world.chat_resuming("42", json!({ &id: { "seq": 1, "id": "x" } })).await;
    assert_eq!(back.welcome["conversations"].as_array().unwrap().len(), 1, "the limit, too, was forgotten");
}

async fn a_late_answer_for_an_erased_customer_is_nothing(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Held("Your secret is "), Says::Words("Hello again.")]);
    chat.say(&id, "tell me").await;
    chat.frame("delta").await;
    assert_eq!(world.rest(Method::DELETE, "/v1/customers/user:42", Value::Null).await.0, 204);
    chat.frame("reset").await;
    world.model.release();
    let fresh = world.quick_talk(&mut chat, "42", "a").await;
    chat.say(&fresh, "hello").await;
    assert_eq!(chat.hears().await, "Hello again.");
    assert!(chat.entries(&id).is_empty(), "{}", chat.story());
}
