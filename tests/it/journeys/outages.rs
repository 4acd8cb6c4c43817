//! The model is down, the company's API is down: the customer always gets an answer.

use std::time::Duration;

use serde_json::json;

use super::api::Mood;
use super::chat::Chat;
use super::journeys;
use super::model::Says;
use super::world::{World, assert_dense, of_kind};

journeys!(
    with_a_model_that_fails_the_script_goes_on,
    with_a_model_that_hangs_the_script_goes_on,
    with_a_model_that_is_not_there_the_script_goes_on,
    models_that_fail_are_counted_for_the_handoff,
    where_the_script_has_no_step_the_fallback_is_said_and_a_person_asked_for,
    a_stream_that_does_not_say_that_it_ended_is_no_answer,
    openings_and_calls_go_on_without_the_api,
);

const LISTENS: &str = "You said are you there?.";

/// Says something and hears the script; nothing else is said.
async fn hears_the_script(world: &World, chat: &mut Chat, id: &str) {
    let before = chat.words(id).len();
    chat.say(id, "are you there?").await;
    assert_eq!(chat.hears().await, LISTENS);
    let words: Vec<String> = chat.words(id).into_iter().skip(before).map(|(by, _)| by).collect();
    assert_eq!(words, ["customer", "assistant"]);
    assert_dense(&chat.entries(id));
    assert_eq!(world.conversation(id).await["holder"], "assistant");
}

async fn with_a_model_that_fails_the_script_goes_on(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    // Each is asked twice; after three that failed it is left alone for a while.
    let failing =
        [[Says::Status(500), Says::Status(503)], [Says::Page, Says::Page], [Says::Cut("Half"), Says::Cut("Ha")]];
    for says in failing {
        world.model.will_say(says);
        hears_the_script(&world, &mut chat, &id).await;
    }
    let asked = world.model.requests().len();
    assert_eq!(asked, 6);
    world.model.will_say([Says::Words("I am back.")]);
    hears_the_script(&world, &mut chat, &id).await;
    assert_eq!(world.model.requests().len(), asked, "it rests");
}

async fn with_a_model_that_hangs_the_script_goes_on(world: World) {
    let mut world = world.with_hasty_model(Duration::from_millis(300)).await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Nothing, Says::Nothing]);
    hears_the_script(&world, &mut chat, &id).await;
    world.model.will_say([Says::Nothing, Says::Words("Here I am.")]);
    chat.say(&id, "and now?").await;
    assert_eq!(chat.hears().await, "Here I am.");
}

async fn with_a_model_that_is_not_there_the_script_goes_on(world: World) {
    let mut world = world.with_model_gone().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    hears_the_script(&world, &mut chat, &id).await;
    assert!(world.model.requests().is_empty());
}

async fn models_that_fail_are_counted_for_the_handoff(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    // Once for the call, once for the words: `failures >= 2`.
    chat.say(&id, "use another card").await;
    assert_eq!(chat.hears().await, "Which card?");
    chat.holder("queue").await;
    let handoff = of_kind(&world.trace(&id).await, "handoff")[0].clone();
    assert_eq!(handoff["reason"], "the playbook's condition holds");
}

async fn where_the_script_has_no_step_the_fallback_is_said_and_a_person_asked_for(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.say(&id, "What is the meaning of this?").await;
    assert_eq!(chat.hears().await, "I can't reach my assistant right now. A colleague will join you.");
    chat.holder("queue").await;
    let conversation = world.conversation(&id).await;
    assert_eq!(conversation["holder"], "queue");
    let trace = world.trace(&id).await;
    assert_eq!(of_kind(&trace, "handoff")[0]["reason"], "the assistant had no answer", "{trace:#?}");
}

async fn a_stream_that_does_not_say_that_it_ended_is_no_answer(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Cut("I will send you a "), Says::Words("I will look into it.")]);
    chat.say(&id, "help").await;
    assert_eq!(chat.hears().await, "I will look into it.");
    world.settle("42").await;
    chat.catch_up().await;
    let entry = chat.entries(&id).last().cloned().unwrap();
    assert_eq!(entry["text"], "I will look into it.", "exactly one message");
    let tries: Vec<u64> = chat.all("delta").iter().map(|delta| delta["try"].as_u64().unwrap()).collect();
    assert!(tries.is_sorted() && tries.iter().all(|n| *n <= entry["try"].as_u64().unwrap()), "{tries:?}");
    assert_eq!(of_kind(&world.trace(&id).await, "message").len(), 3);
}

async fn openings_and_calls_go_on_without_the_api(mut world: World) {
    world.api.is(Mood::Down);
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    let opening = chat.entries(&id)[0]["text"].clone();
    assert_eq!(opening, "Your card was declined. Shall I help?", "the opening that needs no fact");
    let trace = world.trace(&id).await;
    let fact = of_kind(&trace, "fact")[0];
    assert_eq!((&fact["name"], &fact["value"]), (&json!("order"), &json!(null)));
    assert!(fact["problem"].as_str().unwrap().contains("500"), "{fact}");

    chat.choose(&id, "Use another card").await;
    chat.holder("queue").await;
    let call = chat.entries(&id).into_iter().find(|e| e["kind"] == "call").unwrap();
    assert_eq!((&call["name"], &call["state"]), (&json!("shop.list_cards"), &json!("failed")));
    let handoff = of_kind(&world.trace(&id).await, "handoff")[0].clone();
    assert_eq!(handoff["reason"], "calls failed", "failures >= 2, and the fact that failed is one: {handoff}");

    // The person hands it back, and it is counted anew: one failure is told, the second hands over again. The customer
    // spoke last, so the assistant answers what failed before.
    world.claim(super::world::ANA, &id).await;
    world.act(super::world::ANA, &id, "release", json!({})).await;
    chat.holder("assistant").await;
    assert_eq!(chat.hears().await, "That did not work.");
    chat.choose(&id, "Use another card").await;
    assert_eq!(chat.hears().await, "That did not work.");
    chat.choose(&id, "Use another card").await;
    chat.holder("queue").await;
}
