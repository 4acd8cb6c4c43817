//! The catalogs that simulated companies put in force: the shop's playbook, one for who speaks first, and one that
//! hears the same events. Built by hand, so that this says what the engine needs and nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;

use beckon::model::catalog::{
    Catalog, Condition, ContextCall, Expression, Files, Goal, Handoff, Limit, Method, Open, Operation, Playbook,
    Script, ScriptCall, ScriptChoices, ScriptStep, Talk, Template, Trigger,
};
use beckon::model::cel_value;
use beckon::model::event::Trust;
use beckon::model::pattern::{Absence, Further, Measure, Moment, Pace, Picks, ToMany, What, Whom, Window};
use beckon::model::restraint::{Debounce, Restraint};
use beckon::model::time::Millis;
use serde_json::{Value, json};

/// Variants of the workspace; `v1` is in force at first.
pub const VARIANTS: [&str; 3] = ["v1", "v2", "v3"];

/// The playbook that waits for a checkout not to be completed within two minutes of a payment that failed.
pub const SILENCE: &str = "silence";

/// The playbooks that hear a type, in every variant.
pub fn hearing(kind: &str) -> &'static [&'static str] {
    match kind {
        "checkout.payment_failed" => &["burst", "checkout-trouble", "hello", SILENCE],
        "checkout.completed" => &[SILENCE],
        "help.wanted" => &["help"],
        "page.viewed" => &["hello"],
        "incident.opened" | "incident.updated" | "incident.resolved" | "beckon.revoke" => &["outage"],
        _ => &[],
    }
}

/// Files that [`compile`] takes.
pub fn files(variant: &str) -> Files {
    [("variant".to_owned(), variant.as_bytes().to_vec())].into()
}

/// The catalog of a variant's files.
pub fn compile(files: &Files) -> Result<Catalog, String> {
    let variant = files.get("variant").ok_or("no variant")?;
    let variant = String::from_utf8(variant.clone()).map_err(|problem| problem.to_string())?;
    let mut making = Making::default();
    let playbooks = [
        making.checkout(&variant),
        making.help(&variant),
        making.hello(),
        making.silence(),
        making.burst(),
        making.outage(),
    ];
    let operations = [
        operation("shop.get_order", false, &["id"]),
        operation("shop.list_cards", false, &[]),
        making.write("shop.retry_payment", true, &["id"], Some("Idempotency-Key")),
        making.write("shop.refund", true, &[], None),
        making.write("shop.note", false, &["id"], None),
    ];
    let mut catalog = Catalog { hash: variant, templates: making.templates, ..Catalog::default() };
    for playbook in playbooks.map(Arc::new) {
        catalog.playbooks.insert(playbook.name.clone(), playbook);
    }
    catalog.listen();
    catalog.operations = operations.into_iter().map(|o| (o.name.clone(), Arc::new(o))).collect();
    Ok(catalog)
}

#[derive(Default)]
struct Making {
    templates: tera::Tera,
    count: usize,
}

impl Making {
    fn template(&mut self, source: &str) -> Template {
        self.count += 1;
        let name = format!("t{}", self.count);
        self.templates.add_raw_template(&name, source).unwrap();
        Template { name, source: source.to_owned(), loops: 0 }
    }

    fn checkout(&mut self, variant: &str) -> Playbook {
        Playbook {
            name: "checkout-trouble".to_owned(),
            locale: None,
            on: vec![trigger("checkout.payment_failed", Some("event.data.attempt >= 2 && event.data.total > 20.0"))],
            limit: (variant == "v1").then_some(Limit { count: 1, per: Millis::hours(24) }),
            restraint: Restraint::default(),
            context: vec![ContextCall {
                name: "order".to_owned(),
                operation: "shop.get_order".to_owned(),
                with: [("id".to_owned(), expression("event.data.order_id"))].into(),
            }],
            open: Open {
                key: Some(expression("event.data.order_id")),
                within: Millis::minutes(30),
                why: "Because your payment failed.".to_owned(),
                say: vec![
                    self.template("Your card was declined for order {{ order.number }}. Shall I help?"),
                    self.template("Your card was declined. Shall I help?"),
                ],
                choices: ["Try again", "Another card", "Not now"].map(str::to_owned).to_vec(),
            },
            talk: Talk {
                prompt: None,
                tools: ["shop.get_order", "shop.list_cards", "shop.retry_payment", "shop.refund"]
                    .map(str::to_owned)
                    .to_vec(),
                max_turns: 20,
                max_tokens: 20_000,
                idle: Millis::hours(24),
                script: self.script(variant != "v3"),
            },
            handoff: Handoff {
                when: Some(condition("asked_for_human || failures >= 2")),
                team: Some("payments".to_owned()),
                within: Millis::minutes(2),
                away: self.template("Nobody is free right now. I stay with you."),
            },
            goal: Some(Goal {
                event: "checkout.completed".to_owned(),
                when: Some(condition("event.data.order_id == trigger.data.order_id")),
                within: Millis::hours(24),
                value: Some(expression("event.data.total")),
                trust: Trust::Server,
                trigger_paths: vec![vec!["data".to_owned(), "order_id".to_owned()]],
            }),
            fallback: self.template("I can't reach my assistant right now. A colleague will join you."),
        }
    }

