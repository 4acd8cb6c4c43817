//! A client that remembers what it was sent and takes nothing twice, and a proxy that cuts its line.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How many cuts a test makes: `BECKON_CUTS`, or so many.
pub(crate) fn cuts(usually: usize) -> usize {
    std::env::var("BECKON_CUTS").map_or(usually, |cuts| cuts.parse().expect("BECKON_CUTS is a number"))
}

/// What a client has: number, id and text of each entry, by conversation, and the words on their way.
#[derive(Default)]
pub(crate) struct Screen {
    pub(crate) logs: BTreeMap<String, Vec<(u64, String, String)>>,
    streams: BTreeMap<String, Stream>,
    /// Entries whose words were all on their way here before.
    pub(crate) streamed: usize,
}

/// Words of a turn, as deltas brought them.
struct Stream {
    attempt: u64,
    next: u64,
    /// All of them so far; none after a gap or a start above 0.
    text: Option<String>,
}

impl Screen {
    /// Says hello again, from where it stands; what was on its way is forgotten.
    pub(crate) fn hello(&mut self, token: String) -> Value {
        self.streams.clear();
        let last = |log: &Vec<(u64, String, String)>| log.last().map(|(seq, id, _)| json!({ "seq": seq, "id": id }));
        let cursors = self.logs.iter().filter_map(|(id, log)| Some((id.clone(), last(log)?)));
        json!({ "type": "hello", "token": token, "resume": cursors.collect::<serde_json::Map<_, _>>() })
    }

    /// Takes a frame; an entry or a delta that is not a next one fails.
    pub(crate) fn take(&mut self, frame: &Value) {
        match frame["type"].as_str().unwrap() {
            "welcome" => frame["conversations"].as_array().unwrap().iter().for_each(|shown| self.conversation(shown)),
            "opened" => self.conversation(&frame["conversation"]),
            "entry" => self.entry(frame["conversation_id"].as_str().unwrap(), frame),
            "delta" => self.delta(frame),
            "reset" => {
                self.logs.insert(frame["conversation_id"].as_str().unwrap().to_owned(), Vec::new());
            }
            _ => {}
        }
    }

    fn conversation(&mut self, shown: &Value) {
        for entry in shown["entries"].as_array().unwrap() {
            self.entry(shown["id"].as_str().unwrap(), entry);
        }
    }

    fn entry(&mut self, conversation: &str, entry: &Value) {
        let log = self.logs.entry(conversation.to_owned()).or_default();
        assert_eq!(entry["seq"].as_u64().unwrap(), log.len() as u64 + 1, "dense, once, in order: {entry}");
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        log.push((entry["seq"].as_u64().unwrap(), text("id"), text("text")));
        let Some(stream) = entry["turn_id"].as_str().and_then(|turn| self.streams.remove(turn)) else { return };
        if let Some(words) = stream.text.filter(|_| entry["try"] == stream.attempt) {
            assert!(text("text").starts_with(words.trim_end()), "{entry} does not begin with {words:?}");
            self.streamed += 1;
        }
    }

    fn delta(&mut self, frame: &Value) {
        let number = |name: &str| frame[name].as_u64().unwrap();
        let stream = self.streams.entry(frame["turn_id"].as_str().unwrap().to_owned());
        let stream = stream.or_insert(Stream { attempt: number("try"), next: 0, text: Some(String::new()) });
        if number("try") > stream.attempt {
            *stream = Stream { attempt: number("try"), next: 0, text: Some(String::new()) };
        }
        if number("try") < stream.attempt {
            return;
        }
        assert!(number("index") >= stream.next, "words come once: {frame}");
        if number("index") > stream.next {
            stream.text = None;
        }
        stream.next = number("index") + 1;
        if let Some(words) = &mut stream.text {
            words.push_str(frame["text"].as_str().unwrap());
        }
    }
}

/// Forwards one connection to the server and cuts it after so many bytes from the server.
pub(crate) async fn cut_after(server: SocketAddr, mut bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let (mut up, mut down) = ([0; 4_096], [0; 4_096]);
        while bytes > 0 {
            tokio::select! {
                read = client.read(&mut up) => match read {
                    Ok(n) if n > 0 => if server.write_all(&up[..n]).await.is_err() { return },
                    _ => return,
                },
                read = server.read(&mut down) => match read {
                    Ok(n) if n > 0 => {
                        let n = n.min(bytes);
                        bytes -= n;
                        if client.write_all(&down[..n]).await.is_err() { return }
                    }
                    _ => return,
                },
            }
        }
    });
    address
}
