//! `sequence`: events one after the other.

use serde_json::json;

use super::play::{HOUR, MINUTE, Play, playbook};

const RELAXED: &str = "sequence: { events: [plan.viewed, cancel.started], within: 1h }";

/// Plays events a minute apart, each named by its type; what became of the last.
fn last(trigger: &str, types: &[&str]) -> String {
    let mut play = Play::new(&[&playbook("p", trigger, "")]);
    let mut told = String::new();
    for (at, kind) in types.iter().enumerate() {
        told = play.told(at as u64 * MINUTE, kind, json!({ "id": 1 }));
    }
    told
}

#[test]
fn steps_in_order_match_and_in_another_order_do_not() {
    assert_eq!(last(RELAXED, &["plan.viewed", "cancel.started"]), "p waiting");
    assert_eq!(last(RELAXED, &["cancel.started", "plan.viewed"]), "p not_matched");
    assert_eq!(last(RELAXED, &["cancel.started", "plan.viewed", "cancel.started"]), "p waiting");
}

#[test]
fn the_first_and_the_last_may_be_exactly_so_far_apart() {
    for (apart, expected) in [(HOUR - 1, "p waiting"), (HOUR, "p waiting"), (HOUR + 1, "p not_matched")] {
        let mut play = Play::new(&[&playbook("p", RELAXED, "")]);
        play.event(0, "plan.viewed", json!({}));
        assert_eq!(play.told(apart, "cancel.started", json!({})), expected);
    }
}

#[test]
fn strict_allows_none_of_its_events_in_between_and_relaxed_passes_them_over() {
    let three = |order: &str| format!("sequence: {{ events: [a, b, c], within: 1h, order: {order} }}");
    for (types, strict, relaxed) in [
        (&["a", "b", "c"][..], "p waiting", "p waiting"),
        (&["a", "a", "b", "c"], "p waiting", "p waiting"),
        (&["a", "b", "b", "c"], "p not_matched", "p waiting"),
        (&["a", "c", "b", "c"], "p not_matched", "p waiting"),
        (&["a", "x", "b", "c"], "p waiting", "p waiting"),
        (&["b", "a", "c"], "p not_matched", "p not_matched"),
    ] {
        assert_eq!(last(&three("strict"), types), strict, "strict {types:?}");
        assert_eq!(last(&three("relaxed"), types), relaxed, "relaxed {types:?}");
    }
}

#[test]
fn what_may_not_come_in_between_breaks_it() {
    let trigger = "sequence: { events: [a, b], without: [x], within: 1h }";
    assert_eq!(last(trigger, &["a", "x", "b"]), "p not_matched");
    assert_eq!(last(trigger, &["a", "x", "a", "b"]), "p waiting");
    assert_eq!(last(trigger, &["x", "a", "b"]), "p waiting");
}

#[test]
fn a_match_uses_up_its_events_unless_matches_may_overlap() {
    let overlap = "sequence: { events: [a, b], within: 1h, then: overlap }";
    assert_eq!(last("sequence: { events: [a, b], within: 1h }", &["a", "b", "b"]), "p not_matched");
    assert_eq!(last(overlap, &["a", "b", "b"]), "p joined");
}

#[test]
fn the_same_type_twice_needs_two_events() {
    let twice = "sequence: { events: [a, a], within: 1h }";
    assert_eq!(last(twice, &["a"]), "p not_matched");
    assert_eq!(last(twice, &["a", "a"]), "p waiting");
    assert_eq!(last(twice, &["a", "a", "a"]), "p not_matched");
}

#[test]
fn keys_are_told_apart_and_the_refusal_says_how_far_it_is() {
    let trigger = "sequence: { events: [a, b, c], within: 1h, key: event.data.order }";
    let mut play = Play::new(&[&playbook("p", trigger, "")]);
    play.event(0, "a", json!({ "order": 1 }));
    assert_eq!(play.told(1, "b", json!({ "order": 2 })), "p not_matched");
    let second = play.event(2, "b", json!({ "order": 1 }));
    let values = serde_json::Value::Object(play.judged(second).values.clone());
    assert_eq!(values, json!({ "taken": 2, "of": 3, "next": "c" }));
    assert_eq!(play.told(3, "c", json!({ "order": 2 })), "p not_matched");
    assert_eq!(play.told(4, "c", json!({ "order": 1 })), "p waiting");
}

#[test]
fn a_late_event_completes_what_has_come_before_it() {
    let mut play = Play::new(&[&playbook("p", RELAXED, "")]);
    play.late(10 * MINUTE, 10 * MINUTE, "cancel.started", json!({}));
    let late = play.late(12 * MINUTE, 5 * MINUTE, "plan.viewed", json!({}));
    assert_eq!(play.verdict(late), "p waiting");
}
