//! B22: planted secrets are in no output of the binary: not printed, logged, counted, or told in an answer.

use serde_json::json;

use super::process::{KEY, Process, Site, text};
use crate::journeys::model::Model;
use crate::journeys::world::{IDENTITY_KEY, token};
use crate::store::Place;
use crate::store::server::Server;

/// What stands in all planted secrets.
const PLANTED: &str = "planted0secret";

/// Everything of a site that nobody but its owner may read.
fn planted(site: &mut Site, closed: u16) -> Vec<String> {
    let webhook_key = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{PLANTED}-notify-0123456789"));
    let secrets = [
        ("PLANTED_WEBHOOK", format!("http://127.0.0.1:{closed}/{PLANTED}-path?token={PLANTED}-query")),
        ("PLANTED_NOTIFY_SECRET", format!("whsec_{webhook_key}")),
        ("PLANTED_MODEL_KEY", format!("{PLANTED}-model")),
        ("PLANTED_SHOP_TOKEN", format!("Bearer {PLANTED}-shop")),
    ];
    let lines = format!(
        r#"
[[model]]
name = "gone"
url = "http://127.0.0.1:{closed}/v1"
model = "stub"
api_key = "env:PLANTED_MODEL_KEY"

[notify]
webhook = "env:PLANTED_WEBHOOK"
secret = "env:PLANTED_NOTIFY_SECRET"
allow_private = true

[log]
level = "trace"
"#
    );
    let file = std::fs::read_to_string(site.path("beckon.toml")).unwrap();
    let file = file.replace("\"Bearer shop-token\"", "\"env:PLANTED_SHOP_TOKEN\"");
    site.file("beckon.toml", &format!("{file}{lines}"));
    let mut all = vec![PLANTED.to_owned(), webhook_key, KEY.to_owned(), IDENTITY_KEY.to_owned()];
    for (name, value) in secrets {
        site.set(name, &value);
        all.push(value);
    }
    all
}

#[track_caller]
fn assert_none_of(secrets: &[String], place: &str, told: &str) {
    for secret in secrets {
        if let Some(at) = told.find(secret.as_str()) {
            let from = told[..at].rfind('\n').map_or(0, |line| line + 1);
            let line = told[from..].lines().next().unwrap_or_default();
            panic!("{place} tells a secret: {line}");
        }
    }
}

async fn answers(site: &Site, process: &Process) -> String {
    let http = reqwest::Client::new();
    let mut told = String::new();
    let bad = [
        http.post(format!("{}/v1/events", process.url)).bearer_auth("wrong").body("{}"),
        http.post(format!("{}/v1/events", process.url)).bearer_auth(KEY).body("{\"specversion\":"),
        http.post(format!("{}/hooks/stripe", process.url)).body("{}"),
        http.get(format!("{}/v1/conversations/nonsense", process.url)).bearer_auth(KEY),
        http.get(format!("{}/metrics", process.url)),
        http.get(format!("{}/readyz", process.url)),
        http.get(format!("{}/openapi.json", process.url)),
        http.get(format!("{}/v1/playbooks", process.url)).bearer_auth(KEY),
        http.get(format!("{}/nothing?key={PLANTED}-asked", process.url)),
    ];
    for request in bad {
        let response = request.send().await.unwrap();
        told.push_str(&format!("{:?}\n{}\n", response.headers().clone(), response.text().await.unwrap()));
    }
    let events = site.get(process, "/v1/conversations?customer=user:42").await;
    told + &events.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_output_tells_a_planted_secret() {
    let password = format!("{PLANTED}-redis");
    let redis = Server::start(&["--requirepass", &password]);
    let mut site = Site::new(Place::embedded(), None);
    site.set("BECKON__STORE__URL", &format!("redis://:{password}@127.0.0.1:{}/", redis.port()));
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let secrets = planted(&mut site, closed);

    let printed = site.serve(&["--single", "--print-config"]).output().unwrap();
    assert!(printed.status.success(), "{}", text(&printed));
    assert!(text(&printed).contains("[store]"), "{}", text(&printed));
    assert_none_of(&secrets, "--print-config", &text(&printed));

    let process = site.start();
    assert_none_of(&secrets, "the start", &process.said.join("\n"));
    let operator = format!("{PLANTED}-operator");
    let (data, workspace) = (site.data.path().display().to_string(), site.workspace.path().display().to_string());
    let folders = ["--single", "--workspace", &workspace, "--data", &data];
    let add = ["operator", "add", "ana@shop.example", "--password-stdin"];
    let made = site.run(&[&add[..], &folders[..]].concat(), &operator);
    assert!(made.status.success(), "{}", text(&made));
    assert_none_of(&secrets, "operator add", &text(&made));
    crate::cli::dashboard(&process.url, "ana@shop.example", &operator).await;

    // A talk in which the model is away, and a person is asked for: the webhook is tried, and away too.
    let customer_token = token("42");
    let mut chat = site.chat(&process, "42", json!({})).await;
    site.event(&process, "quick.opened", "42", json!({ "id": "a", "level": 2 })).await;
    let id = chat.opened().await;
    chat.seen(&id, 1).await;
    chat.say(&id, "a person please").await;
    chat.holder("queue").await;
    let all = answers(&site, &process).await;
    assert_none_of(&secrets, "an answer", &all);
    let begun = std::time::Instant::now();
    while !site.log().contains("notif") && begun.elapsed().as_secs() < 5 {
        tokio::task::yield_now().await;
    }
    drop(process);
    let log = site.log();
    assert!(log.lines().count() > 20, "the log is on");
    assert_none_of(&secrets, "the log", &log);
    assert_none_of(&[customer_token], "the log", &log);
}

#[tokio::test]
async fn what_keeps_a_server_from_starting_is_told_without_secrets() {
    let redis = Server::start(&["--requirepass", "another"]);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let model = Model::start().await;
    let mistakes: [(&str, String); 6] = [
        ("BECKON__STORE__URL", format!("redis://:{PLANTED}@127.0.0.1:{}/", redis.port())),
        ("BECKON__STORE__URL", format!("redis://:{PLANTED}@127.0.0.1:{closed}/")),
        ("BECKON__STORE__URL", format!("redus://:{PLANTED}@127.0.0.1/")),
        ("BECKON__RECORD__URL", format!("postgres://u:{PLANTED}@127.0.0.1:{closed}/beckon")),
        ("BECKON__RECORD__URL", format!("mysql://u:{PLANTED}@127.0.0.1/beckon")),
        ("BECKON__NOTIFY__WEBHOOK", format!("not a url {PLANTED}")),
    ];
    for (name, value) in mistakes {
        let mut site = Site::new(Place::embedded(), None).with_model(model.address);
        site.set(name, &value);
        let mut command = site.serve(&["--single"]);
        let mut child =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        // Where the server is only away it may keep trying: what it says until then counts as well.
        let begun = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() && begun.elapsed().as_secs() < 20 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let _ = child.kill();
        let told = child.wait_with_output().unwrap();
        assert!(!told.status.success(), "{name}");
        let told = text(&told);
        assert!(!told.trim().is_empty(), "{name} {value}: nothing was said");
        assert_none_of(&[PLANTED.to_owned()], name, &told);
    }
    let site = Site::new(Place::embedded(), None);
    site.file("beckon.toml", &format!("[[http.api_key]]\nname = \"a\"\nkey = [\"{PLANTED}\"]\nrights = 7\n"));
    let told = text(&site.serve(&["--single"]).output().unwrap());
    assert!(told.contains("beckon.toml:3"), "{told}");
    assert_none_of(&[PLANTED.to_owned()], "the mistakes", &told);
}