    fn script(&mut self, knows_all: bool) -> Script {
        let step = |on: &str| ScriptStep {
            on: expression(on),
            calls: Vec::new(),
            say: None,
            choices: ScriptChoices::None,
            failed: None,
            declined: None,
            handoff: false,
            close: false,
        };
        let pay = ScriptCall {
            bind: "paid".to_owned(),
            tool: "shop.retry_payment".to_owned(),
            with: [("id".to_owned(), expression("trigger.data.order_id")), ("card".to_owned(), expression("'visa'"))]
                .into(),
        };
        let mut steps = vec![
            ScriptStep { handoff: true, ..step("text == 'a person, please'") },
            ScriptStep { say: Some(self.template("Your cart stays.")), close: true, ..step("choice == 'Not now'") },
            ScriptStep {
                calls: vec![pay],
                say: Some(self.template("It is paid.")),
                failed: Some(self.template("That did not work.")),
                ..step("choice == 'Try again' || text == 'pay'")
            },
        ];
        if knows_all {
            let choices = ScriptChoices::Fixed(["Try again", "Not now"].map(str::to_owned).to_vec());
            steps.push(ScriptStep { say: Some(self.template("How can I help?")), choices, ..step("true") });
        }
        Script { intents: Vec::new(), steps }
    }

    fn help(&mut self, variant: &str) -> Playbook {
        Playbook {
            name: "help".to_owned(),
            locale: None,
            on: vec![trigger("help.wanted", None)],
            limit: None,
            restraint: Restraint::default(),
            context: Vec::new(),
            open: Open {
                key: None,
                within: Millis::minutes(10),
                why: String::new(),
                say: vec![self.template("Can I help?")],
                choices: vec!["Not now".to_owned()],
            },
            talk: Talk {
                prompt: None,
                tools: ["shop.get_order", "shop.retry_payment", "shop.note"].map(str::to_owned).to_vec(),
                max_turns: 6,
                max_tokens: 20_000,
                idle: Millis::minutes(20),
                script: self.script(variant != "v2"),
            },
            handoff: Handoff {
                when: None,
                team: None,
                within: Millis::minutes(10),
                away: self.template("Nobody is free right now."),
            },
            goal: None,
            fallback: self.template("I can't reach my assistant right now."),
        }
    }

    fn hello(&mut self) -> Playbook {
        Playbook {
            name: "hello".to_owned(),
            locale: Some("en".to_owned()),
            on: vec![
                trigger("checkout.payment_failed", None),
                trigger("page.viewed", Some("event.data.page == 'cart'")),
            ],
            limit: Some(Limit { count: 2, per: Millis::minutes(10) }),
            restraint: Restraint::default(),
            context: Vec::new(),
            open: Open {
                key: None,
                within: Millis::minutes(1),
                why: String::new(),
                say: vec![self.template("Hello, {{ event.data.page }}"), self.template("Hello")],
                choices: Vec::new(),
            },
            talk: Talk {
                prompt: None,
                tools: Vec::new(),
                max_turns: 20,
                max_tokens: 300,
                idle: Millis::minutes(5),
                script: Script::default(),
            },
            handoff: Handoff {
                when: Some(condition("turns > 3")),
                team: None,
                within: Millis::seconds(30),
                away: self.template("Still nobody."),
            },
            goal: None,
            fallback: self.template("I have no words."),
        }
    }

