//! Mistakes in scenarios: told like those in playbooks, all at once, with their place and what was perhaps meant.

use super::{checkout, read};

/// The mistakes of a file with these steps.
fn mistakes(steps: &str) -> String {
    let indented: String = steps.lines().map(|line| format!("      {line}\n")).collect();
    whole(&format!("scenarios:\n  - scenario: A\n    steps:\n{indented}"))
}

fn whole(text: &str) -> String {
    match read(&checkout(), text) {
        Ok(_) => String::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn each_mistake_names_what_was_meant() {
    let cases = [
        ("- evnet: quick.opened", "did you mean `event`?"),
        ("- event: quick.opend", "did you mean `quick.opened`?"),
        ("- event: quick.opened\n  dta: {}", "did you mean `data`?"),
        ("- event: quick.opened\n  trust: clint", "did you mean `client`?"),
        ("- sen", "did you mean `seen`?"),
        ("- wait: soon", "a length of time is expected here"),
        ("- wait: 1s\n  say: hello", "a step is one of `wait`, `say`, not several"),
        ("- after: 1s", "this step says not what happens"),
        ("- open: quik", "did you mean `quick`?"),
        ("- api: shop.get_ordr\n  returns: {}", "did you mean `shop.get_order`?"),
        ("- api: shop.get_order", "one of `returns`, `fails`, `unknown`, `hangs: true` is expected here"),
        ("- api: shop.get_order\n  returns: {}\n  fails: no", "one of `returns`, `fails`"),
        ("- model: { sais: hello }", "did you mean `says`?"),
        ("- model: { calls: [{ shop.list_card: {} }] }", "did you mean `shop.list_cards`?"),
        ("- rate: 6", "a number from 1 to 5 is expected here"),
        ("- customer: '42'\n  say: hello", "a customer is `user:<id>` or `anon:<id>`"),
        ("- settle: dne", "did you mean `done`?"),
        ("- expect: { opning: none }", "did you mean `opening`?"),
        ("- expect: { verdicts: { quick: waitin } }", "did you mean `waiting`?"),
        ("- expect: { verdicts: { quik: waiting } }", "did you mean `quick`?"),
        ("- expect: { timers: { idel: 1m } }", "did you mean `idle`?"),
        ("- expect: { outcome: gaol }", "did you mean `goal`?"),
        ("- expect: { holder: assistent }", "did you mean `assistant`?"),
        ("- expect: { state: opn }", "did you mean `open`?"),
        ("- expect: { refused: chioce_gone }", "did you mean `choice_gone`?"),
        ("- expect: { says: { matches: '(' } }", "this pattern does not parse"),
        ("- expect: { says: {} }", "one of `is`, `contains`, `not_contains`, `matches` is expected here"),
        ("- wait: 1s", "nothing is expected in this scenario, so it could not fail"),
    ];
    for (steps, told) in cases {
        let mistakes = mistakes(steps);
        assert!(mistakes.contains(told), "{steps}:\n{mistakes}");
        assert!(mistakes.starts_with("tests/a.yaml:") && mistakes.contains('^'), "{mistakes}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let told = mistakes("- evnet: a\n- wait: soon\n- expect: { opning: none }\n");
    assert_eq!(told.matches("tests/a.yaml:").count(), 3, "{told}");
    let twice = whole(
        "scenarios:\n  - { scenario: A, steps: [{ expect: { state: none } }] }\n  \
         - { scenario: A, steps: [{ expect: { state: none } }] }\n",
    );
    assert!(twice.contains("another scenario of this file has this name already"), "{twice}");
    assert!(whole("given: { start: today }\nscenarios: []\n").contains("a time such as 2026-01-05T12:00:00Z"));
}
