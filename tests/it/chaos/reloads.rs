//! F25: playbooks change, and break, while the server runs.

use serde_json::json;

use super::chaos;
use super::process::{Process, Site};
use crate::journeys::world::until;
use crate::store::Place;

chaos!(
    a_broken_file_replaces_nothing_while_the_server_runs,
    a_change_right_after_the_start_is_seen,
    mistakes_are_lines_of_the_log_like_any_other,
);

const STAYS: &str = "the workspace has mistakes; the last good catalog stays";

async fn until_said(site: &Site, times: usize) {
    until("the mistakes are told", || async { site.log().matches(STAYS).count() >= times }).await;
}

async fn opens_with(site: &Site, process: &Process, customer: &str, words: &str) {
    let event = site.event(process, "quick.opened", customer, json!({ "id": "a", "level": 2 })).await;
    let id = site.outcome(process, &event).await["decisions"][0]["conversation"].as_str().unwrap().to_owned();
    let path = format!("/v1/conversations/{id}");
    let told = site.until(process, "the opening is said", &path, |told| told["last_seq"] == 1).await;
    assert_eq!(told["entries"][0]["text"], words);
}

async fn a_broken_file_replaces_nothing_while_the_server_runs(place: Place) {
    let site = Site::new(place, None);
    let process = site.start();
    let revision = site.get(&process, "/v1/playbooks").await["revision"].as_u64().unwrap();
    let good = std::fs::read_to_string(site.path("playbooks/quick.yaml")).unwrap();
    site.file("playbooks/quick.yaml", "playbook: quick\non: nothing\n");
    until_said(&site, 1).await;
    opens_with(&site, &process, "42", "Something happened to a.").await;
    // Told once for each state of the files, and again where somebody asks.
    process.signal("-HUP");
    until_said(&site, 2).await;
    assert_eq!(site.get(&process, "/v1/playbooks").await["revision"], revision);
    opens_with(&site, &process, "43", "Something happened to a.").await;

    site.file("playbooks/quick.yaml", &good.replace("Something happened", "Something new happened"));
    process.signal("-HUP");
    site.until(&process, "the mended file is in force", "/v1/playbooks", |told| told["revision"] == revision + 1).await;
    until("every owner heard of it", || async {
        let event = site.event(&process, "nobody.listens", "44", json!({})).await;
        site.outcome(&process, &event).await["status"] == "decided"
    })
    .await;
    assert_eq!(site.log().matches(STAYS).count(), 2, "{}", site.log());
    assert!(!site.log().contains('\u{1b}'), "colours are for terminals");
}

async fn mistakes_are_lines_of_the_log_like_any_other(place: Place) {
    let mut site = Site::new(place, None);
    site.set("BECKON__LOG__FORMAT", "json");
    let process = site.start();
    assert!(process.said.iter().all(|line| !line.ends_with(" -")), "{:?}", process.said);
    site.file("playbooks/quick.yaml", "playbook: quick\non: nothing\n");
    until_said(&site, 1).await;
    let log = site.log();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect();
    let of_the_file = |line: &&serde_json::Value| line["fields"]["file"] == "playbooks/quick.yaml";
    let told: Vec<_> = lines.iter().filter(of_the_file).collect();
    assert!(told.iter().any(|line| line["fields"]["line"] == 2), "{log}");
}

async fn a_change_right_after_the_start_is_seen(place: Place) {
    let site = Site::new(place, None);
    let process = site.start();
    // Before the first look at the folder.
    let good = std::fs::read_to_string(site.path("playbooks/quick.yaml")).unwrap();
    site.file("playbooks/quick.yaml", &good.replace("Something happened", "Something new happened"));
    site.until(&process, "the change is in force", "/v1/playbooks", |told| told["revision"] == 2).await;
}
