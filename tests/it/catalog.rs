//! The catalog: what compiles, and how each kind of mistake is told.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use beckon::catalog::scenario::compile_scenarios;
use beckon::catalog::{Mistake, compile, hash, read_workspace};
use beckon::model::catalog::{Catalog, Files, ScriptChoices};
use beckon::model::cel_value::{self, Held};
use beckon::model::pattern::Moment;
use beckon::model::time::Millis;
use beckon::rehearsal::scenario::Theatre;
use serde_json::json;

const PLAYBOOK: &str = r#"playbook: checkout-trouble
on:
  - event: checkout.payment_failed
    when: event.data.attempt >= 2 && event.data.total > 20.0
limits: { per_customer: 1 per 24h }
context:
  order: { call: shop.get_order, with: { id: event.data.order_id } }
open:
  key: event.data.order_id           # while one with this key is waiting or open, a further match joins it
  within: 30m
  why: "Because your payment for this order failed."
  say:                               # the first whose variables exist; the last needs no call
    - "Your card was declined for order {{ order.number }}. Shall I help?"
    - "Your card was declined. Shall I help?"
  choices: [Try again, Use another card, Not now]
talk:
  prompt: prompts/checkout-trouble.md
  tools: [shop.get_order, shop.list_cards, shop.retry_payment]
  limits: { turns: 20, tokens: 20000 }
  idle: 24h                          # then closed: abandoned
  script:                            # the assistant without a model, and when every model is down
    intents: { human: "(human|person)", other_card: "(other|another) card" }
    steps:                           # the first whose `on` holds; none: fallback
      - on: intent == 'human'
        handoff: true
      - on: choice == 'Not now'
        say: "All right. Your cart stays as it is."
        close: true
      - on: intent == 'other_card' || choice == 'Use another card' || choice == 'Try again'
        call: { cards: { tool: shop.list_cards } }
        say: "Which card?"
        choices: { each: cards.items, label: "{{ item.label }}", value: item.id }
      - on: cards != null && cards.items.exists(card, card.id == choice)
        call: { paid: { tool: shop.retry_payment, with: { id: order.id, card: choice } } }     # a write
        say: "Order {{ order.number }} is paid."
        failed: "That did not work."
handoff:
  when: asked_for_human || failures >= 2
  team: payments
  within: 2m
  away: { say: "Nobody is free right now. I stay with you." }
goal: { event: checkout.completed, when: event.data.order_id == trigger.data.order_id, within: 24h, value: event.data.total }
fallback: { say: "I can't reach my assistant right now. A colleague will join you." }
"#;

const ADAPTER: &str = r#"adapter: shop
operations:
  get_order:
    describe: State, lines and total of an order
    request: { method: GET, path: "/customers/{customer.id}/orders/{id}" }
    args: { type: object, required: [id], properties: { id: { type: string } } }
    returns: [id, number, status, total, currency]
  list_cards:
    describe: The customer's cards
    request: { method: GET, path: "/customers/{customer.id}/cards" }
    returns: ["items[].id", "items[].label"]
  retry_payment:
    describe: Charge a card for the order
    request: { method: POST, path: "/customers/{customer.id}/orders/{id}/payments", json: { card: "{card}" } }
    args: { type: object, required: [id, card], properties: { id: { type: string }, card: { type: string } } }
    writes: true
    once: [id]
    idempotency_header: Idempotency-Key
    confirm: "Charge {{ args.card }} for order {{ args.id }}"
    timeout: 5s
"#;

const PROMPT: &str = "Help with {% if order %}order {{ order.number }}{% endif %}. {% include \"prompts/tone.md\" %}";

fn files(changes: &[(&str, &str)]) -> Files {
    let mut files = Files::new();
    let base = [
        ("playbooks/checkout-trouble.yaml", PLAYBOOK),
        ("adapters/shop.yaml", ADAPTER),
        ("prompts/checkout-trouble.md", PROMPT),
        ("prompts/tone.md", "Be brief, {{ customer.id }}."),
    ];
    for (path, text) in base.iter().chain(changes) {
        files.insert((*path).to_owned(), text.as_bytes().to_vec());
    }
    files
}

/// The mistakes of the example with a piece of its playbook replaced.
fn playbook_with(old: &str, new: &str) -> Vec<Mistake> {
    assert!(PLAYBOOK.contains(old), "the example has no `{old}`");
    let text = PLAYBOOK.replacen(old, new, 1);
    compile(&files(&[("playbooks/checkout-trouble.yaml", &text)]), None).err().unwrap_or_default()
}

fn adapter_with(old: &str, new: &str) -> Vec<Mistake> {
    assert!(ADAPTER.contains(old), "the example has no `{old}`");
    let text = ADAPTER.replacen(old, new, 1);
    compile(&files(&[("adapters/shop.yaml", &text)]), None).err().unwrap_or_default()
}

/// The only mistake: what is wrong, what is under the caret, and what was perhaps meant.
fn only(mistakes: &[Mistake]) -> (String, String, String) {
    let [mistake] = mistakes else {
        panic!("one mistake is expected:\n{}", shown(mistakes));
    };
    let meant: String = mistake.line_text.chars().skip(mistake.column - 1).take(mistake.length).collect();
    (mistake.message.clone(), meant, mistake.suggestion.clone().unwrap_or_default())
}

