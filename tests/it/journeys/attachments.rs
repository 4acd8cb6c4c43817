//! Customers who send files: over the chat's own door, named by a message, seen by the company, erased with them.

use std::time::Duration;

use beckon::http::chat::attachments::Settings;
use beckon::model::attachment::FileType;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::chat::Chat;
use super::journeys;
use super::model::Says;
use super::world::{ANA, PAGE, World, of_kind, token, until};

journeys!(
    a_file_is_sent_named_by_a_message_and_fetched_again,
    somebody_without_a_name_sends_a_file_by_the_secret_of_the_socket,
    what_is_no_file_of_ours_is_refused_by_name,
    a_file_that_is_too_large_is_refused_before_all_of_it_came,
    only_pages_of_our_origins_may_send_files,
    a_message_names_only_what_it_may,
    a_message_sent_again_is_one_message_with_its_first_files,
    a_refused_message_gives_its_files_back,
    the_assistant_is_told_of_a_file_and_never_gets_it,
    an_erased_customers_files_are_gone,
    where_files_are_off_there_is_nothing,
    files_that_would_take_too_much_are_refused,
    a_record_that_is_away_is_said_with_a_time_to_come_back,
);

/// A PNG of 800 by 600 pixels, as far as its header says.
fn png() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x03\x20\0\0\x02\x58\x08\x02\0\0\0".to_vec();
    bytes.extend([0, 255, 254, 128].repeat(1_000));
    bytes
}

const PDF: &[u8] = b"%PDF-1.7\n<script>alert(1)</script>";

fn on() -> Settings {
    Settings { enabled: true, ..Settings::default() }
}

impl World {
    fn file_door(&self, rest: &str) -> String {
        format!("{}/v1/chat/attachments{rest}", self.url)
    }

    /// A customer with a token sends a file.
    async fn upload(&self, customer: &str, name: &str, bytes: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self.http.post(self.file_door("")).query(&[("name", name)]).bearer_auth(token(customer));
        told(request.body(bytes).send().await.unwrap()).await
    }

    /// A customer sends a file that is taken; answers its id.
    async fn sent(&self, customer: &str, name: &str) -> String {
        let (status, file) = self.upload(customer, name, png()).await;
        assert_eq!(status, 201, "{file}");
        file["id"].as_str().unwrap().to_owned()
    }

    async fn fetch(&self, customer: &str, id: &str) -> Response {
        self.http.get(self.file_door(&format!("/{id}"))).bearer_auth(token(customer)).send().await.unwrap()
    }
}

async fn told(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
}

