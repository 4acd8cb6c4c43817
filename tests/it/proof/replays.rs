//! Replays: with the recorded times they give what happened live, twice the same, and tell what another workspace does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beckon::catalog::{compile, read_workspace};
use beckon::model::catalog::Catalog;
use beckon::model::decision::Judged;
use beckon::model::ids::EventId;
use beckon::model::time::Ms;
use beckon::rehearsal::replay::{Known, Replay, Window};
use beckon::rehearsal::tally::{Tally, TokensSpent};
use reqwest::Method;
use serde_json::{Value, json};

use super::folder;
use crate::chaos::process::{Process, Site, text};
use crate::journeys::journeys;
use crate::journeys::model::Says;
use crate::journeys::world::{ANA, World, until};
use crate::store::Place;

journeys!(
    a_replay_of_what_was_live_is_what_happened_live,
    a_replay_waits_and_counts_as_the_live_engine_did,
    a_replay_plays_back_whom_a_topic_told,
);

/// Runs all that a world recorded; answers the last verdict of each pair, in the form that REST has, and the tally.
async fn replayed(world: &World, catalog: Arc<Catalog>) -> (BTreeMap<(EventId, String), Judged>, Tally, TokensSpent) {
    let record = &world.server().record;
    let window = Window {
        from: Ms(0),
        to: record.recorded_until().await.unwrap().unwrap().plus(beckon::model::time::Millis(1)),
    };
    let mut replay = Replay::new(catalog, window);
    replay.trace = Some(Vec::new());
    let mut spent = TokensSpent::default();
    for partition in record.recorded_partitions().await.unwrap() {
        let inputs = record.recorded(partition, window.from, window.to).await.unwrap();
        let known = Known::of(&inputs);
        known.tokens(&inputs, &mut spent);
        replay.partition(partition, inputs.into_iter(), &known);
    }
    let trace = replay.trace.take().unwrap();
    let last = trace.into_iter().map(|judged| ((judged.event, judged.playbook.clone()), judged)).collect();
    (last, replay.finish(), spent)
}

async fn a_replay_of_what_was_live_is_what_happened_live(world: World) {
    let mut world = world.with_model().await;
    let mut events = Vec::new();

    // Ana's customer pays, over a model, with a charge that was confirmed.
    let mut chat = world.chat("42").await;
    let first = json!({ "order_id": "7", "attempt": 1, "total": 89.5 });
    events.push(world.event("checkout.payment_failed", "42", first).await);
    events.push(world.decline("42", "7").await);
    let id = chat.opened().await;
    chat.seen(&id, 1).await;
    let charge = json!({ "id": "7", "card": "card-a" });
    world.model.will_say([Says::Calls("shop__retry_payment", charge.to_string()), Says::Words("It is paid.")]);
    chat.say(&id, "charge card a").await;
    let confirm = chat.entry("confirm").await;
    chat.confirm(&id, &confirm["call_id"], true).await;
    assert_eq!(chat.hears().await, "It is paid.");
    events.push(world.event("checkout.completed", "42", json!({ "order_id": "7", "total": 89.5 })).await);
    // A joined one, and one too many within a day.
    events.push(world.decline("42", "7").await);
    events.push(world.decline("42", "8").await);

    // Another asks for a person, nobody comes, then one does; the turn after it began with a tick.
    let mut other = world.chat("43").await;
    let talk = world.quick_talk(&mut other, "43", "a").await;
    world.model.will_say([Says::Calls("handoff", json!({ "reason": "asked", "summary": "" }).to_string())]);
    other.say(&talk, "a person please").await;
    other.holder("queue").await;
    world.model.will_say([Says::Words("I am still here.")]);
    other.say(&talk, "hello?").await;
    other.holder("assistant").await;
    world.claim(ANA, &talk).await;
    world.write(ANA, &talk, "This is Ana.").await;

    // An opening that nobody sees expires and frees its key; a paused playbook opens nothing.
    let unseen = world.event("quick.opened", "44", json!({ "id": "b", "level": 2 })).await;
    world.until_verdict(&unseen, "expired").await;
    events.push(unseen);
    events.push(world.event("quick.opened", "44", json!({ "id": "b", "level": 1 })).await);
    assert_eq!(world.rest(Method::POST, "/v1/playbooks/quick/pause", Value::Null).await.0, 200);
    world.holds_everywhere().await;
    events.push(world.event("quick.opened", "45", json!({ "id": "c", "level": 2 })).await);

    let mut live: BTreeMap<(EventId, String), Value> = BTreeMap::new();
    let mut goals = 0;
    for customer in ["42", "43", "44", "45"] {
        world.settle(customer).await;
    }
    for event in &events {
        let outcome = world.outcome(event).await;
        goals += outcome["goals"].as_array().unwrap().len() as u64;
        for decision in outcome["decisions"].as_array().unwrap() {
            let playbook = decision["playbook"].as_str().unwrap().to_owned();
            live.insert((event.parse().unwrap(), playbook), decision.clone());
        }
    }
    let verdicts: Vec<&str> = live.values().map(|decision| decision["verdict"].as_str().unwrap()).collect();
    for verdict in ["not_matched", "opened", "joined", "limited", "expired", "paused"] {
        assert!(verdicts.contains(&verdict), "{verdict}: {live:#?}");
    }

    let catalog = Arc::new(compile(&read_workspace(&folder("tests/workspaces/checkout")).unwrap(), None).unwrap());
    let (again, tally, spent) = replayed(&world, Arc::clone(&catalog)).await;
    for (pair, decision) in &live {
        let judged = serde_json::to_value(&again[pair]).unwrap();
        for field in ["verdict", "reason", "condition", "values", "conversation"] {
            assert_eq!(judged.get(field), decision.get(field).filter(|v| !v.is_null()), "{pair:?} {field}: {decision}");
        }
    }
    assert_eq!(tally.set_aside, 0, "everything that was recorded is about what opened again");
    assert_eq!(tally.goals.values().sum::<u64>(), goals);
    let report = tally.report(&spent);
    assert_eq!((report.openings.len(), report.contacts), (3, 2), "{report:#?}");
    assert!(report.tokens > 0 && report.customers == 4, "{report:#?}");
    let (_, twice, spent) = replayed(&world, catalog).await;
    assert_eq!(serde_json::to_string(&twice.report(&spent)).unwrap(), serde_json::to_string(&report).unwrap());
}

