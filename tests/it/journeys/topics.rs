//! One event for many, over the real doors and on both stores: who is told, what they hear later, what stops it.

use serde_json::{Value, json};

use super::journeys;
use super::world::{ANA, World, until};

journeys!(
    an_outage_reaches_those_it_lists_with_news_and_its_end,
    who_wished_for_a_product_hears_that_it_is_back_and_who_no_longer_does_not,
    customers_are_selected_by_what_is_known_of_them,
    customers_whom_an_api_names_page_by_page_are_told_once_though_it_fails_in_between,
    a_paced_outage_goes_on_after_a_restart_and_pausing_stops_it,
    an_outage_waits_for_operators_who_have_enough_to_do,
    an_outage_that_was_none_is_taken_back_from_who_has_not_seen_it,
);

const OUTAGE: &str = r#"
playbook: outage
on:
  - topic:
      event: incident.opened
      key: event.data.id
      to: { list: event.data.customers }
      updates: { event: incident.updated, say: "News: {{ event.data.news }}." }
      ends: { event: incident.resolved, say: "It works again, {{ customer.id }}." }
audience: { where: "!has(customer.traits.staff)" }
open: { key: event.data.id, say: "There is an outage ({{ event.data.id }})." }
"#;

/// The only topic's trigger, with another `to`.
fn to(to: &str) -> String {
    OUTAGE.replace("{ list: event.data.customers }", to)
}

async fn an_outage_reaches_those_it_lists_with_news_and_its_end(world: World) {
    let mut world = world.with_files(&[("playbooks/outage.yaml", OUTAGE)]).await;
    world.event("staff.joined", "eve", json!({})).await;
    let mut ann = world.chat("ann").await;
    let customers: Vec<String> = (0..300).map(|n| format!("c{n}")).chain(["ann".to_owned()]).collect();
    let event = world.nobodys_event("incident.opened", json!({ "id": "i-1", "customers": customers })).await;
    let id = ann.opened().await;
    ann.seen(&id, 1).await;
    let told = world.until_told(&event, json!({ "waiting": 300, "opened": 1 })).await;
    all_were_sent(&world, &event, 301).await;

    world.nobodys_event("incident.updated", json!({ "id": "i-1", "news": "a cable" })).await;
    assert_eq!(ann.hears().await, "News: a cable.");
    let end = world.nobodys_event("incident.resolved", json!({ "id": "i-1" })).await;
    assert_eq!(ann.hears().await, "It works again, ann.");
    world.until_told(&end, json!({ "joined": 301 })).await;

    // What the customer's inbox got is an event like others, and says where it is from; the sender's id finds what was sent.
    let of_ann = world.get("/v1/customers/user:ann").await;
    let first = of_ann["events"]["items"].as_array().unwrap().last().unwrap()["event"].as_str().unwrap().to_owned();
    let first = world.get(&format!("/v1/events/{first}")).await;
    assert_eq!(first["origin"], event.as_str(), "{first}");
    assert_eq!(first["data"], Value::Null, "nobody learns of others: {first}");
    let sender = told["id"].as_str().unwrap();
    let found = world.get(&format!("/v1/events?id={sender}")).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
}

/// Customers may have decided before the topic knows that all of them were sent.
async fn all_were_sent(world: &World, event: &str, count: u64) {
    until("all were sent", || async {
        let told = world.get(&format!("/v1/events/{event}")).await;
        let decisions = told["decisions"].as_array().unwrap();
        let values = &decisions[0]["values"];
        let all = values["selected"] == count && values["sent"] == count;
        decisions.len() == 1 && decisions[0]["verdict"] == "told" && all
    })
    .await;
}

async fn who_wished_for_a_product_hears_that_it_is_back_and_who_no_longer_does_not(world: World) {
    let text = to("{ followers: { event: wish.added, until: wish.removed } }").replace("i-1", "lamp");
    let mut world = world.with_files(&[("playbooks/outage.yaml", text.as_str())]).await;
    let lamp = json!({ "id": "lamp" });
    for customer in ["ann", "bob", "cid"] {
        world.event("wish.added", customer, lamp.clone()).await;
    }
    world.event("wish.added", "dan", json!({ "id": "chair" })).await;
    world.restart().await;
    world.event("wish.removed", "bob", lamp.clone()).await;
    // Though the record may be a moment behind.
    let event = world.nobodys_event("incident.opened", lamp).await;
    world.until_told(&event, json!({ "waiting": 2 })).await;
    all_were_sent(&world, &event, 2).await;
    for (customer, count) in [("ann", 1), ("bob", 0), ("cid", 1), ("dan", 0)] {
        assert_eq!(world.conversations(customer).await.len(), count, "{customer}");
    }
}

