//! Sockets: cut in mid-stream, opened twice, sent again, by who speaks first.

use serde_json::{Value, json};

use super::journeys;
use super::model::Says;
use super::world::{World, assert_dense, of_kind};

journeys!(
    a_client_that_comes_back_in_mid_stream_misses_nothing,
    a_client_whose_entry_is_another_starts_over,
    two_tabs_get_everything_and_charge_once,
    a_stale_choice_is_refused,
    a_message_sent_again_with_other_words_counts_once,
    who_speaks_first_is_answered,
);

async fn a_client_that_comes_back_in_mid_stream_misses_nothing(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Held("Let me look at that for you. ")]);
    let client_id = chat.say(&id, "please look").await;
    chat.frame("delta").await;
    chat.answer(&client_id).await.unwrap();
    let cursor = chat.cursor(&id);
    let mut entries = chat.entries(&id);
    chat.hang_up().await;

    let mut back = world.chat_resuming("42", cursor).await;
    assert_eq!(back.entries(&id), Vec::<Value>::new(), "nothing comes twice");
    world.model.release();
    assert_eq!(back.hears().await, "Let me look at that for you.");
    entries.extend(back.entries(&id));
    assert_dense(&entries);
    assert_eq!(entries, world.conversation(&id).await["entries"].as_array().unwrap().clone(), "the log, exactly");

    let cursor = back.cursor(&id);
    back.hang_up().await;
    world.model.will_say([Says::Words("Said while you were away.")]);
    let mut other = world.chat("42").await;
    other.say(&id, "go on").await;
    assert_eq!(other.hears().await, "Said while you were away.");
    let again = world.chat_resuming("42", cursor).await;
    entries.extend(again.entries(&id));
    assert_dense(&entries);
    assert_eq!(entries.len(), 5);
}

async fn a_client_whose_entry_is_another_starts_over(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    chat.say(&id, "hello").await;
    chat.hears().await;
    let other_id = chat.entries(&id)[0]["id"].clone();
    for cursor in [json!({ "seq": 2, "id": other_id }), json!({ "seq": 9, "id": other_id })] {
        let mut back = world.chat_resuming("42", json!({ &id: cursor })).await;
        assert_eq!(back.entries(&id), Vec::<Value>::new());
        assert_eq!(back.frame("reset").await["conversation_id"], id.as_str());
        assert_eq!(back.hears().await, "Something happened to a.");
        assert_eq!(back.hears().await, "You said hello.");
        assert_dense(&back.entries(&id));
    }
    let stranger = world.chat_resuming("43", chat.cursor(&id)).await;
    assert_eq!(stranger.welcome["conversations"], json!([]), "another's conversation is unknown, without a hint");
}

async fn two_tabs_get_everything_and_charge_once(mut world: World) {
    let mut left = world.chat("42").await;
    let mut right = world.chat("42").await;
    let id = world.talk(&mut left, "42", "7").await;
    assert_eq!(right.opened().await, id);
    left.choose(&id, "Use another card").await;
    right.wait("the choices", |f| f["kind"] == "message" && f["text"] == "Which card?").await;
    right.choose(&id, "card-b").await;
    let confirm = left.entry("confirm").await;
    assert_eq!(right.entry("confirm").await["call_id"], confirm["call_id"]);
    let first = left.confirm(&id, &confirm["call_id"], true).await;
    let second = right.confirm(&id, &confirm["call_id"], true).await;
    let answers = [left.answer(&first).await, right.answer(&second).await];
    let refused: Vec<&String> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(refused, ["confirm_gone"], "{answers:?}");
    for chat in [&mut left, &mut right] {
        chat.wait("the end", |f| f["kind"] == "message" && f["text"] == "Order N-7 is paid.").await;
        assert_dense(&chat.entries(&id));
    }
    assert_eq!(left.entries(&id), right.entries(&id));
    assert_eq!(world.api.charges("7"), 1);
}

async fn a_stale_choice_is_refused(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    let unheard = chat.choose(&id, "Make me rich").await;
    assert_eq!(chat.answer(&unheard).await, Err("choice_gone".to_owned()));
    chat.choose(&id, "Use another card").await;
    chat.hears().await;
    let stale = chat.choose(&id, "Not now").await;
    assert_eq!(chat.answer(&stale).await, Err("choice_gone".to_owned()));
    let frame = json!({ "type": "choose", "client_id": stale, "conversation_id": id, "choice": "card-a" });
    chat.send(frame).await;
    let again = chat.wait("the refusal again", |f| f["type"] == "error" && f["client_id"] == stale.as_str()).await;
    assert_eq!(again["code"], "choice_gone", "a refused frame stays refused");
    assert_eq!(world.conversation(&id).await["state"], "open");
}

async fn a_message_sent_again_with_other_words_counts_once(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    let client_id = chat.say(&id, "the first words").await;
    let seq = chat.answer(&client_id).await.unwrap();
    chat.hears().await;
    let again = json!({ "type": "say", "client_id": client_id, "conversation_id": id, "text": "other words" });
    chat.send(again.clone()).await;
    assert_eq!(chat.frame("ack").await["seq"], seq);
    let mut other = world.chat("42").await;
    other.send(again.clone()).await;
    assert_eq!(other.frame("ack").await["seq"], seq);
    world.restart().await;
    let mut later = world.chat("42").await;
    later.send(again).await;
    assert_eq!(later.frame("ack").await["seq"], seq, "no clock and no restart forgets it");
    world.settle("42").await;
    let trace = world.trace(&id).await;
    let said: Vec<&Value> = of_kind(&trace, "message").into_iter().filter(|e| e["by"] == "customer").collect();
    assert_eq!(said.len(), 1, "{trace:#?}");
    assert_eq!(said[0]["text"], "the first words");
}

async fn who_speaks_first_is_answered(world: World) {
    let mut chat = world.anonymous_chat().await;
    assert!(chat.welcome["customer"].as_str().unwrap().starts_with("anon:"), "{}", chat.welcome);
    let anonymous = chat.welcome["anonymous_id"].clone();
    let client_id = chat.client_id();
    chat.send(json!({ "type": "say", "client_id": client_id, "text": "anybody there?" })).await;
    assert_eq!(chat.hears().await, "Hello. You said: anybody there?");
    chat.answer(&client_id).await.unwrap();
    let ack = chat.all("ack")[0].clone();
    let id = ack["conversation_id"].as_str().unwrap().to_owned();
    chat.ask(json!({ "type": "say", "text": "still there?" })).await.unwrap();
    assert_eq!(chat.hears().await, "Hello. You said: still there?");
    assert_dense(&chat.entries(&id));
    assert_eq!(chat.all("opened").len(), 1, "the same conversation goes on");
    chat.hang_up().await;
    let hello = json!({ "type": "hello", "anonymous_id": anonymous, "resume": {} });
    let back = super::chat::Chat::connect(&world.chat_url(), hello).await;
    assert_eq!(back.welcome["conversations"][0]["id"], id.as_str());
    assert_eq!(back.welcome["conversations"][0]["playbook"], "help");
}
