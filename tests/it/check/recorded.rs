//! `beckon check --record`: types and fields that playbooks ask for and no recorded event has; on SQLite and PostgreSQL.

use std::process::{Command, Output};

use beckon::model::event::Event;
use beckon::model::ids::ActorId;
use beckon::model::input::{Body, Envelope, To};
use beckon::model::topic::{News, Stage};
use beckon::record::{Line, StoredText};
use serde_json::{Value, json};

use crate::chaos::process::{BECKON, Site, run, text};
use crate::record::{PARTITION, event_id, event_line, pos, record, url};
use crate::store::Place;

/// A workspace with one playbook, and what was recorded.
struct Company {
    workspace: tempfile::TempDir,
    data: tempfile::TempDir,
    lines: Vec<Line>,
}

impl Company {
    fn with(playbook: &str) -> Company {
        let workspace = tempfile::tempdir().unwrap();
        std::fs::create_dir(workspace.path().join("playbooks")).unwrap();
        std::fs::write(workspace.path().join("playbooks/a.yaml"), playbook).unwrap();
        Company { workspace, data: tempfile::tempdir().unwrap(), lines: Vec::new() }
    }

    fn sent(&mut self, kind: &str, data: Value) {
        self.event(kind, data, |_| {});
    }

    fn event(&mut self, kind: &str, data: Value, change: impl FnOnce(&mut Event)) {
        let n = u64::try_from(self.lines.len()).unwrap() + 1;
        let customer = ActorId::user("42");
        let mut event = Event::new("shop", &format!("evt-{n}"), kind, Some(customer.clone()), data);
        change(&mut event);
        let input = StoredText::from(&Envelope { to: To::Actor(customer), body: Body::Event(Box::new(event)) });
        self.lines.push(Line { input: Some(input), ..event_line(n, "42", kind) });
    }

    /// Records what was sent, and checks.
    async fn check(&mut self) -> Output {
        let record = record(&self.data).await;
        for lines in std::mem::take(&mut self.lines).chunks(500) {
            record.archive(PARTITION, lines.to_vec()).await.unwrap();
        }
        record.close().await;
        self.check_as_it_is().await
    }

    async fn check_as_it_is(&self) -> Output {
        let (workspace, data) = (self.workspace.path().display(), self.data.path().display());
        let (workspace, data) = (format!("--workspace={workspace}"), format!("--data={data}"));
        let mut command = Command::new(BECKON);
        command.args(["check", &workspace, &data, "--record", &url(&self.data).await]).env_clear();
        run(command, "")
    }
}

const PLAYBOOK: &str = "playbook: a
on:
  - event: order.payed
  - event: order.placed
    when: event.data.totl > 20 && event.data.buyer.nme != ''
  - count: { event: card.declined, key: event.data.card_id, at_least: 3, within: 10m }
  - absence: { of: order.placed, unless: event.data.silent == true, after: cart.updated, within: 30m, key: event.data.cart }
open: { key: event.data.order_id, say: Hello }
goal: { event: order.shipped, when: event.data.order_id == trigger.data.order }
";

#[tokio::test]
async fn types_and_fields_that_no_recorded_event_has_are_told_where_they_are_asked_for() {
    let mut company = Company::with(PLAYBOOK);
    for n in 0..3 {
        company.sent("order.paid", json!({ "order_id": n }));
        company.sent("order.placed", json!({ "order_id": n, "total": 30, "buyer": { "name": "Ada" }, "cart": 1 }));
        company.sent("cart.updated", json!({ "cart_id": n, "order_id": n }));
    }
    company.sent("card.declined", json!("gone"));
    let checked = company.check().await;
    let told = text(&checked);
    assert_eq!(checked.status.code(), Some(1), "{told}");
    for part in [
        "The workspace is sound",
        "playbooks/a.yaml:3:12: the record has no `order.payed`\n",
        "help: did you mean `order.paid`? Of these there are 3\n",
        "playbooks/a.yaml:5:11: none of the newest 3 recorded `order.placed` carries `data.totl`\n",
        "  5 |     when: event.data.totl > 20 && event.data.buyer.nme != ''\n    |           ^^^^^^^^^^^^^^^\n",
        "help: did you mean `total`? 3 of 3 carry it\n",
        "playbooks/a.yaml:5:35: none of the newest 3 recorded `order.placed` carries `data.buyer.nme`\n",
        "help: did you mean `name`? 3 of 3 carry it\n",
        "playbooks/a.yaml:6:41: the only recorded `card.declined` does not carry `data.card_id`\n  6 |",
        "help: there are no fields in `data`\n",
        "playbooks/a.yaml:7:42: none of the newest 3 recorded `order.placed` carries `data.silent`\n",
        "help: what stands there is `buyer`, `cart`, `order_id`, `total`\n",
        "playbooks/a.yaml:7:108: none of the newest 3 recorded `cart.updated` carries `data.cart`\n",
        "help: did you mean `cart_id`? 3 of 3 carry it\n",
        "playbooks/a.yaml:8:14: the only recorded `card.declined` does not carry `data.order_id`\n",
        "playbooks/a.yaml:9:16: the record has no `order.shipped`\n",
        "playbooks/a.yaml:9:60: none of the newest 3 recorded `order.placed` carries `data.order`\n",
        "events looked at: 7\n",
    ] {
        assert!(told.contains(part), "{part}\n---\n{told}");
    }
    // Of what was never recorded no fields are told, and of fields that are there nothing.
    assert!(!told.contains("`order.payed` carries") && !told.contains("`order.shipped` carries"), "{told}");
    assert!(!told.contains("`order.placed` carries `data.cart`"), "{told}");
}