async fn customers_are_selected_by_what_is_known_of_them(world: World) {
    let text = to("{ where: customer.traits.area == event.data.area && customer.traits.plan == 'fibre' }");
    let mut world = world.with_files(&[("playbooks/outage.yaml", text.as_str())]).await;
    for (customer, area, plan) in [("ann", "north", "fibre"), ("bob", "north", "cable"), ("cid", "south", "fibre")] {
        let identify = json!({ "userId": customer, "messageId": customer, "traits": { "area": area, "plan": plan } });
        let (status, answer) = world.post("/v1/identify", identify).await;
        assert_eq!(status, 200, "{answer}");
    }
    let event = world.nobodys_event("incident.opened", json!({ "id": "i-1", "area": "north" })).await;
    world.until_told(&event, json!({ "waiting": 1 })).await;
    assert_eq!(world.conversations("ann").await.len(), 1);
}

async fn customers_whom_an_api_names_page_by_page_are_told_once_though_it_fails_in_between(world: World) {
    let call = "{ call: shop.customers_of_area, each: \"answer.items.map(item, item.id)\", next: answer.next, \
                with: { area: event.data.area, after: \"cursor == null ? '0' : cursor\" } }";
    let adapter = world.read_file("adapters/shop.yaml") + PEOPLE;
    let files = [("playbooks/outage.yaml", to(call)), ("adapters/shop.yaml", adapter)];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let mut world = world.with_files(&files).await;
    world.api.has_people(2_500);
    world.api.is(super::api::Mood::Down);
    let event = world.nobodys_event("incident.opened", json!({ "id": "i-1", "area": "north" })).await;
    let fails =
        |told: &Value| told["decisions"][0]["reason"].as_str().is_some_and(|why| why.contains("looked for again"));
    super::world::until("it is told that nobody can be found", || async {
        fails(&world.get(&format!("/v1/events/{event}")).await)
    })
    .await;
    world.api.is(super::api::Mood::Well);
    world.until_told(&event, json!({ "waiting": 2_500 })).await;
    // What the topic itself says comes after the last of those whom it told.
    super::world::until("all were selected", || async {
        world.get(&format!("/v1/events/{event}")).await["decisions"][0]["values"]["selected"] == 2_500
    })
    .await;
    let pages: Vec<String> = world.api.paths().into_iter().filter(|path| path.contains("customers/")).collect();
    assert!(
        pages.ends_with(&["0", "1000", "2000"].map(|after| format!("/areas/north/customers/{after}"))),
        "{pages:?}"
    );
}

/// An operation that names customers.
pub const PEOPLE: &str = r#"  customers_of_area:
    describe: Who lives in an area
    request: { method: GET, path: "/areas/{area}/customers/{after}" }
    args: { type: object, required: [area, after], properties: { area: { type: string }, after: { type: string } } }
    returns: ["items[].id", next]
"#;

async fn a_paced_outage_goes_on_after_a_restart_and_pausing_stops_it(world: World) {
    let text = to("{ list: event.data.customers }\n      pace: 20/s");
    let mut world = world.with_files(&[("playbooks/outage.yaml", text.as_str())]).await;
    let customers: Vec<String> = (0..100).map(|n| format!("c{n}")).collect();
    let event = world.nobodys_event("incident.opened", json!({ "id": "i-1", "customers": customers })).await;
    world.until_told(&event, json!({ "waiting": 20 })).await;
    world.restart().await;
    world.until_told(&event, json!({ "waiting": 40 })).await;
    assert_eq!(world.post("/v1/playbooks/outage/pause", Value::Null).await.0, 200);
    let stopped = world.until_verdict(&event, "paused").await;
    let sent = stopped["values"]["sent"].as_u64().unwrap();
    assert!((40..100).contains(&sent), "{stopped}");
    // Openings not seen yet are withdrawn by a pause, as ever: none of those who were told waits any more.
    world.until_told(&event, json!({ "expired": sent })).await;
}

