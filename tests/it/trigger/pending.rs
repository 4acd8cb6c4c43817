//! What is under way for a customer, and that what is said to make it fire does.

use beckon::model::time::Ms;
use beckon::trigger::pending::{Kind, Pending, pending};
use serde_json::{Value, json};

use super::play::{DAY, HOUR, MINUTE, Play, SECOND, START, WEEK, playbook};

/// What is under way at a time after the start.
fn under_way(play: &mut Play, at: u64) -> Vec<Pending> {
    play.ticks(at);
    let catalog = play.catalogs.current().unwrap();
    pending(catalog, &play.state, Ms(START + at))
}

/// The only thing that is under way.
fn only(play: &mut Play, at: u64) -> Pending {
    let mut found = under_way(play, at);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn iso(at: u64) -> String {
    Ms(START + at).to_string()
}

const DECLINED: &str = "count: { event: card.declined, within: 10m, at_least: 3, key: event.data.card }";

#[test]
fn of_a_count_it_is_told_how_many_are_missing_and_until_when() {
    let mut play = Play::new(&[&playbook("p", DECLINED, "")]);
    assert_eq!(under_way(&mut play, 0), []);
    play.event(0, "card.declined", json!({ "card": "a" }));
    play.event(MINUTE, "card.declined", json!({ "card": "a" }));
    let found = only(&mut play, 2 * MINUTE);
    assert_eq!((found.what, found.playbook.as_deref(), found.key.as_str()), (Kind::Measure, Some("p"), "a"));
    assert_eq!(found.condition, "count of card.declined within 10m");
    assert_eq!(
        found.stands,
        format!("it is 2 of 3, since {}; the first of them counts until {}", iso(0), iso(10 * MINUTE))
    );
    assert_eq!(found.next, format!("with 1 more card.declined until {} it fires", iso(10 * MINUTE)));
    assert_eq!((found.at, &found.values["value"]), (Some(Ms(START + 10 * MINUTE)), &json!(2)));
    // At the very end of what was said it still does; a millisecond later one more is missing.
    let found = only(&mut play, 10 * MINUTE + 1);
    assert_eq!(found.next, format!("with 2 more card.declined until {} it fires", iso(11 * MINUTE)));
    assert_eq!(play.told(10 * MINUTE + 1, "card.declined", json!({ "card": "a" })), "p not_matched");
    play.event(11 * MINUTE, "card.declined", json!({ "card": "a" }));
    assert_eq!(play.openings(), 1);
    let found = only(&mut play, 12 * MINUTE);
    assert_eq!(found.what, Kind::Opening, "what it counted is used up, and what it opened waits: {found:?}");
    assert_eq!(found.conversation, Some(play.conversation()));
}

#[test]
fn sums_and_largest_values_say_what_they_lack() {
    let sum = "sum: { event: paid, of: event.data.eur, within: 1d, at_least: 100 }";
    let max = "max: { event: paid, of: event.data.eur, within: 1d, at_least: 100 }";
    let distinct = "count: { event: paid, distinct: event.data.shop, within: 1d, at_least: 3 }";
    for (trigger, next) in [
        (sum, "with 60 more of `event.data.eur` in paid until "),
        (max, "with paid with `event.data.eur` of 100 until "),
        (distinct, "with 2 more paid with another `event.data.shop` until "),
    ] {
        let mut play = Play::new(&[&playbook("p", trigger, "")]);
        play.event(0, "paid", json!({ "eur": 40, "shop": "a" }));
        let found = only(&mut play, HOUR);
        assert!(found.next.starts_with(next), "{trigger}: {found:?}");
    }
}

#[test]
fn of_a_measure_beside_an_event_it_is_told_whether_it_holds() {
    let beside = "event: checkout.opened\n    count: { event: card.declined, within: 10m, at_least: 2 }";
    let mut play = Play::new(&[&playbook("p", beside, "")]);
    play.event(0, "card.declined", Value::Null);
    assert!(only(&mut play, SECOND).next.ends_with(" it holds for the next checkout.opened"));
    play.event(MINUTE, "card.declined", Value::Null);
    let found = only(&mut play, 2 * MINUTE);
    assert_eq!(found.next, format!("it holds for the next checkout.opened, until {}", iso(10 * MINUTE)));
    let calm = "event: checkout.opened\n    count: { event: card.declined, within: 10m, at_most: 1 }";
    let mut play = Play::new(&[&playbook("p", calm, "")]);
    play.event(0, "card.declined", Value::Null);
    play.event(MINUTE, "card.declined", Value::Null);
    let found = only(&mut play, 2 * MINUTE);
    assert_eq!(found.next, format!("it does not hold until {}", iso(10 * MINUTE)));
    assert_eq!(play.told(10 * MINUTE, "checkout.opened", Value::Null), "p not_matched");
    assert_eq!(play.told(10 * MINUTE + 1, "checkout.opened", Value::Null), "p waiting");
}

#[test]
fn of_a_sequence_it_is_told_which_step_is_next_unless_it_is_broken_off() {
    let steps = "sequence: { events: [cart.opened, address.given, paid], without: [cart.emptied], within: 1h }";
    let mut play = Play::new(&[&playbook("p", steps, "")]);
    play.event(0, "cart.opened", Value::Null);
    play.event(MINUTE, "address.given", Value::Null);
    let found = only(&mut play, 2 * MINUTE);
    assert_eq!((found.what, found.stands), (Kind::Sequence, format!("2 of 3 steps since {}", iso(0))));
    assert_eq!(found.next, format!("fires with paid, until {}", iso(HOUR)));
    let mut done = Play::new(&[&playbook("p", steps, "")]);
    done.event(0, "cart.opened", Value::Null);
    done.event(MINUTE, "address.given", Value::Null);
    assert_eq!(done.told(HOUR, "paid", Value::Null), "p waiting");
    // What may not come in between did.
    play.event(3 * MINUTE, "cart.emptied", Value::Null);
    assert_eq!(under_way(&mut play, 4 * MINUTE), []);
    assert_eq!(play.told(5 * MINUTE, "paid", Value::Null), "p not_matched");
}

#[test]
fn an_absence_fires_when_it_is_said_to() {
    let cart = "absence: { of: paid, after: cart.opened, within: 30m, key: event.data.cart }";
    let mut play = Play::new(&[&playbook("p", cart, "")]);
    let begun = play.event(0, "cart.opened", json!({ "cart": "a" }));
    let found = only(&mut play, MINUTE);
    assert_eq!((found.what, found.key.as_str(), &found.events), (Kind::Absence, "a", &vec![begun]));
    assert_eq!(found.stands, format!("no paid came since cart.opened at {}", iso(0)));
    let at = iso(30 * MINUTE + 1);
    assert_eq!(found.next, format!("fires at {at}, unless paid comes until {}", iso(30 * MINUTE)));
    assert_eq!(found.at, play.state.due());
    play.ticks(30 * MINUTE);
    assert_eq!(play.openings(), 0);
    play.ticks(30 * MINUTE + 1);
    assert_eq!(play.openings(), 1);
}

#[test]
fn a_burst_and_quiet_hours_tell_when_they_end() {
    let burst = playbook("p", "event: x", "debounce: { for: 1m, at_most: 10m }");
    let mut play = Play::new(&[&burst]);
    play.event(0, "x", Value::Null);
    assert!(only(&mut play, SECOND).stands.starts_with("1 event waits"));
    play.event(30 * SECOND, "x", Value::Null);
    let found = only(&mut play, 40 * SECOND);
    assert_eq!((found.what, found.stands.as_str()), (Kind::Burst, "2 events wait for a burst to end"));
    assert!(found.next.contains(&iso(90 * SECOND)) && found.next.contains(&iso(10 * MINUTE)), "{found:?}");
    let night = playbook("p", "event: x", "quiet_hours: { from: \"21:00\", to: \"08:00\", then: hold }");
    let mut play = Play::new(&[&night]);
    play.event(22 * HOUR, "x", Value::Null);
    let found = only(&mut play, 23 * HOUR);
    assert_eq!((found.what, found.at), (Kind::Quiet, Some(Ms(START + DAY + 8 * HOUR))));
    assert_eq!(found.values["until"], iso(DAY + 8 * HOUR));
}

#[test]
fn a_change_tells_what_is_usual_and_where_the_border_is() {
    let logins = "change: { event: user.login, per: 1w, falls_below: 40%, of: { usual: 8w }, warm_up: 6w }";
    let mut play = Play::new(&[&playbook("p", logins, "")]);
    for week in 0..7 {
        for n in 0..10 {
            play.event(week * WEEK + n * DAY / 3, "user.login", Value::Null);
        }
        let found = only(&mut play, week * WEEK + 4 * DAY);
        assert_eq!(found.what, Kind::Change);
        let (usual, border) = ("usual are 10", "where it is below 4 then");
        assert_eq!(found.stands.contains(usual) && found.next.contains(border), week >= 6, "{week}: {found:?}");
        assert_eq!(found.stands.contains("too little is known"), week < 6, "{week}: {found:?}");
        assert_eq!(found.at, play.state.due());
    }
}

#[test]
fn what_holds_openings_back_is_told_with_its_end() {
    let limited = playbook("p", "event: x", "limits: { per_customer: 1 per 1d }");
    let mut play = Play::new(&["budget: { all: 1 per 7d }", &limited]);
    play.event(0, "x", Value::Null);
    play.close(MINUTE);
    let found = under_way(&mut play, HOUR);
    let told: Vec<(Kind, Option<&str>, &str)> =
        found.iter().map(|held| (held.what, held.playbook.as_deref(), held.stands.as_str())).collect();
    assert_eq!(
        told,
        [
            (Kind::HeldBack, Some("p"), "1 per 1d for this customer"),
            (Kind::HeldBack, None, "contact budget: 1 per 7d for all"),
        ]
    );
    assert_eq!(found[0].next, format!("nothing opens until {}", iso(DAY)));
    assert_eq!(found[0].at, Some(Ms(START + DAY)));
    assert_eq!(under_way(&mut play, 7 * DAY), [], "both are over");
}

#[test]
fn what_waits_for_a_trigger_that_is_gone_says_so() {
    let cart = "absence: { of: paid, after: cart.opened, within: 30m }";
    let mut play = Play::new(&[&playbook("p", cart, "")]);
    play.event(0, "cart.opened", Value::Null);
    let other = Play::new(&[&playbook("p", "event: x", "")]);
    let found = pending(other.catalogs.current().unwrap(), &play.state, Ms(START + MINUTE));
    assert_eq!(found[0].stands, "the playbook no longer has this trigger");
}
