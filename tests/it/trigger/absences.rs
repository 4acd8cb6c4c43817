//! `absence`: an event that does not come. Its boundary is exact to the millisecond.

use beckon::model::conversation::Phase;
use beckon::model::customer::State;
use beckon::model::decision::Effect;
use beckon::model::entry::Kind;
use beckon::model::ids::CallId;
use beckon::model::input::{Body, CallOutcome};
use serde_json::{Value, json};

use super::play::{DAY, HOUR, MINUTE, Play, SECOND, START, playbook};

const CART: &str = "absence: { of: order.completed, after: cart.updated, within: 30m, key: event.data.cart_id }";
const T: u64 = 30 * MINUTE;

fn cart(id: &str) -> Value {
    json!({ "cart_id": id })
}

fn play() -> Play {
    Play::new(&[&playbook("p", CART, "")])
}

#[test]
fn what_comes_at_the_very_end_of_the_wait_still_ends_it() {
    for (came, openings) in [(T - 1, 0), (T, 0), (T + 1, 0), (T + 2, 1), (2 * T, 1)] {
        let mut play = play();
        let begun = play.event(0, "cart.updated", cart("a"));
        assert_eq!(play.verdict(begun), "p pending");
        play.event(came, "order.completed", cart("a"));
        play.ticks(DAY);
        // After the end it takes back an opening that nobody saw; in the millisecond of the opening it comes before that.
        assert_eq!((play.verdict(begun).as_str(), play.openings()), ("p withdrawn", openings), "{came}");
    }
}

#[test]
fn ticks_and_events_of_one_millisecond_meet_in_either_order() {
    for tick_first in [false, true] {
        let mut play = play();
        let begun = play.event(0, "cart.updated", cart("a"));
        if tick_first {
            play.input(T, Body::Tick);
        }
        play.event(T, "order.completed", cart("a"));
        play.ticks(DAY);
        assert_eq!((play.verdict(begun).as_str(), play.openings()), ("p withdrawn", 0), "{tick_first}");
    }
}

#[test]
fn an_owner_that_was_away_finds_what_was_due_before_the_event_that_it_finds() {
    let mut play = play();
    let begun = play.event(0, "cart.updated", cart("a"));
    play.slow_event(2 * T, "order.completed", cart("a"));
    assert_eq!((play.verdict(begun).as_str(), play.openings()), ("p withdrawn", 1), "it had opened by then");
    let conversation = play.state.conversations.values().next().unwrap();
    assert_eq!(conversation.created.0, super::play::START + T + 1);
}

#[test]
fn nothing_came_and_it_opens_with_the_event_that_began() {
    let mut play = play();
    let begun = play.event(0, "cart.updated", cart("a"));
    play.ticks(T);
    assert_eq!(play.verdict(begun), "p pending", "the wait is not over before its last millisecond is");
    play.ticks(T + 1);
    assert_eq!(play.verdict(begun), "p waiting");
    let conversation = &play.state.conversations[&play.conversation()];
    assert_eq!(conversation.event, Some(begun));
    assert_eq!(conversation.created.0, super::play::START + T + 1);
}

#[test]
fn each_event_begins_the_wait_anew_unless_the_first_one_counts() {
    let first = CART.replace("within: 30m", "within: 30m, from: first");
    for (trigger, fired) in [(CART, 20 * MINUTE + T + 1), (first.as_str(), T + 1)] {
        let mut play = Play::new(&[&playbook("p", trigger, "")]);
        play.event(0, "cart.updated", cart("a"));
        play.event(20 * MINUTE, "cart.updated", cart("a"));
        play.ticks(fired - 1);
        assert_eq!(play.openings(), 0, "{trigger}");
        play.ticks(fired);
        assert_eq!(play.openings(), 1, "{trigger}");
    }
    let mut play = play();
    let begun = play.event(0, "cart.updated", cart("a"));
    let again = play.event(MINUTE, "cart.updated", cart("a"));
    assert_eq!((play.verdict(begun).as_str(), play.verdict(again).as_str()), ("p not_matched", "p pending"));
}

