//! What `check` knows of the fields that words, prompts and expressions ask for: slips are told where they stand, and what
//! nobody can know beforehand is no mistake.

use beckon::catalog::{Mistake, compile};
use beckon::model::catalog::Files;

const ADAPTER: &str = r#"adapter: shop
operations:
  get_order:
    describe: The order
    request: { method: GET, path: "/customers/{customer.id}/orders/{id}" }
    args: { type: object, required: [id], properties: { id: { type: string } } }
    returns: [id, number, total, buyer.name, "lines[].title"]
  list_cards:
    describe: Cards
    request: { method: GET, path: "/customers/{customer.id}/cards" }
    returns: ["items[].id", "items[].label"]
  pay:
    describe: Pay
    request: { method: POST, path: "/customers/{customer.id}/orders/{id}/pay", json: { card: "{card}" } }
    args: { type: object, required: [id, card], properties: { id: { type: string }, card: { type: string } } }
    writes: true
    confirm: "Charge {{ args.card }}"
"#;

const PLAYBOOK: &str = r#"playbook: pay
on:
  - event: payment.failed
    when: event.data.attempt >= 2
  - count: { event: card.declined, key: event.data.card, at_least: 3, within: 10m }
  - absence: { of: paid, unless: event.data.silent == true, after: cart, within: 30m }
audience: { where: customer.traits.plan == 'pro' }
context:
  order: { call: shop.get_order, with: { id: event.data.order_id } }
open:
  key: event.data.order_id
  say:
    - "Order {{ order.number }} for {{ order.buyer.name }}?"
    - "Shall I help?"
talk:
  prompt: prompts/pay.md
  script:
    intents: { human: human }
    steps:
      - on: intent == 'human' && event.type == 'payment.failed'
        handoff: true
      - on: choice == 'Pay'
        call: { cards: { tool: shop.list_cards } }
        say: "Which card for {{ order.number }}?"
        choices: { each: cards.items, label: "{{ item.label }}", value: item.id }
        failed: "No cards, {{ customer.traits.name }}."
      - on: cards != null && cards.items.exists(card, card.id == choice)
        call: { paid: { tool: shop.pay, with: { id: order.id, card: choice } } }
        say: "Paid {{ order.total }}."
        declined: "Not paid."
handoff: { when: failures >= 2, away: { say: "Nobody for {{ trigger.data.order_id }}." } }
goal: { event: paid, when: event.data.order_id == trigger.data.order_id, value: event.data.total }
fallback: { say: "Not now, {{ customer.id }}." }
"#;

const PROMPT: &str = "{% if order %}{{ order.number }}{% for line in order.lines %}{% include \"prompts/line.md\" %}{% endfor %}{% endif %}";

fn check(playbook: &str, adapter: &str, prompt: &str) -> Vec<Mistake> {
    let files = [
        ("playbooks/pay.yaml", playbook),
        ("adapters/shop.yaml", adapter),
        ("prompts/pay.md", prompt),
        ("prompts/line.md", "{{ line.title }}"),
        ("prompts/sum.md", "{{ order.total }}"),
        ("prompts/nested.md", "{% include \"prompts/sum.md\" %}"),
    ];
    let files: Files = files.into_iter().map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect();
    compile(&files, None).err().unwrap_or_default()
}

