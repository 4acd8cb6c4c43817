//! How conditions are written: every mistake has its place and says what was perhaps meant; what can never hold is found.

use beckon::catalog::{compile, playbook_schema, yaml_to_json};

use super::play::{files, mistakes, playbook};

/// The only mistake of a trigger.
fn mistake(trigger: &str) -> String {
    told(&playbook("p", trigger, ""))
}

fn told(text: &str) -> String {
    let found = mistakes(&[text]);
    assert_eq!(found.len(), 1, "{text}\n{found:?}");
    found[0].message.clone()
}

#[test]
fn conditions_that_can_never_hold_are_found() {
    for (trigger, expected) in [
        ("count: { event: x, at_least: 5, at_most: 3, within: 1h }", "this can never hold: `at_least` is more than"),
        (
            "{ event: x, count: { event: x, at_most: 0, within: 1h } }",
            "this can never hold: the event that asks is one",
        ),
        ("count: { event: x, at_most: 3, within: 1h }", "`at_most` alone holds at every event"),
        ("count: { event: x, at_least: 0, within: 1h }", "at least 0 holds always"),
        ("count: { event: x, within: 1h }", "`at_least` or `at_most` is required here"),
        ("sequence: { events: [a, b], without: [b], within: 1h }", "this can never hold: it is a step"),
        ("absence: { of: a, after: a, within: 1h, from: first }", "this can never wait for the next"),
        (
            "{ count: { event: a, at_least: 2, within: 1h }, sum: { event: b, of: '1', at_least: 2, within: 1h } }",
            "measures of different events need a moment",
        ),
        ("{ event: a, absence: { of: a, after: b, within: 1h } }", "a trigger has one of `event`, `absence`"),
    ] {
        let message = mistake(trigger);
        assert!(message.starts_with(expected), "{trigger}\n{message}");
    }
}

#[test]
fn windows_that_look_back_further_than_is_remembered_are_found() {
    for (trigger, expected) in [
        ("count: { event: x, at_least: 3, within: 3650d }", "a time from 1s to 366d"),
        ("count: { event: x, at_least: 3, within: 1ms }", "a time from 1s to 366d"),
        ("count: { event: x, at_least: 101, within: 1h }", "a number from 0 to 100"),
        ("change: { event: x, per: 1s, rises_above: 200%, of: { usual: 366d } }", "this looks back further than"),
        ("change: { event: x, per: 1w, rises_above: 200%, of: { usual: 1w } }", "`usual` is at least two of what"),
        ("change: { event: x, per: 1w, rises_above: 200%, of: { usual: 4w }, warm_up: 9w }", "`warm_up` is longer"),
        (
            "change: { event: x, per: 2w, rises_above: 200%, of: { usual: 8w }, season: week }",
            "by the hours of the week",
        ),
        ("{ count: { event: x, at_least: 3, within: 1h }, lateness: 8d }", "a time from 0ms to 7d"),
    ] {
        let message = mistake(trigger);
        assert!(message.starts_with(expected), "{trigger}\n{message}");
    }
}

#[test]
fn mistakes_in_restraint_are_told() {
    for (more, expected) in [
        ("audience: { rollout: 120% }", "a share is expected here"),
        ("audience: { rollout: 0% }", "this can never hold: nobody is in"),
        ("quiet_hours: { from: 9pm, to: \"08:00\" }", "a time of the day is expected here"),
        ("quiet_hours: { from: \"8:00\", to: \"25:00\" }", "a time of the day is expected here"),
        ("quiet_hours: { from: \"08:00\", to: \"08:00\" }", "these are no hours"),
        ("class: critical", "`critical` is exempt from the contact budget and says why"),
        ("because: it is so", "`because` is the reason of `class: critical`"),
        ("class: offers", "one of `service`, `offer`, `critical` is expected here"),
        ("debounce: { for: 1m, at_most: 30s }", "`at_most` is shorter than `for`"),
        ("when_open: merge", "one of `join`, `new`, `replace`, `drop` is expected here"),
        ("joining: later", "one of `now`, `next_turn`, `silently` is expected here"),
        ("priority: high", "a whole number is expected here"),
        ("cooldown: { after: Not now }", "`for` is required here"),
    ] {
        let found = mistakes(&[&playbook("p", "event: x", more)]);
        assert!(found[0].message.starts_with(expected), "{more}\n{found:?}");
    }
    assert_eq!(mistakes(&["budget: { all: often }"])[0].message, "this is no limit");
    assert_eq!(mistakes(&["zone: Mars/Base"])[0].message, "there is no such time zone");
}

#[test]
fn the_same_trigger_twice_is_a_mistake_for_both_would_be_one() {
    let text = "playbook: p\non:\n  - event: x\n  - event: x\nopen: { say: Hi }\n";
    assert_eq!(told(text), "this trigger is here twice");
}

/// Every form that the reference shows.
const FORMS: &[&str] = &[
    "absence: { of: order.completed, after: cart.updated, within: 30m, key: event.data.cart_id }",
    "count: { event: card.declined, at_least: 3, within: 10m, key: event.data.card_id }",
    "sequence: { events: [plan.viewed, cancel.started], within: 1h }",
    "change: { event: user.login, per: 1w, falls_below: 40%, of: { usual: 8w }, warm_up: 6w, for: 2 }",
    "sum: { event: card.used, of: event.data.amount, at_least: 1000.5, within: 1d, window: tumbling }",
    "max: { event: card.used, when: event.data.abroad, of: event.data.amount, at_least: 900, within: 1d }",
    "first: { event: feature.used, key: event.data.feature }",
    "count: { event: card.used, distinct: event.data.country, at_least: 3, within: 1h }",
    "sequence: { events: [a, b], without: [c], within: 1h, order: strict, then: overlap, key: event.data.id }",
    "absence: { of: a, unless: event.data.ok, after: b, when: event.data.big, within: 1h, from: first }",
    "change: { event: x, value: event.data.n, per: 1h, rises_above: 300%, of: { usual: 2w }, min: 5, season: week }",
    "{ event: x, when: event.data.n > 1, count: { event: y, at_most: 2, within: 1h }, trust: client, lateness: 5m }",
];

