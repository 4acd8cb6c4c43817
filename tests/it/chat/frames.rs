//! B9: frames that are not as they should be. Each is named or ends the socket with its code; none changes anything.

use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Bytes;

use super::*;

#[tokio::test]
async fn a_bad_frame_gets_an_error_that_names_the_field_and_changes_nothing() {
    let mut settings = settings();
    // The pace of a socket is bounded; this test is about something else.
    settings.bounds.burst = 1_000;
    let server = Server::with(settings, Shelf::default()).await;
    let mine = server.owner.open(&user("42"), "Hello", &["Yes"]).await;
    let theirs = server.owner.open(&user("43"), "Secret", &["Yes"]).await;
    let (mut client, _) = server.user("42").await;
    let id = client_id();
    for (frame, code, names) in [
        ("{".to_owned(), "invalid", "JSON"),
        ("null".to_owned(), "invalid", "object"),
        (json!({ "type": "shout" }).to_string(), "invalid", "`type`"),
        (json!({ "type": "say", "text": "a" }).to_string(), "invalid", "`client_id`"),
        (json!({ "type": "say", "client_id": "tooshort", "text": "a" }).to_string(), "invalid", "`client_id`"),
        (json!({ "type": "say", "client_id": id, "text": "x".repeat(8_001) }).to_string(), "invalid", "`text`"),
        (json!({ "type": "say", "client_id": id, "text": "a\u{0}" }).to_string(), "invalid", "`text`"),
        (format!(r#"{{"type":"say","client_id":"{id}","text":"a","text":"b"}}"#), "invalid", "text"),
        (format!(r#"{{"type":"say","client_id":"{id}","text":"\ud800"}}"#), "invalid", "text"),
        (json!({ "type": "choose", "client_id": id, "conversation_id": mine }).to_string(), "invalid", "`choice`"),
        (
            json!({ "type": "confirm", "client_id": id, "conversation_id": mine, "call_id": "1", "approve": 1 })
                .to_string(),
            "invalid",
            "`approve`",
        ),
        (
            json!({ "type": "rate", "client_id": id, "conversation_id": mine, "score": 9 }).to_string(),
            "invalid",
            "`score`",
        ),
        (
            json!({ "type": "track", "client_id": id, "event": "a", "properties": [] }).to_string(),
            "invalid",
            "`properties`",
        ),
        (json!({ "type": "close", "client_id": id }).to_string(), "invalid", "`conversation_id`"),
        (json!({ "type": "close", "client_id": id, "conversation_id": "x" }).to_string(), "unknown_conversation", ""),
        (
            json!({ "type": "say", "client_id": id, "conversation_id": theirs, "text": "a" }).to_string(),
            "unknown_conversation",
            "",
        ),
        (
            json!({ "type": "choose", "client_id": id, "conversation_id": theirs, "choice": "Yes" }).to_string(),
            "unknown_conversation",
            "",
        ),
        (json!({ "type": "seen", "conversation_id": theirs, "seq": 1 }).to_string(), "unknown_conversation", ""),
        (json!({ "type": "typing", "conversation_id": theirs }).to_string(), "unknown_conversation", ""),
        (json!({ "type": "seen", "conversation_id": "0-1-1-1", "seq": 1 }).to_string(), "unknown_conversation", ""),
    ] {
        client.socket.send(Message::text(frame.clone())).await.unwrap();
        let error = client.next().await;
        assert_eq!(error["type"], "error", "{frame}");
        assert_eq!(error["code"], code, "{frame}");
        assert!(error["message"].as_str().unwrap().contains(names), "{frame}: {error}");
        if frame.contains(&id) {
            assert_eq!(error["client_id"], id, "{frame}");
        }
        assert!(!error.to_string().contains("Secret"));
    }
    client.assert_quiet().await;
    assert_eq!(server.owner.log(mine).await.len(), 1);
    assert_eq!(server.owner.log(theirs).await.len(), 1);
    let state = server.owner.state(&user("42")).await;
    assert!(state.refusals.is_empty(), "nothing of it was appended");
}

#[tokio::test]
async fn what_is_no_text_frame_of_at_most_64_kb_ends_the_socket() {
    let server = Server::start().await;
    let (mut binary, _) = server.user("42").await;
    binary.socket.send(Message::Binary(Bytes::from_static(b"{}"))).await.unwrap();
    assert_eq!(binary.closed().await.0, 1003);

    let (mut large, _) = server.user("42").await;
    large.socket.send(Message::text(" ".repeat(65 * 1_024))).await.unwrap();
    assert_eq!(large.closed().await.0, 1009);

    let (mut just, _) = server.user("42").await;
    just.socket.send(Message::text(format!("{{\"type\":\"ping\"}}{}", " ".repeat(64 * 1_024 - 15)))).await.unwrap();
    assert_eq!(just.next().await["type"], "pong");

    let (mut huge, _) = server.user("42").await;
    // The other side hangs up in the middle of it, so sending may fail.
    let sent = huge.socket.send(Message::text("x".repeat(1_024 * 1_024))).await;
    if sent.is_ok() {
        assert_eq!(huge.closed().await.0, 1009);
    }
    server.until_open(1).await;
}

/// A frame as a client sends it, masked with zeros.
fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test]
async fn half_a_utf_8_sequence_a_compressed_frame_and_an_unmasked_one_end_the_socket() {
    let server = Server::start().await;
    for (bytes, expected) in [
        (raw(0x81, b"{\"type\":\"\xc3"), 1007),
        // The bit that says compressed; no extension was agreed on, so there is no bomb to unpack.
        (raw(0xc1, &[0xab; 100]), 1002),
        (vec![0x81, 2, b'{', b'}'], 1002),
    ] {
        let (mut client, _) = server.user("42").await;
        client.socket.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(client.closed().await.0, expected);
    }
    server.until_open(0).await;
}

#[tokio::test]
async fn a_flood_of_frames_is_slowed_then_closed_and_harms_nobody_else() {
    let server = Server::start().await;
    let (mut good, _) = server.user("43").await;
    let (mut client, _) = server.user("42").await;
    for _ in 0..45 {
        client.send(json!({ "type": "typing", "conversation_id": "0-1-1-1", "client_id": client_id() })).await;
    }
    let slowed = loop {
        let error = client.next().await;
        if error["code"] == "too_fast" {
            break error;
        }
    };
    assert_eq!(slowed["retry_after"], 1);
    assert!(slowed["client_id"].is_string());
    let flood = async {
        for _ in 0..1_000 {
            if client.socket.send(Message::text("{\"type\":\"ping\"}")).await.is_err() {
                break;
            }
        }
        client.closed().await.0
    };
    assert_eq!(flood.await, 4509);
    good.assert_quiet().await;
}

#[tokio::test]
async fn guessing_conversations_is_slowed_sooner_than_talking() {
    let mut settings = settings();
    (settings.bounds.frames, settings.bounds.burst) = (1, 20);
    let server = Server::with(settings, Shelf::default()).await;
    let (mut client, _) = server.user("42").await;
    let mut codes = Vec::new();
    for n in 0..8 {
        let say =
            json!({ "type": "say", "client_id": client_id(), "conversation_id": format!("0-1-1-{n}"), "text": "x" });
        client.send(say).await;
        codes.push(client.next().await["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        codes.iter().filter(|code| *code == "unknown_conversation").count(),
        4,
        "each counts as five: {codes:?}"
    );
    assert_eq!(codes.last().unwrap(), "too_fast");
}

#[tokio::test]
async fn a_flood_of_pings_is_closed() {
    let server = Server::start().await;
    let (mut client, _) = server.user("42").await;
    for _ in 0..300 {
        if client.socket.feed(Message::Ping(Bytes::from_static(b"x"))).await.is_err() {
            break;
        }
    }
    client.socket.flush().await.unwrap();
    assert_eq!(client.closed().await.0, 4509);
}
