//! Acts of the customer: each ends in an `ack` after its entry, or in an error, and sent again it gets the same (B11).

use std::sync::atomic::Ordering;

use beckon::model::conversation::Phase;

use super::*;

fn say(id: &str, conversation: ConversationId, text: &str) -> Value {
    json!({ "type": "say", "client_id": id, "conversation_id": conversation, "text": text })
}

#[tokio::test]
async fn an_ack_comes_after_its_entry_and_only_to_who_asked() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let (mut one, _) = server.user("42").await;
    let (mut two, _) = server.user("42").await;
    let id = client_id();
    one.send(say(&id, conversation, "<b>Yes</b>")).await;
    let entry = one.next().await;
    assert_eq!((&entry["type"], &entry["seq"], &entry["kind"]), (&json!("entry"), &json!(2), &json!("message")));
    assert_eq!((&entry["by"], &entry["text"]), (&json!("customer"), &json!("<b>Yes</b>")));
    assert_eq!(entry["client_id"], id);
    let ack = json!({ "type": "ack", "client_id": id, "conversation_id": conversation, "seq": 2 });
    assert_eq!(one.next().await, ack);
    assert_eq!(two.next().await, entry);
    two.assert_quiet().await;
    one.assert_quiet().await;
}

#[tokio::test]
async fn the_first_text_of_a_client_id_stands_whoever_sends_it_again() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let id = client_id();
    let (mut one, _) = server.user("42").await;
    one.send(say(&id, conversation, "first")).await;
    let first = one.find("ack").await;
    one.send(say(&id, conversation, "second")).await;
    assert_eq!(one.find("ack").await, first);
    drop(one);
    let (mut two, _) = server.user("42").await;
    two.send(say(&id, conversation, "third")).await;
    assert_eq!(two.next().await, first, "no entry came with it");
    assert_eq!(server.owner.log(conversation).await.len(), 2);
}

#[tokio::test]
async fn an_ack_waits_for_an_entry_that_no_hint_brought() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let (mut one, _) = server.user("42").await;
    let (mut two, _) = server.user("42").await;
    let id = client_id();
    server.owner.mute.store(true, Ordering::SeqCst);
    two.send(say(&id, conversation, "yes")).await;
    server.owner.decided(&user("42"), |state| state.conversations[&conversation].seq == 2).await;
    server.owner.mute.store(false, Ordering::SeqCst);
    one.send(say(&id, conversation, "yes")).await;
    let entry = one.next().await;
    assert_eq!((&entry["type"], &entry["seq"]), (&json!("entry"), &json!(2)));
    let ack = one.next().await;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(2)));
}

#[tokio::test]
async fn who_has_asked_much_that_is_not_answered_is_told_to_wait() {
    let mut settings = settings();
    settings.bounds.burst = 1_000;
    let server = Server::with(settings, Shelf::default()).await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let (mut client, _) = server.user("42").await;
    server.owner.rests();
    for _ in 0..64 {
        client.send(say(&client_id(), conversation, "yes")).await;
    }
    client.assert_quiet().await;
    let id = client_id();
    client.send(say(&id, conversation, "yes")).await;
    let told = client.next().await;
    assert_eq!((&told["code"], &told["client_id"]), (&json!("busy"), &json!(id)), "{told}");
    assert!(told["retry_after"].is_u64(), "{told}");
    let undecided: u64 = server.owner.store.fill().await.unwrap().values().map(|fill| fill.undecided).sum();
    assert_eq!(undecided, 64, "and nothing was appended");
}

#[tokio::test]
async fn a_refusal_stays_the_same() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "Which?", &["Red", "Blue"]).await;
    let (mut client, _) = server.user("42").await;
    let choose = |id: &str, choice: &str| json!({ "type": "choose", "client_id": id, "conversation_id": conversation, "choice": choice });
    let id = client_id();
    client.send(choose(&id, "Green")).await;
    let refused = client.next().await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("choice_gone")));
    assert_eq!(refused["client_id"], id);
    assert_eq!(refused.get("retry_after"), None);
    client.send(choose(&id, "Red")).await;
    assert_eq!(client.next().await, refused);
    client.send(choose(&client_id(), "Red")).await;
    assert_eq!(client.find("ack").await["seq"], 2);
    let close = json!({ "type": "close", "client_id": client_id(), "conversation_id": conversation });
    client.send(close).await;
    assert_eq!(client.find("entry").await["kind"], "closed");
    assert_eq!(client.find("ack").await["seq"], 3);
    client.send(say(&client_id(), conversation, "still there?")).await;
    assert_eq!(client.next().await["code"], "closed");
    let rate = json!({ "type": "rate", "client_id": client_id(), "conversation_id": conversation, "score": 5 });
    client.send(rate).await;
    assert_eq!(client.next().await["seq"], 3, "a rating is no entry for customers: the last one's number");
}

