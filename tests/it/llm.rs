//! The model over a real connection: recorded answers byte by byte, and every way in which a model can be down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use beckon::llm::openai::OpenAi;
use beckon::llm::{Completion, Llm, LlmError, Message, Request, Settings, Tool, ToolCall};
use beckon::secret::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

/// What the server does after it has read a request, in order.
#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    /// Each byte in a write of its own.
    Drip(Vec<u8>),
    /// The same again and again, until the other side has enough.
    Endless(Vec<u8>),
    Wait(Arc<Notify>),
    /// Silence until the other side closes; then tells.
    Hang(Arc<Notify>),
}

struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
    requests: mpsc::UnboundedReceiver<(String, Value)>,
}

/// Answers each connection's one request: the first by the first script, later ones by the next, the last for ever.
async fn serve(scripts: Vec<Vec<Step>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (seen, requests) = mpsc::unbounded_channel();
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let n = count.fetch_add(1, Ordering::SeqCst);
            let script = scripts[n.min(scripts.len() - 1)].clone();
            let seen = seen.clone();
            tokio::spawn(async move {
                let request = read_request(&mut stream).await;
                let _ = seen.send(request);
                play(&mut stream, script).await;
            });
        }
    });
    Server { url, asked, requests }
}

async fn read_request(stream: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).await.unwrap();
        assert!(n > 0, "the request was cut");
        bytes.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        if body.len() >= length.parse().unwrap() {
            return (head, serde_json::from_str(body).unwrap());
        }
    }
}

async fn play(stream: &mut TcpStream, script: Vec<Step>) {
    stream.set_nodelay(true).unwrap();
    for step in script {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Drip(bytes) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
            }
            Step::Endless(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            Step::Wait(gate) => gate.notified().await,
            Step::Hang(closed) => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                closed.notify_one();
            }
        }
    }
}