fn shown(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn example() -> Catalog {
    match compile(&files(&[]), Some(&BTreeSet::from(["shop".to_owned()]))) {
        Ok(catalog) => catalog,
        Err(mistakes) => panic!("{}", shown(&mistakes)),
    }
}

#[test]
fn the_example_compiles_into_what_it_says() {
    let catalog = example();
    let playbook = &catalog.playbooks["checkout-trouble"];
    assert!(matches!(&playbook.on[0].moment, Moment::Event(event) if event == "checkout.payment_failed"));
    let when = playbook.on[0].when.as_ref().unwrap();
    let parts: Vec<&str> = when.parts.iter().map(|part| part.source.as_str()).collect();
    assert_eq!(parts, ["event.data.attempt >= 2", "event.data.total > 20.0"]);
    assert_eq!(when.parts[0].paths, [["event", "data", "attempt"]]);
    let limit = playbook.limit.as_ref().unwrap();
    assert_eq!((limit.count, limit.per), (1, Millis::hours(24)));
    assert_eq!(
        (playbook.open.within, playbook.open.say.len(), playbook.open.choices.len()),
        (Millis::minutes(30), 2, 3)
    );
    assert_eq!(playbook.open.say[0].name, "playbooks/checkout-trouble.yaml#open.say.0");
    assert_eq!(playbook.talk.tools, ["shop.get_order", "shop.list_cards", "shop.retry_payment"]);
    let script = &playbook.talk.script;
    assert_eq!(script.intents.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["human", "other_card"]);
    assert!(script.intents[1].1.is_match("ANOTHER CARD please"));
    assert_eq!(script.steps.len(), 4);
    assert!(matches!(script.steps[2].choices, ScriptChoices::Each { .. }));
    assert_eq!(script.steps[3].calls[0].tool, "shop.retry_payment");
    let goal = playbook.goal.as_ref().unwrap();
    assert_eq!(goal.trigger_paths, [["data", "order_id"]]);
    assert_eq!(catalog.listeners["checkout.payment_failed"][0].name, "checkout-trouble");
    assert!(catalog.goals.contains("checkout.completed"));
    let retry = &catalog.operations["shop.retry_payment"];
    assert!(retry.writes && retry.ask && retry.bound && !retry.public);
    assert!(retry.schema.is_valid(&json!({ "id": "o-1", "card": "a" })));
    assert!(!retry.schema.is_valid(&json!({ "id": "o-1" })));
    assert!(!catalog.operations["shop.list_cards"].writes);
    for name in ["alertmanager", "github", "standard-webhooks", "stripe", "svix"] {
        assert!(catalog.sources.contains_key(name), "{name}");
    }
}

#[test]
fn compiled_words_render_and_conditions_tell_what_failed() {
    let catalog = example();
    let playbook = &catalog.playbooks["checkout-trouble"];
    let mut context = tera::Context::new();
    context.insert("order", &json!({ "number": "<1042>" }));
    context.insert("customer", &json!({ "id": "42" }));
    let render = |name: &str, context: &tera::Context| catalog.templates.render(name, context);
    let said = render(&playbook.open.say[0].name, &context).unwrap();
    assert_eq!(said, "Your card was declined for order <1042>. Shall I help?");
    assert!(render(&playbook.open.say[0].name, &tera::Context::new()).is_err());
    assert!(render(&playbook.open.say[1].name, &tera::Context::new()).is_ok());
    let prompt = &playbook.talk.prompt.as_ref().unwrap().name;
    let data = r#"Help with order "\u003c1042\u003e". Be brief, "42"."#;
    assert_eq!(render(prompt, &context).unwrap(), data, "in prompts, and in what they include, text is data");
    assert!(render("beckon#fallback", &tera::Context::new()).is_ok());

    let ask = |data: serde_json::Value| {
        let mut context = cel_value::context();
        context.add_variable_from_value("event", cel_value::from_json(&json!({ "data": data })));
        playbook.on[0].when.as_ref().unwrap().ask(&context)
    };
    assert_eq!(ask(json!({ "attempt": 2, "total": 89.5 })), Held::Yes);
    assert_eq!(ask(json!({ "attempt": 2, "total": 89 })), Held::Yes);
    assert_eq!(ask(json!({ "attempt": 1, "total": 89 })), Held::No(0));
    assert_eq!(ask(json!({ "attempt": 2 })), Held::Failed(1, "there is no field `total`".to_owned()));
}

#[test]
fn defaults_hold_where_nothing_is_said() {
    let files = Files::from([("playbooks/a.yml".to_owned(), b"playbook: a\non: []\nopen: { say: Hello }\n".to_vec())]);
    let catalog = compile(&files, None).unwrap();
    let playbook = &catalog.playbooks["a"];
    assert_eq!(playbook.open.within, Millis::minutes(30));
    assert!(playbook.limit.is_none());
    assert_eq!(
        (playbook.talk.max_turns, playbook.talk.max_tokens, playbook.talk.idle),
        (20, 20_000, Millis::hours(24))
    );
    assert_eq!((playbook.handoff.within, playbook.handoff.team.is_none()), (Millis::minutes(10), true));
    assert!(playbook.goal.is_none() && playbook.fallback.source.contains("colleague"));
    assert!(catalog.templates.contains_template(&playbook.handoff.away.name));
}

#[test]
fn the_hash_names_paths_and_contents() {
    let one = hash(&files(&[]));
    assert_eq!(one.len(), 64);
    assert_eq!(one, example().hash);
    assert_ne!(one, hash(&files(&[("prompts/tone.md", "other")])));
    let moved = Files::from([("ab".to_owned(), b"c".to_vec())]);
    assert_ne!(hash(&moved), hash(&Files::from([("a".to_owned(), b"bc".to_vec())])));
}

#[test]
fn every_mistake_of_every_file_is_told_at_once_with_its_place() {
    let playbook = PLAYBOOK
        .replace("within: 30m", "witin: 30m")
        .replace("turns: 20", "turns: many")
        .replace("event.data.attempt >= 2", "evnt.data.attempt >= 2")
        .replace("[shop.get_order, shop.list_cards", "[shop.get_ordr, shop.list_cards")
        .replace("other|another) card", "other|another card")
        .replace("handoff: true", "handoff: soon");
    let adapter = ADAPTER.replace("{card}", "{crad}");
    let mistakes = compile(
        &files(&[
            ("playbooks/checkout-trouble.yaml", &playbook),
            ("adapters/shop.yaml", &adapter),
            ("playbooks/broken.yaml", "playbook: [x"),
            ("prompts/tone.md", "{{ x "),
        ]),
        None,
    )
    .unwrap_err();
    let places: Vec<String> =
        mistakes.iter().map(|mistake| format!("{}:{}: {}", mistake.file, mistake.line, mistake.message)).collect();
    let expected = [
        "adapters/shop.yaml:14: `args` has no `crad`",
        "playbooks/broken.yaml:1: this is not YAML",
        "playbooks/checkout-trouble.yaml:4: there is no `evnt` here",
        "playbooks/checkout-trouble.yaml:10: there is no key `witin` here",
        "playbooks/checkout-trouble.yaml:18: `shop` has no operation `get_ordr`",
        "playbooks/checkout-trouble.yaml:19: a whole number is expected here, not text",
        "playbooks/checkout-trouble.yaml:22: this pattern does not parse",
        "playbooks/checkout-trouble.yaml:25: true or false is expected here, not text",
        "prompts/tone.md:1: these words do not parse",
    ];
    assert_eq!(places.len(), expected.len(), "{}", shown(&mistakes));
    for (place, expected) in places.iter().zip(expected) {
        assert!(place.starts_with(expected), "{place}\n{expected}");
    }
}

#[test]
fn each_kind_of_mistake_in_a_playbook_is_told_with_its_place_and_what_was_meant() {
    let cases = [
        // Keys.
        ("  why:", "  wyh:", "there is no key `wyh` here", "wyh", "did you mean `why`?"),
        ("handoff:\n", "hand_off:\n", "there is no key `hand_off` here", "hand_off", "did you mean `handoff`?"),
        ("limits: { per", "on_error: x\nlimits: { per", "there is no key `on_error` here", "on_error", "keys here are"),
        ("playbook: checkout-trouble", "playbook: a/b", "a playbook's name has letters", "a/b", ""),
        ("playbook: checkout-trouble", "playbook: all", "`all` stands for every playbook", "all", ""),
        ("  within: 30m", "  within: 30m\n  within: 1h", "the key `within` is here twice", "within", ""),
        // Types.
        ("within: 30m", "within: 30", "a length of time is expected here, not a number", "30", "such as `30m`"),
        ("within: 30m", "within: 10000d", "a time from 1s to 366d is expected here", "10000d", ""),
        ("turns: 20", "turns: 0", "a number from 1 to 1000 is expected here", "0", ""),
        ("turns: 20", "turns: -1", "a number from 1 to 1000 is expected here", "-1", ""),
        ("1 per 24h", "often", "this is no limit", "often", "written `1 per 24h`"),
        ("1 per 24h", "9999999999999999999999 per 1ms", "this is no limit", "9999999999999999999999 per 1ms", ""),
        (
            "[Try again, Use another card, Not now]",
            "[Yes, 1]",
            "text is expected here, not a number",
            "1",
            "put it in quotes: \"1\"",
        ),
        (
            "choices: [Try again, Use another card, Not now]",
            "choices: Yes",
            "a list is expected here, not text",
            "Yes",
            "",
        ),
        (
            "[Try again, Use another card, Not now]",
            "[AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA]",
            "a choice has at most 80 characters",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "",
        ),
        ("[Try again, Use another card, Not now]", "[A, A]", "the choice `A` is here twice", "A", ""),
        ("[Try again, Use another card, Not now]", "[\"{{ x }}\"]", "a choice is plain text", "\"{{ x }}\"", ""),
        ("limits: { turns: 20, tokens: 20000 }", "limits: 20", "a mapping is expected here, not a number", "20", ""),
        // Conditions.
        ("event.data.attempt >= 2", "event.dta.attempt >= 2", "`event` has no `dta`", "dta", "did you mean `data`?"),
        (
            "event.data.attempt >= 2",
            "event.data.attempt => 2",
            "this expression does not parse",
            "=",
            "equality is written `==`",
        ),
        (
            "event.data.attempt >= 2 &&",
            "event.data.attempt >= 2 and",
            "this expression does not parse",
            "a",
            "and is written `&&`",
        ),
        (
            "event.data.total > 20.0",
            "event.data[",
            "this expression does not parse: something is missing here",
            "e",
            "",
        ),
        (
            "event.data.total > 20.0",
            "event.data.total >",
            "this expression does not parse: the expression ends too early",
            "",
            "",
        ),
        ("event.data.total > 20.0", "event.type > 20.0", "text cannot be compared with a number", ">", ""),
        (
            "event.data.attempt >= 2 && event.data.total > 20.0",
            "\"'yes'\"",
            "a condition must be true or false, and is text",
            "'yes'",
            "",
        ),
        ("event.data.total > 20.0", "size(event.data.items)", "this must be true or false, and is a number", "(", ""),
        (
            "event.data.total > 20.0",
            "sized(event.data.items) > 1",
            "there is no function `sized`",
            "sized",
            "did you mean `size`?",
        ),
        ("event.data.total > 20.0", "now() > 1", "there is no function `now`", "now", ""),
        ("event.data.total > 20.0", "1 + 2.5 > 3.0", "these types do not go together", "+", ""),
        (
            "event.data.total > 20.0",
            "event.id.matches('(a')",
            "this pattern does not parse: unclosed group",
            "'(a'",
            "",
        ),
        ("event.data.total > 20.0", "order.total > 20.0", "there is no `order` here", "order", "names here are"),
        (
            "event.data.total > 20.0",
            "event.data.a.all(x, x.b.all(y, y.c.all(z, z.d.all(w, w))))",
            "may stand in one another 2 deep",
            "",
            "",
        ),
        (
            "asked_for_human || failures >= 2",
            "asked_for_humn || failures >= 2",
            "there is no `asked_for_humn` here",
            "asked_for_humn",
            "did you mean `asked_for_human`?",
        ),
        (
            "asked_for_human || failures >= 2",
            "failures",
            "a condition must be true or false, and is a number",
            "failures",
            "",
        ),
        (
            "== trigger.data.order_id",
            "== triger.data.order_id",
            "there is no `triger` here",
            "triger",
            "did you mean `trigger`?",
        ),
        // Operations.
        (
            "call: shop.get_order",
            "call: shp.get_order",
            "there is no adapter `shp`",
            "shp.get_order",
            "did you mean `shop`?",
        ),
        (
            "call: shop.get_order",
            "call: shop.get_odrer",
            "`shop` has no operation `get_odrer`",
            "shop.get_odrer",
            "did you mean `shop.get_order`?",
        ),
        (
            "with: { id: event.data.order_id }",
            "with: { idd: event.data.order_id, id: '1' }",
            "`shop.get_order` takes no `idd`",
            "idd",
            "did you mean `id`?",
        ),
        (", with: { id: event.data.order_id }", "", "`shop.get_order` needs `id` in `with`", "{", ""),
        (
            "call: shop.get_order, with: { id: event.data.order_id }",
            "call: shop.retry_payment, with: { id: '1', card: '2' }",
            "`shop.retry_payment` writes",
            "shop.retry_payment",
            "",
        ),
        ("  order: {", "  event: {", "`event` cannot be the name of a fact", "event", ""),
        // Words.
        (
            "{{ order.number }}. Shall",
            "{{ ordr.number }}. Shall",
            "there is no `ordr` here",
            "ordr",
            "did you mean `order`?",
        ),
        (
            "{{ order.number }}. Shall",
            "{{ order.numbr }}. Shall",
            "`order` has no `numbr`",
            "numbr",
            "did you mean `number`?",
        ),
        (
            "{{ order.number }}. Shall",
            "{{ order.number | uper }}. Shall",
            "there is no filter `uper`",
            "uper",
            "did you mean `upper`?",
        ),
        ("{{ order.number }}. Shall", "{{ order.number }. Shall", "these words do not parse", "", ""),
        (
            "{{ order.number }}. Shall",
            "{% include '../../etc/passwd' %}. Shall",
            "there is no file `../../etc/passwd` in the workspace",
            "../../etc/passwd",
            "",
        ),
        (
            "{{ order.number }}. Shall",
            "{% include 'prompts/tome.md' %}. Shall",
            "there is no file `prompts/tome.md`",
            "prompts/tome.md",
            "did you mean `prompts/tone.md`?",
        ),
        ("{{ order.number }}. Shall", "{% extends 'prompts/tone.md' %}. Shall", "`extends` is not supported", "", ""),
        (
            "was declined. Shall",
            "{{ order.number }} was declined. Shall",
            "the last `say` must need no call",
            "order",
            "add a last line without it",
        ),
        ("Nobody is free right now. I stay", "{{ order.number }} I stay", "there is no `order` here", "order", ""),
        (
            "Order {{ order.number }} is paid.",
            "Order {{ order.number }} is {{ padi.status }}.",
            "there is no `padi` here",
            "padi",
            "did you mean `paid`?",
        ),
        ("Order {{ order.number }} is paid.", "Order {{ paid.status }}.", "`paid` has no `status`", "status", ""),
        (
            "prompts/checkout-trouble.md",
            "prompts/checkout-trouble.txt",
            "there is no file `prompts/checkout-trouble.txt`",
            "prompts/checkout-trouble.txt",
            "did you mean `prompts/checkout-trouble.md`?",
        ),
        // Scripts.
        ("(human|person)", "(human|person", "this pattern does not parse: unclosed group", "\"(human|person\"", ""),
        ("(human|person)", "((a{99}){99}){99}", "this pattern is too large", "\"((a{99}){99}){99}\"", ""),
        (
            "        handoff: true\n",
            "        handoff: true\n        failed: Sorry\n",
            "`failed` is for steps with a `call`",
            "failed",
            "",
        ),
        ("call: { cards: {", "call: { choice: {", "`choice` cannot be the name of a result", "choice", ""),
    ];
    for (old, new, message, under, help) in cases {
        let mistakes = playbook_with(old, new);
        // A result that got another name is missed elsewhere as well.
        let mistakes = if ["choice: {", "  event: {"].iter().any(|name| new.contains(name)) {
            mistakes[..1].to_vec()
        } else {
            mistakes
        };
        let (told, meant, suggestion) = only(&mistakes);
        assert!(told.contains(message), "{new}: {told}");
        assert!(under.is_empty() || meant == under, "{new}: `{meant}` is under the caret, not `{under}`");
        assert!(
            suggestion.contains(help) && (help.is_empty() == suggestion.is_empty() || help.is_empty()),
            "{new}: {suggestion}"
        );
    }
}

#[test]
fn what_is_required_is_asked_for() {
    let files = Files::from([("playbooks/a.yaml".to_owned(), b"limits: {}\n".to_vec())]);
    let mistakes = compile(&files, None).unwrap_err();
    let told: Vec<&str> = mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
    assert_eq!(told, ["`playbook` is required here", "`on` is required here", "`open` is required here"]);
}

#[test]
fn each_kind_of_mistake_in_an_adapter_is_told() {
    let cases = [
        ("describe: State", "descrbe: State", "there is no key `descrbe` here", "did you mean `describe`?"),
        ("method: POST", "method: PSOT", "one of `GET`, `POST`", "did you mean `POST`?"),
        ("/orders/{id}\" }", "/orders/{ids}\" }", "`args` has no `ids`", "did you mean `id`?"),
        ("/orders/{id}\" }", "/orders/{id\" }", "this brace has no name", ""),
        (
            "\"/customers/{customer.id}/orders/{id}\"",
            "\"/customers/../orders/{id}/{customer.id}\"",
            "a path has no `.` and `..`",
            "",
        ),
        (
            "\"/customers/{customer.id}/orders/{id}\"",
            "\"https://x/{customer.id}/{id}\"",
            "a path begins with one `/`",
            "",
        ),
        ("required: [id]", "required: [di]", "`properties` has no `di`", "did you mean `id`?"),
        ("{ type: object, required: [id], properties", "{ type: array, properties", "arguments are an object", ""),
        (
            "properties: { id: { type: string } } }\n    returns",
            "properties: { id: { type: strng } } }\n    returns",
            "this is no JSON Schema",
            "",
        ),
        (
            "properties: { id: { type: string } } }\n    returns",
            "properties: { id: { $ref: 'https://example.org/x.json' } } }\n    returns",
            "this is no JSON Schema",
            "",
        ),
        (
            "properties: { id: { type: string } } }\n    returns",
            "properties: { id: { type: string, pattern: '(a' } } }\n    returns",
            "this is no JSON Schema",
            "",
        ),
        ("once: [id]", "once: [ids]", "`args` has no `ids`", "did you mean `id`?"),
        ("writes: true", "writes: yes", "true or false is expected here, not text", ""),
        ("timeout: 5s", "timeout: 5m", "a time from 100ms to 1m is expected here", ""),
        ("Idempotency-Key", "\"Idempotency Key\"", "this cannot be the name of a header", ""),
        ("{{ args.card }}", "{{ args.crad }}", "`args` has no `crad`", "did you mean `card`?"),
        ("{{ args.card }}", "{{ order.card }}", "there is no `order` here", ""),
        ("\"items[].id\"", "\"items[0].id\"", "`items[0].id` is no path", "a bare list is `items`"),
        ("  list_cards:", "  listCards:", "an operation's name has small letters", ""),
        ("adapter: shop", "adapter: Shop", "an adapter's name has small letters", ""),
    ];
    for (old, new, message, help) in cases {
        let mistakes = adapter_with(old, new);
        assert!(mistakes[0].message.contains(message), "{new}: {}", shown(&mistakes));
        assert!(mistakes[0].suggestion.clone().unwrap_or_default().contains(help), "{new}: {}", shown(&mistakes));
        // What the playbook says of a broken operation is no second mistake.
        let elsewhere = mistakes.iter().filter(|mistake| !mistake.file.starts_with("adapters/")).count();
        assert!(elsewhere == 0 || new.contains("listCards"), "{}", shown(&mistakes));
    }
}

#[test]
fn an_operation_of_a_conversation_is_bound_or_public() {
    let unbound = adapter_with("/customers/{customer.id}/cards", "/cards");
    let (told, meant, help) = only(&unbound[..1]);
    assert!(told.contains("neither binds `{customer.id}` nor says `public: true`"), "{told}");
    assert_eq!(meant, "shop.list_cards");
    assert!(help.contains("the same for every customer"));
    let public = "path: \"/cards\" }\n    public: true";
    assert!(adapter_with("path: \"/customers/{customer.id}/cards\" }", public).is_empty());
    let both = adapter_with("cards\" }", "cards\" }\n    public: true");
    assert!(only(&both).0.contains("is not the same for every customer"));
    let body = "path: \"/cards\", json: { who: \"{customer.id}\" } }";
    let bound =
        ADAPTER.replace("method: GET, path: \"/customers/{customer.id}/cards\" }", &format!("method: POST, {body}"));
    assert!(compile(&files(&[("adapters/shop.yaml", &bound)]), None).is_ok());
}

#[test]
fn adapters_without_an_address_are_told_where_addresses_are_known() {
    let known = BTreeSet::from(["shopp".to_owned()]);
    let (told, meant, help) = only(&compile(&files(&[]), Some(&known)).unwrap_err());
    assert_eq!((told.as_str(), meant.as_str()), ("`shop` has no address in beckon.toml", "shop"));
    assert_eq!(help, "did you mean `shopp`?");
}

#[test]
fn a_broken_adapter_file_is_one_mistake() {
    let mistakes = compile(&files(&[("adapters/shop.yaml", "adapter: [shop\n")]), None).unwrap_err();
    assert!(only(&mistakes).0.contains("this is not YAML"));
}

#[test]
fn sources_are_checked_and_stand_for_shipped_ones() {
    let own = r#"source: stripe
verify: { scheme: stripe, secrets: ["env:STRIPE_SECRET", "env:STRIPE_SECRET_OLD"], tolerance: 5m }
each: body
id: item.id
type: "'stripe.' + item.type"
time: timestamp(item.created)
customer: "'user:' + item.data.object.metadata.user_id"
data: item.data.object
"#;
    let catalog = compile(&files(&[("sources/stripe.yaml", own)]), None).unwrap();
    assert_eq!(
        catalog.sources["stripe"].verify.as_ref().unwrap().secrets,
        ["env:STRIPE_SECRET", "env:STRIPE_SECRET_OLD"]
    );
    let cases = [
        ("scheme: stripe", "scheme: strip", "one of `standard-webhooks`, `stripe`"),
        ("env:STRIPE_SECRET_OLD", "whsec_abc", "a secret is named here, not written"),
        ("item.created", "itm.created", "there is no `itm` here"),
        ("each: body", "each: item", "there is no `item` here"),
        ("tolerance: 5m", "tolerance: 5d", "a time from 1s to 1h is expected here"),
        ("id: item.id", "ids: item.id", "there is no key `ids` here"),
    ];
    for (old, new, message) in cases {
        let text = own.replace(old, new);
        let mistakes = compile(&files(&[("sources/stripe.yaml", &text)]), None).unwrap_err();
        assert!(only(&mistakes).0.contains(message), "{}", shown(&mistakes));
    }
}

/// A chain of prompts, each of which includes the next one twice.
fn diamonds(levels: usize, inner: &str) -> Files {
    let mut files = files(&[]);
    for level in 0..levels {
        let next = format!("{{% include \"prompts/d{}.md\" %}}", level + 1);
        files.insert(format!("prompts/d{level}.md"), inner.replace("NEXT", &next).into_bytes());
    }
    files.insert(format!("prompts/d{levels}.md"), b"{{ customer.nam }}".to_vec());
    files.insert("prompts/checkout-trouble.md".to_owned(), b"{% include \"prompts/d0.md\" %}".to_vec());
    files
}

#[test]
fn prompts_that_include_each_other_many_times_over_are_checked_once_each_and_refused_where_they_are_too_many() {
    // Walked anew each time, forty levels would be a trillion visits.
    for twice in ["NEXT NEXT", "{% for a in event.data %}NEXT{% endfor %} NEXT"] {
        let found = compile(&diamonds(40, twice), None).unwrap_err();
        let many = found.iter().filter(|mistake| mistake.message.contains("more than 1000 prompts")).count();
        assert_eq!(many, 1, "{}", shown(&found));
    }
    let found = compile(&diamonds(3, "NEXT NEXT"), None).unwrap_err();
    assert_eq!(found.len(), 1, "told once, whatever leads there: {}", shown(&found));
    assert!(found[0].message.contains("nam"), "{}", shown(&found));
}

#[test]
fn prompts_are_checked_with_what_they_include() {
    let check = |path: &str, text: &str| compile(&files(&[(path, text)]), None).err().unwrap_or_default();
    let (told, meant, help) = only(&check("prompts/tone.md", "Hello\n{{ custmer.id }}"));
    assert_eq!(told, "there is no `custmer` here, as playbooks/checkout-trouble.yaml uses it");
    assert_eq!((meant.as_str(), help.as_str()), ("custmer", "did you mean `customer`?"));
    let circle = check("prompts/tone.md", "{% include \"prompts/checkout-trouble.md\" %}");
    assert!(circle[0].message.contains("includes this file in turn"), "{}", shown(&circle));
    let loops = "{% for a in event.data %}{% for b in a %}{% for c in b %}x{% endfor %}{% endfor %}{% endfor %}";
    assert!(only(&check("prompts/tone.md", loops)).0.contains("2 deep"));
    let two = "{% for a in event.data %}{% for b in a %}{{ loop.index }}{% set x = b %}{{ x }}{% endfor %}{% endfor %}";
    assert!(check("prompts/tone.md", two).is_empty());
    let around = "{% for x in event.data %}{% include \"prompts/tone.md\" %}{% endfor %}";
    let deep = compile(&files(&[("prompts/tone.md", two), ("prompts/checkout-trouble.md", around)]), None);
    assert!(deep.unwrap_err()[0].message.contains("included prompts counted"));
    assert!(check("prompts/other.md", "{{ anything }}").is_empty());
}

#[test]
fn names_are_each_used_once() {
    let twice = compile(&files(&[("playbooks/z.yaml", PLAYBOOK), ("adapters/z.yaml", ADAPTER)]), None).unwrap_err();
    let told: Vec<&str> = twice.iter().map(|mistake| mistake.message.as_str()).collect();
    assert_eq!(
        told,
        ["another file is the adapter `shop` already", "another file is the playbook `checkout-trouble` already"]
    );
}

#[test]
fn places_in_folded_and_quoted_conditions_are_right() {
    let text = PLAYBOOK.replace(
        "event.data.attempt >= 2 && event.data.total > 20.0",
        ">-\n      event.data.name == 'ü' &&\n      evnt.data.total > 20.0",
    );
    let mistakes = compile(&files(&[("playbooks/checkout-trouble.yaml", &text)]), None).unwrap_err();
    let (_, meant, _) = only(&mistakes);
    assert_eq!((mistakes[0].line, mistakes[0].column, meant.as_str()), (6, 7, "evnt"));
    let text = PLAYBOOK.replace(
        "event.data.attempt >= 2 && event.data.total > 20.0",
        "\"event.data.name == \\\"\\u00fc\\\" && evnt.data.total > 20.0\"",
    );
    let mistakes = compile(&files(&[("playbooks/checkout-trouble.yaml", &text)]), None).unwrap_err();
    assert_eq!(only(&mistakes).1, "evnt");
}

#[test]
fn conditions_split_only_where_and_joins_them() {
    let parts = |when: &str| {
        let text = PLAYBOOK.replace("event.data.attempt >= 2 && event.data.total > 20.0", when);
        let catalog = compile(&files(&[("playbooks/checkout-trouble.yaml", &text)]), None)
            .unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)));
        let when = catalog.playbooks["checkout-trouble"].on[0].when.as_ref().unwrap();
        when.parts.iter().map(|part| part.source.clone()).collect::<Vec<_>>()
    };
    assert_eq!(parts("event.data.a || event.data.b && event.data.c").len(), 1);
    assert_eq!(
        parts("(event.data.a || event.data.b) && event.data.c"),
        ["(event.data.a || event.data.b)", "event.data.c"]
    );
    assert_eq!(parts("event.data.a == ' && ' && event.data.b").len(), 2);
    assert_eq!(parts("'event.data.a && event.data.b ? true : false'").len(), 1);
    assert_eq!(parts("event.data.?a.orValue(false) && event.data.b").len(), 2);
    assert_eq!(parts("event.data.a.exists(x, x > 1 && x < 3)").len(), 1);
    assert_eq!(parts(r"event.data.a == r'\' && event.data.b").len(), 2);
}

