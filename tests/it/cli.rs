//! The command line: every command as people and scripts run it, its words and its exit code.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::chaos::process::{KEY, Process, Site, text};
use crate::door::{Door, Setup};
use crate::journeys::world::IDENTITY_KEY;
use crate::store::Place;

fn site() -> Site {
    Site::new(Place::embedded(), None)
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// A command that speaks to a running server.
fn remote(site: &Site, process: &Process, arguments: &[&str]) -> Output {
    let (first, rest) = arguments.split_first().unwrap();
    site.run(&[&[*first, "--url", &process.url, "--key", KEY], rest].concat(), "")
}

fn check(site: &Site) -> Output {
    site.run(&["check", "--workspace", &site.workspace.path().display().to_string()], "")
}

fn recorded(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).display().to_string()
}

/// Signs in to the dashboard and reads the list of what needs a person.
pub async fn dashboard(url: &str, email: &str, password: &str) -> String {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("email", email), ("password", password)])
        .finish();
    let request = client.post(format!("{url}/operator/sign-in")).body(form);
    let response = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let (status, cookie) = (response.status(), response.headers().get("set-cookie").cloned());
    let Some(cookie) = cookie else { return format!("not signed in: {status}") };
    let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = client.get(format!("{url}/operator/?view=needs")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    page.text().await.unwrap()
}

