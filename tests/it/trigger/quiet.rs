//! Quiet hours by the customer's clock: over a change of the clock, in unknown zones, held and asked again.

use beckon::model::event::Event;
use beckon::model::input::Body;
use beckon::model::restraint::QuietHours;
use beckon::model::time::Ms;
use beckon::trigger::quiet::{until, zone};
use jiff::civil::Time;
use serde_json::{Value, json};

use super::play::{DAY, HOUR, MINUTE, Play, START, playbook};

const NIGHT: &str = "quiet_hours: { from: \"21:00\", to: \"08:00\", then: hold }";

fn hours(from: i8, to: (i8, i8)) -> QuietHours {
    let (from, to) = (Time::new(from, 0, 0, 0).unwrap(), Time::new(to.0, to.1, 0, 0).unwrap());
    QuietHours { from, to, hold: true }
}

#[test]
fn quiet_hours_end_once_at_the_stated_local_time_whatever_the_clock_does() {
    let berlin = zone("Europe/Berlin").unwrap();
    for (hours, now, ends) in [
        // An ordinary night.
        (hours(21, (8, 0)), "2026-11-23T20:00:00Z", Some("2026-11-24T07:00:00.000Z")),
        (hours(21, (8, 0)), "2026-11-23T19:59:59.999Z", None),
        (hours(21, (8, 0)), "2026-11-24T06:59:59.999Z", Some("2026-11-24T07:00:00.000Z")),
        (hours(21, (8, 0)), "2026-11-24T07:00:00Z", None),
        // By day.
        (hours(12, (14, 0)), "2026-11-23T12:30:00Z", Some("2026-11-23T13:00:00.000Z")),
        // The clock goes forward at 02:00 on 2026-03-29: the night is an hour shorter.
        (hours(21, (8, 0)), "2026-03-28T22:00:00Z", Some("2026-03-29T06:00:00.000Z")),
        // The end does not exist that night: the moment after the gap.
        (hours(21, (2, 30)), "2026-03-28T22:00:00Z", Some("2026-03-29T01:30:00.000Z")),
        // The clock goes back at 03:00 on 2026-10-25: the night is an hour longer.
        (hours(21, (8, 0)), "2026-10-24T20:00:00Z", Some("2026-10-25T07:00:00.000Z")),
        // The end is there twice: the first, and between the two the second.
        (hours(21, (2, 30)), "2026-10-24T22:00:00Z", Some("2026-10-25T00:30:00.000Z")),
        (hours(21, (2, 30)), "2026-10-25T01:10:00Z", Some("2026-10-25T01:30:00.000Z")),
    ] {
        let now = Ms::parse_rfc3339(now).unwrap();
        assert_eq!(until(hours, &berlin, now).map(|at| at.to_string()).as_deref(), ends, "{now}");
    }
}

#[test]
fn the_zone_is_the_events_the_browsers_the_profiles_the_workspaces_in_this_order() {
    let shown = |event: Option<&str>, browser: Option<&str>, profile: Option<&str>, workspace: &str| {
        let mut play = Play::new(&[&format!("zone: {workspace}"), &playbook("p", "event: x", NIGHT)]);
        for (name, zone) in [("browser_timezone", browser), ("timezone", profile)] {
            if let Some(zone) = zone {
                play.trait_is(0, name, json!(zone));
            }
        }
        let mut made = Event::new("shop", "x", "x", Some(play.actor.clone()), Value::Null);
        made.extensions.extend(event.map(|zone| ("timezone".to_owned(), json!(zone))));
        // 22:30 in London and New Delhi's 04:00 next day: quiet in all but New York and Tokyo.
        let id = play.input(22 * HOUR + 30 * MINUTE, Body::Event(Box::new(made)));
        let judged = play.judged(id);
        judged.values.get("zone").and_then(Value::as_str).unwrap_or("none").to_owned()
    };
    let (london, delhi, berlin) = (Some("Europe/London"), Some("Asia/Kolkata"), Some("Europe/Berlin"));
    assert_eq!(shown(london, delhi, berlin, "Asia/Dubai"), "Europe/London");
    assert_eq!(shown(None, delhi, berlin, "Asia/Dubai"), "Asia/Kolkata");
    assert_eq!(shown(None, None, berlin, "Asia/Dubai"), "Europe/Berlin");
    assert_eq!(shown(None, None, None, "Asia/Dubai"), "Asia/Dubai");
    assert_eq!(
        shown(Some("Mars/Base"), Some(""), Some("Nowhere"), "Asia/Dubai"),
        "Asia/Dubai",
        "unknown ones are passed"
    );
    assert_eq!(shown(Some("America/New_York"), delhi, None, "Asia/Dubai"), "none", "it is afternoon there");
}