#[test]
fn a_workspace_is_read_from_a_folder_and_nothing_from_outside() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.md"), "secret").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for (path, content) in files(&[]) {
        write(&path, std::str::from_utf8(&content).unwrap());
    }
    write("playbooks/README.md", "not a playbook");
    write("playbooks/.hidden.yaml", "broken: [");
    write("beckon.toml", "secret");
    write("prompts/deep/er/x.md", "x");
    let read = read_workspace(dir.path()).unwrap();
    let mut expected: Vec<String> = files(&[]).into_keys().collect();
    expected.push("prompts/deep/er/x.md".to_owned());
    expected.sort();
    assert_eq!(read.keys().cloned().collect::<Vec<_>>(), expected);
    assert!(compile(&read, None).is_ok());

    std::os::unix::fs::symlink("tone.md", dir.path().join("prompts/inside.md")).unwrap();
    assert!(read_workspace(dir.path()).unwrap().contains_key("prompts/inside.md"));
    std::os::unix::fs::symlink(dir.path().join("prompts"), dir.path().join("prompts/loop")).unwrap();
    assert!(shown(&read_workspace(dir.path()).unwrap_err()).contains("deep"));
    std::fs::remove_file(dir.path().join("prompts/loop")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.md"), dir.path().join("prompts/link.md")).unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("prompts/folder")).unwrap();
    write("prompts/large.md", &"x".repeat(300 * 1024));
    let told = shown(&read_workspace(dir.path()).unwrap_err());
    assert!(told.contains("prompts/link.md:1:1: this is a link to something outside of the workspace"), "{told}");
    assert!(told.contains("prompts/folder:1:1: this is a link to something outside of the workspace"), "{told}");
    assert!(told.contains("prompts/large.md:1:1: the file is larger than 256 KiB"), "{told}");
    assert!(read_workspace(&dir.path().join("nowhere")).is_err());
}

