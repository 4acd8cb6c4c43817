//! Scenarios: what passes, what fails and how that is told, and that they take no time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use beckon::catalog::scenario::compile_scenarios;
use beckon::catalog::{compile, read_scenarios, read_workspace, scenario_schema, yaml_to_json};
use beckon::model::ids::ActorId;
use beckon::model::time::Ms;
use beckon::rehearsal::scenario::Theatre;
use beckon::rehearsal::timeline::{Happened, Moment, listed};
use serde_json::{Value, json};

use super::{checkout, folder, play, wrong};
use crate::chaos::process::{Site, text};
use crate::journeys::journeys;
use crate::journeys::world::{ANA, World};
use crate::store::Place;

/// The bubble, the script's question, and a charge that waits to be confirmed.
const CHARGE: &str = "\
- api: shop.get_order
  returns: { id: '7', number: N-7, status: open, total: 89.5, currency: EUR, note: do not show this }
- api: shop.list_cards
  returns: [{ id: card-a, label: Card A }]
- api: shop.retry_payment
  returns: { payment_id: p-1, status: paid, order_id: '7' }
- event: checkout.payment_failed
  data: { order_id: '7', attempt: 2, total: 89.5 }
- choose: Use another card
- choose: Card A
";

#[test]
fn a_conversation_runs_from_the_event_to_its_goal_in_no_time() {
    let played = play(&format!(
        "{CHARGE}\
- expect:
    opening: checkout-trouble
    says: [{{ is: \"Your card was declined for order N-7. Shall I help?\" }}, Which card]
    calls: [{{ shop.list_cards: {{}} }}]
    confirm: Charge card-a for order 7
    choices: [Card A]
    state: open
    holder: assistant
    timers: {{ confirm: 10m, idle: 24h, open_within: none }}
    outcome: none
- confirm: true
- expect:
    calls: [{{ shop.retry_payment: {{ id: '7', card: card-a }} }}]
    says: Order N-7 is paid.
- event: checkout.completed
  after: 1h
  data: {{ order_id: '7', total: 89.5 }}
- expect: {{ outcome: goal, value: 89.5 }}
- wait: 24h
- expect: {{ state: closed, outcome: goal }}
"
    ));
    assert_eq!(wrong(&played), "");
    assert!(!played.lines().iter().any(|line| line.contains("do not show this")), "only `returns` are kept");
}

/// Each expectation, wrong on purpose: a test that cannot fail proves nothing.
#[test]
fn every_expectation_can_fail_and_says_what_was_there() {
    let cases = [
        ("opening: none", "checkout-trouble opened"),
        ("opening: [checkout-trouble, quick]", "checkout-trouble opened"),
        ("verdicts: { checkout-trouble: not_matched }", "`checkout-trouble` says opened"),
        ("verdicts: { quick: waiting }", "`quick` judged nothing since"),
        ("says: { contains: N-8 }", "said was \"Your card was declined for order N-7"),
        ("says: { is: Which }", "\"Which card?\""),
        ("says: { matches: ^Order }", "\"Which card?\""),
        ("says: { not_contains: card }", "\"Which card?\""),
        ("silent: true", "said was"),
        ("choices: [Card B]", "the choices are \"Card A\", not \"Card B\""),
        ("choices: none", "the choices are \"Card A\", not none"),
        ("calls: none", "the calls are shop.list_cards {}"),
        ("calls: [{ shop.list_cards: { all: true } }]", "the calls are shop.list_cards {}"),
        ("facts: { order: { id: '8' } }", "the fact `order` is {"),
        ("facts: { basket: 1 }", "there is no fact `basket`"),
        ("confirm: none", "to be confirmed is \"Charge card-a for order 7\""),
        ("confirm: card-b", "to be confirmed is \"Charge card-a for order 7\""),
        ("timers: { confirm: 9m }", "`confirm` is due in 10m, not 9m"),
        ("timers: { idle: none }", "`idle` is due in 1d, not not set"),
        ("holder: queue", "the holder is assistant, not queue"),
        ("state: waiting", "the conversation is open, not waiting"),
        ("outcome: goal", "the outcome is none, not goal"),
        ("value: 1", "the outcome's value is null"),
        ("refused: closed", "the last act was not refused, not closed"),
        ("notified: [handoff.waiting]", "the company was told none, not \"handoff.waiting\""),
    ];
    for (expectation, told) in cases {
        let played = play(&format!("{CHARGE}- expect: {{ {expectation} }}\n"));
        let wrong = wrong(&played);
        assert!(wrong.contains(told), "{expectation}:\n{wrong}");
        assert!(wrong.starts_with("tests/a.yaml:14:") && wrong.contains("^"), "{expectation}:\n{wrong}");
    }
}

#[test]
fn a_step_that_is_refused_fails_unless_that_is_expected() {
    let refused = play(&format!("{CHARGE}- choose: Card B\n- expect: {{ state: open }}\n"));
    assert!(wrong(&refused).contains("this was refused: choice_gone"), "{}", wrong(&refused));
    let expected = play(&format!("{CHARGE}- choose: Card B\n- expect: {{ refused: choice_gone, state: open }}\n"));
    assert_eq!(wrong(&expected), "");
    let nobody = play("- seen\n- expect: { state: none }\n");
    assert!(wrong(&nobody).contains("user:42 has no conversation here"), "{}", wrong(&nobody));
}

#[test]
fn answers_of_a_model_that_nobody_asked_for_fail() {
    let played = play("- model: { says: Hello }\n- wait: 1s\n- expect: { state: none }\n");
    assert!(wrong(&played).contains("the model was not asked for 1 of its answers"), "{}", wrong(&played));
}

/// `PROMISES`, F23 in small: what comes at T still counts as within T, and what is due at T comes after it.
#[test]
fn boundaries_are_exact() {
    let opened = "- event: quick.opened\n  data: { id: a, level: 2 }\n";
    let cases = [("999ms", "joined", "waiting"), ("1s", "joined", "closed"), ("1001ms", "waiting", "waiting")];
    for (after, verdict, state) in cases {
        let played = play(&format!(
            "{opened}- event: quick.opened\n  after: {after}\n  data: {{ id: a, level: 3 }}\n- expect: {{ state: {state} }}\n"
        ));
        assert_eq!(wrong(&played), "", "{after}");
        let lines = played.lines();
        let heard: Vec<&String> = lines.iter().filter(|line| line.contains("quick: ")).collect();
        // At 1,001 ms the first has expired before the second is judged.
        let second = if after == "1001ms" { heard[2] } else { heard[1] };
        assert!(second.contains(verdict), "{after}: {heard:#?}");
    }
}

#[test]
fn who_speaks_first_is_answered_and_duplicates_change_nothing() {
    let played = play(
        "\
- say: Anybody there?
- expect: { says: \"Hello. You said: Anybody there?\", state: open }
- event: help.wanted
  id: same
- expect: { verdicts: { help: joined } }
- event: help.wanted
  id: same
  after: 23h
- expect: { opening: none, silent: true }
",
    );
    assert_eq!(wrong(&played), "");
    assert!(played.lines().iter().any(|line| line.contains("a duplicate")), "{:#?}", played.lines());
}

journeys!(a_scenario_gives_what_a_live_server_gives);

/// Entry by entry: kinds, words, calls, holders, in the same order.
async fn a_scenario_gives_what_a_live_server_gives(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.choose(&id, "Use another card").await;
    assert_eq!(chat.hears().await, "Which card?");
    chat.choose(&id, "card-a").await;
    let confirm = chat.entry("confirm").await;
    chat.confirm(&id, &confirm["call_id"], true).await;
    assert_eq!(chat.hears().await, "Order N-7 is paid.");
    world.event("checkout.completed", "42", json!({ "order_id": "7", "total": 89.5 })).await;
    chat.say(&id, "I want a human").await;
    chat.holder("queue").await;
    world.claim(ANA, &id).await;
    world.write(ANA, &id, "This is Ana.").await;
    world.act(ANA, &id, "close", Value::Null).await;
    world.settle("42").await;
    let entries = world.server().record.entries(id.parse().unwrap(), 0, 1_000).await.unwrap();
    let customer = ActorId::user("42");
    let live: Vec<Moment> = entries
        .into_iter()
        .map(|entry| Moment { at: Ms(0), customer: None, what: Happened::Entry(id.parse().unwrap(), Box::new(entry)) })
        .collect();

    let mut played = play(
        "\
- api: shop.get_order
  returns: { id: '7', number: N-7, status: open, total: 89.5, currency: EUR, internal_note: do not show this }
- api: shop.list_cards
  returns: [{ id: card-a, label: Visa 4242, secret: 1 }, { id: card-b, label: Mastercard 5100, secret: 2 }]
- api: shop.retry_payment
  returns: { status: paid }
- event: checkout.payment_failed
  data: { order_id: '7', attempt: 2, total: 89.5 }
- seen
- choose: Use another card
- choose: Visa 4242
- confirm: true
- event: checkout.completed
  data: { order_id: '7', total: 89.5 }
- say: I want a human
- claim: Ana
- operator_says: This is Ana.
- operator_closes: true
- expect: { state: closed, outcome: goal }
",
    );
    assert_eq!(wrong(&played), "");
    played.timeline.retain(|moment| matches!(moment.what, Happened::Entry(..)));
    for moment in &mut played.timeline {
        (moment.at, moment.customer) = (Ms(0), None);
    }
    assert_eq!(listed(&played.timeline, &customer), listed(&live, &customer));
    assert!(live.len() > 20, "{}", live.len());
}

#[test]
fn scenarios_of_the_examples_pass_and_fit_the_schema() {
    let schema = jsonschema::validator_for(&scenario_schema()).unwrap();
    let mut scenarios = 0;
    for example in std::fs::read_dir(folder("examples")).unwrap() {
        let workspace = example.unwrap().path().join("workspace");
        if !workspace.join("tests").is_dir() {
            continue;
        }
        let catalog = Arc::new(compile(&read_workspace(&workspace).unwrap(), None).unwrap());
        let files = read_scenarios(&workspace).unwrap();
        for (path, content) in &files {
            let json = yaml_to_json(std::str::from_utf8(content).unwrap()).unwrap();
            let problems: Vec<String> =
                schema.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(problems.is_empty(), "{path}: {problems:#?}");
        }
        let suites = compile_scenarios(&files, &catalog).unwrap();
        let theatre = Theatre { catalog, first: None };
        for suite in &suites {
            for scenario in &suite.scenarios {
                let played = theatre.play(suite, scenario);
                assert_eq!(wrong(&played), "", "{}: {}", suite.file, scenario.name);
                scenarios += 1;
            }
        }
    }
    assert!(scenarios >= 30, "{scenarios}");
}

#[test]
fn five_hundred_scenarios_take_less_than_ten_seconds() {
    let catalog = checkout();
    let steps: String = CHARGE.lines().map(|line| format!("      {line}\n")).collect();
    let one = |n: usize| format!("  - scenario: Number {n}\n    steps:\n{steps}      - expect: {{ state: open }}\n");
    let file = |file: usize| {
        let scenarios: String = (0..50).map(one).collect();
        (format!("tests/{file}.yaml"), format!("scenarios:\n{scenarios}").into_bytes())
    };
    let files = (0..10).map(file).collect();
    let begun = Instant::now();
    let suites = compile_scenarios(&files, &catalog).unwrap();
    let theatre = Theatre { catalog, first: None };
    let played = suites.iter().flat_map(|suite| suite.scenarios.iter().map(|s| theatre.play(suite, s)));
    assert_eq!(played.filter(|played| played.wrong.is_empty()).count(), 500);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn the_command_tells_the_timeline_the_line_and_writes_junit() {
    let site = Site::new(Place::embedded(), None);
    let workspace = site.workspace.path().display().to_string();
    let test = |more: &[&str]| site.run(&[&["test", "--workspace", &workspace], more].concat(), "");
    let none = test(&[]);
    assert_eq!(none.status.code(), Some(1), "a workspace without scenarios proves nothing: {}", text(&none));

    let checked = || text(&site.run(&["check", "--workspace", &workspace], ""));
    let catalog = |checked: &str| checked.split("Catalog ").nth(1).map(str::to_owned);
    let before = checked();
    std::fs::create_dir(site.path("tests")).unwrap();
    site.file(
        "tests/quick.yaml",
        "scenarios:\n  - scenario: It opens\n    steps:\n      - event: quick.opened\n        data: { id: a, level: 2 }\n      \
         - expect: { opening: quick }\n  - scenario: It says <b> & more\n    steps:\n      - event: quick.opened\n        \
         data: { id: a, level: 2 }\n      - expect: { says: <b> }\n",
    );
    assert!(before.contains("0 scenarios") && checked().contains("2 scenarios"), "{before}");
    assert_eq!(catalog(&checked()), catalog(&before), "scenarios are no part of the catalog");
    let junit = site.path("junit.xml").display().to_string();
    let failed = test(&["--junit", &junit]);
    assert_eq!(failed.status.code(), Some(1));
    let told = text(&failed);
    for part in [
        "FAILED tests/quick.yaml: It says <b> & more",
        "  event quick.opened {\"id\":\"a\",\"level\":2}",
        "assistant: Something happened to a. [Go on]",
        "tests/quick.yaml:11:25: said was \"Something happened to a.\"",
        "2 scenarios, 1 passed, 1 failed",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    assert!(!told.contains("It opens"), "what passes is not told: {told}");
    let xml = std::fs::read_to_string(&junit).unwrap();
    for part in [
        "<testsuites tests=\"2\" failures=\"1\"",
        "<testcase classname=\"tests/quick.yaml\" name=\"It opens\"",
        "name=\"It says &lt;b&gt; &amp; more\"",
        "<failure message=\"tests/quick.yaml:11: said was &quot;Something happened to a.&quot;\">",
    ] {
        assert!(xml.contains(part), "{part}:\n{xml}");
    }
    assert_eq!(test(&["--only", "It opens"]).status.code(), Some(0));
    let shown = text(&test(&["--only", "It opens", "--timeline"]));
    assert!(shown.contains("passed tests/quick.yaml: It opens"), "{shown}");
    let nowhere = site.run(&["test", "--workspace", "/nowhere/at/all"], "");
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere));

    site.file("tests/quick.yaml", "scenarios:\n  - scenario: It opens\n    stpes: []\n");
    let broken = test(&[]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken).contains("did you mean `steps`?"), "{}", text(&broken));
    let checked = checked();
    assert!(checked.contains("tests/quick.yaml:3:5: there is no key `stpes` here"), "{checked}");
    let schemas: Value = serde_json::from_slice(&site.run(&["check", "--schema"], "").stdout).unwrap();
    assert!(schemas["scenario"]["properties"]["scenarios"].is_object());
}

const OUTAGE: &str = "playbook: outage\non:\n  - topic:\n      event: incident.opened\n      key: event.data.id\n      hold: 5m\n      \
    to: { where: customer.traits.area == event.data.area }\n      \
    ends: { event: incident.resolved, say: \"It works again.\" }\n\
    limits: { per_customer: 1 per 24h }\nopen: { key: event.data.id, say: \"There is an outage.\" }\n";

#[test]
fn an_outage_is_rehearsed_with_all_whom_it_concerns() {
    let files = [("playbooks/outage.yaml".to_owned(), OUTAGE.as_bytes().to_vec())].into_iter().collect();
    let catalog = Arc::new(compile(&files, None).unwrap());
    let text = "given: { traits: { area: north } }\nscenarios:\n  - scenario: The north hears of it and of its end\n    steps:\n\
        \x20     - { event: seen.before, customer: 'user:43', traits: { area: north } }\n\
        \x20     - { event: seen.before, customer: 'user:44', traits: { area: south } }\n\
        \x20     - { event: incident.opened, nobody: true, data: { id: i-1, area: north } }\n\
        \x20     - { expect: { opening: none, verdicts: { outage: pending } } }\n\
        \x20     - { event: incident.resolved, nobody: true, after: 4m, data: { id: i-1 } }\n\
        \x20     - { expect: { opening: none, silent: true, verdicts: { outage: not_matched } } }\n\
        \x20     - { event: incident.opened, nobody: true, after: 1h, data: { id: i-1, area: north } }\n\
        \x20     - { wait: 6m }\n\
        \x20     - { expect: { opening: outage, says: There is an outage., verdicts: { outage: waiting } }, customer: 'user:43' }\n\
        \x20     - { seen: true }\n\
        \x20     - { event: incident.resolved, nobody: true, after: 1h, data: { id: i-1 } }\n\
        \x20     - { expect: { says: It works again., verdicts: { outage: joined } } }\n\
        \x20     - { event: incident.opened, nobody: true, after: 1h, data: { id: i-2, area: north } }\n\
        \x20     - { wait: 6m }\n\
        \x20     - { expect: { opening: none, verdicts: { outage: limited } } }\n\
        \x20     - { expect: { verdicts: { outage: told } }, customer: 'user:44' }\n";
    let files = [("tests/a.yaml".to_owned(), text.as_bytes().to_vec())].into_iter().collect();
    let suites = compile_scenarios(&files, &catalog).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let played = Theatre { catalog, first: None }.play(&suites[0], &suites[0].scenarios[0]);
    assert_eq!(wrong(&played), "", "{}", played.lines().join("\n"));
}

#[test]
fn an_outage_is_taken_back_in_rehearsal() {
    let files = [("playbooks/outage.yaml".to_owned(), OUTAGE.as_bytes().to_vec())].into_iter().collect();
    let catalog = Arc::new(compile(&files, None).unwrap());
    let steps = |revoke: &str| {
        format!(
            "scenarios:\n  - scenario: The north need not hear of it\n    given: {{ traits: {{ area: north }} }}\n    steps:\n\
            \x20     - {{ event: incident.opened, id: o-1, nobody: true, data: {{ id: i-1, area: north }} }}\n\
            \x20     - {{ wait: 6m }}\n\
            \x20     - {{ expect: {{ opening: outage }} }}\n\
            \x20     - {{ revoke: {revoke} }}\n\
            \x20     - {{ expect: {{ silent: true, verdicts: {{ outage: withdrawn }} }} }}\n\
            \x20     - {{ event: incident.resolved, id: o-2, nobody: true, after: 1h, data: {{ id: i-1 }} }}\n\
            \x20     - {{ expect: {{ silent: true }} }}\n"
        )
    };
    for (id, problem) in [("o-1", ""), ("o-7", "no event `o-7` came before")] {
        let files = [("tests/a.yaml".to_owned(), steps(id).into_bytes())].into_iter().collect();
        let suites = compile_scenarios(&files, &catalog).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let played = Theatre { catalog: Arc::clone(&catalog), first: None }.play(&suites[0], &suites[0].scenarios[0]);
        assert!(
            wrong(&played).contains(problem) && wrong(&played).is_empty() == problem.is_empty(),
            "{}",
            wrong(&played)
        );
    }
}