/// A recorded answer as it was on the wire: recordings of streams hold the body without its chunks.
fn capture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/captures/llm/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = bytes.split_at(end);
    if !String::from_utf8_lossy(head).contains("Transfer-Encoding: chunked") {
        return bytes;
    }
    let mut wire = head.to_vec();
    for piece in body.chunks(7) {
        wire.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        wire.extend_from_slice(piece);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A stream of these pieces, ended by closing.
fn stream_of(pieces: &[Value]) -> Vec<Step> {
    let mut text = STREAM.to_owned();
    for piece in pieces {
        text.push_str(&format!("data: {piece}\n\n"));
    }
    vec![Step::Send(text.into_bytes())]
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn end(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

fn status(line: &str, headers: &str, body: &str) -> Vec<Step> {
    let text = format!("HTTP/1.1 {line}\r\ncontent-length: {}\r\n{headers}connection: close\r\n\r\n{body}", body.len());
    vec![Step::Send(text.into_bytes())]
}

fn settings(url: &str) -> Settings {
    Settings {
        name: "main".to_owned(),
        url: url.to_owned(),
        model: "some-model".to_owned(),
        api_key: Some(Secret::new("sk-planted")),
        first_token: Duration::from_secs(5),
        concurrency: 4,
        max_tokens: 200,
    }
}

fn question() -> Request {
    Request {
        system: "You help.".to_owned(),
        messages: vec![Message::User("Where is my order?".to_owned())],
        tools: Vec::new(),
        max_tokens: 200,
    }
}

/// Asks, and answers with the words that came on the way too.
async fn ask(model: &OpenAi, request: &Request) -> (Result<Completion, LlmError>, String) {
    let (words, mut heard) = mpsc::channel::<String>(1);
    let listening = async move {
        let mut all = String::new();
        while let Some(piece) = heard.recv().await {
            all.push_str(&piece);
        }
        all
    };
    let asking = async move {
        let words = words;
        model.ask(request, &words).await
    };
    tokio::join!(asking, listening)
}

async fn answer_to(script: Vec<Step>) -> (Result<Completion, LlmError>, String) {
    let server = serve(vec![script]).await;
    ask(&OpenAi::new(settings(&server.url)).unwrap(), &question()).await
}

#[tokio::test]
async fn a_recorded_stream_is_an_answer_and_its_words_come_as_they_are_made() {
    let (answer, heard) = answer_to(vec![Step::Drip(capture("stream.http"))]).await;
    let answer = answer.unwrap();
    assert!(answer.text.starts_with("If a customer's order A1 is"), "{}", answer.text);
    assert_eq!(heard, answer.text);
    assert!(answer.calls.is_empty());
    // The server was asked for the count and gave none: 27 characters asked, four to a token.
    let counted = 27_usize.div_ceil(4) + answer.text.chars().count().div_ceil(4);
    assert_eq!(answer.tokens, counted as u64);
}

#[tokio::test]
async fn a_recorded_stream_that_was_cut_is_no_answer_although_it_says_done() {
    let (answer, heard) = answer_to(vec![Step::Drip(capture("stream_cut_midway.http"))]).await;
    assert!(matches!(answer, Err(LlmError::Broken(_))), "{answer:?}");
    assert!(heard.starts_with("Once upon a time"));
}

#[tokio::test]
async fn a_recorded_tool_call_is_put_together_from_its_fragments() {
    let (answer, heard) = answer_to(vec![Step::Drip(capture("tool_forced_stream.http"))]).await;
    let answer = answer.unwrap();
    assert_eq!(answer.text, "");
    assert_eq!(heard, "");
    assert_eq!(answer.calls.len(), 1, "{answer:?}");
    assert_eq!(answer.calls[0].name, "get_order_status");
    assert_eq!(answer.calls[0].id, "call__0_get_order_status_cmpl-466a9654-7dc1-4a73-8cd5-6c0788ec657f");
    let args: Value = serde_json::from_str(&answer.calls[0].arguments).unwrap();
    assert!(args["order_id"].is_string(), "{args}");
}

#[tokio::test]
async fn a_request_over_the_context_is_too_long() {
    let (answer, _) = answer_to(vec![Step::Send(capture("error_context_400.http"))]).await;
    assert!(matches!(answer, Err(LlmError::TooLong)), "{answer:?}");
    let in_stream = stream_of(&[json!({ "error": { "message": "the request exceeds the available context size" } })]);
    let (answer, _) = answer_to(in_stream).await;
    assert!(matches!(answer, Err(LlmError::TooLong)), "{answer:?}");
}

#[tokio::test]
async fn answers_that_are_no_streams_are_broken() {
    let html = "<html><body>Welcome to nginx</body></html>";
    let scripts = [
        vec![Step::Send(capture("plain.http"))],
        vec![Step::Send(capture("tool_forced.http"))],
        vec![Step::Send(capture("json_object_schema.http"))],
        status("200 OK", "content-type: text/html; charset=utf-8\r\n", html),
        status("200 OK", "", html),
        status("200 OK", "content-type: text/event-stream\r\n", ""),
        status("200 OK", "content-type: text/event-stream\r\n", "data: {\"choices\": [{\"delta\":\n\n"),
        status("200 OK", "content-type: text/event-stream\r\n", "data: not json\n\ndata: [DONE]\n\n"),
        stream_of(&[json!([1, 2, 3])]),
        stream_of(&[json!({ "choices": "none" })]),
        stream_of(&[end("stop")]),
        stream_of(&[delta(json!({ "content": "Half a" })), end("error")]),
        stream_of(&[json!({ "error": { "message": "boom" } })]),
    ];
    for (n, script) in scripts.into_iter().enumerate() {
        let (answer, _) = answer_to(script).await;
        assert!(matches!(answer, Err(LlmError::Broken(_))), "{n}: {answer:?}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_no_answer() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let piece = format!("data: {}\n\n", delta(json!({ "content": "Half an answ" })));
    let cut = format!("{head}{:x}\r\n{piece}\r\n40\r\ndata: ", piece.len());
    for script in [vec![Step::Send(cut.into_bytes())], stream_of(&[delta(json!({ "content": "Half" }))])] {
        let (answer, heard) = answer_to(script).await;
        assert!(matches!(answer, Err(LlmError::Broken(_))), "{answer:?}");
        assert!(heard.starts_with("Half"));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_after_its_end_is_an_answer() {
    let mut script = stream_of(&[delta(json!({ "content": "Whole." })), end("stop")]);
    script.push(Step::Send(b"data: gar".to_vec()));
    let (answer, _) = answer_to(script).await;
    assert_eq!(answer.unwrap().text, "Whole.");
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_costs_bounded_memory() {
    let word = format!("data: {}\n\n", delta(json!({ "content": "and so on " })));
    let silent = format!("data: {}\n\n", delta(json!({})));
    let endless: [(&str, Vec<u8>); 5] = [
        ("words", word.into_bytes()),
        ("empty pieces", silent.into_bytes()),
        ("comments", b": ping\n\n".to_vec()),
        ("one line", b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_vec()),
        (
            "calls",
            format!("data: {}\n\n", delta(json!({ "tool_calls": [{ "function": { "name": "x" } }] }))).into_bytes(),
        ),
    ];
    for (what, bytes) in endless {
        let many = bytes.repeat(64);
        let (answer, heard) = answer_to(vec![Step::Send(STREAM.into()), Step::Endless(many)]).await;
        assert!(matches!(answer, Err(LlmError::Broken(_))), "{what}: {answer:?}");
        assert!(heard.len() < 20_000, "{what}: {} bytes", heard.len());
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let (answer, _) = ask(&OpenAi::new(settings(&url)).unwrap(), &question()).await;
    assert!(matches!(answer, Err(LlmError::Away(_))), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_away_after_the_first_tokens_time() {
    let closed = Arc::new(Notify::new());
    let role = format!("{STREAM}data: {}\n\n: ping\n\n", delta(json!({ "role": "assistant", "content": "" })));
    for first in [Vec::new(), STREAM.as_bytes().to_vec(), role.into_bytes()] {
        let server = serve(vec![vec![Step::Send(first), Step::Hang(closed.clone())]]).await;
        let mut settings = settings(&server.url);
        settings.first_token = Duration::from_millis(150);
        let (answer, _) = ask(&OpenAi::new(settings).unwrap(), &question()).await;
        assert!(matches!(answer, Err(LlmError::Away(_))), "{answer:?}");
        closed.notified().await;
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_within_the_answer_gave_none() {
    let closed = Arc::new(Notify::new());
    let begun = format!("{STREAM}data: {}\n\n", delta(json!({ "content": "Once" })));
    let whole = format!("{begun}data: {}\n\n", end("stop"));
    let script = |text: String| vec![Step::Send(text.into_bytes()), Step::Hang(closed.clone())];
    let server = serve(vec![script(begun), script(whole)]).await;
    let model = OpenAi::new(settings(&server.url)).unwrap().with_gap(Duration::from_millis(100));
    let (answer, heard) = ask(&model, &question()).await;
    assert!(matches!(answer, Err(LlmError::Broken(_))), "{answer:?}");
    assert_eq!(heard, "Once");
    closed.notified().await;
    // Silence after the end takes nothing away.
    assert_eq!(ask(&model, &question()).await.0.unwrap().text, "Once");
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    let cases = [
        ("retry-after: 7\r\n", Some(7)),
        ("date: Mon, 23 Nov 2026 09:24:07 GMT\r\nretry-after: Mon, 23 Nov 2026 09:24:27 GMT\r\n", Some(20)),
        ("retry-after: whenever\r\n", None),
        ("", None),
    ];
    for (headers, seconds) in cases {
        let (answer, _) = answer_to(status("429 Too Many Requests", headers, "{}")).await;
        let Err(LlmError::Busy { retry_after }) = answer else { panic!("{answer:?}") };
        assert_eq!(retry_after, seconds.map(Duration::from_secs), "{headers}");
    }
}

#[tokio::test]
async fn statuses_mean_away_or_refused_and_nothing_is_asked_twice() {
    let json = "content-type: application/json\r\n";
    for line in ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "408 Request Timeout"] {
        let server = serve(vec![status(line, json, r#"{"error":{"message":"overloaded"}}"#)]).await;
        let (answer, _) = ask(&OpenAi::new(settings(&server.url)).unwrap(), &question()).await;
        let Err(LlmError::Away(why)) = answer else { panic!("{line}: {answer:?}") };
        assert!(why.contains("overloaded"), "{why}");
        assert_eq!(server.asked.load(Ordering::SeqCst), 1, "{line}");
    }
    for line in ["400 Bad Request", "401 Unauthorized", "404 Not Found", "422 Unprocessable Entity"] {
        let body = format!(r#"{{"error":{{"message":"Wrong key sk-planted\n{}"}}}}"#, "x".repeat(5_000));
        let (answer, _) = answer_to(status(line, json, &body)).await;
        let Err(LlmError::Refused(why)) = answer else { panic!("{line}: {answer:?}") };
        assert!(why.contains("Wrong key ***") && !why.contains("sk-planted") && !why.contains('\n'), "{why}");
        assert!(why.chars().count() < 360, "{why}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_goes_nowhere_else() {
    let other = serve(vec![stream_of(&[delta(json!({ "content": "Hi" })), end("stop")])]).await;
    let to = format!("location: {}/chat/completions\r\n", other.url);
    for line in ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let (answer, _) = answer_to(status(line, &to, "")).await;
        assert!(matches!(answer, Err(LlmError::Refused(_))), "{answer:?}");
    }
    assert_eq!(other.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_request_has_no_nulls_and_tools_only_where_there_are_any() {
    let reply = stream_of(&[delta(json!({ "content": "Hi" })), end("stop")]);
    let mut server = serve(vec![reply]).await;
    let model = OpenAi::new(settings(&server.url)).unwrap();
    let call = ToolCall { id: "c1".into(), name: "shop__get_order".into(), arguments: r#"{"id":"7"}"#.into() };
    let mut request = question();
    request.max_tokens = 50;
    request.messages.push(Message::Assistant(String::new(), vec![call]));
    request.messages.push(Message::Tool { id: "c1".into(), content: r#"{"status":"late"}"#.into() });
    request.messages.push(Message::Assistant("It is late.".into(), Vec::new()));
    ask(&model, &request).await.0.unwrap();
    let (head, body) = server.requests.recv().await.unwrap();
    assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
    assert!(head.contains("authorization: bearer sk-planted"), "{head}");
    assert!(!head.contains("openai-"), "{head}");
    let expected = json!({
        "model": "some-model",
        "messages": [
            { "role": "system", "content": "You help." },
            { "role": "user", "content": "Where is my order?" },
            { "role": "assistant", "content": "", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "shop__get_order", "arguments": "{\"id\":\"7\"}" } }
            ] },
            { "role": "tool", "content": "{\"status\":\"late\"}", "tool_call_id": "c1" },
            { "role": "assistant", "content": "It is late." },
        ],
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_tokens": 50,
    });
    assert_eq!(body, expected);

    let schema = json!({ "type": "object", "properties": { "id": { "type": "string" } } });
    let tool = Tool { name: "shop__get_order".into(), description: "An order".into(), parameters: schema.clone() };
    request.tools.push(tool);
    request.max_tokens = 9_999;
    ask(&model, &request).await.0.unwrap();
    let (_, body) = server.requests.recv().await.unwrap();
    let function = json!({ "name": "shop__get_order", "description": "An order", "parameters": schema });
    assert_eq!(body["tools"], json!([{ "type": "function", "function": function }]));
    assert_eq!(body["max_tokens"], json!(200));
}

#[tokio::test]
async fn without_a_key_none_is_sent() {
    let mut server = serve(vec![stream_of(&[delta(json!({ "content": "Hi" })), end("stop")])]).await;
    let model = OpenAi::new(Settings { api_key: None, ..settings(&server.url) }).unwrap();
    ask(&model, &question()).await.0.unwrap();
    let (head, _) = server.requests.recv().await.unwrap();
    assert!(!head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn calls_are_kept_apart_by_index_and_get_ids_of_their_own() {
    let call = |index: Value, id: Value, name: Value, arguments: Value| {
        delta(
            json!({ "tool_calls": [{ "index": index, "id": id, "function": { "name": name, "arguments": arguments } }] }),
        )
    };
    let null = || Value::Null;
    let interleaved = vec![
        call(json!(1), json!("b"), json!("two"), json!("{\"b\"")),
        call(json!(0), json!("a"), json!("one"), json!("{\"a\"")),
        call(json!(1), null(), null(), json!(":2}")),
        call(json!(0), null(), null(), json!(":1}")),
    ];
    let no_ids = vec![
        call(json!(0), null(), json!("one"), json!("{\"a\":1}")),
        call(json!(1), json!(""), json!("two"), json!("{\"b\":2}")),
    ];
    let all_at_zero = vec![
        call(json!(0), json!("a"), json!("one"), json!("{\"a\":1}")),
        call(json!(0), json!("b"), json!("two"), json!("{\"b\":2}")),
    ];
    let no_index = vec![
        call(null(), json!("a"), json!("one"), json!("{\"a\"")),
        call(null(), null(), null(), json!(":1}")),
        call(null(), json!("b"), json!("two"), json!({ "b": 2 })),
    ];
    let cases =
        [(interleaved, ["a", "b"]), (no_ids, ["call_0", "call_1"]), (all_at_zero, ["a", "b"]), (no_index, ["a", "b"])];
    for (mut pieces, ids) in cases {
        pieces.push(end("tool_calls"));
        let (answer, _) = answer_to(stream_of(&pieces)).await;
        let calls = answer.unwrap().calls;
        let seen: Vec<_> = calls.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.as_str())).collect();
        assert_eq!(seen, [(ids[0], "one", "{\"a\":1}"), (ids[1], "two", "{\"b\":2}")]);
    }
}

#[tokio::test]
async fn the_older_form_of_a_call_counts_only_alone() {
    let old = delta(json!({ "function_call": { "name": "one", "arguments": "{}" } }));
    let (answer, _) = answer_to(stream_of(&[old, end("function_call")])).await;
    let calls = answer.unwrap().calls;
    assert_eq!(calls, [ToolCall { id: "call_0".into(), name: "one".into(), arguments: "{}".into() }]);
}

#[tokio::test]
async fn arguments_that_are_no_json_and_unknown_tools_come_through_as_written() {
    let call =
        json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "rm_rf", "arguments": "{\"id\": " } }] });
    let (answer, _) = answer_to(stream_of(&[delta(call), end("tool_calls")])).await;
    let calls = answer.unwrap().calls;
    assert_eq!(calls, [ToolCall { id: "a".into(), name: "rm_rf".into(), arguments: "{\"id\": ".into() }]);
}

#[tokio::test]
async fn the_reason_of_the_end_decides_what_is_an_answer() {
    let words = || delta(json!({ "content": "Some words" }));
    let call = || delta(json!({ "tool_calls": [{ "index": 0, "function": { "name": "one", "arguments": "{\"a" } }] }));
    let (answer, _) = answer_to(stream_of(&[words(), end("length")])).await;
    assert_eq!(answer.unwrap().text, "Some words");
    let (answer, _) = answer_to(stream_of(&[words(), end("eos_token")])).await;
    assert_eq!(answer.unwrap().text, "Some words");
    for pieces in [vec![call(), end("length")], vec![words(), call(), end("length")], vec![end("length")]] {
        let (answer, _) = answer_to(stream_of(&pieces)).await;
        assert!(matches!(answer, Err(LlmError::Broken(_))), "{answer:?}");
    }
    for pieces in [vec![words(), end("content_filter")], vec![delta(json!({ "refusal": "I won't" })), end("stop")]] {
        let (answer, _) = answer_to(stream_of(&pieces)).await;
        assert!(matches!(answer, Err(LlmError::Refused(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn characters_that_cannot_be_kept_are_replaced() {
    let text = r#"{"choices":[{"delta":{"content":"a\u0000b\ud800c","name":"\udfff"}}]}"#;
    let stream = format!("{STREAM}data: {text}\n\ndata: {}\n\n", end("stop"));
    let (answer, heard) = answer_to(vec![Step::Send(stream.into_bytes())]).await;
    assert_eq!(answer.unwrap().text, "a\u{fffd}b\u{fffd}c");
    assert_eq!(heard, "a\u{fffd}b\u{fffd}c");
}

#[tokio::test]
async fn the_servers_own_count_of_tokens_is_used_where_it_gives_one() {
    let pieces = [
        delta(json!({ "content": "Hi", "reasoning": null, "reasoning_content": null })),
        end("stop"),
        json!({ "choices": [], "usage": { "prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42 } }),
    ];
    let (answer, _) = answer_to(stream_of(&pieces)).await;
    assert_eq!(answer.unwrap().tokens, 42);
}

#[tokio::test]
async fn no_more_than_so_many_are_asked_at_once() {
    let gate = Arc::new(Notify::new());
    let begun = format!("{STREAM}data: {}\n\n", delta(json!({ "content": "Hi" })));
    let over = format!("data: {}\n\n", end("stop"));
    let held = vec![Step::Send(begun.into_bytes()), Step::Wait(gate.clone()), Step::Send(over.into_bytes())];
    let server = serve(vec![held]).await;
    let settings = Settings { concurrency: 1, first_token: Duration::from_secs(2), ..settings(&server.url) };
    let model = OpenAi::new(settings).unwrap();
    let (words, mut heard) = mpsc::channel(8);
    let request = question();
    let mut first = std::pin::pin!(model.ask(&request, &words));
    tokio::select! {
        answer = &mut first => panic!("{answer:?}"),
        piece = heard.recv() => assert_eq!(piece.as_deref(), Some("Hi")),
    }
    let (second, _) = ask(&model, &request).await;
    assert!(matches!(second, Err(LlmError::Busy { .. })), "{second:?}");
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
    gate.notify_one();
    assert_eq!(first.await.unwrap().text, "Hi");
    // The place is free again.
    gate.notify_one();
    assert_eq!(ask(&model, &request).await.0.unwrap().text, "Hi");
}

#[tokio::test]
async fn a_question_nobody_waits_for_closes_its_connection() {
    let closed = Arc::new(Notify::new());
    let first = format!("{STREAM}data: {}\n\n", delta(json!({ "content": "Once" })));
    let server = serve(vec![vec![Step::Send(first.into_bytes()), Step::Hang(closed.clone())]]).await;
    let model = OpenAi::new(settings(&server.url)).unwrap();
    let (words, mut heard) = mpsc::channel(8);
    let request = question();
    {
        let mut asking = std::pin::pin!(model.ask(&request, &words));
        tokio::select! {
            answer = &mut asking => panic!("{answer:?}"),
            piece = heard.recv() => assert_eq!(piece.as_deref(), Some("Once")),
        }
    }
    closed.notified().await;
}

#[tokio::test]
async fn a_parameter_that_a_server_refuses_is_left_out_from_then_on() {
    let json = "content-type: application/json\r\n";
    let told = r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}"#;
    let other = r#"{"error":{"message":"Unknown field stream_options"}}"#;
    let hi = stream_of(&[delta(json!({ "content": "Hi" })), end("stop")]);
    let refused = status("400 Bad Request", json, told);
    let mut server = serve(vec![refused.clone(), status("400 Bad Request", json, other), hi]).await;
    let model = OpenAi::new(settings(&server.url)).unwrap();
    assert_eq!(ask(&model, &question()).await.0.unwrap().text, "Hi");
    assert_eq!(ask(&model, &question()).await.0.unwrap().text, "Hi");
    assert_eq!(server.asked.load(Ordering::SeqCst), 4);
    let mut bodies = Vec::new();
    for _ in 0..4 {
        bodies.push(server.requests.recv().await.unwrap().1);
    }
    assert_eq!(bodies[0]["max_tokens"], json!(200));
    assert_eq!(bodies[3]["max_completion_tokens"], json!(200));
    assert!(bodies[3].get("max_tokens").is_none() && bodies[3].get("stream_options").is_none());

    // A server whose chat template takes one system message, and says so.
    let template = r#"{"error":{"message":"System message must be at the beginning."}}"#;
    let hi = stream_of(&[delta(json!({ "content": "Hi" })), end("stop")]);
    let mut strict = serve(vec![status("400 Bad Request", json, template), hi]).await;
    let model = OpenAi::new(settings(&strict.url)).unwrap();
    let mut request = question();
    request.messages.insert(0, Message::System("It is late.".to_owned()));
    assert_eq!(ask(&model, &request).await.0.unwrap().text, "Hi");
    let roles = |body: &Value| -> Vec<Value> {
        body["messages"].as_array().unwrap().iter().map(|message| message["role"].clone()).collect()
    };
    let (first, second) = (strict.requests.recv().await.unwrap().1, strict.requests.recv().await.unwrap().1);
    assert_eq!(roles(&first)[..2], [json!("system"), json!("system")]);
    assert_eq!(roles(&second)[..2], [json!("system"), json!("user")]);
    assert_eq!(second["messages"][1]["content"], "<note>\nIt is late.\n</note>");

    let stubborn = serve(vec![refused]).await;
    let model = OpenAi::new(settings(&stubborn.url)).unwrap();
    assert!(matches!(ask(&model, &question()).await.0, Err(LlmError::Refused(_))));
    assert_eq!(stubborn.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn settings_that_cannot_work_are_named_without_the_key() {
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings("http://127.0.0.1:1/v1");
        change(&mut settings);
        OpenAi::new(settings).map(|_| ()).unwrap_err()
    };
    assert!(with(&|s| s.url = "nowhere".into()).contains("`url`"));
    assert!(with(&|s| s.url = "file:///etc/passwd".into()).contains("`url`"));
    let key = with(&|s| s.api_key = Some(Secret::new("sk\nplanted")));
    assert!(key.contains("`api_key`") && !key.contains("planted"), "{key}");
}
