//! `client_id`s: who sends the same one again, elsewhere, or as somebody else (B11).

use serde_json::{Value, json};

use super::journeys;
use super::world::{ANA, World, assert_dense};

journeys!(
    one_client_id_from_two_devices_at_once_is_one_message_and_one_answer,
    a_customer_and_an_operator_with_the_same_client_id_are_both_heard,
);

async fn one_client_id_from_two_devices_at_once_is_one_message_and_one_answer(mut world: World) {
    let mut phone = world.chat("42").await;
    let id = world.quick_talk(&mut phone, "42", "a").await;
    let mut laptop = world.chat("42").await;
    for round in 0..20 {
        let client_id = format!("both-devices-{round:08}");
        let say = |text: &str| json!({ "type": "say", "client_id": client_id, "conversation_id": id, "text": text });
        tokio::join!(phone.send(say("from the phone")), laptop.send(say("from the laptop")));
        let (one, other) = (phone.answer(&client_id).await, laptop.answer(&client_id).await);
        assert!(one.is_ok() && one == other, "{one:?} {other:?}");
        phone.send(say("and later")).await;
        let known = |frame: &Value| frame["type"] == "ack" && frame["client_id"] == client_id.as_str();
        assert_eq!(phone.wait("the same answer", known).await["seq"], one.unwrap());
    }
    world.settle("42").await;
    phone.catch_up().await;
    let said = phone.words(&id);
    assert_eq!(said.iter().filter(|(by, _)| by == "customer").count(), 20, "{said:?}");
    assert!(said.iter().all(|(_, text)| text != "and later"));
    assert_dense(&phone.entries(&id));
}

async fn a_customer_and_an_operator_with_the_same_client_id_are_both_heard(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    let client_id = chat.say(&id, "hello?").await;
    chat.answer(&client_id).await.unwrap();
    chat.hears().await;
    world.claim(ANA, &id).await;
    let words = json!({ "client_id": client_id, "text": "I am Ana." });
    for _ in 0..2 {
        let (status, entry) = world.act(ANA, &id, "messages", words.clone()).await;
        assert_eq!((status, &entry["text"], &entry["by"]), (200, &json!("I am Ana."), &json!("operator")), "{entry}");
    }
    assert_eq!(chat.hears().await, "I am Ana.");
    world.settle("42").await;
    chat.catch_up().await;
    assert_eq!(chat.words(&id).iter().filter(|(by, _)| by == "operator").count(), 1);
}
