//! Conditions that can never hold, and steps that are never taken, though nothing in them is a mistake.

use beckon::config::run_check;

use super::{hints, shown};

const PLAYBOOK: &str = "playbook: a
on:
  - event: order.placed
    when: event.data.total > 20
  - absence: { of: order.paid, unless: event.data.ok, after: cart.updated, when: event.data.n > 1, within: 30m }
  - event: card.used
    when: event.data.card == 'x'
    count: { event: card.used, when: event.data.card == 'x' || event.data.n > 3, key: event.data.card, at_most: 3, within: 1d }
  - count: { event: card.declined, distinct: event.data.id, key: event.data.card, at_least: 2, within: 1d }
audience: { where: customer.traits.plan == 'pro' }
open: { say: Hello }
talk:
  script:
    steps:
      - on: choice == 'Yes' || choice == 'Please'
        say: Good.
      - on: text != null
        say: Well.
handoff: { when: failures >= 2 || turns > 10 }
goal: { event: order.paid, when: event.data.total > 20 }
";

/// The playbook with a piece replaced; the one hint: what is told, and what stands at the caret.
fn told(old: &str, new: &str) -> (String, String) {
    assert!(PLAYBOOK.contains(old), "the playbook has no `{old}`");
    let found = hints(&[&PLAYBOOK.replacen(old, new, 1)]);
    let [hint] = found.as_slice() else { panic!("one hint is expected of {new}:\n{}", shown(&found)) };
    (hint.message.clone(), hint.line_text.chars().skip(hint.column - 1).take(hint.length).collect())
}

#[test]
fn what_excludes_itself_is_told_wherever_it_is_asked() {
    assert_eq!(shown(&hints(&[PLAYBOOK])), "");
    for (old, new, at, message) in [
        (
            "event.data.total > 20\n  - absence",
            "event.data.total > 20 && event.data.total < 5\n  - absence",
            "event.data.total > 20 && event.data.total < 5",
            "this can never hold: `event.data.total > 20` and `event.data.total < 5` exclude each other",
        ),
        (
            "unless: event.data.ok",
            "unless: event.type == 'order.pay'",
            "event.type == 'order.pay'",
            "this can never hold: `event.type == 'order.pay'` and `event.type` is 'order.paid' exclude each other",
        ),
        (
            "when: event.data.n > 1",
            "when: event.data.n > 1 && !has(event.data.n)",
            "event.data.n > 1 && !has(event.data.n)",
            "this can never hold: `event.data.n > 1` and `!has(event.data.n)` exclude each other",
        ),
        (
            "at_most: 3",
            "at_most: 0",
            "0",
            "this can never hold: the event that asks is one already, for its `when` makes this one hold",
        ),
        (
            "distinct: event.data.id",
            "distinct: \"event.data['card']\"",
            "2",
            "this can never hold: of one `key` there is one `distinct` value, for they are the same",
        ),
        (
            "customer.traits.plan == 'pro'",
            "customer.traits.plan == 'pro' && customer.traits.plan == 'free'",
            "customer.traits.plan == 'pro' && customer.traits.plan == 'free'",
            "this can never hold: `customer.traits.plan == 'pro'` and `customer.traits.plan == 'free'` exclude each other",
        ),
        (
            "customer.traits.plan == 'pro'",
            "event.data.total <= 20",
            "event.data.total > 20",
            "this can never open: with `audience.where`, `event.data.total > 20` and `event.data.total <= 20` exclude each \
             other",
        ),
        (
            "failures >= 2 || turns > 10",
            "failures < 0",
            "failures < 0",
            "this can never hold: `failures < 0` and `failures` is never below 0 exclude each other",
        ),
        (
            "when: event.data.total > 20 }",
            "when: event.data.total > 20 && event.data.total == 'no' }",
            "event.data.total > 20 && event.data.total == 'no'",
            "this can never hold: `event.data.total > 20` and `event.data.total == 'no'` exclude each other",
        ),
        (
            "- on: text != null",
            "- on: choice == 'Please' && text != null",
            "choice == 'Please' && text != null",
            "this step is never taken: where this holds, step 1 does, and comes before",
        ),
        (
            "choice == 'Yes' || choice == 'Please'",
            "\"true\"",
            "text != null",
            "this step is never taken: where this holds, step 1 does, and comes before",
        ),
        (
            "- on: text != null",
            "- on: text == 'a' && text == 'b'",
            "text == 'a' && text == 'b'",
            "this can never hold: `text == 'a'` and `text == 'b'` exclude each other",
        ),
    ] {
        assert_eq!(told(old, new), (message.to_owned(), at.to_owned()), "{new}");
    }
}

#[test]
fn a_topic_and_those_whom_it_tells_are_asked_too() {
    let found = hints(&["playbook: a
on:
  - topic:
      event: outage
      when: event.data.big && !event.data.big
      key: event.data.id
      to: { where: customer.traits.area == 1 && customer.traits.area == 2 }
      ends: { event: over, when: event.data.n > 3 && 3 > event.data.n, say: Over. }
open: { say: Hello }
"]);
    let lines: Vec<usize> = found.iter().map(|hint| hint.line).collect();
    assert_eq!(lines, [5, 7, 8], "{}", shown(&found));
}

#[test]
fn a_hint_is_something_found_and_no_mistake() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("playbooks")).unwrap();
    let playbook = PLAYBOOK.replacen("failures >= 2", "failures >= 2 && failures < 2", 1);
    let playbook = playbook.replacen("event.data.total > 20\n  -", "false\n  -", 1);
    std::fs::write(dir.path().join("playbooks/a.yaml"), playbook).unwrap();
    let checked = run_check(dir.path());
    assert!(!checked.good && checked.asked.is_some(), "{}", checked.report);
    for part in ["The workspace is sound", "playbooks/a.yaml:4:11: this can never hold: `false` is in it", "\n1 hint\n"]
    {
        assert!(checked.report.contains(part), "{part}:\n{}", checked.report);
    }
}