async fn an_outage_waits_for_operators_who_have_enough_to_do(world: World) {
    let text = to("{ list: event.data.customers }\n      queue: 0");
    let mut world = world.with_files(&[("playbooks/outage.yaml", text.as_str())]).await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.say(&id, "I want a human").await;
    chat.holder("queue").await;
    world.until_conversation(&id, "the record knows that it waits", |c| c["holder"] == "queue").await;
    let event = world.nobodys_event("incident.opened", json!({ "id": "i-1", "customers": ["ann", "bob"] })).await;
    until("it rests", || async {
        let told = world.get(&format!("/v1/events/{event}")).await;
        told["decisions"][0]["reason"].as_str().is_some_and(|why| why.starts_with("it rests: 1 conversation waits"))
    })
    .await;
    assert_eq!(world.conversations("ann").await, [] as [Value; 0]);
    world.claim(ANA, &id).await;
    world.until_told(&event, json!({ "waiting": 2 })).await;
}

async fn an_outage_that_was_none_is_taken_back_from_who_has_not_seen_it(world: World) {
    let text = to("{ list: event.data.customers }\n      pace: 20/s");
    let mut world = world.with_files(&[("playbooks/outage.yaml", text.as_str())]).await;
    let mut ann = world.chat("ann").await;
    let customers: Vec<String> = ["ann".to_owned()].into_iter().chain((0..99).map(|n| format!("c{n}"))).collect();
    let event = world.nobodys_event("incident.opened", json!({ "id": "i-1", "customers": customers })).await;
    let id = ann.opened().await;
    ann.seen(&id, 1).await;
    world.until_told(&event, json!({ "waiting": 39, "opened": 1 })).await;
    world.restart().await;

    let revoke = format!("/v1/events/{event}/revoke");
    for (body, pointer) in [
        (json!({ "reason": 7 }), "/reason"),
        (json!({ "reason": "x".repeat(501) }), "/reason"),
        (json!({ "reason": "two\nlines" }), "/reason"),
        (json!({ "why": "no such field" }), "/why"),
    ] {
        let (status, problem) = world.post(&revoke, body).await;
        assert_eq!((status, &problem["pointer"]), (400, &json!(pointer)), "{problem}");
    }
    let (status, answer) = world.post(&revoke, json!({ "reason": "a drill" })).await;
    assert_eq!((status, &answer["status"]), (202, &json!("pending")), "{answer}");
    let location = answer["location"].as_str().unwrap().to_owned();
    let (_, again) = world.post(&revoke, json!({ "reason": "once more" })).await;
    assert_eq!(again["location"], location.as_str(), "an event is taken back once");
    let taken_back = location.rsplit('/').next().unwrap();
    let inbox = |event: &str| event.split('-').next().unwrap().to_owned();
    assert_eq!(inbox(taken_back), inbox(&event), "it stands behind the event in the same inbox");

    let gone = world.until_verdict(&event, "withdrawn").await;
    assert_eq!(gone["reason"], "backend took it back: a drill", "{gone}");
    let told = gone["values"]["sent"].as_u64().unwrap();
    assert!((40..100).contains(&told), "{gone}");
    let done = world.until_verdict(taken_back, "told").await;
    assert_eq!(done["values"]["sent"], told, "{done}");
    world.until_told(&event, json!({ "withdrawn": told - 1, "opened": 1 })).await;
    world.until_told(taken_back, json!({ "withdrawn": told - 1, "joined": 1 })).await;

    // Her conversation goes on; its log says what was taken back, and not by whom.
    let log = world.get(&format!("/v1/conversations/{id}?view=trace")).await;
    let joined = log["entries"].as_array().unwrap().iter().rfind(|entry| entry["kind"] == "event").unwrap();
    assert_eq!(joined["envelope"]["type"], "beckon.revoke", "{log}");
    assert_eq!(
        joined["envelope"]["data"],
        json!({ "type": "incident.opened", "key": "i-1", "event": event, "reason": "a drill" }),
        "{log}"
    );
    let mut ann = world.chat("ann").await;
    world.nobodys_event("incident.updated", json!({ "id": "i-1", "news": "it was a drill" })).await;
    assert_eq!(ann.hears().await, "News: it was a drill.");

    let of_ann = world.get("/v1/customers/user:ann").await;
    let given = of_ann["events"]["items"].as_array().unwrap().last().unwrap()["event"].as_str().unwrap().to_owned();
    for (firm, why) in [(given.as_str(), event.as_str()), (taken_back, "No playbook tells many")] {
        let (status, problem) = world.post(&format!("/v1/events/{firm}/revoke"), json!({})).await;
        assert_eq!(status, 409, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
}
