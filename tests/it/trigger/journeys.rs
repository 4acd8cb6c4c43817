//! Over the real doors, on both stores: a wait that a restart does not lose, what takes it back, what quiet hours hold.

use reqwest::Method;
use serde_json::{Value, json};

use crate::journeys::journeys;
use crate::journeys::world::{KEY, World, until};

journeys!(
    a_wait_survives_a_restart_and_opens_when_nothing_came,
    what_was_missing_ends_the_wait_and_takes_back_an_unseen_bubble,
    what_quiet_hours_hold_waits_over_a_restart,
    an_open_conversation_is_told_what_came_meanwhile_and_closes_itself,
    a_wait_that_was_over_when_its_event_arrived_opens_with_its_facts,
    what_is_under_way_for_a_customer_is_told_over_a_restart_too,
);

const CART: &str = "playbook: cart\n\
    on:\n  - absence: { of: order.completed, after: cart.updated, within: 1s, key: event.data.cart_id }\n\
    open: { key: event.data.cart_id, say: \"Your cart {{ event.data.cart_id }} waits.\" }\n";

async fn a_wait_survives_a_restart_and_opens_when_nothing_came(world: World) {
    let mut world = world.with_files(&[("playbooks/cart.yaml", CART)]).await;
    let event = world.event("cart.updated", "42", json!({ "cart_id": "c-1" })).await;
    world.outcome(&event).await;
    world.restart().await;
    let decided = world.until_verdict(&event, "waiting").await;
    let id = decided["conversation"].as_str().unwrap();
    let chat = world.chat("42").await;
    assert_eq!(chat.welcome["conversations"][0]["id"], id);
    assert_eq!(chat.welcome["conversations"][0]["entries"][0]["text"], "Your cart c-1 waits.");
}

async fn what_was_missing_ends_the_wait_and_takes_back_an_unseen_bubble(world: World) {
    // However slow this machine is, an hour is not over before the second event.
    let patient = CART.replace("playbook: cart", "playbook: patient").replace("cart.updated", "basket.updated");
    let patient = patient.replace("1s", "1h");
    let files = [("playbooks/cart.yaml", CART), ("playbooks/patient.yaml", patient.as_str())];
    let mut world = world.with_files(&files).await;
    let ended = world.event("basket.updated", "42", json!({ "cart_id": "c-1" })).await;
    world.event("order.completed", "42", json!({ "cart_id": "c-1" })).await;
    let decided = world.until_verdict(&ended, "withdrawn").await;
    assert_eq!(decided["reason"], "order.completed came");
    assert!(world.conversations("42").await.is_empty());

    let opened = world.event("cart.updated", "42", json!({ "cart_id": "c-2" })).await;
    world.until_verdict(&opened, "waiting").await;
    world.event("order.completed", "42", json!({ "cart_id": "c-2" })).await;
    let taken_back = world.until_verdict(&opened, "withdrawn").await;
    let id = taken_back["conversation"].as_str().unwrap().to_owned();
    let conversation = world.until_conversation(&id, "it is over", |c| c["state"] == "closed").await;
    assert_eq!(conversation["outcome"]["kind"], "expired");
    let mut chat = world.chat("42").await;
    chat.catch_up().await;
    assert!(chat.all("opened").is_empty(), "nobody who comes now is shown it");
}

/// Quiet hours from two hours ago until in two hours, by the clock of the server: whenever this runs, it is in them.
async fn what_quiet_hours_hold_waits_over_a_restart(world: World) {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let (from, to) = (&now - jiff::Span::new().hours(2), &now + jiff::Span::new().hours(2));
    let hours = format!("{{ from: \"{}\", to: \"{}\" }}", from.strftime("%H:%M"), to.strftime("%H:%M"));
    let text = format!(
        "playbook: night\non: [{{ event: parcel.late }}, {{ absence: {{ of: parcel.found, after: parcel.lost, within: 1s }} }}]\n\
         quiet_hours: {hours}\nopen: {{ say: Sorry }}\n"
    );
    let mut world = world.with_files(&[("playbooks/night.yaml", text.as_str())]).await;
    let lost = world.event("parcel.lost", "42", json!({})).await;
    world.until_verdict(&lost, "quiet").await;
    world.restart().await;
    // It is in the state that the next owner reads: what was missing still takes it back.
    world.event("parcel.found", "42", json!({})).await;
    world.until_verdict(&lost, "withdrawn").await;

    let late = world.event("parcel.late", "42", json!({})).await;
    let held = world.until_verdict(&late, "quiet").await;
    let minute = to.strftime("%H:%M:00.000Z").to_string();
    assert!(held["values"]["until"].as_str().unwrap().ends_with(&minute), "{held}");
    assert_eq!(held["values"]["zone"], "UTC");
    assert!(world.conversations("42").await.is_empty());

    // The hours are changed: what is held keeps its hour, and a new event is let through and opens.
    let open = text.replace(&hours, "{ from: \"00:00\", to: \"00:01\" }");
    let open =
        if now.hour() == 0 { open.replace("\"00:00\", to: \"00:01\"", "\"12:00\", to: \"12:01\"") } else { open };
    world.write_file("playbooks/night.yaml", &open);
    world.until_revision(3).await;
    let through = world.event("parcel.late", "42", json!({})).await;
    until("it opens", || async { world.outcome(&through).await["decisions"][0]["verdict"] == "waiting" }).await;
}

