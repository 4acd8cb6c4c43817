//! Several models in order of preference, and what is asked again: of the same one, shorter, later, or of the next.

use serde_json::{Value, json};

use super::journeys;
use super::model::Says;
use super::world::{World, of_kind};

journeys!(
    the_next_model_answers_where_the_first_cannot,
    a_busy_model_is_asked_again_when_it_says_so_and_not_waited_for_long,
    a_conversation_too_long_for_a_model_is_asked_again_shorter,
    an_offer_that_cannot_be_read_is_asked_for_again,
    words_of_a_stream_that_was_cut_leave_the_screen_before_the_fallback,
);

async fn the_next_model_answers_where_the_first_cannot(world: World) {
    let (mut world, second) = world.with_two_models().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    world.model.will_say([Says::Status(500), Says::Page]);
    second.will_say([Says::Words("The second one speaks.")]);
    chat.say(&id, "hello?").await;
    assert_eq!(chat.hears().await, "The second one speaks.");
    assert_eq!((world.model.requests().len(), second.requests().len()), (2, 1));
    world.model.will_say([Says::Calls("shop__get_order", json!({ "id": "7" }).to_string()), Says::Words("I am back.")]);
    chat.say(&id, "and now?").await;
    assert_eq!(chat.hears().await, "I am back.");
    assert_eq!(second.requests().len(), 1, "the first is preferred again");
    let trace = world.trace(&id).await;
    assert_eq!(of_kind(&trace, "step")[0]["model"], "stub");

    // Three turns in which it fails: it is left alone, and a model that was not asked has not failed.
    for (at, said) in ["One.", "Two.", "Three.", "Four.", "Five."].into_iter().enumerate() {
        second.will_say([Says::Words(said)]);
        let before = world.model.requests().len();
        let mut other = world.chat(&format!("other-{at}")).await;
        let id = world.quick_talk(&mut other, &format!("other-{at}"), "a").await;
        other.say(&id, "hello?").await;
        assert_eq!(other.hears().await, said);
        let asked = world.model.requests().len() - before;
        assert_eq!(asked, if at < 3 { 2 } else { 0 }, "turn {at}");
    }
}

async fn a_busy_model_is_asked_again_when_it_says_so_and_not_waited_for_long(world: World) {
    let (mut world, second) = world.with_two_models().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Busy(1), Says::Words("Sorry, I was busy.")]);
    let begun = std::time::Instant::now();
    chat.say(&id, "hello?").await;
    assert_eq!(chat.hears().await, "Sorry, I was busy.");
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1), "not before it said");
    assert!(second.requests().is_empty());
    world.model.will_say([Says::Busy(60)]);
    second.will_say([Says::Words("I have time.")]);
    chat.say(&id, "and now?").await;
    assert_eq!(chat.hears().await, "I have time.");
    assert_eq!(world.model.requests().len(), 3, "nobody waits a minute");
}

async fn a_conversation_too_long_for_a_model_is_asked_again_shorter(world: World) {
    let playbook = world.read_file("playbooks/quick.yaml");
    let playbook = playbook.replace("  idle: 24h", "  idle: 24h\n  limits: { tokens: 1000000 }");
    let world = world.with_files(&[("playbooks/quick.yaml", &playbook)]).await;
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    for n in 0..4 {
        world.model.will_say([Says::Words("Go on.")]);
        chat.say(&id, &format!("part {n}: {}", "words ".repeat(1_200))).await;
        assert_eq!(chat.hears().await, "Go on.");
    }
    world.model.will_say([Says::TooLong, Says::Words("Now I see.")]);
    chat.say(&id, "and the end").await;
    assert_eq!(chat.hears().await, "Now I see.");
    let requests = world.model.requests();
    let [.., long, short] = &requests[..] else { panic!("two requests") };
    let size = |request: &Value| request["messages"].to_string().len();
    assert!(size(short) * 2 < size(long), "{} is not much shorter than {}", size(short), size(long));
    assert!(short["messages"].to_string().contains("and the end"), "the newest words stay");
    assert!(short["messages"][0]["content"] == long["messages"][0]["content"], "and so do the instructions");
}

async fn an_offer_that_cannot_be_read_is_asked_for_again(world: World) {
    let (mut world, second) = world.with_two_models().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    world.model.will_say([
        Says::Calls("offer", "{\"text\": \"Which".to_owned()),
        Says::Calls("offer", json!({ "text": "Which card?", "choices": ["A", "B"] }).to_string()),
    ]);
    chat.say(&id, "pay").await;
    assert_eq!(chat.hears().await, "Which card?");
    world.model.will_say([Says::Calls("offer", "{}".to_owned()), Says::Calls("offer", "[]".to_owned())]);
    second.will_say([Says::Words("This one, I suppose.")]);
    chat.say(&id, "hm").await;
    assert_eq!(chat.hears().await, "This one, I suppose.");
    assert_eq!((world.model.requests().len(), second.requests().len()), (4, 1));
    assert_eq!(world.conversation(&id).await["holder"], "assistant");
}

async fn words_of_a_stream_that_was_cut_leave_the_screen_before_the_fallback(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    // Both tries end in mid-sentence, and the script has no step for what was asked.
    world.model.will_say([Says::Recorded("stream_cut_midway.http"), Says::Recorded("stream_cut_midway.http")]);
    chat.say(&id, "What is the meaning of this?").await;
    assert_eq!(chat.hears().await, "I can't reach my assistant right now. A colleague will join you.");
    chat.holder("queue").await;
    chat.frame("dropped").await;
    chat.catch_up().await;
    let deltas = chat.all("delta");
    assert!(deltas.iter().any(|delta| delta["text"].as_str().unwrap().contains("Once")), "{}", chat.story());
    let dropped = chat.all("dropped");
    assert_eq!(dropped.len(), 1, "{}", chat.story());
    assert_eq!(dropped[0]["turn_id"], deltas[0]["turn_id"]);
    let frames: Vec<String> = chat.story().lines().map(str::to_owned).collect();
    let last = |kind: &str| frames.iter().rposition(|frame| frame.contains(&format!("\"type\":\"{kind}\"")));
    assert!(last("dropped") > last("delta"), "no words come after they were dropped:\n{}", chat.story());
}