#[tokio::test]
async fn what_is_there_and_what_is_asked_for_with_care_is_no_hint() {
    let mut company = Company::with(
        "playbook: a
on:
  - event: order.placed
    when: has(event.data.coupon) && event.data.coupon == 'X' || event.data.?gift.orValue(false)
  - event: cart.left
    when: event.data.lines.exists(line, line.sku == 'x') && event.data['total'] > 3 && event.tenant == 'b'
  - topic: { event: outage, key: event.data.area, to: { list: event.data.customers } }
open: { key: \"event.type == 'outage' ? event.data.area : event.data.id\", say: Hello }
",
    );
    company.sent("order.placed", json!({ "id": 1 }));
    company.sent("cart.left", json!({ "id": 1, "lines": [{ "sku": "x" }], "total": null }));
    // One was the first of its kind, and the last has it.
    company.event("cart.left", json!({}), |event| drop(event.extensions.insert("tenant".to_owned(), json!("b"))));
    company.sent("outage", json!({ "area": 7, "customers": ["1"] }));
    for _ in 0..2 {
        // What customers got of it has no list.
        company.event("outage", json!({ "area": 7 }), |event| {
            let topic = ActorId::user("9");
            let (begun, origin) = (pos(4), event_id(4));
            let news = News { topic, playbook: "a".to_owned(), begun, revision: begun, stage: Stage::Begun, origin };
            event.news = Some(Box::new(news));
        });
    }
    let checked = company.check().await;
    let told = text(&checked);
    assert_eq!(checked.status.code(), Some(0), "{told}");
    assert!(told.contains("What the playbooks ask for is in the record"), "{told}");
    assert!(told.contains("events looked at: 4\n"), "{told}");

    // Asking whether it is there does not hide a slip.
    let mut company =
        Company::with("playbook: a\non: [{ event: b, when: has(event.data.copon) }]\nopen: { say: Hello }\n");
    company.sent("b", json!({ "coupon": 1 }));
    let told = text(&company.check().await);
    assert!(told.contains("does not carry `data.copon`") && told.contains("did you mean `coupon`?"), "{told}");
}

#[tokio::test]
async fn the_newest_thousand_of_a_type_are_looked_at() {
    let playbook = "playbook: a\non: [{ event: b, when: event.data.old == 1 }]\nopen: { say: Hello }\n";
    let mut company = Company::with(playbook);
    company.sent("b", json!({ "old": 1 }));
    for _ in 0..999 {
        company.sent("b", json!({ "new": 1 }));
    }
    let record = record(&company.data).await;
    record.archive(PARTITION, company.lines.clone()).await.unwrap();
    record.close().await;
    let found = company.check_as_it_is().await;
    assert_eq!(found.status.code(), Some(0), "{}", text(&found));
    // One more, and the one that had it is too old.
    company.sent("b", json!({ "new": 1 }));
    let told = text(&company.check().await);
    assert!(told.contains("none of the newest 1000 recorded `b` carries `data.old`"), "{told}");
    assert!(told.contains("what stands there is `new`"), "{told}");
}

#[tokio::test]
async fn where_there_is_nothing_to_compare_with_nothing_is_told() {
    let mut company = Company::with(PLAYBOOK);
    let empty = company.check().await;
    assert_eq!(empty.status.code(), Some(0), "{}", text(&empty));
    assert!(text(&empty).contains("has no events yet: nothing was compared"), "{}", text(&empty));

    let mut broken = Company::with("playbook: a\non: [{ evnt: b }]\nopen: { say: Hello }\n");
    let told = broken.check().await;
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told).contains("The record is compared once these are mended."), "{}", text(&told));

    let nowhere = tempfile::tempdir().unwrap();
    let (workspace, data) = (company.workspace.path().display(), nowhere.path().display());
    let (workspace, data) = (format!("--workspace={workspace}"), format!("--data={data}"));
    let mut command = Command::new(BECKON);
    command.args(["check", &workspace, &data, "--record"]).env_clear();
    let none = run(command, "");
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none).contains("there is no record at "), "{}", text(&none));
    assert_eq!(std::fs::read_dir(nowhere.path()).unwrap().count(), 0, "and none is made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_runs_meanwhile() {
    let site = Site::new(Place::embedded(), None);
    let process = site.start();
    let event = site.event(&process, "quick.opened", "42", json!({ "id": "a", "levels": 2 })).await;
    site.until(&process, "decided", &format!("/v1/events/{event}"), |event| event["status"] == "decided").await;
    let (workspace, data) = (site.workspace.path().display().to_string(), site.data.path().display().to_string());
    let checked = site.run(&["check", "--workspace", &workspace, "--data", &data, "--record"], "");
    assert_eq!(checked.status.code(), Some(1));
    let told = text(&checked);
    assert!(
        told.contains("playbooks/quick.yaml:5:11: the only recorded `quick.opened` does not carry `data.level`"),
        "{told}"
    );
    assert!(told.contains("did you mean `levels`? 1 of 1 carry it"), "{told}");
    assert!(told.contains("the record has no `quick.done`"), "{told}");
    assert_eq!(site.get(&process, &format!("/v1/events/{event}")).await["status"], "decided");
}