fn shown(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The playbook with a piece replaced; the one mistake as told, what stands at the caret, and the help.
fn told(old: &str, new: &str) -> (String, String, String) {
    assert!(PLAYBOOK.contains(old), "the playbook has no `{old}`");
    one(&check(&PLAYBOOK.replacen(old, new, 1), ADAPTER, PROMPT), new)
}

fn one(mistakes: &[Mistake], case: &str) -> (String, String, String) {
    let [mistake] = mistakes else { panic!("one mistake is expected of {case}:\n{}", shown(mistakes)) };
    let meant: String = mistake.line_text.chars().skip(mistake.column - 1).take(mistake.length).collect();
    (mistake.message.clone(), meant, mistake.suggestion.clone().unwrap_or_default())
}

#[test]
fn fields_that_exist_and_fields_that_nobody_can_know_are_no_mistake() {
    assert_eq!(shown(&check(PLAYBOOK, ADAPTER, PROMPT)), "");
    for (old, new) in [
        // Senders add attributes, and Segment's calls have a context.
        ("event.data.attempt >= 2", "event.traceparent != '' && event.context.page.url != '' && event['date'] == ''"),
        ("event.data.attempt >= 2", "has(event.subject) && event.data.?dta.x.hasValue()"),
        // Names that something binds itself.
        ("\"Shall I help?\"", "\"{% for order in event.data.orders %}{{ order.anything }}{% endfor %}\""),
        ("\"Shall I help?\"", "\"{% for event in events %}{{ event.time }}{% endfor %}\""),
        ("\"Paid {{ order.total }}.\"", "\"{% set order = event.data %}{{ order.anything }}\""),
        ("cards.items.exists(card, card.id == choice)", "cards.items.all(order, order.label != order.id)"),
        // In a script an unknown name is null.
        ("choice == 'Pay'", "something == null && choice == 'Pay'"),
        // Fields below one that is returned are the company's.
        ("{{ order.number }} for", "{{ order.id.any.thing }} for"),
    ] {
        let mistakes = check(&PLAYBOOK.replacen(old, new, 1), ADAPTER, PROMPT);
        assert!(PLAYBOOK.contains(old) && mistakes.is_empty(), "{new}\n{}", shown(&mistakes));
    }
}

#[test]
fn a_field_that_is_not_there_is_told_wherever_it_is_asked_for() {
    let (data, traits) = ("did you mean `data`?", "did you mean `traits`?");
    for (old, new, message, meant, help) in [
        // Words.
        ("\"Shall I help?\"", "\"For {{ event.dta.x }}?\"", "`event` has no `dta`", "dta", data),
        ("\"Shall I help?\"", "\"For {{ trigger['dta'].x }}?\"", "`trigger` has no `dta`", "dta", data),
        (
            "{{ order.number }} for",
            "{{ order.numbr }} for",
            "`order` has no `numbr`",
            "numbr",
            "did you mean `number`?",
        ),
        ("order.buyer.name", "order.buyer.nme", "`order.buyer` has no `nme`", "nme", "did you mean `name`?"),
        ("Which card for", "{{ customer.trait.x }}", "`customer` has no `trait`", "trait", traits),
        ("{{ item.label }}", "{{ item.lable }}", "`item` has no `lable`", "lable", "did you mean `label`?"),
        ("{{ customer.traits.name }}", "{{ cards.itms }}", "`cards` has no `itms`", "itms", "did you mean `items`?"),
        (
            "Not paid.",
            "{{ paid.id }}",
            "`paid` has no `id`",
            "id",
            "its operation gives `by`, `settled`; name `id` in `returns`",
        ),
        (
            "Not now, {{ customer.id }}.",
            "{{ trigger.data.total }}",
            "`trigger.data` has no `total`",
            "total",
            "of the trigger, the fields are kept that `goal` names",
        ),
        (
            "{{ order.number }} for",
            "{{ facts.order.number }} for",
            "there is no `facts` here",
            "facts",
            "names here are",
        ),
        // Expressions.
        ("event.data.attempt >= 2", "event.dta.attempt >= 2", "`event` has no `dta`", "dta", data),
        ("event.data.attempt >= 2", "size(event.dta) > 2", "`event` has no `dta`", "dta", data),
        ("key: event.data.card", "key: event.dta.card", "`event` has no `dta`", "dta", data),
        ("event.data.attempt >= 2", "event['dta'].attempt >= 2", "`event` has no `dta`", "dta", data),
        ("customer.traits.plan", "customer.trait.plan", "`customer` has no `trait`", "trait", traits),
        ("{ id: event.data.order_id }", "{ id: event.dat.order_id }", "`event` has no `dat`", "dat", data),
        (
            "key: event.data.order_id",
            "key: trigger.data.order_id",
            "there is no `trigger` here",
            "trigger",
            "names here are",
        ),
        ("value: event.data.total", "value: trigger.dta.total", "`trigger` has no `dta`", "dta", data),
        ("event.type == 'payment", "event.typ == 'payment", "`event` has no `typ`", "typ", "did you mean `type`?"),
        ("each: cards.items", "each: cards.itms", "`cards` has no `itms`", "itms", "did you mean `items`?"),
        ("value: item.id", "value: item.ids", "`item` has no `ids`", "ids", "did you mean `id`?"),
        ("card.id == choice", "card.idd == choice", "`card` has no `idd`", "idd", "did you mean `id`?"),
        ("with: { id: order.id", "with: { id: order.idd", "`order` has no `idd`", "idd", "did you mean `id`?"),
        ("cards != null &&", "crds != null &&", "there is no `crds` here", "crds", "did you mean `cards`?"),
        ("on: choice == 'Pay'", "on: chioce == 'Pay'", "there is no `chioce` here", "chioce", "did you mean `choice`?"),
        (
            "cards.items.exists(card, card.id == choice)",
            "cards.items.id == choice",
            "`cards.items` is a list and has no `id`",
            "id",
            "go through it, or name an item: `cards.items[0].id`",
        ),
    ] {
        let (said, at, suggested) = told(old, new);
        assert_eq!((said.as_str(), at.as_str()), (message, meant), "{new}");
        assert!(suggested.starts_with(help), "{new}: {suggested}");
    }
}

#[test]
fn prompts_are_asked_with_the_facts_of_the_playbook_that_uses_them() {
    for (prompt, message, file) in [
        ("{{ order.numbr }}", "`order` has no `numbr`, as playbooks/pay.yaml uses it", "prompts/pay.md"),
        ("é\n{{ event.dta.x }}", "`event` has no `dta`, as playbooks/pay.yaml uses it", "prompts/pay.md"),
        (
            "{% for line in order.buyer.lines %}{% endfor %}",
            "`order.buyer` has no `lines`, as playbooks/pay.yaml uses it",
            "prompts/pay.md",
        ),
        (
            "{% for line in [order.buyer] %}{{ line.x }}{% endfor %}{% include \"prompts/line.md\" %}",
            "there is no `line` here, as playbooks/pay.yaml uses it",
            "prompts/line.md",
        ),
    ] {
        let mistakes = check(PLAYBOOK, ADAPTER, prompt);
        assert_eq!(one(&mistakes, prompt).0, message);
        assert_eq!(mistakes[0].file, file);
    }
    let adapter = ADAPTER.replace("lines[].title", "lines[].name");
    let mistakes = check(PLAYBOOK, &adapter, PROMPT);
    assert_eq!(one(&mistakes, "line.md").0, "`line` has no `title`, as playbooks/pay.yaml uses it");
    assert_eq!((mistakes[0].file.as_str(), mistakes[0].column), ("prompts/line.md", 9));
}

#[test]
fn the_last_opening_needs_no_call_not_even_by_what_it_includes() {
    for (line, message) in [
        ("{{ order.number }}", "the last `say` must need no call, and `order` is the result of one"),
        (
            "{% include 'prompts/nested.md' %}",
            "the last `say` must need no call, and `prompts/nested.md` uses `order`, the result of one",
        ),
    ] {
        let (said, _, help) = told("\"Shall I help?\"", &format!("\"{line}\""));
        assert_eq!((said.as_str(), help.as_str()), (message, "add a last line without it"));
    }
    let bound = "\"{% for order in event.data.orders %}{% include 'prompts/nested.md' %}{% endfor %}\"";
    let mistakes = check(&PLAYBOOK.replacen("\"Shall I help?\"", bound, 1), ADAPTER, PROMPT);
    assert!(mistakes.is_empty(), "{}", shown(&mistakes));
}
