//! `change`: a customer's own usual that changes.

use serde_json::{Value, json};

use super::play::{DAY, HOUR, Play, WEEK, playbook};

const LOGINS: &str = "change: { event: user.login, per: 1w, falls_below: 40%, of: { usual: 8w }, warm_up: 6w, for: 2 }";

/// Plays so many events in each period, spread over it, and lets one more end after them.
fn weeks(trigger: &str, counts: &[u64]) -> Play {
    let mut play = Play::new(&[&playbook("p", trigger, "")]);
    for (week, count) in counts.iter().enumerate() {
        for n in 0..*count {
            play.event(week as u64 * WEEK + n * DAY / 3, "user.login", Value::Null);
        }
    }
    play.ticks(counts.len() as u64 * WEEK + 2 * HOUR);
    play
}

#[test]
fn two_weeks_far_below_the_own_usual_match_and_one_does_not() {
    for (counts, openings) in [
        (&[10, 9, 11, 10, 8, 10, 3, 3][..], 1),
        (&[10, 9, 11, 10, 8, 10, 3][..], 0),
        (&[10, 9, 11, 10, 8, 10, 3, 4], 0),
        (&[10, 9, 11, 10, 8, 10, 0, 0], 1),
        (&[10, 9, 11, 10, 8, 10, 9, 10], 0),
    ] {
        assert_eq!(weeks(LOGINS, counts).openings(), openings, "{counts:?}");
    }
}

#[test]
fn one_odd_week_moves_the_usual_of_nobody() {
    assert_eq!(weeks(LOGINS, &[10, 10, 0, 10, 20, 10, 3, 3]).openings(), 1);
    assert_eq!(weeks(LOGINS, &[10, 10, 20, 0, 10, 10, 5, 5]).openings(), 0);
}

#[test]
fn nothing_is_said_before_the_warm_up_is_over_nor_of_those_who_come_seldom() {
    assert_eq!(weeks(LOGINS, &[10, 10, 10, 10, 10, 3, 3]).openings(), 0, "five weeks before the fall");
    assert_eq!(weeks(LOGINS, &[2, 2, 2, 2, 2, 2, 0, 0]).openings(), 0, "twice a week says little");
    let min = LOGINS.replace("for: 2", "for: 2, min: 1");
    assert_eq!(weeks(&min, &[2, 2, 2, 2, 2, 2, 0, 0]).openings(), 1);
}

#[test]
fn a_change_is_told_once_until_it_has_recovered() {
    let mut play = weeks(LOGINS, &[10, 10, 10, 10, 10, 10, 3, 3, 3]);
    assert_eq!(play.openings(), 1);
    play.close(9 * WEEK + 3 * HOUR);
    play.ticks(11 * WEEK + 2 * HOUR);
    assert_eq!(play.openings(), 1, "it is low still");
    assert!(play.open().is_empty());
}

#[test]
fn who_is_gone_for_good_is_forgotten() {
    let mut play = weeks(LOGINS, &[10, 10, 10, 10, 10, 10, 0, 0]);
    play.ticks(30 * WEEK);
    assert!(play.state.memories.is_empty());
    assert!(play.state.wakes.is_empty(), "nobody is woken every week for ever");
}

#[test]
fn a_value_rises_above_the_own_usual() {
    let trigger =
        "change: { event: user.login, value: event.data.amount, per: 1d, rises_above: 300%, of: { usual: 7d } }";
    for (spent, openings) in [(301.0, 1), (300.0, 0)] {
        let mut play = Play::new(&[&playbook("p", trigger, "")]);
        for day in 0..7 {
            play.event(day * DAY + HOUR, "user.login", json!({ "amount": 100 }));
        }
        play.event(7 * DAY + HOUR, "user.login", json!({ "amount": spent }));
        play.ticks(8 * DAY + 2 * HOUR);
        assert_eq!(play.openings(), openings, "{spent}");
    }
}

#[test]
fn the_same_hour_of_the_week_is_compared_where_asked() {
    let season =
        "change: { event: user.login, per: 1d, rises_above: 200%, of: { usual: 4w }, warm_up: 4w, season: week }";
    let plain = season.replace(", season: week", "").replace("warm_up: 4w", "warm_up: 3w");
    let mondays = |trigger: &str, last: u64| {
        let mut play = Play::new(&[&playbook("p", trigger, "")]);
        for week in 0..5 {
            for day in 0..if week == 4 { 1 } else { 7 } {
                // Mondays are busy; the other days are not.
                let busy = if week == 4 { last } else { 20 };
                for n in 0..if day == 0 { busy } else { 4 } {
                    play.event(week * WEEK + day * DAY + n * HOUR / 2, "user.login", Value::Null);
                }
            }
        }
        play.ticks(4 * WEEK + DAY + 2 * HOUR);
        play.openings()
    };
    assert_eq!(mondays(season, 20), 0, "a busy Monday as always");
    assert_eq!(mondays(season, 41), 1, "twice as busy as Mondays are");
    assert_eq!(mondays(&plain, 20), 1, "every Monday is unlike the days before it");
}

#[test]
fn a_late_event_joins_its_week() {
    let mut play = Play::new(&[&playbook("p", LOGINS, "")]);
    for week in 0..6 {
        for n in 0..10 {
            play.event(week * WEEK + n * DAY / 3, "user.login", Value::Null);
        }
    }
    for n in 0..3 {
        play.event(6 * WEEK + n * DAY, "user.login", Value::Null);
        play.event(7 * WEEK + n * DAY, "user.login", Value::Null);
    }
    let late = play.late(8 * WEEK + HOUR / 2, 8 * WEEK - 1, "user.login", Value::Null);
    assert_eq!(play.verdict(late), "p not_matched");
    play.ticks(8 * WEEK + 2 * HOUR);
    assert_eq!(play.openings(), 0, "four of ten are not below forty of a hundred");
}
