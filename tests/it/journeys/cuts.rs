//! F20 with words on their way: the socket is cut at random bytes while an assistant's answers stream.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::journeys;
use super::model::Says;
use super::world::{World, token};
use crate::chat::screen::{Screen, cut_after, cuts};

journeys!(f20_a_socket_cut_while_words_stream_ends_with_the_servers_log);

/// About a hundred words: some frames of deltas, at most 20 of which come a second.
const ANSWER: &str = "I looked at the order that you asked about and at all that happened to it since it was placed. \
    The first parcel left the warehouse on Monday evening and was scanned in the sorting centre near you this morning, \
    so it should be at your door before the end of the day. The second one waits for a part that comes from abroad; \
    it is expected on Thursday, and I can have both sent to another address, or to a shop around the corner, \
    if nobody is at home when they come. Tell me which of these you would like, and I will see to it at once.";

/// How long a frame may take before the journey fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is said to one conversation; it would be handed over after twenty.
const TURNS: usize = 15;

async fn f20_a_socket_cut_while_words_stream_ends_with_the_servers_log(world: World) {
    let mut world = world.with_model().await;
    let mut screen = Screen::default();
    let (wanted, mut made) = (cuts(20), 0);
    let mut chat = world.chat("42").await;
    for thing in 0.. {
        let id = world.quick_talk(&mut chat, "42", &thing.to_string()).await;
        for turn in 0..TURNS {
            world.model.will_say([Says::Paced(ANSWER, Duration::from_millis(2))]);
            let words = format!("question {turn}");
            let say = json!({ "type": "say", "client_id": chat.client_id(), "conversation_id": id, "text": words });
            // Opening, and a question and its answer for each turn.
            while screen.logs.get(&id).map_or(0, Vec::len) < 3 + 2 * turn {
                made += usize::from(is_cut(&world, &mut screen, &say, &id, 3 + 2 * turn).await);
            }
        }
        let shown = world.conversation(&id).await;
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let entries = shown["entries"].as_array().unwrap().iter();
        let log: Vec<_> = entries.map(|e| (e["seq"].as_u64().unwrap(), text(e, "id"), text(e, "text"))).collect();
        assert_eq!(screen.logs[&id], log);
        if made >= wanted {
            break;
        }
    }
    assert!(screen.streamed > 0, "no stream came whole");
}

/// Says it, perhaps again, and reads until the line is cut or so many entries are there.
async fn is_cut(world: &World, screen: &mut Screen, say: &Value, id: &str, entries: usize) -> bool {
    let server: SocketAddr = world.url.trim_start_matches("http://").parse().unwrap();
    let proxy = cut_after(server, rand::random_range(1..5_000)).await;
    let mut request = world.chat_url().into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "beckon.v1".parse().unwrap());
    let Ok((mut socket, _)) = client_async(request, TcpStream::connect(proxy).await.unwrap()).await else {
        return true;
    };
    for frame in [&screen.hello(token("42")), say] {
        if socket.send(Message::text(frame.to_string())).await.is_err() {
            return true;
        }
    }
    while let Some(Ok(message)) = timeout(PATIENCE, socket.next()).await.expect("an answer comes, or a cut") {
        if let Message::Text(text) = message {
            screen.take(&serde_json::from_str(&text).unwrap());
        }
        if screen.logs.get(id).is_some_and(|log| log.len() >= entries) {
            return false;
        }
    }
    true
}
