//! Playbooks that always lose to another: told where it is certain, and nowhere else. Whatever is told is played too.

use std::sync::Arc;

use beckon::catalog::{Draft, Found};
use beckon::model::catalog::Catalog;
use beckon::model::event::{Event, Trust};
use beckon::model::input::Body;
use serde_json::json;

use super::{hints, shown, workspace};
use crate::simulation::chance::Chance;
use crate::trigger::play::{MINUTE, Play, files, playbook};

const FIRST: &str = "playbook: first
on:
  - event: page.seen
  - event: cart.left
    when: event.data.total > 20
priority: 50
open: { say: Hello }
";

const SECOND: &str = "playbook: second
on:
  - event: cart.left
    when: event.data.total > 100 && event.data.country == 'DE'
  - event: cart.kept
priority: 10
open: { say: Hello }
";

#[test]
fn a_playbook_that_another_always_outranks_is_told_with_both_places() {
    assert_eq!(
        shown(&hints(&[FIRST, SECOND])),
        "playbooks/second.yaml:4:11: this never opens: `first` (playbooks/first.yaml:5) holds wherever this does, and has a \
         higher priority\n  4 |     when: event.data.total > 100 && event.data.country == 'DE'\n    |           \
         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  help: give this one a `priority` of 50 or more, or exclude in \
         one of them what the other takes"
    );
    let leaves = hints(&[&FIRST.replace("priority: 50\n", ""), &SECOND.replace("priority: 10", "when_open: drop")]);
    let [hint] = leaves.as_slice() else { panic!("{}", shown(&leaves)) };
    assert_eq!(
        hint.message,
        "this never opens: `first` (playbooks/first.yaml:5) holds wherever this does and is asked first, and `when_open: \
         drop` leaves it to that conversation"
    );
}

#[test]
fn where_the_first_may_stay_silent_nothing_is_told() {
    assert_eq!(hints(&[FIRST, SECOND]).len(), 1);
    for (old, new) in [
        ("priority: 50", "priority: 50\nlimits: { per_customer: 1 per 1d }"),
        ("priority: 50", "priority: 50\naudience: { holdout: 1% }"),
        ("priority: 50", "priority: 50\naudience: { where: customer.traits.plan == 'pro' }"),
        ("priority: 50", "priority: 10"),
        ("say: Hello", "key: event.data.id, say: Hello"),
        ("say: Hello", "say: \"Hello {{ event.data.name }}\""),
        ("event.data.total > 20", "event.data.total > 200"),
        ("event.data.total > 20", "event.data.total > 20 && event.data.lines.exists(line, line.gift)"),
        ("event: cart.left", "event: cart.kept"),
    ] {
        assert!(FIRST.contains(old), "{old}");
        let found = hints(&[&FIRST.replace(old, new), SECOND]);
        assert!(found.is_empty(), "{new}\n{}", shown(&found));
    }
    let budget = |class: &str| {
        let (first, second) = (
            FIRST.replace("priority: 50", "priority: 50\nclass: offer"),
            SECOND.replace("priority: 10", &format!("priority: 10\nclass: {class}")),
        );
        let texts = [
            ("contact.yaml", "budget: { offer: 1 per 1d }"),
            ("playbooks/a.yaml", &first),
            ("playbooks/b.yaml", &second),
        ];
        workspace(texts.map(|(path, text)| (path.to_owned(), text.to_owned()))).len()
    };
    assert_eq!((budget("service"), budget("offer")), (0, 1));
}

const PRIORITIES: [&str; 4] = ["", "priority: 10\n", "priority: 50\n", "priority: 50\n"];
const RESTRAINTS: [&str; 20] = [
    "",
    "",
    "limits: { per_customer: 1 per 1h }\n",
    "class: critical\nbecause: It is.\n",
    "class: offer\n",
    "quiet_hours: { from: \"00:00\", to: \"12:00\" }\n",
    "quiet_hours: { from: \"00:00\", to: \"12:00\", then: drop }\n",
    "debounce: { for: 1m }\n",
    "when_open: drop\n",
    "when_open: drop\n",
    "when_open: join\n",
    "when_open: join\n",
    "when_open: replace\n",
    "when_open: new\n",
    "audience: { where: customer.traits.plan == 'gold' }\n",
    "audience: { rollout: 50% }\n",
    "audience: { holdout: 50% }\n",
    "audience: { rollout: shadow }\n",
    "consent: { topic: news }\n",
    "consent: { topic: news, required: true }\n",
];
const TRIGGERS: [&str; 6] = [
    "event: x",
    "event: x",
    "{ event: x, when: event.data.n > 1 }",
    "{ event: x, when: event.data.n > 5 && event.data.ok }",
    "{ event: x, trust: client }",
    "count: { event: x, at_least: 2, within: 1h }",
];
const BUDGETS: [&str; 4] =
    ["", "budget: { all: 1 per 1h }", "budget: { service: 1 per 1h }", "budget: { offer: 1 per 1h }"];

fn one_of<'a>(chance: &mut Chance, words: &[&'a str]) -> &'a str {
    chance.pick::<&str>(words)
}

/// Plays an afternoon of one customer; whether the second playbook ever opened.
fn opens(chance: &mut Chance, catalog: &Arc<Catalog>) -> bool {
    let mut play = Play::on("42", Arc::clone(catalog));
    let mut at = 0;
    for step in 0..40_u64 {
        at += chance.between(1, 40 * MINUTE);
        match chance.below(8) {
            0 => play.trait_is(at, "plan", json!(one_of(chance, &["gold", "free"]))),
            1 => play.trait_is(at, "consent", json!({ "news": chance.below(2) == 0 })),
            2 if !play.open().is_empty() => play.seen(at),
            3 if !play.open().is_empty() => play.close(at),
            _ => {
                let data = json!({ "n": chance.below(9), "ok": chance.below(2) == 0 });
                let mut event = Event::new("shop", &format!("e{step}"), "x", Some(play.actor.clone()), data);
                event.trust = if chance.below(3) == 0 { Trust::Client } else { Trust::Server };
                play.input(at, Body::Event(Box::new(event)));
            }
        }
        if play.state.conversations.values().any(|conversation| conversation.playbook == "b") {
            return true;
        }
    }
    false
}

#[test]
fn what_is_told_to_never_open_never_does_whatever_happens() {
    let mut chance = Chance::new(7);
    let (mut told, mut opened) = (0, 0);
    for _ in 0..500 {
        let mut text = |name: &str| {
            let more = format!("{}{}", one_of(&mut chance, &PRIORITIES), one_of(&mut chance, &RESTRAINTS));
            playbook(name, one_of(&mut chance, &TRIGGERS), more.trim_end())
        };
        let (first, second) = (text("a"), text("b"));
        let budget = one_of(&mut chance, &BUDGETS);
        let mut texts = vec![first.as_str(), second.as_str()];
        texts.extend((!budget.is_empty()).then_some(budget));
        let all = files(&texts);
        let draft = Draft::of(&Found { files: all.clone(), mistakes: Vec::new() }, None);
        let found = draft.hints(&all);
        let catalog = Arc::new(draft.catalog);
        if found.iter().any(|hint| hint.file == "playbooks/p1.yaml") {
            told += 1;
            for _ in 0..3 {
                assert!(!opens(&mut chance, &catalog), "{}\n{}", texts.join("\n"), shown(&found));
            }
        } else if opened < 20 {
            opened += usize::from(opens(&mut chance, &catalog));
        }
    }
    assert!(told > 15 && opened == 20, "{told} {opened}");
}