/// A site with a day on record: declined cards of eight customers.
async fn recorded_day() -> (Site, Process) {
    let site = Site::new(Place::embedded(), None);
    let process = site.start();
    for n in 0..8 {
        let data = |order: &str, total: f64| json!({ "order_id": order, "attempt": 2, "total": total });
        let customer = n.to_string();
        let total = if n < 4 { 89.5 } else { 30.0 };
        site.event(&process, "checkout.payment_failed", &customer, data("a", total)).await;
        site.event(&process, "checkout.payment_failed", &customer, data("b", total)).await;
    }
    // Each says its opening once the API, which is not there, was asked in vain: then nothing more is to come.
    let listed = |told: &Value| told["items"].as_array().is_some_and(|items| items.len() == 8);
    site.until(&process, "all openings are said", "/v1/conversations?state=waiting", listed).await;
    site.rest_comes(&process).await;
    (site, process)
}

/// A copy of the site's workspace with a piece of its playbook replaced.
fn changed(site: &Site, from: &str, to: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    crate::journeys::world::copy_folder(site.workspace.path(), copy.path());
    let path = copy.path().join("playbooks/checkout-trouble.yaml");
    let playbook = std::fs::read_to_string(&path).unwrap();
    assert!(playbook.contains(from));
    std::fs::write(path, playbook.replace(from, to)).unwrap();
    copy
}