#[test]
fn every_form_compiles_and_fits_the_published_schema() {
    let schema = jsonschema::validator_for(&playbook_schema()).unwrap();
    let restraint = "audience: { where: customer.traits.a == 1, rollout: 5%, holdout: 10% }\n\
                     consent: { topic: offers, required: true }\nclass: critical\nbecause: fraud\n\
                     cooldown: { after: [Not now], for: 7d }\n\
                     quiet_hours: { from: \"21:00\", to: \"08:00\", then: hold }\n\
                     debounce: { for: 30s, at_most: 5m }\nwhen_open: join\njoining: now\npriority: 50";
    for form in FORMS {
        let text = playbook("p", form, restraint);
        let compiled = compile(&files(&[&text]), None);
        assert!(compiled.is_ok(), "{form}: {:?}", compiled.err());
        let json = yaml_to_json(&text).unwrap();
        let wrong: Vec<String> = schema.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{form}: {wrong:?}");
    }
}

#[test]
fn mistakes_in_topics_are_found_where_they_stand() {
    let list = "to: { list: event.data.customers }";
    for (topic, expected) in [
        (format!("{{ event: a, {list} }}"), "`key` is required here"),
        ("{ event: a, key: event.data.id }".to_owned(), "`to` is required here"),
        (
            "{ event: a, key: event.data.id, to: {} }".to_owned(),
            "one of `list`, `followers`, `where`, `call` is required",
        ),
        (
            "{ event: a, key: event.data.id, to: { list: event.data.c, where: customer.traits.x } }".to_owned(),
            "one of `list`, `followers`, `where`, `call` is required",
        ),
        (format!("{{ event: a, key: event.data.id, {list}, hold: 5m }}"), "`hold` waits for an end"),
        (format!("{{ event: a, key: event.data.id, {list}, pace: fast }}"), "this is no pace"),
        (format!("{{ event: a, key: event.data.id, {list}, pace: 0/s }}"), "this is no pace"),
        (
            format!("{{ event: a, key: event.data.id, {list}, ends: {{ event: a, say: Over }} }}"),
            "this can never be told: the same event begins it",
        ),
        (format!("{{ event: a, key: customer.id, {list} }}"), "there is no `customer` here"),
        (
            "{ event: a, key: event.data.id, to: { list: event.data.c, each: answer.items } }".to_owned(),
            "`each` belongs to `call`",
        ),
        (
            "{ event: a, key: event.data.id, to: { call: crm.all, each: answer.items } }".to_owned(),
            "there is no adapter `crm`",
        ),
    ] {
        let message = mistake(&format!("topic: {topic}"));
        assert!(message.starts_with(expected), "{topic}\n{message}");
    }
    let topic = format!("topic: {{ event: a, key: event.data.id, {list} }}");
    for (trigger, expected) in [
        (format!("{{ {topic}, trust: client }}"), "a browser speaks of its own customer only"),
        (format!("{{ {topic}, lateness: 2h }}"), "a topic has no lateness"),
        (format!("{{ {topic}, event: b }}"), "a trigger has one of"),
        (format!("{{ {topic}, count: {{ event: b, at_least: 2, within: 1h }} }}"), "`topic` concerns many customers"),
    ] {
        let message = mistake(&trigger);
        assert!(message.starts_with(expected), "{trigger}\n{message}");
    }
    let two = playbook("p", &format!("{topic}\n  - {}", topic.replace("event: a", "event: b")), "");
    assert_eq!(told(&two), "a playbook has one topic: write another playbook");
}

#[test]
fn an_operation_that_names_customers_reads_and_is_of_nobody() {
    let adapter = "adapter: crm\noperations:\n  \
        mine:\n    describe: a\n    request: { method: GET, path: \"/customers/{customer.id}\" }\n    returns: [items]\n  \
        make:\n    describe: a\n    request: { method: POST, path: \"/c\" }\n    writes: true\n    confirm: Sure\n    returns: [items]\n  \
        all:\n    describe: a\n    request: { method: GET, path: \"/c\" }\n    returns: [items, next]\n";
    let told = |operation: &str, more: &str| {
        let to = format!("{{ call: crm.{operation}, each: answer.items{more} }}");
        let text = playbook("p", &format!("topic: {{ event: a, key: event.data.id, to: {to} }}"), "");
        let mut files = files(&[&text]);
        files.insert("adapters/crm.yaml".to_owned(), adapter.into());
        compile(&files, None).err().map(|found| found.into_iter().map(|m| m.message).collect::<Vec<_>>())
    };
    assert_eq!(told("all", ""), None);
    assert_eq!(told("mine", "").unwrap(), ["`crm.mine` is of one customer, and nobody is meant yet"]);
    assert_eq!(told("make", "").unwrap(), ["`crm.make` writes: customers are looked for by reading"]);
    assert_eq!(told("all", ", next: answer.next").unwrap(), ["the next page is never asked for"]);
}
