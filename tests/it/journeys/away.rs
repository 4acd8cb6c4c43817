//! Customers who are away: back in time, too late, or no longer concerned.

use std::time::Duration;

use serde_json::json;

use super::journeys;
use super::world::{World, of_kind};

journeys!(
    a_customer_who_comes_back_in_time_finds_the_opening,
    an_opening_that_nobody_saw_expires_and_frees_its_place,
    an_opening_that_the_goal_overtook_is_never_shown,
    an_event_that_expires_takes_its_opening_with_it,
);

const ONCE_A_DAY: &str = r#"
playbook: once-a-day
on:
  - event: daily.thing
limits: { per_customer: 1 per 24h }
open:
  key: event.data.id
  within: 1s
  say: "A thing happened."
talk:
  script: { steps: [{ on: "true", say: "Yes." }] }
"#;

async fn a_customer_who_comes_back_in_time_finds_the_opening(mut world: World) {
    let event = world.decline("42", "7").await;
    world.until_verdict(&event, "waiting").await;
    let conversation = world.outcome(&event).await["decisions"][0]["conversation"].as_str().unwrap().to_owned();
    world.until_conversation(&conversation, "the opening is said", |c| c["last_seq"] == 1).await;

    let mut chat = world.chat("42").await;
    let welcome = &chat.welcome["conversations"];
    assert_eq!(welcome.as_array().unwrap().len(), 1, "{welcome}");
    assert_eq!(welcome[0]["id"], conversation.as_str());
    assert_eq!(welcome[0]["state"], "waiting");
    assert_eq!(welcome[0]["entries"][0]["text"], "Your card was declined for order N-7. Shall I help?");
    chat.seen(&conversation, 1).await;
    world.until_verdict(&event, "opened").await;
    let other = world.chat("43").await;
    assert_eq!(other.welcome["conversations"], json!([]), "nobody else is told");
}

async fn an_opening_that_nobody_saw_expires_and_frees_its_place(world: World) {
    let mut world = world.with_files(&[("playbooks/once-a-day.yaml", ONCE_A_DAY)]).await;
    let first = world.event("daily.thing", "42", json!({ "id": "a" })).await;
    let waiting = world.until_verdict(&first, "waiting").await;
    let second = world.event("daily.thing", "42", json!({ "id": "b" })).await;
    let limited = world.until_verdict(&second, "limited").await;
    assert_eq!(limited["reason"], "1 per 1d for this customer", "the waiting one holds the place");

    world.until_verdict(&first, "expired").await;
    let gone = world.conversation(waiting["conversation"].as_str().unwrap()).await;
    assert_eq!((&gone["state"], &gone["outcome"]["kind"]), (&json!("closed"), &json!("expired")));
    let late = world.chat("42").await;
    assert_eq!(late.welcome["conversations"], json!([]), "what expired is not shown");
    late.hang_up().await;

    let mut chat = world.chat("42").await;
    let third = world.event("daily.thing", "42", json!({ "id": "a" })).await;
    let id = chat.opened().await;
    assert_ne!(id, waiting["conversation"].as_str().unwrap());
    chat.seen(&id, 1).await;
    world.until_verdict(&third, "opened").await;
    let fourth = world.event("daily.thing", "42", json!({ "id": "c" })).await;
    world.until_verdict(&fourth, "limited").await;
}

async fn an_opening_that_the_goal_overtook_is_never_shown(mut world: World) {
    let event = world.decline("42", "7").await;
    let waiting = world.until_verdict(&event, "waiting").await;
    let id = waiting["conversation"].as_str().unwrap().to_owned();
    world.until_conversation(&id, "the opening is said", |c| c["last_seq"] == 1).await;
    world.event("checkout.completed", "42", json!({ "order_id": "8", "total": 5.0 })).await;
    let paid = world.event("checkout.completed", "42", json!({ "order_id": "7", "total": 89.5 })).await;
    let outcome = world.outcome(&paid).await;
    assert_eq!(outcome["goals"], json!([{ "conversation": id, "value": 89.5 }]));
    world.until_verdict(&event, "expired").await;
    let conversation = world.conversation(&id).await;
    assert_eq!((&conversation["state"], &conversation["outcome"]["kind"]), (&json!("closed"), &json!("goal")));
    let chat = world.chat("42").await;
    assert_eq!(chat.welcome["conversations"], json!([]));
}

async fn an_event_that_expires_takes_its_opening_with_it(world: World) {
    let expires = |after: Duration| {
        let at = std::time::SystemTime::now() + after;
        let ms = at.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        beckon::model::time::Ms(ms).to_string()
    };
    let event = |id: &str, expirytime: String| {
        json!({
            "specversion": "1.0", "id": id, "source": "shop", "type": "checkout.payment_failed", "subject": "42",
            "expirytime": expirytime, "data": { "order_id": "7", "attempt": 2, "total": 89.5 },
        })
    };
    let (_, answer) = world.send_event(super::world::KEY, event("late", expires(Duration::ZERO))).await;
    let late = answer["results"][0]["event"].as_str().unwrap().to_owned();
    assert_eq!(world.until_verdict(&late, "not_matched").await["reason"], "expired");

    let (_, answer) = world.send_event(super::world::KEY, event("short", expires(Duration::from_millis(1_500)))).await;
    let short = answer["results"][0]["event"].as_str().unwrap().to_owned();
    let waiting = world.until_verdict(&short, "waiting").await;
    world.until_verdict(&short, "expired").await;
    let trace = world.trace(waiting["conversation"].as_str().unwrap()).await;
    assert!(of_kind(&trace, "opened").is_empty(), "{trace:?}");
}
