//! Event time: what comes late, early, out of order, by a wrong clock.

use beckon::model::catalog::{Catalog, SourceClock};
use beckon::model::time::Millis;
use serde_json::{Value, json};
use std::sync::Arc;

use super::play::{HOUR, MINUTE, Play, files, playbook};

const COUNT: &str = "{ count: { event: card.declined, at_least: 3, within: 10m }, lateness: 30m }";

#[test]
fn a_late_event_joins_its_window() {
    let mut play = Play::new(&[&playbook("p", COUNT, "")]);
    play.event(0, "card.declined", Value::Null);
    play.event(8 * MINUTE, "card.declined", Value::Null);
    for (arrives, happened, expected) in
        [(30 * MINUTE, 19 * MINUTE, "p not_matched"), (31 * MINUTE, MINUTE, "p waiting")]
    {
        let event = play.late(arrives, happened, "card.declined", Value::Null);
        assert_eq!(play.verdict(event), expected);
    }
}

#[test]
fn an_event_later_than_is_waited_for_is_told_with_what_it_would_have_done() {
    for (arrives, expected) in [(MINUTE + 30 * MINUTE, "p waiting"), (MINUTE + 30 * MINUTE + 1, "p late")] {
        let mut play = Play::new(&[&playbook("p", COUNT, "")]);
        play.event(0, "card.declined", Value::Null);
        play.event(8 * MINUTE, "card.declined", Value::Null);
        let before = play.state.clone();
        let late = play.late(arrives, MINUTE, "card.declined", Value::Null);
        assert_eq!(play.verdict(late), expected);
        if expected == "p late" {
            assert_eq!(play.judged(late).values["would"], "match");
            assert_eq!(play.state, before, "it leaves nothing behind");
        }
    }
    let mut play = Play::new(&[&playbook("p", "absence: { of: b, after: a, within: 30m }", "")]);
    play.event(0, "a", Value::Null);
    play.ticks(HOUR);
    let late = play.late(3 * HOUR, MINUTE, "b", Value::Null);
    assert_eq!((play.verdict(late).as_str(), &play.judged(late).values["would"]), ("p late", &json!("take back")));
    assert_eq!(play.open(), ["p"]);
}

#[test]
fn an_event_from_the_future_happened_when_it_arrived() {
    let mut play = Play::new(&[&playbook("p", COUNT, "")]);
    play.late(0, 9 * HOUR, "card.declined", Value::Null);
    play.late(MINUTE, 5 * HOUR, "card.declined", Value::Null);
    let third = play.late(10 * MINUTE, 20 * HOUR, "card.declined", Value::Null);
    assert_eq!(play.verdict(third), "p waiting");
}

#[test]
fn a_clock_that_is_an_hour_wrong_is_put_right_where_the_source_says_so() {
    let clock = |clock: &str| {
        let source = format!("source: shop\nclock: {clock}\ntype: item.type\n");
        let mut files = files(&[&playbook("p", "count: { event: x, at_least: 2, within: 10m }", "")]);
        files.insert("sources/shop.yaml".to_owned(), source.into_bytes());
        let catalog: Catalog = beckon::catalog::compile(&files, None).unwrap();
        (catalog.sources["shop"].clock, Play::on("42", Arc::new(catalog)))
    };
    let behind = "{ behind: 1h, lateness: 5m }";
    let (held, mut play) = clock(behind);
    let expected = SourceClock { behind: Millis::hours(1), lateness: Some(Millis::minutes(5)), ..held };
    assert_eq!((held.behind, held.lateness), (expected.behind, expected.lateness));
    play.late(2 * HOUR, HOUR, "x", Value::Null);
    let second = play.late(2 * HOUR + 10 * MINUTE, HOUR + 10 * MINUTE, "x", Value::Null);
    assert_eq!(play.verdict(second), "p waiting", "an hour behind is in time here");
    let (_, mut play) = clock("{ lateness: 5m }");
    let first = play.late(2 * HOUR, HOUR, "x", Value::Null);
    assert_eq!(play.verdict(first), "p late");
    let (_, mut play) = clock("{ ahead: 1h }");
    play.late(0, HOUR, "x", Value::Null);
    let apart = play.late(11 * MINUTE, HOUR + 11 * MINUTE, "x", Value::Null);
    assert_eq!(play.verdict(apart), "p not_matched", "each happened when it arrived");
}

#[test]
fn what_needs_no_memory_is_never_late() {
    let mut play = Play::new(&[&playbook("p", "event: x", "")]);
    let event = play.late(100 * HOUR, 0, "x", Value::Null);
    assert_eq!(play.verdict(event), "p waiting");
}