#[test]
fn what_came_between_two_first_events_ends_the_wait_of_the_one_before_it_and_not_of_the_one_after() {
    let first = CART.replace("within: 30m", "within: 30m, from: first");
    for arrives in [12 * MINUTE, T + 2 * MINUTE] {
        let mut play = Play::new(&[&playbook("p", &first, "")]);
        let begun = play.event(0, "cart.updated", cart("a"));
        let under_way = play.event(10 * MINUTE, "cart.updated", cart("a"));
        let later = play.event(11 * MINUTE, "cart.updated", cart("a"));
        assert_eq!(play.verdict(under_way), "p not_matched");
        play.ticks(arrives);
        play.late(arrives, 9 * MINUTE, "order.completed", cart("a"));
        assert_eq!((play.verdict(begun).as_str(), play.verdict(under_way).as_str()), ("p withdrawn", "p pending"));
        play.ticks(10 * MINUTE + T + 1);
        assert_eq!((play.verdict(under_way).as_str(), play.verdict(later).as_str()), ("p waiting", "p not_matched"));
    }
}

#[test]
fn of_many_first_events_the_latest_are_remembered_as_far_as_there_is_room() {
    let first = CART.replace("within: 30m", "within: 30m, from: first");
    let mut play = Play::new(&[&playbook("p", &first, "")]);
    let filled = json!({ "cart_id": "a", "note": "x".repeat(2_000) });
    for minute in 0..29 {
        play.event(minute * MINUTE, "cart.updated", filled.clone());
    }
    assert!(play.state.encode().len() < 24 * 1024, "{}", play.state.encode().len());
    play.late(29 * MINUTE, 20 * MINUTE + 1, "order.completed", cart("a"));
    play.ticks(21 * MINUTE + T);
    assert_eq!(play.openings(), 0);
    play.ticks(21 * MINUTE + T + 1);
    assert_eq!(play.openings(), 1, "the first after it");
}