fn code(problem: &Value) -> &str {
    problem["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
}

impl Chat {
    /// Says something with files, to whoever answers who speaks first; answers the message's own id.
    async fn attach(&mut self, text: &str, files: &[&str]) -> String {
        let client_id = self.client_id();
        self.send(json!({ "type": "say", "client_id": client_id, "text": text, "attachments": files })).await;
        client_id
    }
}

async fn a_file_is_sent_named_by_a_message_and_fetched_again(world: World) {
    let world = world.with_attachments(on()).await;
    let mut chat = world.chat("42").await;
    let taken = json!({ "max_size": 5_242_880, "max_count": 3,
        "types": ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"] });
    assert_eq!(chat.welcome["attachments"], taken);

    let (status, picture) = world.upload("42", "my screen \u{e9}.png", png()).await;
    assert_eq!(status, 201, "{picture}");
    let id = picture["id"].as_str().unwrap().to_owned();
    assert_eq!(
        picture,
        json!({ "id": id, "name": "my screen \u{e9}.png", "type": "image/png", "size": png().len(), "width": 800, "height": 600 })
    );
    let (_, paper) = world.upload("42", "receipt.pdf", PDF).await;
    let paper_id = paper["id"].as_str().unwrap().to_owned();
    let client_id = chat.attach("", &[&id, &paper_id]).await;
    let seq = chat.answer(&client_id).await.unwrap();
    let conversation = chat.opened_or_known().await;
    let entry = chat.entries(&conversation).into_iter().find(|entry| entry["client_id"] == client_id.as_str()).unwrap();
    assert_eq!((&entry["seq"], &entry["text"]), (&json!(seq), &json!("")));
    assert_eq!(entry["attachments"], json!([picture, paper]));

    let answer = world.fetch("42", &id).await;
    assert_eq!(answer.status(), 200);
    for (header, value) in [
        ("content-type", "image/png"),
        ("content-length", &png().len().to_string()),
        ("content-disposition", "attachment; filename*=UTF-8''my%20screen%20%C3%A9.png"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cross-origin-resource-policy", "cross-origin"),
    ] {
        assert_eq!(answer.headers()[header], value, "{header}");
    }
    let cache = answer.headers()["cache-control"].to_str().unwrap();
    assert!(cache.starts_with("private, max-age=") && cache.ends_with("immutable"), "{cache}");
    assert_eq!(answer.bytes().await.unwrap(), png());
    let paper = world.fetch("42", &paper_id).await;
    assert_eq!(paper.headers()["content-type"], "application/pdf");
    assert_eq!(paper.bytes().await.unwrap(), PDF);
    for other in [&id, "att_abcdefghijklmnopqrstuvwx", "att_1", "..%2F..%2Fetc"] {
        assert_eq!(world.fetch("43", other).await.status(), 404, "{other}");
    }

    // Whoever comes back is told again; so is the company, which may fetch it too.
    let again = world.chat("42").await;
    assert_eq!(again.entries(&conversation)[0]["attachments"][0]["id"], id.as_str());
    until("the trace tells it", || async {
        of_kind(&world.trace(&conversation).await, "message")
            .iter()
            .any(|e| e["attachments"][1]["id"] == paper_id.as_str())
    })
    .await;
    let by_key = |key: &'static str, id: String| {
        world.http.get(format!("{}/v1/attachments/{id}", world.url)).bearer_auth(key).send()
    };
    let answer = by_key(ANA, id.clone()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["cross-origin-resource-policy"]),
        (200, &"same-origin".parse().unwrap())
    );
    assert_eq!(answer.bytes().await.unwrap(), png());
    assert_eq!(by_key(PAGE, id.clone()).await.unwrap().status(), 403, "a key of pages reads nothing");
    assert_eq!(by_key("nobody", id).await.unwrap().status(), 401);
    assert_eq!(by_key(ANA, "att_abcdefghijklmnopqrstuvwx".to_owned()).await.unwrap().status(), 404);
}

impl Chat {
    /// The conversation of who spoke first.
    async fn opened_or_known(&mut self) -> String {
        self.catch_up().await;
        let opened = self.all("opened");
        opened.last().expect("a conversation was opened")["conversation"]["id"].as_str().unwrap().to_owned()
    }
}

async fn somebody_without_a_name_sends_a_file_by_the_secret_of_the_socket(world: World) {
    let world = world.with_attachments(on()).await;
    let mut chat = world.anonymous_chat().await;
    let secret = chat.welcome["anonymous_id"].as_str().unwrap().to_owned();
    let request = |secret: &str| {
        world.http.post(world.file_door("?name=a.png")).header("x-beckon-anonymous", secret).body(png()).send()
    };
    let (status, file) = told(request(&secret).await.unwrap()).await;
    assert_eq!(status, 201, "{file}");
    let id = file["id"].as_str().unwrap();
    let client_id = chat.attach("look", &[id]).await;
    chat.answer(&client_id).await.unwrap();
    let fetch = world.http.get(world.file_door(&format!("/{id}"))).header("x-beckon-anonymous", &secret);
    assert_eq!(fetch.send().await.unwrap().bytes().await.unwrap(), png());

    let forged = format!("{}{}", if secret.starts_with('A') { "B" } else { "A" }, &secret[1..]);
    for nobody in [forged.as_str(), "", "42", "user:42"] {
        let (status, problem) = told(request(nobody).await.unwrap()).await;
        assert_eq!((status, code(&problem)), (403, "unknown_customer"), "{nobody}");
    }
    let (status, problem) =
        told(world.http.post(world.file_door("?name=a.png")).body(png()).send().await.unwrap()).await;
    assert_eq!((status, code(&problem)), (403, "unknown_customer"));
    // A token that is not good falls back to nobody.
    let both = world.http.post(world.file_door("?name=a.png")).header("x-beckon-anonymous", &secret);
    let (status, problem) = told(both.bearer_auth("rubbish").body(png()).send().await.unwrap()).await;
    assert_eq!((status, code(&problem)), (401, "unknown_customer"));
}

async fn what_is_no_file_of_ours_is_refused_by_name(world: World) {
    let types = vec![FileType::Png, FileType::Pdf];
    let world = world.with_attachments(Settings { types, ..on() }).await;
    for bytes in [
        &b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>"[..],
        b"<!doctype html><script>alert(1)</script>",
        b"GIF89a\x01\0\x01\0",
        b"PK\x03\x04",
        b"",
    ] {
        let request = world.http.post(world.file_door("?name=a.png")).bearer_auth(token("42"));
        let request = request.header("content-type", "image/png").body(bytes.to_vec());
        let (status, problem) = told(request.send().await.unwrap()).await;
        assert_eq!((status, code(&problem)), (415, "type_refused"), "{}", String::from_utf8_lossy(bytes));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("image/png, application/pdf"), "{detail}");
    }
    // The other way round the bytes count too.
    let request = world.http.post(world.file_door("?name=page.html")).bearer_auth(token("42"));
    let (status, file) = told(request.header("content-type", "text/html").body(PDF).send().await.unwrap()).await;
    assert_eq!((status, &file["type"]), (201, &json!("application/pdf")));

    let long = "x".repeat(201);
    for name in ["", "a/b.png", "..\\b.png", "a\nb.png", "..", &long] {
        let (status, problem) = world.upload("42", name, png()).await;
        assert_eq!((status, code(&problem), &problem["pointer"]), (422, "name", &json!("query name")), "{name:?}");
    }
    let nameless = world.http.post(world.file_door("")).bearer_auth(token("42")).body(png());
    assert_eq!(told(nameless.send().await.unwrap()).await.0, 422);
    let (_, file) = world.upload("42", "photo\u{202e}gnp.exe", png()).await;
    assert_eq!(file["name"], "photognp.exe");
}

async fn a_file_that_is_too_large_is_refused_before_all_of_it_came(world: World) {
    let world = world.with_attachments(Settings { max_size: 10_000, ..on() }).await;
    let fits = [png(), vec![0; 10_000 - png().len()]].concat();
    assert_eq!(world.upload("42", "a.png", fits.clone()).await.0, 201);
    let (status, problem) = world.upload("42", "a.png", [fits, vec![0]].concat()).await;
    assert_eq!((status, code(&problem)), (413, "too_large"));
    assert!(problem["detail"].as_str().unwrap().contains("10000 bytes"), "{problem}");

    // Without a length it is counted while it comes; its end, which never does, is not waited for.
    let sent = futures_util::stream::iter((0..4).map(|_| Ok::<_, std::io::Error>(png())));
    let endless = futures_util::StreamExt::chain(sent, futures_util::stream::pending());
    let (status, problem) = world.upload("42", "a.png", reqwest::Body::wrap_stream(endless)).await;
    assert_eq!((status, code(&problem)), (413, "too_large"));
}

async fn only_pages_of_our_origins_may_send_files(world: World) {
    let world = world.with_attachments(on()).await;
    let asks = |origin: &'static str| {
        let request = world.http.request(Method::OPTIONS, world.file_door("?name=a.png")).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "authorization,x-beckon-anonymous,content-type").send()
    };
    let preflight = asks("http://shop.example").await.unwrap();
    assert_eq!(preflight.status(), 204);
    let header = |name: &str| preflight.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("access-control-allow-origin"), "http://shop.example");
    for method in ["POST", "GET"] {
        assert!(header("access-control-allow-methods").contains(method));
    }
    for name in ["authorization", "x-beckon-anonymous", "content-type"] {
        assert!(header("access-control-allow-headers").contains(name));
    }
    let foreign = asks("https://evil.example").await.unwrap();
    assert_eq!(foreign.status(), 403);
    assert!(foreign.headers().get("access-control-allow-origin").is_none());

    let post = |origin: &'static str, bytes: &'static [u8]| {
        let request = world.http.post(world.file_door("?name=a.pdf")).header("origin", origin);
        request.bearer_auth(token("42")).body(bytes).send()
    };
    let (status, problem) = told(post("https://evil.example", PDF).await.unwrap()).await;
    assert_eq!((status, code(&problem)), (403, "origin"));
    for (bytes, status) in [(PDF, 201), (&b"<svg/>"[..], 415)] {
        let answer = post("http://shop.example", bytes).await.unwrap();
        assert_eq!(answer.status(), status);
        let allowed = &answer.headers()["access-control-allow-origin"];
        assert_eq!(allowed, "http://shop.example", "a page reads why it was refused");
        assert!(answer.headers().get("access-control-allow-credentials").is_none());
    }
}

