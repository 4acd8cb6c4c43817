//! `count`, `sum`, `max`, `first`, distinct values: how often, how much, in which time.

use serde_json::{Value, json};

use super::play::{HOUR, MINUTE, Play, SECOND, START, WEEK, playbook};
use beckon::model::customer::{BadState, State};
use beckon::model::memory::MAX_KEYS;
use beckon::model::time::Ms;

fn declined(card: &str) -> Value {
    json!({ "card_id": card, "amount": 10, "country": "DE" })
}

const COUNT: &str = "count: { event: card.declined, at_least: 3, within: 10m, key: event.data.card_id }";

/// Plays declines of card `a` at these times; what became of each.
fn declines(trigger: &str, times: &[u64]) -> Vec<String> {
    let mut play = Play::new(&[&playbook("p", trigger, "")]);
    times.iter().map(|at| play.told(*at, "card.declined", declined("a"))).collect()
}

#[test]
fn the_third_in_time_matches_and_uses_up_what_was_counted() {
    let told = declines(COUNT, &[0, MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE, 5 * MINUTE]);
    let (no, joined) = ("p not_matched", "p joined");
    assert_eq!(told, [no, no, "p waiting", no, no, joined]);
}

#[test]
fn an_event_exactly_as_old_as_the_window_still_counts() {
    for (last, expected) in
        [(10 * MINUTE - 1, "p waiting"), (10 * MINUTE, "p waiting"), (10 * MINUTE + 1, "p not_matched")]
    {
        assert_eq!(declines(COUNT, &[0, MINUTE, last])[2], expected, "{last}");
    }
}

#[test]
fn cards_are_told_apart_by_their_key() {
    let mut play = Play::new(&[&playbook("p", COUNT, "")]);
    for (at, card) in [(0, "a"), (1, "b"), (2, "a"), (3, "b")] {
        assert_eq!(play.told(at * MINUTE, "card.declined", declined(card)), "p not_matched");
    }
    assert_eq!(play.told(4 * MINUTE, "card.declined", declined("b")), "p waiting");
    let without = play.event(5 * MINUTE, "card.declined", json!({}));
    assert_eq!(play.judged(without).reason.as_deref(), Some("key: there is no field `card_id`"));
}

#[test]
fn the_refusal_says_how_many_there_are_since_when_and_until_when_they_count() {
    let mut play = Play::new(&[&playbook("p", COUNT, "")]);
    play.event(0, "card.declined", declined("a"));
    let second = play.event(MINUTE, "card.declined", declined("a"));
    let judged = play.judged(second);
    assert_eq!(judged.condition.as_deref(), Some("count of card.declined within 10m"));
    let until = Ms(START + 10 * MINUTE).to_string();
    let expected = json!({ "value": 2, "at_least": 3, "since": Ms(START).to_string(), "until": until });
    assert_eq!(Value::Object(judged.values.clone()), expected);
    assert!(judged.reason.as_deref().unwrap().starts_with("it is 2 of 3, since 2025-12-01T00:00:00.000Z"));
}

#[test]
fn tumbling_windows_stand_side_by_side_and_weeks_begin_on_monday() {
    let hour = "count: { event: card.declined, at_least: 3, within: 1h, window: tumbling }";
    let (no, yes) = ("p not_matched", "p waiting");
    assert_eq!(declines(hour, &[HOUR - 2, HOUR - 1, HOUR, HOUR + 1, HOUR + 2]), [no, no, no, no, yes]);
    let week = "count: { event: card.declined, at_least: 2, within: 1w, window: tumbling }";
    assert_eq!(declines(week, &[WEEK - 1, WEEK, 2 * WEEK - 1]), [no, no, yes]);
}

#[test]
fn different_values_are_counted_once_each() {
    let trigger = "count: { event: card.used, distinct: event.data.country, at_least: 3, within: 1h }";
    let mut play = Play::new(&[&playbook("p", trigger, "")]);
    let told: Vec<String> = ["DE", "FR", "DE", "FR", "IT"]
        .iter()
        .enumerate()
        .map(|(at, country)| play.told(at as u64 * MINUTE, "card.used", json!({ "country": country })))
        .collect();
    assert_eq!(told[4], "p waiting");
    assert!(told[..4].iter().all(|told| told == "p not_matched"), "{told:?}");
}

#[test]
fn sums_and_maxima_are_taken_over_their_window() {
    let sum = "sum: { event: card.used, of: event.data.amount, at_least: 100, within: 1h }";
    let max = "max: { event: card.used, of: event.data.amount, at_least: 100, within: 1h }";
    for (trigger, amounts, expected) in [
        (sum, [60.0, 39.5, 0.5], "p waiting"),
        (sum, [60.0, 39.0, 0.5], "p not_matched"),
        (max, [60.0, 99.0, 100.0], "p waiting"),
        (max, [60.0, 99.0, 99.5], "p not_matched"),
    ] {
        let mut play = Play::new(&[&playbook("p", trigger, "")]);
        let told: Vec<String> = amounts
            .iter()
            .enumerate()
            .map(|(at, amount)| play.told(at as u64 * MINUTE, "card.used", json!({ "amount": amount })))
            .collect();
        assert_eq!(told[2], expected, "{trigger} {amounts:?}");
    }
    let mut play = Play::new(&[&playbook("p", sum, "")]);
    let event = play.event(0, "card.used", json!({ "amount": "much" }));
    assert_eq!(play.judged(event).reason.as_deref(), Some("`event.data.amount` is no number"));
}