/// Runs `beckon replay` of a workspace over the site's record.
fn replay(site: &Site, workspace: &std::path::Path, more: &[&str]) -> std::process::Output {
    let (workspace, data) = (workspace.display().to_string(), site.data.path().display().to_string());
    site.run(&[&["replay", "--workspace", &workspace, "--data", &data], more].concat(), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_before_it_is_live_and_twice_the_same() {
    let (site, _process) = recorded_day().await;
    let old = site.workspace.path().display().to_string();

    // The server runs meanwhile, and its record is only read.
    let alone = replay(&site, site.workspace.path(), &[]);
    assert_eq!(alone.status.code(), Some(0), "{}", text(&alone));
    let told = String::from_utf8(alone.stdout.clone()).unwrap();
    for part in
        ["16 events, ", "8 customers", "checkout-trouble: 8 openings", "8 times limited: 1 per 1d for this customer"]
    {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    assert_eq!(replay(&site, site.workspace.path(), &[]).stdout, alone.stdout, "two runs are byte-identical");

    // What was let go is missed by nobody unless somebody asks for it.
    let keeps = changed(&site, "open:", "open:");
    let file = std::fs::read_to_string(keeps.path().join("beckon.toml")).unwrap();
    std::fs::write(keeps.path().join("beckon.toml"), format!("{file}\n[record]\nkeep = \"30d\"\n")).unwrap();
    let told = |more: &[&str]| String::from_utf8(replay(&site, keeps.path(), more).stderr).unwrap();
    assert!(told(&["--from", "2020-01-01"]).contains("`record.keep` is 30d: of what came before "));
    assert!(!told(&[]).contains("record.keep"));

    // Dearer orders only: four are gone, and why is told. Nobody was there to see the others.
    let dearer = changed(&site, "total > 20.0", "total > 50.0");
    let gone = replay(&site, dearer.path(), &["--against", &old]);
    let told = text(&gone);
    for part in [
        "8 openings there, 4 here",
        "4 are the same",
        "0 added",
        "4 gone",
        "; now not_matched, a condition did not hold: event.data.total > 50.0",
        "0 moved",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }

    // Twice a day: eight more, which nobody answers and which count as seen.
    let twice = changed(&site, "1 per 24h", "2 per 24h");
    let json = replay(&site, twice.path(), &["--against", &old, "--json"]);
    let more: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(more["against"]["difference"]["added"].as_array().unwrap().len(), 8, "{more:#}");
    assert_eq!(more["against"]["difference"]["same"], 8);
    assert_eq!(more["report"]["contacts"], 8, "{more:#}");
    assert_eq!(more["against"]["report"]["contacts"], 0, "nobody was there to see them");
    assert_eq!(replay(&site, twice.path(), &["--against", &old, "--json"]).stdout, json.stdout);

    // As a gate of CI.
    let gate = |workspace: &std::path::Path, condition: &str| {
        replay(&site, workspace, &["--against", &old, "--fail-if", condition])
    };
    let failed = gate(twice.path(), "openings > +5%");
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed).contains("failed: openings > +5% (16 against 8)"), "{}", text(&failed));
    assert_eq!(gate(twice.path(), "openings > +100%").status.code(), Some(0));
    assert_eq!(gate(dearer.path(), "gone >= 4").status.code(), Some(1));
    let wrong: [&[&str]; 4] = [
        &["--fail-if", "openings > +5%"],
        &["--fail-if", "contcats > 5"],
        &["--from", "yesterday"],
        &["--against", "/nowhere/at/all"],
    ];
    for arguments in wrong {
        let output = replay(&site, site.workspace.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_the_window_warms_up_and_is_not_counted() {
    let site = Site::new(Place::embedded(), None);
    let process = site.start();
    let data = |order: &str| json!({ "order_id": order, "attempt": 2, "total": 89.5 });
    let first = site.event(&process, "checkout.payment_failed", "1", data("a")).await;
    site.outcome(&process, &first).await;
    let second = site.event(&process, "checkout.payment_failed", "1", data("b")).await;
    site.rest_comes(&process).await;
    let second: EventId = second.parse().unwrap();
    let from = second.pos.time().to_string();
    let warm: Value =
        serde_json::from_slice(&replay(&site, site.workspace.path(), &["--json", "--from", &from]).stdout).unwrap();
    assert_eq!(warm["report"]["events"], 1, "{warm:#}");
    assert_eq!(warm["report"]["playbooks"]["checkout-trouble"]["verdicts"], json!({ "limited": 1 }));
    let cold = replay(&site, site.workspace.path(), &["--json", "--from", &from, "--warm-up", "0ms"]);
    let cold: Value = serde_json::from_slice(&cold.stdout).unwrap();
    assert_eq!(cold["report"]["playbooks"]["checkout-trouble"]["openings"], 1, "without it the limit is not known");
}

#[test]
fn a_replay_without_a_record_says_so() {
    let site = Site::new(Place::embedded(), None);
    let output = replay(&site, site.workspace.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("there is no record at"), "{}", text(&output));
    assert!(!site.data.path().join("record.db").exists(), "and makes none");
}

/// One playbook of every kind that remembers or waits.
const OVER_TIME: &str = r#"
absent: { on: [{ absence: { of: paid, after: cart.updated, within: 4s, key: event.data.cart } }] }
counted: { on: [{ count: { event: declined, within: 10m, at_least: 3, key: event.data.card } }] }
spent: { on: [{ sum: { event: declined, of: event.data.total, within: 1h, at_least: 100 } }], priority: 5 }
first: { on: [{ event: declined, first: { event: declined } }], priority: 9 }
steps: { on: [{ sequence: { events: [cart.updated, declined], within: 1h } }], when_open: drop }
burst: { on: [{ event: viewed }], debounce: { for: 1s, at_most: 3s } }
some: { on: [{ event: viewed }], audience: { rollout: 50%, holdout: 20% } }
watching: { on: [{ event: viewed }], audience: { rollout: shadow } }
"#;

async fn a_replay_waits_and_counts_as_the_live_engine_did(world: World) {
    let playbooks: Vec<(String, String)> = OVER_TIME
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, rest)| {
            let said = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap();
            let text = format!("{{ playbook: {name},{said}, open: {{ within: 2s, say: Hi }} }}\n");
            (format!("playbooks/{name}.yaml"), text)
        })
        .collect();
    let files: Vec<(&str, &str)> = playbooks.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut world = world.with_files(&files).await;
    let catalog = Arc::new(compile(&read_workspace(world.workspace()).unwrap(), None).unwrap());
    let customers: Vec<String> = (0..6).map(|n| format!("c{n}")).collect();
    let mut events = Vec::new();
    for round in 0..3 {
        for customer in &customers {
            let cart = json!({ "cart": "a" });
            events.push(world.event("cart.updated", customer, cart.clone()).await);
            events.push(world.event("declined", customer, json!({ "card": "k", "total": 20 + round * 25 })).await);
            events.push(world.event("viewed", customer, json!({})).await);
            if round == 1 && customer < &customers[3] {
                events.push(world.event("paid", customer, cart).await);
            }
        }
        if round == 0 {
            world.restart().await;
        }
    }
    // What waits is decided, and what opened has expired: then nothing more is to come.
    let over = |decision: &Value| !["pending", "waiting"].contains(&decision["verdict"].as_str().unwrap());
    let mut live = BTreeMap::new();
    for event in &events {
        until("it is over", || async {
            let told = world.outcome(event).await;
            told["decisions"].as_array().unwrap().iter().all(over)
        })
        .await;
        for decision in world.outcome(event).await["decisions"].as_array().unwrap() {
            let playbook = decision["playbook"].as_str().unwrap().to_owned();
            live.insert((event.parse::<EventId>().unwrap(), playbook), decision.clone());
        }
    }
    let seen: BTreeSet<&str> = live.values().map(|decision| decision["verdict"].as_str().unwrap()).collect();
    for verdict in ["not_matched", "joined", "expired", "withdrawn", "dropped", "excluded", "holdout", "shadow"] {
        assert!(seen.contains(verdict), "{verdict}: {seen:?}");
    }
    let (again, tally, spent) = replayed(&world, Arc::clone(&catalog)).await;
    for (pair, decision) in &live {
        let judged = serde_json::to_value(&again[pair]).unwrap();
        for field in ["verdict", "reason", "condition", "values", "conversation"] {
            assert_eq!(judged.get(field), decision.get(field).filter(|v| !v.is_null()), "{pair:?} {field}: {decision}");
        }
    }
    let (_, twice, again) = replayed(&world, catalog).await;
    assert_eq!(
        serde_json::to_string(&twice.report(&again)).unwrap(),
        serde_json::to_string(&tally.report(&spent)).unwrap()
    );
}

/// An outage, its news and its end, for forty customers in as many partitions.
async fn a_replay_plays_back_whom_a_topic_told(world: World) {
    let outage = "playbook: outage\non:\n  - topic:\n      event: incident.opened\n      key: event.data.id\n      \
        to: { list: event.data.customers }\n      ends: { event: incident.resolved, say: It works again. }\n\
        open: { key: event.data.id, say: There is an outage. }\n";
    let mut world = world.with_files(&[("playbooks/outage.yaml", outage)]).await;
    let customers: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
    let opened = world.nobodys_event("incident.opened", json!({ "id": "i-1", "customers": customers })).await;
    world.until_told(&opened, json!({ "waiting": 40 })).await;
    let ended = world.nobodys_event("incident.resolved", json!({ "id": "i-1" })).await;
    world.until_told(&ended, json!({ "joined": 40 })).await;
    world.until_verdict(&ended, "told").await;

    let files = beckon::catalog::read_workspace(world.workspace()).unwrap();
    let (verdicts, tally, _) = replayed(&world, Arc::new(compile(&files, None).unwrap())).await;
    let told = |event: &str| {
        let live = event.parse::<EventId>().unwrap();
        verdicts.iter().filter(|((id, _), _)| *id == live).map(|(_, judged)| judged.verdict).collect::<Vec<_>>()
    };
    assert_eq!(told(&opened), [beckon::model::entry::Verdict::Told]);
    let counts = serde_json::to_value(tally.report(&TokensSpent::default())).unwrap();
    assert_eq!(counts["openings"].as_array().map(Vec::len), Some(40), "{counts:#}");
    assert_eq!(
        counts["playbooks"]["outage"]["verdicts"],
        json!({ "waiting": 40, "joined": 40, "told": 2 }),
        "{counts:#}"
    );
}
