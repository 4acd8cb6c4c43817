//! What passes: deltas and typing, slow readers, silence, and a node that goes (promise 8).

use beckon::model::entry::By;
use beckon::model::ids::Pos;
use beckon::model::live::Live;

use super::*;

const TURN: Pos = Pos { ms: 5, n: 0 };

fn delta(conversation: ConversationId, attempt: u64, index: u32, text: &str) -> Live {
    Live::Delta { conversation, turn: TURN, attempt, index, text: text.to_owned() }
}

#[tokio::test]
async fn words_on_their_way_arrive_in_order_joined_and_dense() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let theirs = server.owner.open(&user("43"), "May I help?", &[]).await;
    let (mut client, _) = server.user("42").await;
    server.owner.hint(&user("42"), &delta(theirs, 1, 0, "not yours")).await;
    server.owner.hint(&user("42"), &Live::Typing { conversation, by: By::Assistant, call: None }).await;
    for n in 0..30 {
        server.owner.hint(&user("42"), &delta(conversation, 7, n, &format!("{n} "))).await;
    }
    let typing = json!({ "type": "typing", "conversation_id": conversation, "by": "assistant" });
    assert_eq!(client.next().await, typing);
    let (mut words, mut frames) = (String::new(), 0);
    let all: String = (0..30).map(|n| format!("{n} ")).collect();
    while words != all {
        let frame = client.next().await;
        assert_eq!((&frame["type"], &frame["try"], &frame["index"]), (&json!("delta"), &json!(7), &json!(frames)));
        assert_eq!(frame["turn_id"], "5-0");
        words.push_str(frame["text"].as_str().unwrap());
        frames += 1;
    }
    assert!(frames < 15, "30 deltas became {frames} frames");
    server.owner.hint(&user("42"), &Live::Dropped { conversation, turn: TURN }).await;
    let dropped = json!({ "type": "dropped", "conversation_id": conversation, "turn_id": "5-0" });
    assert_eq!(client.next().await, dropped);
    server.owner.hint(&user("42"), &delta(conversation, 7, 30, "late")).await;
    client.assert_quiet().await;
}

#[tokio::test]
async fn typing_of_the_customer_is_told_to_others_and_not_back() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let channel = beckon::store::Channel::Actor(user("42"));
    let mut operator = server.owner.store.subscribe(channel, 16).await.unwrap();
    let (mut client, _) = server.user("42").await;
    for _ in 0..5 {
        client.send(json!({ "type": "typing", "conversation_id": conversation })).await;
    }
    client.assert_quiet().await;
    let hint = operator.recv().await.unwrap();
    let beckon::store::Hint::Payload(payload) = hint else { panic!("{hint:?}") };
    let live: Live = serde_json::from_slice(&payload).unwrap();
    assert_eq!(live, Live::Typing { conversation, by: By::Customer, call: None });
    assert!(operator.try_recv().is_err(), "told once in a while, not with each key");
}

#[tokio::test]
async fn a_slow_reader_is_closed_and_others_get_everything() {
    let server = Server::start().await;
    let conversation = server.owner.open(&user("42"), "May I help?", &[]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 * 1_024).unwrap();
    let mut slow = Client::on(socket.connect(server.address).await.unwrap()).await.unwrap();
    slow.send(json!({ "type": "hello", "token": token("42"), "resume": {} })).await;
    slow.find("welcome").await;
    let (mut good, _) = server.user("42").await;
    let text = "x".repeat(8_000);
    for n in 0..150 {
        server.owner.write(&user("42"), conversation, &format!("{n} {text}")).await;
        assert_eq!(good.next().await["seq"], n + 2);
    }
    assert_eq!(slow.closed().await.0, 4408);
    drop(slow);
    server.until_open(1).await;
    good.assert_quiet().await;
}

#[tokio::test]
async fn a_socket_without_a_sign_of_life_is_closed() {
    let mut settings = settings();
    (settings.times.ping, settings.times.silence) = (Duration::from_millis(50), Duration::from_millis(200));
    let server = Server::with(settings, Shelf::default()).await;
    let (_deaf, _) = server.user("42").await;
    let (mut alive, _) = server.user("43").await;
    // Reading answers pings.
    let reading = async { while let Some(Ok(_)) = alive.message().await {} };
    tokio::select! {
        () = server.until_open(1) => {}
        () = reading => panic!("the one that answers pings stays"),
    }
    alive.assert_quiet().await;
}

#[tokio::test]
async fn a_draining_node_tells_everyone_when_to_come_back() {
    let server = Server::start().await;
    let (mut one, _) = server.user("42").await;
    let (mut two, _) = server.user("43").await;
    let mut unknown = server.connect().await;
    let registry = server.chat.registry().clone();
    let drained = tokio::spawn(async move { registry.drain(PATIENCE).await });
    for client in [&mut one, &mut two, &mut unknown] {
        let (code, reason) = client.closed().await;
        assert_eq!(code, 4503);
        let reason: Value = serde_json::from_str(&reason).unwrap();
        assert!((1..=15).contains(&reason["retry_after"].as_u64().unwrap()));
    }
    drop((one, two, unknown));
    assert_eq!(drained.await.unwrap(), 0, "nobody is left");
    let late = Client::on(TcpStream::connect(server.address).await.unwrap()).await.err().unwrap();
    let Error::Http(response) = late else { panic!("{late}") };
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
}