#[test]
fn the_first_time_is_told_from_later_ones() {
    let mut play = Play::new(&[&playbook("p", "first: { event: feature.used, within: 30d }", "")]);
    assert_eq!(play.told(0, "feature.used", json!({})), "p waiting");
    play.close(SECOND);
    assert_eq!(play.told(WEEK, "feature.used", json!({})), "p not_matched");
    assert_eq!(play.told(6 * WEEK, "feature.used", json!({})), "p waiting");
}

#[test]
fn measures_are_asked_at_another_event_and_are_not_used_up_by_it() {
    let trigger = "{ event: checkout.failed, when: event.data.total > 20, \
                   count: { event: card.declined, at_least: 2, within: 10m }, \
                   first: { event: order.completed } }";
    let mut play = Play::new(&[&playbook("p", trigger, "limits: { per_customer: 5 per 1h }")]);
    let total = json!({ "total": 30 });
    assert_eq!(play.told(0, "checkout.failed", total.clone()), "p not_matched");
    assert_eq!(play.told(1, "card.declined", declined("a")), "p not_matched");
    assert_eq!(play.told(2, "card.declined", declined("a")), "p not_matched");
    assert_eq!(play.told(3, "checkout.failed", json!({ "total": 20 })), "p not_matched");
    assert_eq!(play.told(4, "checkout.failed", total.clone()), "p waiting");
    play.close(5);
    assert_eq!(play.told(6, "checkout.failed", total.clone()), "p waiting", "still two in time");
    play.close(7);
    play.event(8, "order.completed", json!({}));
    assert_eq!(play.told(10, "checkout.failed", total), "p not_matched", "an order came before");
}

#[test]
fn a_condition_inside_says_which_events_count_and_one_beside_is_asked_at_the_match() {
    let trigger = "{ count: { event: card.declined, when: event.data.amount > 5, at_least: 2, within: 1h }, \
                   when: customer.traits.plan == 'gold' }";
    let mut play = Play::new(&[&playbook("p", trigger, "")]);
    play.trait_is(0, "plan", json!("basic"));
    let amount = |amount: u32| json!({ "amount": amount });
    for (at, small) in [(1, 1), (2, 9), (3, 2), (4, 9)] {
        assert_eq!(play.told(at, "card.declined", amount(small)), "p not_matched");
    }
    play.trait_is(5, "plan", json!("gold"));
    assert_eq!(play.told(6, "card.declined", amount(1)), "p not_matched", "it is not counted");
    assert_eq!(play.told(7, "card.declined", amount(9)), "p waiting");
}

#[test]
fn what_is_remembered_stays_small_whatever_comes() {
    let many = "count: { event: card.declined, at_least: 100, within: 30d, key: event.data.card_id }";
    let mut play = Play::new(&[&playbook("p", many, ""), &playbook("q", COUNT, "")]);
    for at in 0..3_000_u64 {
        play.event(at * SECOND, "card.declined", declined(&format!("card-{}", at % 97)));
    }
    let size = play.state.encode().len();
    assert!(size < 48 * 1024, "{size}");
}

#[test]
fn what_conversations_need_comes_before_what_is_remembered() {
    let long = "w".repeat(2_000);
    let talk = "playbook: talk\non: [{ event: talk }]\nopen: { key: event.data.k, within: 30d, say: Hi }\n\
                goal: { event: bought, when: trigger.data.words == event.data.words }\n";
    let many = "count: { event: card.declined, at_least: 100, within: 30d, key: event.data.card_id }";
    let mut play = Play::new(&[talk, &playbook("p", many, "")]);
    for at in 0..1_100_u64 {
        play.event(at * SECOND, "card.declined", declined(&format!("card-{}", at % 11)));
    }
    for at in 0..32_u64 {
        play.event(2_000 * SECOND + at, "talk", json!({ "k": at, "words": long }));
    }
    play.event(2_100 * SECOND, "card.declined", declined("card-1"));
    assert!(play.open().len() >= 15, "{}", play.open().len());
    assert!(play.state.encode().len() <= beckon::model::customer::MAX_STATE);
}

#[test]
fn a_state_of_the_first_schema_remembers_nothing_yet_and_a_newer_one_is_refused() {
    let first = br#"1:{"traits":{"plan":{"value":"gold","trust":"server"}}}"#;
    let read = State::decode(first).unwrap();
    assert!(read.memories.is_empty() && read.wakes.is_empty() && read.contacts.is_empty());
    assert_eq!(read.traits["plan"].value, "gold");
    assert!(read.encode().starts_with(b"3:"));
    assert!(matches!(State::decode(b"4:{}"), Err(BadState::Newer(4))));
}

#[test]
fn a_key_too_many_crowds_out_the_oldest_and_is_counted() {
    let mut play = Play::new(&[&playbook("p", COUNT, "")]);
    let card = |n: usize| json!({ "card_id": format!("card-{n}") });
    for n in 0..MAX_KEYS {
        play.event(n as u64, "card.declined", card(n));
        assert_eq!(play.last.crowded_out, 0);
    }
    play.event(100, "card.declined", card(0));
    play.event(101, "card.declined", card(MAX_KEYS));
    assert_eq!(play.last.crowded_out, 1, "the second card, for the first was used since");
    play.event(102, "card.declined", card(0));
    assert_eq!((play.openings(), play.last.crowded_out), (1, 0));
}