async fn a_message_names_only_what_it_may(world: World) {
    let world = world.with_attachments(Settings { max_count: 2, ..on() }).await;
    let mut chat = world.chat("42").await;
    let (mine, other) = (world.sent("42", "a.png").await, world.sent("43", "b.png").await);
    for gone in [other.as_str(), "att_abcdefghijklmnopqrstuvwx", "att_1", "../etc"] {
        let client_id = chat.attach("hi", &[&mine, gone]).await;
        assert_eq!(chat.answer(&client_id).await, Err("attachment_gone".to_owned()), "{gone}");
    }
    let third = world.sent("42", "c.png").await;
    let second = world.sent("42", "b.png").await;
    for frame in [
        json!({ "text": "three", "attachments": [mine, second, third] }),
        json!({ "text": "twice", "attachments": [mine, mine] }),
        json!({ "text": "", "attachments": [] }),
        json!({ "text": "no list", "attachments": "att_1" }),
    ] {
        let mut frame = frame;
        frame["type"] = json!("say");
        assert_eq!(chat.ask(frame.clone()).await, Err("invalid".to_owned()), "{frame}");
    }
    let unknown = json!({ "type": "say", "conversation_id": "1-1-1-1", "text": "", "attachments": [mine] });
    assert_eq!(chat.ask(unknown).await, Err("unknown_conversation".to_owned()));

    // None of these took it: it is still free.
    let client_id = chat.attach("now", &[&mine, &second]).await;
    chat.answer(&client_id).await.unwrap();
    let client_id = chat.attach("again", &[&mine]).await;
    assert_eq!(chat.answer(&client_id).await, Err("attachment_gone".to_owned()), "it is of the message before");
}