#[test]
fn check_is_silent_about_a_sound_workspace_and_shows_each_mistake_of_a_broken_one() {
    let site = site();
    let good = check(&site);
    assert_eq!(code(&good), Some(0), "{}", text(&good));
    assert!(text(&good).contains("The workspace is sound: 4 playbooks"), "{}", text(&good));

    let quick = std::fs::read_to_string(site.path("playbooks/quick.yaml")).unwrap();
    site.file("playbooks/quick.yaml", &quick.replace("    when: event.data.level", "    wehn: event.data.level"));
    let voucher = std::fs::read_to_string(site.path("playbooks/voucher.yaml")).unwrap();
    site.file("playbooks/voucher.yaml", &voucher.replace("shop.send_voucher", "shop.send_vaucher"));
    let broken = check(&site);
    assert_eq!(code(&broken), Some(1));
    let told = text(&broken);
    for part in [
        "playbooks/quick.yaml:5:5: ",
        "^^^^",
        "did you mean `when`?",
        "playbooks/voucher.yaml:13:31: ",
        "did you mean `shop.send_voucher`?",
        "2 mistakes",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
}

#[test]
fn check_schema_prints_json_schemas() {
    let printed = site().run(&["check", "--schema"], "");
    assert_eq!(code(&printed), Some(0));
    let schemas: Value = serde_json::from_slice(&printed.stdout).unwrap();
    for name in ["playbook", "adapter", "source"] {
        assert!(jsonschema::validator_for(&schemas[name]).is_ok(), "{name}");
    }
    let playbook = jsonschema::validator_for(&schemas["playbook"]).unwrap();
    let good = json!({ "playbook": "a", "on": [{ "event": "b.c" }], "open": { "say": "Hello" } });
    assert!(playbook.is_valid(&good));
    assert!(!playbook.is_valid(&json!({ "playbook": "a", "on": [{ "event": "b.c" }] })));
}

#[test]
fn source_verify_accepts_recordings_of_vendors_with_their_secret_only() {
    let site = site();
    let recordings = [
        ("stripe", "stripe-node", "whsec_test_secret", "stripe.invoice.payment_failed"),
        (
            "standard-webhooks",
            "standardwebhooks-svix-node",
            "whsec_YmVja29uLXRlc3Qtc2VjcmV0LTAxMjM0NTY3ODlhYmNk",
            "order.delayed",
        ),
        ("github", "octokit-webhooks", "gh-secret", "github.issues.edited"),
        ("alertmanager", "alertmanager", "am-token", "alertmanager.firing"),
    ];
    for (source, recording, secret, event) in recordings {
        let (file, fixture) =
            (recorded(&format!("sources/{source}.yaml")), recorded(&format!("tests/captures/{recording}.json")));
        let verify =
            |secret: &str| site.run(&["source", "verify", &file, "--fixture", &fixture, "--secret", secret], "");
        let good = verify(secret);
        assert_eq!(code(&good), Some(0), "{source}: {}", text(&good));
        assert!(text(&good).contains("accepted") && text(&good).contains(event), "{}", text(&good));
        let bad = verify("another");
        assert_eq!(code(&bad), Some(1), "{source}");
        assert!(text(&bad).starts_with("not accepted: "), "{}", text(&bad));
    }
}

#[test]
fn wrong_use_ends_with_2_and_a_server_that_is_not_there_with_1() {
    let site = site();
    for arguments in [&["frobnicate"][..], &["serve", "--nonsense"], &["send"], &["explain"], &["dead-letters", "show"]]
    {
        let wrong = site.run(arguments, "");
        assert_eq!(code(&wrong), Some(2), "{arguments:?}: {}", text(&wrong));
        assert!(text(&wrong).contains("Usage: beckon"), "{}", text(&wrong));
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = site.run(&["explain", "--url", &format!("http://{closed}"), "--key", "k", "1"], "");
    assert_eq!(code(&away), Some(1));
    assert!(text(&away).contains("beckon serve"), "{}", text(&away));
    // What is wrong, where, and what is expected there.
    for (arguments, told) in [
        (&["serve", "--workspace", "/nonexistent"][..], "'--workspace <WORKSPACE>': there is no such folder"),
        (&["check", "--workspace", "/nonexistent"], "'--workspace <WORKSPACE>': there is no such folder"),
        (
            &["demo", "--listen", "here"],
            "'--listen <LISTEN>': an address and a port up to 65535 are expected here, such as",
        ),
        (&["demo", "--model", "llama"], "'--model <URL>': an address is expected here, such as http://"),
        (&["explain", "1", "--url", "here"], "'--url <URL>': an address is expected here, such as http://"),
    ] {
        let wrong = site.run(arguments, "");
        assert_eq!(code(&wrong), Some(2), "{arguments:?}: {}", text(&wrong));
        assert!(text(&wrong).contains(told), "{}", text(&wrong));
    }
}

#[test]
fn a_wrong_folder_becomes_no_new_record_and_a_server_that_is_away_is_named_at_once() {
    let site = site();
    let workspace = site.workspace.path().display().to_string();
    let elsewhere = site.data.path().join("elsewhere");
    let rebuilt =
        site.run(&["record", "rebuild", "--workspace", &workspace, "--data", &elsewhere.display().to_string()], "");
    assert_eq!(code(&rebuilt), Some(1));
    assert!(text(&rebuilt).contains("name its folder with --data"), "{}", text(&rebuilt));
    assert!(!elsewhere.exists());

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let record = format!("postgres://{closed}/beckon");
    let away = site.run(&["operator", "list", "--workspace", &workspace, "--record", &record], "");
    assert_eq!(code(&away), Some(1));
    assert!(text(&away).contains("127.0.0.1/beckon") && text(&away).contains("refused"), "{}", text(&away));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_are_added_listed_reset_and_removed_while_the_server_runs() {
    let site = site();
    let process = site.start();
    let operator = |arguments: &[&str], input: &str| {
        let (workspace, data) = (site.workspace.path().display().to_string(), site.data.path().display().to_string());
        site.run(&[&["operator"], arguments, &["--workspace", &workspace, "--data", &data]].concat(), input)
    };
    let email = "ana@shop.example";
    let added = operator(
        &["add", email, "--name", "Ana", "--role", "admin", "--team", "payments", "--password-stdin"],
        "first password\n",
    );
    assert_eq!(code(&added), Some(0), "{}", text(&added));
    assert!(!text(&added).contains("first password"));
    assert!(dashboard(&process.url, email, "first password").await.contains("Nobody needs you now."));
    let listed = text(&operator(&["list"], ""));
    assert!(listed.contains(email) && listed.contains("Ana") && listed.contains("admin"), "{listed}");
    for (team, told) in [(&["payments"][..], "is in payments"), (&[], "is in no team"), (&["fraud"], "is in fraud")] {
        let moved = operator(&[&["team", email], team].concat(), "");
        assert_eq!((code(&moved), text(&moved).contains(told)), (Some(0), true), "{}", text(&moved));
        assert_eq!(text(&operator(&["list"], "")).contains(team.first().unwrap_or(&"no such")), !team.is_empty());
    }
    assert_eq!(code(&operator(&["team", "nobody@shop.example", "fraud"], "")), Some(1));
    assert_eq!(code(&operator(&["team", email, " "], "")), Some(2), "a team has a name");
    let twice = operator(&["add", email, "--password-stdin"], "other password");
    assert_eq!(code(&twice), Some(1), "{}", text(&twice));
    let short = operator(&["add", "ben@shop.example", "--password-stdin"], "short");
    assert_eq!(code(&short), Some(1));

    let reset = operator(&["reset", email], "");
    let told = text(&reset);
    let password = told.lines().find_map(|line| line.strip_prefix("password: ")).expect("it is shown once");
    assert!(dashboard(&process.url, email, "first password").await.starts_with("not signed in"));
    assert!(dashboard(&process.url, email, password).await.contains("Nobody needs you now."));
    assert_eq!(code(&operator(&["remove", email], "")), Some(0));
    assert!(dashboard(&process.url, email, password).await.starts_with("not signed in"));
    assert_eq!(code(&operator(&["remove", email], "")), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_sent_and_its_verdicts_are_explained() {
    let site = site();
    let process = site.start();
    let send = |level: u32, id: &str| {
        let data = json!({ "id": "a", "level": level }).to_string();
        let arguments = ["send", "quick.opened", "--customer", "42", "--data", &data, "--id", id];
        let sent = remote(&site, &process, &arguments);
        assert_eq!(code(&sent), Some(0), "{}", text(&sent));
        text(&sent).lines().next().unwrap().to_owned()
    };
    let accepted = send(1, "e-1");
    let event = accepted.strip_prefix("accepted ").unwrap();
    assert_eq!(send(1, "e-1"), format!("duplicate {event}"));
    site.rest_comes(&process).await;
    let told = remote(&site, &process, &["explain", event]);
    assert_eq!(code(&told), Some(0));
    for part in ["quick: not_matched", "did not hold: event.data.level >= 2", "event.data.level = 1", "user:42"] {
        assert!(text(&told).contains(part), "{part}: {}", text(&told));
    }
    let single = remote(&site, &process, &["revoke", event]);
    assert_eq!(code(&single), Some(1));
    assert!(text(&single).contains("No playbook tells many customers of it."), "{}", text(&single));
    let second = send(2, "e-2");
    site.rest_comes(&process).await;
    let told = remote(&site, &process, &["explain", "e-2", "--source", "beckon-send", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(format!("accepted {}", told["event"].as_str().unwrap()), second);
    assert_eq!(told["decisions"][0]["verdict"], "waiting");
    // Of a customer what is under way; a sender may call its events so, and then says its source.
    let told = remote(&site, &process, &["explain", "user:42"]);
    let opening = text(&told);
    assert_eq!(code(&told), Some(0), "{opening}");
    assert!(opening.starts_with("quick for a\n  its opening waits to be seen since 2"), "{opening}");
    let nothing = remote(&site, &process, &["explain", "user:43"]);
    assert_eq!(text(&nothing).trim(), "nothing is under way for user:43");
    let event = remote(&site, &process, &["explain", "user:42", "--source", "beckon-send"]);
    assert_eq!((code(&event), text(&event).trim()), (Some(1), "there is no event `user:42`"));
    let none = remote(&site, &process, &["explain", "e-3"]);
    assert_eq!((code(&none), text(&none).trim()), (Some(1), "there is no event `e-3`"));
    let no_json = remote(&site, &process, &["send", "a.b", "--data", "{"]);
    assert_eq!(code(&no_json), Some(1));
    let wrong_key = site.run(&["playbook", "--url", &process.url, "--key", "wrong", "list"], "");
    assert!(text(&wrong_key).contains("--key"), "{}", text(&wrong_key));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn playbooks_are_paused_and_resumed() {
    let site = site();
    let process = site.start();
    let playbook = |arguments: &[&str]| {
        let done = remote(&site, &process, &[&["playbook"], arguments].concat());
        assert_eq!(code(&done), Some(0), "{}", text(&done));
        text(&done)
    };
    let state = |name: &str| {
        let list = playbook(&["list"]);
        let line = list.lines().find(|line| line.trim().starts_with(name)).unwrap().to_owned();
        line.split_whitespace().last().unwrap().to_owned()
    };
    let before = state("quick");
    assert_eq!(playbook(&["pause", "quick"]).trim(), "quick paused");
    assert_eq!((state("quick").as_str(), state("voucher") == before), ("paused", true));
    assert_eq!(playbook(&["resume", "quick"]).trim(), "quick resumed");
    assert_eq!(state("quick"), before);
    playbook(&["pause", "all"]);
    assert_eq!(state("voucher"), "paused");
    playbook(&["resume", "all"]);
    let unknown = remote(&site, &process, &["playbook", "pause", "quack"]);
    assert_eq!(code(&unknown), Some(1), "{}", text(&unknown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_shown_resent_and_dropped() {
    let site = site();
    drop(site.start());
    let store = site.store().await;
    let poison = crate::store::put(&*store, crate::store::P0, "not an input").await;
    drop(store);
    let process = site.start();
    site.until(&process, "it is put aside", "/readyz", |ready| ready["dead_letters"] == 1).await;
    let letters = |arguments: &[&str]| remote(&site, &process, &[&["dead-letters"], arguments].concat());
    let id = format!("0-{poison}");
    let list = letters(&["list"]);
    assert_eq!(code(&list), Some(1), "something is found");
    assert!(text(&list).contains(&id) && text(&list).contains("cannot be read"), "{}", text(&list));
    let shown = letters(&["show", &id]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["input"], "not an input");
    let resent = letters(&["resend", &id]);
    let again = text(&resent).trim().strip_prefix("resent as ").unwrap().to_owned();
    site.until(&process, "it is put aside again", "/v1/dead-letters", |told| told["items"][0]["id"] == again.as_str())
        .await;
    assert_eq!(code(&letters(&["show", &id])), Some(1), "the first is gone");
    assert_eq!(text(&letters(&["drop", &again])).trim(), "dropped");
    assert_eq!(code(&letters(&["list"])), Some(0));
    assert_eq!(code(&letters(&["drop", &again])), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuilt_record_tells_the_same() {
    let site = site();
    let mut process = site.start();
    for n in 0..5 {
        let event = site.event(&process, "quick.opened", &format!("c{n}"), json!({ "id": "a", "level": n })).await;
        site.outcome(&process, &event).await;
    }
    process.signal("-TERM");
    assert!(process.ended().success());
    let (workspace, data) = (site.workspace.path().display().to_string(), site.data.path().display().to_string());
    let counts = || {
        let db = rusqlite::Connection::open(site.data.path().join("record.db")).unwrap();
        let tables = "select name from sqlite_schema where type = 'table' and name not like 'sqlite%' and name not like '%\\_fts\\_%' escape '\\' order by name";
        let names: Vec<String> =
            db.prepare(tables).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let count = |name: &String| db.query_row(&format!("select count(*) from \"{name}\""), [], |row| row.get(0));
        names.iter().map(|name| (name.clone(), count(name).unwrap())).collect::<Vec<(String, i64)>>()
    };
    let before = counts();
    assert!(before.iter().any(|(name, count)| name.contains("conversation") && *count >= 3), "{before:?}");
    let rebuilt = site.run(&["record", "rebuild", "--workspace", &workspace, "--data", &data], "");
    assert_eq!(code(&rebuilt), Some(0), "{}", text(&rebuilt));
    assert!(text(&rebuilt).contains("lines of the archive gave the views anew"), "{}", text(&rebuilt));
    assert_eq!(counts(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simulate_drives_a_server_and_finds_nothing_lost() {
    let site = site();
    let process = site.start();
    let arguments = [
        "simulate",
        "--identity-key",
        IDENTITY_KEY,
        "--sockets",
        "20",
        "--openings",
        "10",
        "--event",
        "quick.opened",
        "--data",
        r#"{"id":"{n}","level":2}"#,
        "--flood",
        "1s",
        "--concurrency",
        "2",
        "--batch",
        "50",
        "--talk",
        "--json",
    ];
    let done = remote(&site, &process, &arguments);
    assert_eq!(code(&done), Some(0), "{}", text(&done));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(report["flood"]["accepted"].as_u64().unwrap() > 0, "{report}");
    let openings = &report["openings"];
    assert_eq!(
        (&openings["opened"], &openings["doubled"], &openings["misnumbered"]),
        (&json!(10), &json!(0), &json!(0))
    );
    assert_eq!(report["dead"], 0);
    let no_key = remote(&site, &process, &["simulate", "--sockets", "1"]);
    assert_eq!(code(&no_key), Some(1));
    assert!(text(&no_key).contains("--identity-key"), "{}", text(&no_key));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_event_that_is_not_decided_is_explained_as_pending_by_the_senders_id() {
    let door = Door::open(Setup::default()).await;
    let event = json!({ "specversion": "1.0", "id": "e-1", "source": "s", "type": "t", "subject": "u_1" });
    assert_eq!(door.cloud_events(event.to_string(), false).await.0, 202);
    let site = site();
    let told = site.run(&["explain", "--url", &door.url, "--key", "k-backend", "e-1"], "");
    assert_eq!(code(&told), Some(0), "{}", text(&told));
    assert!(text(&told).contains("t from s about user:u_1: pending"), "{}", text(&told));
}

#[test]
fn a_configuration_that_names_what_is_not_there_does_not_serve() {
    let site = site();
    let config = std::fs::read_to_string(site.path("beckon.toml")).unwrap_or_default();
    let key = "\n[[http.api_key]]\nname = \"odd\"\nkey = \"k-odd\"\nsource = \"somewhere\"\n";
    site.file("beckon.toml", &format!("{config}{key}"));
    let (workspace, data) = (site.workspace.path().display().to_string(), site.data.path().display().to_string());
    let serve = ["serve", "--listen", "127.0.0.1:0", "--workspace", &workspace, "--data", &data];
    let (told, checked) = (site.run(&serve, ""), check(&site));
    for told in [&told, &checked] {
        assert_eq!(code(told), Some(1), "{}", text(told));
        assert!(text(told).contains("the key `odd` names the source `somewhere`, and there is none"), "{}", text(told));
    }
    site.file("beckon.toml", &config);
    let cluster = site.run(&[&serve[..], &["--store", "redis+cluster://127.0.0.1:1"]].concat(), "");
    assert_eq!(code(&cluster), Some(1));
    let words = "begins with one of `embedded:`, `redis://`, `rediss://`";
    assert!(text(&cluster).contains(words), "{}", text(&cluster));
}