#[test]
fn what_came_is_read_as_an_earlier_build_wrote_it() {
    let mut play = play();
    play.event(0, "order.completed", cart("a"));
    let text = String::from_utf8(play.state.encode()).unwrap();
    let came = format!(r#""m":{{"came":{}}}"#, super::play::START);
    assert!(text.contains(&came), "{text}");
    let older = format!("2:{}", text.split_once(':').unwrap().1);
    assert_eq!(State::decode(older.as_bytes()).unwrap(), play.state);
}

#[test]
fn carts_are_told_apart() {
    let mut play = play();
    let (a, b) = (play.event(0, "cart.updated", cart("a")), play.event(1, "cart.updated", cart("b")));
    play.event(MINUTE, "order.completed", cart("b"));
    play.ticks(T + 1);
    assert_eq!((play.verdict(a).as_str(), play.verdict(b).as_str()), ("p waiting", "p withdrawn"));
}

#[test]
fn an_opening_that_nobody_saw_is_withdrawn_and_an_open_conversation_is_told() {
    for seen in [false, true] {
        let mut play = Play::new(&[&playbook("p", CART, "limits: { per_customer: 1 per 24h }")]);
        let begun = play.event(0, "cart.updated", cart("a"));
        play.ticks(T + 1);
        let id = play.conversation();
        if seen {
            play.seen(T + MINUTE);
        }
        let came = play.event(HOUR, "order.completed", cart("a"));
        let conversation = &play.state.conversations[&id];
        let told = play
            .last
            .entries
            .iter()
            .any(|logged| matches!(&logged.entry.kind, Kind::Event { event, .. } if *event == came));
        assert!(told, "it is in the log: {seen}");
        if seen {
            assert_eq!((play.verdict(begun).as_str(), &conversation.phase), ("p opened", &Phase::Open));
        } else {
            assert_eq!((play.verdict(begun).as_str(), &conversation.phase), ("p withdrawn", &Phase::Closed));
            let free = play.event(HOUR + 1, "cart.updated", cart("a"));
            play.ticks(2 * HOUR);
            assert_eq!(play.verdict(free), "p waiting", "its place in the limit is free again");
        }
    }
}

#[test]
fn what_came_before_the_event_that_waits_for_it_ends_no_wait_unless_it_happened_after_it() {
    let mut play = play();
    play.late(10 * MINUTE, 10 * MINUTE, "order.completed", cart("a"));
    let before = play.late(11 * MINUTE, 5 * MINUTE, "cart.updated", cart("a"));
    assert_eq!(play.verdict(before), "p not_matched", "it was completed after, and arrived first");
    let after = play.late(12 * MINUTE, 12 * MINUTE, "cart.updated", cart("a"));
    assert_eq!(play.verdict(after), "p pending");
}

#[test]
fn a_late_event_in_time_withdraws_what_was_opened_without_it() {
    let mut play = play();
    let begun = play.event(0, "cart.updated", cart("a"));
    play.ticks(T + 1);
    assert_eq!(play.verdict(begun), "p waiting");
    play.late(T + MINUTE, T, "order.completed", cart("a"));
    assert_eq!(play.verdict(begun), "p withdrawn");
}

#[test]
fn silence_is_the_absence_of_the_next_event_of_the_same_type() {
    let mut play = Play::new(&[&playbook("p", "absence: { of: user.login, after: user.login, within: 7d }", "")]);
    let first = play.event(0, "user.login", json!({}));
    let second = play.event(6 * DAY, "user.login", json!({}));
    assert_eq!((play.verdict(first).as_str(), play.verdict(second).as_str()), ("p withdrawn", "p pending"));
    play.ticks(13 * DAY);
    assert_eq!(play.openings(), 0);
    play.ticks(13 * DAY + 1);
    assert_eq!(play.verdict(second), "p waiting");
}

#[test]
fn the_condition_beside_is_asked_when_the_time_is_over() {
    let trigger = format!("{{ {CART}, when: customer.traits.plan == 'gold' }}");
    for (plan, expected) in [("gold", "p waiting"), ("basic", "p not_matched")] {
        let mut play = Play::new(&[&playbook("p", &trigger, "")]);
        let begun = play.event(0, "cart.updated", cart("a"));
        play.trait_is(MINUTE, "plan", json!(plan));
        play.ticks(DAY);
        assert_eq!(play.verdict(begun), expected);
    }
}

#[test]
fn only_what_counts_ends_the_wait() {
    let trigger = CART.replace("within: 30m", "within: 30m, unless: event.data.total > 0, when: event.data.items > 0");
    let mut play = Play::new(&[&playbook("p", &trigger, "")]);
    let empty = play.event(0, "cart.updated", json!({ "cart_id": "a", "items": 0 }));
    assert_eq!(play.verdict(empty), "p not_matched");
    let begun = play.event(1, "cart.updated", json!({ "cart_id": "a", "items": 2 }));
    play.event(2, "order.completed", json!({ "cart_id": "a", "total": 0 }));
    assert_eq!(play.verdict(begun), "p pending");
    play.event(3, "order.completed", json!({ "cart_id": "a", "total": 9 }));
    assert_eq!(play.verdict(begun), "p withdrawn");
}

#[test]
fn a_trigger_that_is_gone_when_its_time_comes_takes_its_wait_with_it() {
    let mut play = play();
    let begun = play.event(0, "cart.updated", cart("a"));
    let other = Play::new(&[&playbook("q", "event: x", "")]);
    play.catalogs = other.catalogs;
    play.ticks(DAY);
    assert_eq!(play.verdict(begun), "p withdrawn");
    assert_eq!(play.openings(), 0);
}

#[test]
fn so_much_waits_and_no_more() {
    let mut play = play();
    let told: Vec<String> =
        (0..40).map(|cart_id| play.told(cart_id, "cart.updated", cart(&cart_id.to_string()))).collect();
    assert!(told[..32].iter().all(|told| told == "p pending"), "{told:?}");
    let last = play.event(50, "cart.updated", cart("one more"));
    assert_eq!(play.verdict(last), "p limited");
    assert_eq!(play.judged(last).reason.as_deref(), Some("full"));
}

const SHOP: &str = "adapter: shop
operations:
  get_cart:
    describe: A cart
    request: { method: GET, path: \"/customers/{customer.id}/carts/{id}\" }
    args: { type: object, required: [id], properties: { id: { type: string } } }
    returns: [items]
";

fn with_facts() -> Play {
    let text = format!(
        "playbook: p\non:\n  - {CART}\ncontext: {{ cart: {{ call: shop.get_cart, with: {{ id: event.data.cart_id }} }} }}\n\
         open:\n  within: 10m\n  say: [\"{{{{ cart.items }}}} things wait.\", \"Your cart waits.\"]\n"
    );
    Play::new(&[&text, SHOP])
}

/// The API answers, and what the opening says with it.
fn answered(play: &mut Play, at: u64) -> Vec<String> {
    let conversation = play.conversation();
    let outcome = CallOutcome::Done(json!({ "items": 3 }));
    play.input(at, Body::Called { conversation, call: CallId(1), outcome });
    said(play)
}

fn said(play: &Play) -> Vec<String> {
    let said = play.entries.iter().filter_map(|logged| match &logged.entry.kind {
        Kind::Message { text, .. } => Some(text.clone()),
        _ => None,
    });
    said.collect()
}

#[test]
fn a_wait_that_was_over_when_its_event_arrived_opens_with_its_facts_and_lasts_from_there() {
    let mut play = with_facts();
    let arrives = 50 * MINUTE;
    let begun = play.late(arrives, 5 * MINUTE, "cart.updated", cart("a"));
    assert_eq!(play.judged(begun).values["until"], "2025-12-01T00:35:00.000Z", "its end stays where it was");
    play.ticks(arrives);
    assert_eq!(play.verdict(begun), "p waiting");
    assert!(matches!(play.last.effects.as_slice(), [Effect::Call { .. }]), "{:?}", play.last.effects);
    assert_eq!(answered(&mut play, arrives + 2 * SECOND), ["3 things wait."]);
    assert_eq!(play.state.conversations[&play.conversation()].created.0, START + arrives);
    play.ticks(arrives + 10 * MINUTE - 1);
    assert_eq!(play.verdict(begun), "p waiting", "nobody could have seen it before it arrived");
    play.ticks(arrives + 10 * MINUTE);
    assert_eq!(play.verdict(begun), "p expired");
}

#[test]
fn facts_that_an_owner_asks_for_late_have_their_three_seconds_all_the_same() {
    let found = T + 1 + 5 * MINUTE;
    for (answers, expected) in [(found + 2 * SECOND, "3 things wait."), (found + 3 * SECOND + 1, "Your cart waits.")] {
        let mut play = with_facts();
        play.event(0, "cart.updated", cart("a"));
        play.slow_tick(found);
        assert_eq!(said(&play), [""; 0], "the calls have only left with this tick");
        assert_eq!(answered(&mut play, answers), [expected]);
        // What it lasts is no longer for that: a slow owner changes nothing.
        play.ticks(T + 1 + 10 * MINUTE);
        assert_eq!(play.open(), [""; 0]);
    }
}

#[test]
fn a_late_wait_that_has_not_opened_yet_is_ended_by_all_that_came_after_its_event() {
    let begins = 5 * MINUTE;
    for (happened, openings) in [(begins - 1, 1), (begins, 0), (begins + T, 0), (begins + T + 1, 0), (50 * MINUTE, 0)] {
        let mut play = play();
        play.late(50 * MINUTE, begins, "cart.updated", cart("a"));
        // In the same millisecond, before the tick.
        play.late(50 * MINUTE, happened, "order.completed", cart("a"));
        play.ticks(DAY);
        assert_eq!((play.openings(), play.open().len()), (openings, openings), "{happened}");
    }
}
