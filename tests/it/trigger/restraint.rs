//! What holds a match back, and in which order it is asked.

use beckon::model::event::Event;
use beckon::model::ids::ActorId;
use beckon::model::input::Body;
use beckon::trigger::restrain::place;
use serde_json::{Value, json};

use super::play::{DAY, HOUR, MINUTE, Play, SECOND, playbook};

/// What a playbook with this restraint makes of an event.
fn told(more: &str) -> String {
    Play::new(&[&playbook("p", "event: x", more)]).told(0, "x", json!({}))
}

#[test]
fn an_audience_is_asked_by_what_is_known_of_the_customer() {
    let gold = "audience: { where: customer.traits.plan == 'gold' }";
    let mut play = Play::new(&[&playbook("p", "event: x", gold)]);
    let unknown = play.event(0, "x", json!({}));
    assert_eq!(play.verdict(unknown), "p excluded");
    assert_eq!(play.judged(unknown).condition.as_deref(), Some("customer.traits.plan == 'gold'"));
    play.trait_is(1, "plan", json!("gold"));
    assert_eq!(play.told(2, "x", json!({})), "p waiting");
}

#[test]
fn a_rollout_grows_without_anybody_leaving_it_and_watching_asks_the_same() {
    let customers: Vec<String> = (0..400).map(|n| format!("c{n}")).collect();
    let among = |audience: &str, wanted: &str| -> Vec<&String> {
        let text = playbook("p", "event: x", &format!("audience: {{ {audience} }}"));
        customers.iter().filter(|c| Play::of(c, &[&text]).told(0, "x", json!({})) == wanted).collect()
    };
    let (few, half) = (among("rollout: 5%", "p waiting"), among("rollout: 50%", "p waiting"));
    assert!(few.iter().all(|customer| half.contains(customer)), "nobody leaves");
    assert!((8..40).contains(&few.len()) && (160..240).contains(&half.len()), "{} {}", few.len(), half.len());
    assert_eq!(among("rollout: 100%", "p waiting").len(), 400);
    assert_eq!(among("rollout: shadow", "p shadow").len(), 400);
    let held = among("holdout: 10%", "p holdout");
    assert!((20..65).contains(&held.len()), "{}", held.len());
    let (rollout, holdout) = ("p", ActorId::user("c0"));
    assert_ne!(
        place("rollout", rollout, &holdout),
        place("holdout", rollout, &holdout),
        "one says nothing of the other"
    );
}

#[test]
fn watching_opens_nothing_and_uses_no_limit() {
    let more = "audience: { rollout: shadow }\nlimits: { per_customer: 1 per 24h }";
    let mut play = Play::new(&["budget: { all: 1 per 1d }", &playbook("p", "event: x", more)]);
    for at in 0..3 {
        assert_eq!(play.told(at, "x", json!({})), "p shadow");
    }
    assert!(play.state.conversations.is_empty() && play.state.contacts.is_empty());
}

#[test]
fn a_topic_that_was_refused_is_not_spoken_of() {
    let (may, must) = ("consent: { topic: offers }", "consent: { topic: offers, required: true }");
    for (more, said, expected) in [
        (may, Value::Null, "p waiting"),
        (must, Value::Null, "p opted_out"),
        (may, json!({ "offers": false }), "p opted_out"),
        (must, json!({ "offers": true }), "p waiting"),
        (may, json!({ "news": false }), "p waiting"),
    ] {
        let mut play = Play::new(&[&playbook("p", "event: x", more)]);
        play.trait_is(0, "consent", said.clone());
        assert_eq!(play.told(1, "x", json!({})), expected, "{more} {said}");
    }
}

#[test]
fn one_budget_holds_for_all_playbooks_and_critical_ones_are_exempt() {
    let of = |name: &str, class: &str| playbook(name, &format!("event: {name}"), class);
    let mut play = Play::new(&[
        "budget: { all: 2 per 1d, offer: 1 per 7d }",
        &of("a", "class: offer"),
        &of("b", "class: offer"),
        &of("c", ""),
        &of("d", ""),
        &of("e", "class: critical\nbecause: fraud"),
    ]);
    assert_eq!(play.told(0, "a", json!({})), "a waiting");
    let second = play.event(1, "b", json!({}));
    assert_eq!(play.judged(second).reason.as_deref(), Some("contact budget: 1 per 7d for offer"));
    assert_eq!(play.told(2, "c", json!({})), "c waiting");
    assert_eq!(play.told(3, "d", json!({})), "d limited");
    assert_eq!(play.told(4, "e", json!({})), "e waiting");
    assert_eq!(play.told(DAY, "d", json!({})), "d waiting", "a place is free a day after the first");
    assert_eq!(play.told(DAY + 1, "b", json!({})), "b limited", "of offers only after a week");
}