async fn an_open_conversation_is_told_what_came_meanwhile_and_closes_itself(world: World) {
    let text = CART.to_owned()
        + "joining: now\ntalk:\n  script:\n    steps:\n      - on: text == null && event.type == 'order.completed'\n        \
           say: \"You have ordered meanwhile: thank you!\"\n        close: true\n      \
           - on: text != null\n        say: \"I am here.\"\n";
    let mut world = world.with_files(&[("playbooks/cart.yaml", &text)]).await;
    let begun = world.event("cart.updated", "42", json!({ "cart_id": "c-1" })).await;
    world.until_verdict(&begun, "waiting").await;
    let mut chat = world.chat("42").await;
    let id = chat.welcome["conversations"][0]["id"].as_str().unwrap().to_owned();
    chat.seen(&id, 1).await;
    chat.say(&id, "Wait a moment").await;
    world.until_conversation(&id, "it was answered", |c| c["last_seq"] == 3).await;
    world.event("order.completed", "42", json!({ "cart_id": "c-1" })).await;
    let closed = world.until_conversation(&id, "it closed itself", |c| c["state"] == "closed").await;
    assert_eq!(closed["outcome"]["kind"], "resolved");
    chat.catch_up().await;
    let texts: Vec<String> =
        chat.entries(&id).iter().filter_map(|entry| Some(entry["text"].as_str()?.to_owned())).collect();
    assert_eq!(
        texts,
        ["Your cart c-1 waits.", "Wait a moment", "I am here.", "You have ordered meanwhile: thank you!"],
        "nobody faked a message of the customer"
    );
}

async fn a_wait_that_was_over_when_its_event_arrived_opens_with_its_facts(world: World) {
    let text = "playbook: late\non:\n  - absence: { of: order.paid, after: order.placed, within: 30m }\n\
                context: { order: { call: shop.get_order, with: { id: event.data.order_id } } }\n\
                open: { say: [\"Order {{ order.number }} is not paid.\", \"An order is not paid.\"] }\n";
    let world = world.with_files(&[("playbooks/late.yaml", text)]).await;
    let placed = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(40);
    let event = json!({
        "specversion": "1.0", "id": "placed-1", "source": "shop", "type": "order.placed", "subject": "42",
        "time": placed.to_string(), "data": { "order_id": "N-7" },
    });
    let (status, answer) = world.send_event(KEY, event).await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["results"][0]["event"].as_str().unwrap().to_owned();
    let decided = world.until_verdict(&id, "waiting").await;
    let conversation = decided["conversation"].as_str().unwrap().to_owned();
    world.until_conversation(&conversation, "it is said", |c| c["last_seq"] == 1).await;
    let chat = world.chat("42").await;
    let text = &chat.welcome["conversations"][0]["entries"][0]["text"];
    assert!(text.as_str().unwrap().starts_with("Order "), "{text}");
}

async fn what_is_under_way_for_a_customer_is_told_over_a_restart_too(world: World) {
    let patient = CART.replace("1s", "1h");
    let declined =
        "playbook: declined\non:\n  - count: { event: card.declined, within: 10m, at_least: 3 }\nopen: { say: Hi }\n";
    let files = [("playbooks/cart.yaml", patient.as_str()), ("playbooks/declined.yaml", declined)];
    let mut world = world.with_files(&files).await;
    assert_eq!(world.get("/v1/customers/user:42/pending").await["pending"], json!([]));
    let begun = world.event("cart.updated", "42", json!({ "cart_id": "c-1" })).await;
    let counted = world.event("card.declined", "42", json!({})).await;
    world.outcome(&counted).await;
    world.restart().await;
    let told = world.get("/v1/customers/user:42/pending").await;
    assert_eq!(told["customer"], "user:42");
    let found = told["pending"].as_array().unwrap();
    assert_eq!(found.len(), 2, "{told:#}");
    assert_eq!(
        (&found[0]["playbook"], &found[0]["what"], &found[0]["key"], &found[0]["events"]),
        (&json!("cart"), &json!("absence"), &json!("c-1"), &json!([begun]))
    );
    assert_eq!(found[1]["at"], found[1]["values"]["until"]);
    assert_eq!((&found[1]["what"], &found[1]["values"]["value"]), (&json!("measure"), &json!(1)));
    assert!(found[1]["next"].as_str().unwrap().starts_with("with 2 more card.declined until "), "{told:#}");
    let (status, _) = world.rest_as(KEY, Method::GET, "/v1/customers/nobody/pending", Value::Null).await;
    assert_eq!(status, 404);
}