    fn silence(&mut self) -> Playbook {
        let after = Picks {
            event: "checkout.payment_failed".to_owned(),
            when: None,
            key: Some(expression("event.data.order_id")),
        };
        let absence = Absence {
            of: "checkout.completed".to_owned(),
            unless: None,
            after,
            within: Millis::minutes(2),
            from_first: false,
        };
        let on = over_time("silence/absence", Moment::Absence(absence), Vec::new());
        Playbook { name: SILENCE.to_owned(), on: vec![on], limit: None, ..self.hello() }
    }

    fn burst(&mut self) -> Playbook {
        let count = Measure {
            id: "burst/count".to_owned(),
            source: "count of checkout.payment_failed within 5m".to_owned(),
            of: Picks { event: "checkout.payment_failed".to_owned(), when: None, key: None },
            what: What::Count,
            window: Window { span: Millis::minutes(5), tumbling: false },
            at_least: Some(2.0),
            at_most: None,
        };
        let debounce = Debounce { quiet: Millis::seconds(15), at_most: Millis::seconds(40) };
        Playbook {
            name: "burst".to_owned(),
            on: vec![over_time("burst/measured", Moment::Measured, vec![count])],
            restraint: Restraint { debounce: Some(debounce), ..Restraint::default() },
            ..self.hello()
        }
    }

    fn outage(&mut self) -> Playbook {
        let of = |event: &str| Picks {
            event: event.to_owned(),
            when: None,
            key: Some(expression("event.data.incident_id")),
        };
        let many = ToMany {
            begins: of("incident.opened"),
            hold: Millis(0),
            to: Whom::List(expression("event.data.customers")),
            pace: Some(Pace { count: 1, per: Millis::seconds(1) }),
            queue: None,
            updates: Some(Further { of: of("incident.updated"), say: vec![self.template("We are on it.")] }),
            ends: Some(Further { of: of("incident.resolved"), say: vec![self.template("It works again.")] }),
        };
        let on = over_time("outage/topic", Moment::Topic(Box::new(many)), Vec::new());
        Playbook { name: "outage".to_owned(), on: vec![on], limit: None, ..self.hello() }
    }

    fn write(&mut self, name: &str, ask: bool, once: &[&str], header: Option<&str>) -> Operation {
        Operation {
            writes: true,
            ask,
            once: once.iter().map(|&name| name.to_owned()).collect(),
            idempotency_header: header.map(str::to_owned),
            confirm: Some(self.template("Shall I do it for {{ args.id }}?")),
            ..operation(name, true, &["id", "card"])
        }
    }
}

fn trigger(event: &str, when: Option<&str>) -> Trigger {
    Trigger::on_event(event, when.map(condition), Trust::Server)
}

fn over_time(id: &str, moment: Moment, measures: Vec<Measure>) -> Trigger {
    Trigger { id: id.to_owned(), moment, measures, when: None, trust: Trust::Server, lateness: None }
}

fn expression(source: &str) -> Expression {
    let program = cel_value::env().compile(source).unwrap();
    let mut names: Vec<String> = program.references().variables().into_iter().map(str::to_owned).collect();
    names.sort();
    Expression { source: source.to_owned(), program, names, paths: Vec::new(), loops: 0 }
}

fn condition(source: &str) -> Condition {
    Condition { source: source.to_owned(), parts: source.split(" && ").map(expression).collect() }
}

fn operation(name: &str, writes: bool, needed: &[&str]) -> Operation {
    let properties: BTreeMap<&str, Value> = needed.iter().map(|&name| (name, json!({ "type": "string" }))).collect();
    let args = json!({ "type": "object", "required": needed, "properties": properties, "additionalProperties": false });
    Operation {
        adapter: "shop".to_owned(),
        name: name.to_owned(),
        describe: name.to_owned(),
        method: if writes { Method::Post } else { Method::Get },
        path: "/customers/{customer.id}".to_owned(),
        json: None,
        schema: jsonschema::validator_for(&args).unwrap(),
        args,
        returns: Vec::new(),
        writes,
        ask: false,
        public: false,
        bound: true,
        once: Vec::new(),
        idempotency_header: None,
        confirm: None,
        timeout: Millis::seconds(5),
    }
}