async fn a_message_sent_again_is_one_message_with_its_first_files(world: World) {
    let world = world.with_attachments(on()).await;
    let mut chat = world.chat("42").await;
    let (first, second) = (world.sent("42", "a.png").await, world.sent("42", "b.png").await);
    let client_id = chat.attach("look", &[&first]).await;
    let seq = chat.answer(&client_id).await.unwrap();
    let conversation = chat.opened_or_known().await;

    let mut tab = world.chat("42").await;
    for (text, files) in [("look", vec![&first]), ("other", vec![&second]), ("none", vec![])] {
        let frame = json!({ "type": "say", "client_id": client_id, "conversation_id": conversation, "text": text, "attachments": files });
        tab.frames.clear();
        tab.send(frame).await;
        assert_eq!(tab.answer(&client_id).await, Ok(seq), "{text}");
    }
    let again = world.chat("42").await;
    let said: Vec<Value> = again.entries(&conversation).into_iter().filter(|e| e["by"] == "customer").collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((&said[0]["text"], said[0]["attachments"].as_array().unwrap().len()), (&json!("look"), 1));
    assert_eq!(said[0]["attachments"][0]["id"], first.as_str());
    // What the second sending named was not used up by it.
    let client_id = tab.attach("this too", &[&second]).await;
    tab.answer(&client_id).await.unwrap();
}