#[test]
fn the_example_shop_of_this_repository_compiles() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop/workspace");
    if dir.is_dir() {
        let read = read_workspace(&dir).unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)));
        compile(&read, None).unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)));
    }
}

mod fuzz {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_text_makes_the_catalog_panic(text in "[ -~\\n]{0,200}", at in 0..PLAYBOOK.len(), cut in 0..40usize) {
            let mut broken = PLAYBOOK.to_owned();
            let end = (at + cut).min(broken.len());
            broken.replace_range(at..end, &text);
            let _ = compile(&files(&[("playbooks/checkout-trouble.yaml", &broken)]), None).map_err(|m| shown(&m));
        }

        #[test]
        fn no_condition_makes_the_catalog_panic(text in "[a-z(){}\\[\\]?:.&|!<>=+'\"0-9 é\\\\-]{0,60}") {
            let quoted = format!("'{}'", text.replace('\'', "''"));
            let broken = PLAYBOOK.replace("event.data.attempt >= 2 && event.data.total > 20.0", &quoted);
            let _ = compile(&files(&[("playbooks/checkout-trouble.yaml", &broken)]), None).map_err(|m| shown(&m));
        }
    }
}

/// The examples of the reference: fences that name a file.
fn documented() -> Files {
    fenced(include_str!("../../docs/playbooks.md"))
}