#[test]
fn what_is_held_opens_once_when_the_hours_end() {
    let mut play = Play::new(&[&playbook("p", "event: x", NIGHT)]);
    let first = play.event(22 * HOUR, "x", json!({}));
    assert_eq!(play.verdict(first), "p quiet");
    let eight = Ms(START + DAY + 8 * HOUR);
    assert_eq!(play.judged(first).values["until"], eight.to_string().as_str());
    let second = play.event(DAY + 7 * HOUR, "x", json!({}));
    assert_eq!(play.verdict(second), "p quiet");
    play.ticks(DAY + 8 * HOUR - 1);
    assert_eq!(play.openings(), 0);
    play.ticks(DAY + 8 * HOUR);
    assert_eq!((play.verdict(first).as_str(), play.verdict(second).as_str()), ("p joined", "p waiting"));
    assert_eq!(play.openings(), 1, "one opening for both");
}

#[test]
fn what_is_dropped_is_gone() {
    let mut play = Play::new(&[&playbook("p", "event: x", &NIGHT.replace("hold", "drop"))]);
    assert_eq!(play.told(22 * HOUR, "x", json!({})), "p quiet");
    play.ticks(3 * DAY);
    assert_eq!(play.openings(), 0);
}

#[test]
fn when_the_hours_end_everything_is_asked_again() {
    let trigger = "{ event: x, when: customer.traits.plan != 'gone' }";
    let limits = format!("{NIGHT}\nlimits: {{ per_customer: 1 per 24h }}");
    let mut play = Play::new(&[&playbook("p", trigger, &limits)]);
    play.trait_is(0, "plan", json!("gold"));
    let gone = play.event(22 * HOUR, "x", json!({}));
    play.trait_is(23 * HOUR, "plan", json!("gone"));
    play.ticks(DAY + 8 * HOUR);
    assert_eq!(play.verdict(gone), "p not_matched");

    let mut play = Play::new(&[&playbook("p", "event: x", NIGHT)]);
    let held = play.event(22 * HOUR, "x", json!({}));
    play.catalogs.in_force.paused = vec!["p".to_owned()];
    play.ticks(DAY + 8 * HOUR);
    assert_eq!(play.verdict(held), "p paused");

    let mut play = Play::new(&[&playbook("p", "event: x", NIGHT)]);
    let mut event = Event::new("shop", "x", "x", Some(play.actor.clone()), json!({}));
    event.expires = Some(Ms(START + DAY));
    let expired = play.input(22 * HOUR, Body::Event(Box::new(event)));
    play.ticks(DAY + 8 * HOUR);
    assert_eq!(play.verdict(expired), "p not_matched");
}

#[test]
fn what_was_missing_and_comes_at_night_takes_back_what_is_held() {
    let trigger = "absence: { of: order.completed, after: cart.updated, within: 30m }";
    for (came, expected) in [(None, "p waiting"), (Some(DAY + 3 * HOUR), "p withdrawn")] {
        let mut play = Play::new(&[&playbook("p", trigger, NIGHT)]);
        let begun = play.event(22 * HOUR, "cart.updated", json!({}));
        play.ticks(23 * HOUR);
        assert_eq!(play.verdict(begun), "p quiet");
        if let Some(came) = came {
            play.event(came, "order.completed", json!({}));
        }
        play.ticks(2 * DAY);
        assert_eq!(play.verdict(begun), expected);
    }
}

#[test]
fn of_what_is_held_the_highest_priority_is_released_first_and_the_budget_goes_to_it() {
    let of = |more: &str| format!("{NIGHT}\n{more}");
    for (a, b, c, opens) in [
        ("priority: 10", "priority: 90", "priority: 50", "b"),
        ("", "priority: 0", "", "b"),
        ("", "", "", "a"),
        ("priority: 5", "priority: 5", "priority: 5", "a"),
    ] {
        let mut play = Play::new(&[
            &playbook("a", "event: x", &of(a)),
            &playbook("b", "event: y", &of(b)),
            &playbook("c", "event: z", &of(c)),
            "budget: { all: 1 per 1d }",
        ]);
        for (hour, kind) in [(22, "x"), (23, "y"), (24, "z")] {
            play.event(hour * HOUR, kind, json!({}));
        }
        play.ticks(DAY + 8 * HOUR);
        assert_eq!(play.open(), [opens], "{a} {b} {c}");
    }
}