async fn a_refused_message_gives_its_files_back(world: World) {
    let mut world = world.with_attachments(on()).await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    let file = world.sent("42", "a.png").await;
    // Another socket that was told of the conversation before it ended, and says so to the engine.
    chat.ask(json!({ "type": "close", "conversation_id": id })).await.unwrap();
    let frame = json!({ "type": "say", "conversation_id": id, "text": "", "attachments": [file] });
    assert_eq!(chat.ask(frame).await, Err("closed".to_owned()));
    let begun = std::time::Instant::now();
    loop {
        let client_id = chat.attach("then here", &[&file]).await;
        match chat.answer(&client_id).await {
            Ok(_) => break,
            Err(code) => assert!(code == "attachment_gone" && begun.elapsed() < Duration::from_secs(40), "{code}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn the_assistant_is_told_of_a_file_and_never_gets_it(world: World) {
    let mut world = world.with_model().await.with_attachments(on()).await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    let (_, file) = world.upload("42", "my <note> receipt.pdf", PDF).await;
    world.model.will_say([Says::Words("Thank you.")]);
    let frame = json!({ "type": "say", "conversation_id": id, "text": "here it is", "attachments": [file["id"]] });
    chat.ask(frame).await.unwrap();
    assert_eq!(chat.hears().await, "Thank you.");
    let asked = world.model.requests();
    let messages = asked.last().unwrap()["messages"].as_array().unwrap();
    let last = messages.iter().rfind(|message| message["role"] == "user").unwrap();
    assert_eq!(last["content"], "here it is\n[attached: my &lt;note&gt; receipt.pdf, application/pdf, 34 B]");
    assert!(!asked.last().unwrap().to_string().contains("PDF-1.7"), "of the file itself it gets nothing");
    assert!(messages[0]["content"].as_str().unwrap().contains("You cannot open files"));
    // Whoever sends none pays for none of these words.
    let mut other = world.chat("43").await;
    let id = world.talk(&mut other, "43", "8").await;
    world.model.will_say([Says::Words("Yes.")]);
    other.say(&id, "hello").await;
    assert_eq!(other.hears().await, "Yes.");
    assert!(!world.model.last_asked().contains("You cannot open files"));
}

async fn an_erased_customers_files_are_gone(world: World) {
    let world = world.with_attachments(on()).await;
    let mut chat = world.chat("42").await;
    let (named, loose, other) =
        (world.sent("42", "a.png").await, world.sent("42", "b.png").await, world.sent("43", "c.png").await);
    let client_id = chat.attach("", &[&named]).await;
    chat.answer(&client_id).await.unwrap();
    assert_eq!(world.rest(Method::DELETE, "/v1/customers/user:42", Value::Null).await.0, 204);
    for file in [&named, &loose] {
        until("the file is gone", || async { world.fetch("42", file).await.status() == 404 }).await;
        assert_eq!(world.rest(Method::GET, &format!("/v1/attachments/{file}"), Value::Null).await.0, 404);
    }
    assert_eq!(world.fetch("43", &other).await.status(), 200);
    let client_id = chat.attach("", &[&loose]).await;
    assert_eq!(chat.answer(&client_id).await, Err("attachment_gone".to_owned()));
}

async fn where_files_are_off_there_is_nothing(world: World) {
    let mut chat = world.chat("42").await;
    assert!(chat.welcome.get("attachments").is_none(), "{}", chat.welcome);
    let (status, problem) = world.upload("42", "a.png", png()).await;
    assert_eq!((status, code(&problem)), (404, "not-found"));
    assert_eq!(world.fetch("42", "att_abcdefghijklmnopqrstuvwx").await.status(), 404);
    let preflight = world.http.request(Method::OPTIONS, world.file_door("")).header("origin", "http://shop.example");
    let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(preflight.status(), 404);
    let client_id = chat.attach("hi", &["att_abcdefghijklmnopqrstuvwx"]).await;
    assert_eq!(chat.answer(&client_id).await, Err("invalid".to_owned()));
}

async fn files_that_would_take_too_much_are_refused(world: World) {
    let one = u64::try_from(png().len()).unwrap() + 4_096;
    let world = world.with_attachments(Settings { max_customer: usize::try_from(2 * one).unwrap(), ..on() }).await;
    world.sent("42", "a.png").await;
    world.sent("42", "b.png").await;
    let (status, problem) = world.upload("42", "c.png", png()).await;
    assert_eq!((status, code(&problem)), (429, "too_many"));
    world.sent("43", "a.png").await;

    // All files together are bounded by what the record counted at the start, and by what came since.
    let all = usize::try_from(3 * one).unwrap();
    let world = world.with_attachments(Settings { max_total: all + png().len() + 100, ..on() }).await;
    until("the record is counted", || async { world.upload("44", "a.png", b"%PDF-1".to_vec()).await.0 == 201 }).await;
    let begun = std::time::Instant::now();
    let refused = loop {
        let answer = world.http.post(world.file_door("?name=a.png")).bearer_auth(token("44")).body(png()).send().await;
        let answer = answer.unwrap();
        if answer.status() != 201 {
            break answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "it is never full");
    };
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
}

async fn a_record_that_is_away_is_said_with_a_time_to_come_back(world: World) {
    let world = world.with_attachments(on()).await;
    let mut chat = world.chat("42").await;
    let file = world.sent("42", "a.png").await;
    world.server().record.close().await;
    let answer =
        world.http.post(world.file_door("?name=b.png")).bearer_auth(token("42")).body(png()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true));
    assert_eq!(world.fetch("42", &file).await.status(), 503);
    let client_id = chat.attach("", &[&file]).await;
    let refused = chat.wait("refusal", |frame| frame["client_id"] == client_id.as_str()).await;
    assert_eq!((&refused["code"], refused["retry_after"].is_number()), (&json!("unavailable"), true));
}