fn fenced(text: &str) -> Files {
    let mut found = Files::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((_, path)) = line.strip_prefix("```").and_then(|info| info.split_once(' ')) else { continue };
        let body: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        assert!(found.insert(path.to_owned(), body.into_bytes()).is_none(), "{path} is there twice");
    }
    found
}

#[test]
fn the_examples_of_the_reference_compile() {
    let files = documented();
    assert_eq!(files.len(), 13);
    let catalog = compile(&files, None).unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)));
    assert_eq!(
        catalog.playbooks.keys().collect::<Vec<_>>(),
        [
            "back-in-stock",
            "checkout-trouble",
            "help",
            "maintenance",
            "outage",
            "over-time",
            "paid-meanwhile",
            "with-restraint"
        ]
    );
    assert_eq!(catalog.contact.budgets.len(), 3);
    assert!(catalog.sources.contains_key("billing") && catalog.operations["shop.opening_hours"].public);
}

#[test]
fn the_playbooks_of_the_guides_compile_and_their_scenarios_pass() {
    let coming_from = fenced(include_str!("../../docs/coming-from.md"));
    compile(&coming_from, None).unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)));
    let idea = fenced(include_str!("../../docs/from-idea-to-100-percent.md"));
    let inside = |(path, text): (String, Vec<u8>)| (path.strip_prefix("my-shop/").unwrap().to_owned(), text);
    let (tests, files): (Files, Files) = idea.into_iter().map(inside).partition(|(path, _)| path.starts_with("tests/"));
    let catalog = Arc::new(compile(&files, None).unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes))));
    let suites = compile_scenarios(&tests, &catalog).unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)));
    let theatre = Theatre { catalog, first: None };
    let scenarios =
        suites.iter().flat_map(|suite| suite.scenarios.iter().map(|scenario| theatre.play(suite, scenario)));
    let played: Vec<_> = scenarios.collect();
    assert!(played.len() == 2 && played.iter().all(|played| played.wrong.is_empty()));
}