#[tokio::test]
async fn who_speaks_first_needs_a_playbook_for_it() {
    let silent = Server::start().await;
    let (mut client, _) = silent.user("42").await;
    let first = json!({ "type": "say", "client_id": client_id(), "text": "Hello?" });
    client.send(first.clone()).await;
    assert_eq!(client.next().await["code"], "no_conversation");

    let mut settings = settings();
    settings.playbook = Some("help".to_owned());
    let server = Server::with(settings, Shelf::default()).await;
    let (mut client, _) = server.user("42").await;
    let (mut tab, _) = server.user("42").await;
    client.send(first.clone()).await;
    let opened = client.next().await;
    assert_eq!(opened["type"], "opened");
    let conversation = &opened["conversation"];
    assert_eq!((&conversation["playbook"], &conversation["last_seq"]), (&json!("help"), &json!(1)));
    assert_eq!(conversation["entries"][0]["text"], "Hello?");
    let ack = client.next().await;
    assert_eq!((&ack["type"], &ack["conversation_id"]), (&json!("ack"), &conversation["id"]));
    assert_eq!(tab.next().await, opened);
    tab.assert_quiet().await;
}

#[tokio::test]
async fn an_answer_whose_hint_was_lost_is_found_at_the_next_ping() {
    let mut settings = settings();
    settings.times.ping = Duration::from_millis(100);
    let server = Server::with(settings, Shelf::default()).await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let (mut client, _) = server.user("42").await;
    server.owner.mute.store(true, Ordering::SeqCst);
    let id = client_id();
    client.send(say(&id, conversation, "yes")).await;
    assert_eq!(client.next().await["text"], "yes");
    let ack = client.next().await;
    assert_eq!((&ack["type"], &ack["client_id"], &ack["seq"]), (&json!("ack"), &json!(id), &json!(2)));
    let second = server.owner.open(&user("42"), "And another thing.", &[]).await;
    let opened = client.next().await;
    assert_eq!((&opened["type"], &opened["conversation"]["id"]), (&json!("opened"), &json!(second)));
}

#[tokio::test]
async fn the_first_seen_opens_and_others_fill_no_inbox() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let (mut client, welcome) = server.user("42").await;
    assert_eq!(welcome["conversations"][0]["state"], "waiting");
    for _ in 0..5 {
        client.send(json!({ "type": "seen", "conversation_id": conversation, "seq": 1 })).await;
    }
    client.assert_quiet().await;
    let partition = user("42").partition(server.owner.store.partitions());
    let inputs = server.owner.store.read(partition, Default::default(), 100).await.unwrap();
    assert_eq!(inputs.len(), 2, "the event and one seen");
    server.owner.decided(&user("42"), |state| state.conversations[&conversation].phase == Phase::Open).await;
    let (_, again) = server.user("42").await;
    assert_eq!(again["conversations"][0]["state"], "open");
}

#[tokio::test]
async fn a_tracked_event_concerns_its_sender_and_is_not_trusted() {
    let server = Server::start().await;
    let (mut client, _) = server.user("42").await;
    let id = client_id();
    let properties = json!({ "user_id": "victim", "total": 5 });
    let track = json!({ "type": "track", "client_id": id, "event": "checkout.completed", "properties": properties,
        "customer": "user:victim", "trust": "server", "source": "shop" });
    for _ in 0..2 {
        client.send(track.clone()).await;
        assert_eq!(client.next().await, json!({ "type": "ack", "client_id": id, "seq": 0 }));
    }
    let partition = user("42").partition(server.owner.store.partitions());
    let inputs = server.owner.store.read(partition, Default::default(), 100).await.unwrap();
    assert_eq!(inputs.len(), 1, "the same id is the same event");
    let input: Value = serde_json::from_slice(&inputs[0].payload).unwrap();
    let event = &input["body"]["event"];
    assert_eq!((&event["customer"], &event["trust"]), (&json!("user:42"), &json!("client")));
    assert_eq!((&event["source"], &event["id"], &event["data"]), (&json!("chat"), &json!(id), &properties));
}

#[tokio::test]
async fn a_dismissal_is_an_event_and_no_other_name_of_our_own_is_taken() {
    let server = Server::start().await;
    let (mut client, _) = server.user("42").await;
    let properties = json!({ "conversation_id": "3-1-0-0", "playbook": "checkout-trouble" });
    let track =
        |id: &str, event: &str| json!({ "type": "track", "client_id": id, "event": event, "properties": properties });
    let (refused, taken) = (client_id(), client_id());
    client.send(track(&refused, "beckon.open")).await;
    let answer = client.next().await;
    assert_eq!(
        (&answer["type"], &answer["code"], &answer["client_id"]),
        (&json!("error"), &json!("invalid"), &json!(refused))
    );
    client.send(track(&taken, "beckon.dismissed")).await;
    assert_eq!(client.next().await, json!({ "type": "ack", "client_id": taken, "seq": 0 }));
    let partition = user("42").partition(server.owner.store.partitions());
    let inputs = server.owner.store.read(partition, Default::default(), 100).await.unwrap();
    let types: Vec<Value> = inputs
        .iter()
        .map(|one| serde_json::from_slice::<Value>(&one.payload).unwrap()["body"]["event"]["type"].clone())
        .collect();
    assert_eq!(types, [json!("beckon.dismissed")]);
}