#[test]
fn an_opening_that_nobody_saw_gives_its_place_in_the_budget_back() {
    let text = "playbook: p\non: [{ event: x }]\nopen: { within: 1m, say: Hi }\n";
    let mut play = Play::new(&["budget: { all: 1 per 1d }", text]);
    assert_eq!(play.told(0, "x", json!({})), "p waiting");
    assert_eq!(play.told(2 * MINUTE, "x", json!({})), "p waiting");
}

#[test]
fn not_now_is_taken_at_its_word() {
    let text = "playbook: p\non: [{ event: x }]\ncooldown: { after: Not now, for: 7d }\n\
                open: { within: 30d, say: Hi, choices: [Yes, Not now] }\n";
    for (choice, expected) in [("Not now", "p limited"), ("Yes", "p waiting")] {
        let mut play = Play::new(&[text]);
        play.event(0, "x", json!({}));
        let (conversation, client_id) = (play.conversation(), "choice-0000000001".to_owned());
        play.input(1, Body::Chose { conversation, client_id, choice: choice.to_owned() });
        play.close(2);
        assert_eq!(play.told(DAY, "x", json!({})), expected, "{choice}");
        if choice == "Not now" {
            assert_eq!(play.told(7 * DAY, "x", json!({})), "p limited");
            assert_eq!(play.told(7 * DAY + 1, "x", json!({})), "p waiting");
        }
    }
}

#[test]
fn the_higher_priority_speaks_and_the_others_are_recorded() {
    let of = |name: &str, more: &str| playbook(name, "event: x", more);
    let texts = [of("a", "priority: 10"), of("b", "priority: 50"), of("c", ""), of("d", "priority: 50")];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut play = Play::new(&texts);
    let event = play.event(0, "x", json!({}));
    assert_eq!(play.verdict(event), "a outranked, b waiting, c waiting, d waiting");
    assert_eq!(play.judged(event).reason.as_deref(), Some("`b` has priority 50, this one 10"));
    let limited = of("b", "priority: 50\nlimits: { per_customer: 1 per 1h }");
    let mut play = Play::new(&[&of("a", "priority: 10"), &limited]);
    assert_eq!(play.told(0, "x", json!({})), "a outranked, b waiting");
    play.close(1);
    assert_eq!(play.told(2, "x", json!({})), "a waiting, b limited", "who is held back outranks nobody");
}

#[test]
fn restraint_is_asked_in_its_stated_order() {
    let contact = "budget: { all: 1 per 1d }";
    let rules = [
        ("audience: { where: 'false' }", "excluded"),
        ("audience: { rollout: 0.01% }", "excluded"),
        ("consent: { topic: t, required: true }", "opted_out"),
        ("limits: { per_customer: 1 per 30d }", "limited"),
        ("when_open: drop", "dropped"),
        ("quiet_hours: { from: \"00:00\", to: \"23:59\", then: drop }", "quiet"),
    ];
    // Each rule alone refuses; of two, the earlier one is told.
    for (place, (rule, verdict)) in rules.iter().enumerate() {
        for (later, _) in rules.iter().skip(place + 1) {
            let same = later.split(':').next() == rule.split(':').next();
            let more = if same { (*rule).to_owned() } else { format!("{rule}\n{later}") };
            let text = playbook("p", "event: x", &more);
            let mut play =
                Play::new(&[contact, &text, &playbook("first", "event: first", "class: critical\nbecause: b")]);
            play.event(0, "first", json!({}));
            play.state
                .limits
                .insert("p".to_owned(), [(beckon::model::time::Ms(super::play::START), play.conversation())].into());
            assert_eq!(play.told(SECOND, "x", json!({})), format!("p {verdict}"), "{more}");
        }
    }
    assert_eq!(told("quiet_hours: { from: \"00:00\", to: \"23:59\", then: drop }"), "p quiet");
}

#[test]
fn an_event_that_has_expired_is_not_spoken_of() {
    let mut play = Play::new(&[&playbook("p", "event: x", "")]);
    for (expires, expected) in [(HOUR - 1, "p not_matched"), (HOUR, "p not_matched"), (HOUR + 1, "p waiting")] {
        let mut event = Event::new("shop", "x", "x", Some(play.actor.clone()), json!({}));
        event.expires = Some(beckon::model::time::Ms(super::play::START + expires));
        let id = play.input(HOUR, Body::Event(Box::new(event)));
        assert_eq!(play.verdict(id), expected);
    }
}