#[test]
fn the_reference_names_every_key_that_is_known() {
    let schemas = beckon::config::schemas();
    let mut open: Vec<_> = schemas.as_object().unwrap().iter().collect();
    let mut missing = BTreeSet::new();
    while let Some((name, value)) = open.pop() {
        let text = match name.as_str() {
            "scenario" => include_str!("../../docs/testing-playbooks.md"),
            _ => include_str!("../../docs/playbooks.md"),
        };
        if let Some(properties) = value.get("properties").and_then(|properties| properties.as_object()) {
            missing.extend(properties.keys().filter(|key| !text.contains(key.as_str())).cloned());
        }
        open.extend(value.as_object().into_iter().flat_map(|object| object.values()).map(|inner| (name, inner)));
        open.extend(value.as_array().into_iter().flatten().map(|inner| (name, inner)));
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_compiles_fits_the_published_schema_and_what_has_wrong_keys_does_not() {
    let validator = |schema: &serde_json::Value| jsonschema::validator_for(schema).unwrap();
    let playbook = validator(&beckon::catalog::playbook_schema());
    let adapter = validator(&beckon::catalog::adapter_schema());
    let source = validator(&beckon::catalog::source_schema());
    let contact = validator(&beckon::catalog::contact_schema());
    for (path, text) in documented() {
        let schema = match path.split('/').next().unwrap() {
            "playbooks" => &playbook,
            "adapters" => &adapter,
            "sources" => &source,
            "contact.yaml" => &contact,
            _ => continue,
        };
        let json = beckon::catalog::yaml_to_json(std::str::from_utf8(&text).unwrap()).unwrap();
        let problems: Vec<String> =
            schema.iter_errors(&json).map(|e| format!("{path}{}: {e}", e.instance_path())).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
    let wrong = beckon::catalog::yaml_to_json(&PLAYBOOK.replace("within: 30m", "witin: 30m")).unwrap();
    assert!(!playbook.is_valid(&wrong));
    assert!(!playbook.is_valid(&json!({ "playbook": "a" })));
}
