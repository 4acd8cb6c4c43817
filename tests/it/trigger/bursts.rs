//! `debounce`: a burst of matches becomes one opening that knows all of its events.

use beckon::model::entry::Kind;
use serde_json::json;

use super::play::{MINUTE, Play, SECOND, playbook};

fn burst(say: &str) -> String {
    format!(
        "playbook: p\non: [{{ event: x }}]\ndebounce: {{ for: 30s, at_most: 1m }}\nopen: {{ within: 1d, say: \"{say}\" }}\n"
    )
}

#[test]
fn it_ends_when_none_came_for_a_while_and_the_opening_knows_all_of_it() {
    let mut play = Play::new(&[&burst(
        "{{ events | length }}: {% for e in events %}{{ e.data.n }} {% endfor %}last {{ event.data.n }}",
    )]);
    let ids: Vec<_> = (0..3).map(|n| play.event(n * 10 * SECOND, "x", json!({ "n": n }))).collect();
    assert!(ids.iter().all(|id| play.verdict(*id) == "p pending"));
    play.ticks(50 * SECOND - 1);
    assert_eq!(play.openings(), 0);
    play.ticks(50 * SECOND);
    let told: Vec<String> = ids.iter().map(|id| play.verdict(*id)).collect();
    assert_eq!(told, ["p joined", "p joined", "p waiting"]);
    let said = play.entries.iter().find_map(|logged| match &logged.entry.kind {
        Kind::Message { text, .. } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(said.as_deref(), Some("3: 0 1 2 last 2"));
    let events = play.entries.iter().filter(|logged| matches!(logged.entry.kind, Kind::Event { .. })).count();
    assert_eq!(events, 3, "the next turn reads them all");
    assert_eq!(play.told(2 * MINUTE, "x", json!({ "n": 9 })), "p joined", "what is open is joined at once");
}

#[test]
fn a_burst_without_an_end_ends_after_its_longest_wait() {
    let mut play = Play::new(&[&burst("Hi")]);
    for n in 0..6 {
        play.event(n * 10 * SECOND, "x", json!({}));
    }
    play.ticks(MINUTE);
    assert_eq!(play.openings(), 1);
}

#[test]
fn of_a_very_long_burst_the_first_are_kept_and_of_others_the_ids() {
    let mut play = Play::new(&[&burst("{{ events | length }}")]);
    let ids: Vec<_> = (0..200).map(|n| play.event(n * 100, "x", json!({ "words": "w".repeat(100) }))).collect();
    assert_eq!(play.judged(ids[119]).values["events"], 120);
    assert_eq!(play.verdict(ids[120]), "p limited", "what would not fit is refused at once");
    play.ticks(2 * MINUTE);
    assert_eq!(play.openings(), 1);
    let pending = ids.iter().filter(|id| play.verdict(**id) == "p pending").count();
    assert_eq!(pending, 0, "every event has its last word");
    assert_eq!(play.verdict(ids[100]), "p joined");
}

#[test]
fn a_burst_is_judged_at_its_end() {
    let more = "debounce: { for: 30s }\nlimits: { per_customer: 1 per 1h }";
    let mut play = Play::new(&[&playbook("p", "event: x", more), &playbook("q", "event: y", "")]);
    play.event(0, "x", json!({}));
    play.ticks(MINUTE);
    play.close(MINUTE + 1);
    let again = play.event(2 * MINUTE, "x", json!({}));
    assert_eq!(play.verdict(again), "p pending");
    play.ticks(3 * MINUTE);
    assert_eq!(play.verdict(again), "p limited");
}
