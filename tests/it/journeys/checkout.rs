//! From the declined card to the outcome, step by step.

use serde_json::json;

use super::journeys;
use super::world::{World, assert_dense};

journeys!(from_a_declined_card_to_a_paid_order);

async fn from_a_declined_card_to_a_paid_order(mut world: World) {
    let mut chat = world.chat("42").await;
    assert_eq!(chat.welcome["customer"], "user:42");

    let first = world.event("checkout.payment_failed", "42", json!({ "order_id": "7", "attempt": 1, "total": 89.5 }));
    let first = first.await;
    let event = world.decline("42", "7").await;
    let opened = chat.frame("opened").await;
    let conversation = &opened["conversation"];
    let id = conversation["id"].as_str().unwrap().to_owned();
    assert_eq!(conversation["state"], "waiting");
    assert_eq!(conversation["why"], "Because your payment for this order failed.");
    assert_eq!(conversation["entries"][0]["text"], "Your card was declined for order N-7. Shall I help?");
    assert_eq!(conversation["entries"][0]["choices"][1]["value"], "Use another card");

    chat.seen(&id, 1).await;
    let choice = chat.choose(&id, "Use another card").await;
    assert_eq!(chat.hears().await, "Which card?");
    assert!(chat.answer(&choice).await.is_ok());
    chat.choose(&id, "card-a").await;
    let confirm = chat.entry("confirm").await;
    assert_eq!(confirm["summary"], "Charge card-a for order 7");
    assert_eq!(confirm["args"], json!({ "id": "7", "card": "card-a" }));
    assert_eq!(world.api.charges("7"), 0, "nothing is charged before the customer said yes");
    chat.confirm(&id, &confirm["call_id"], true).await;
    assert_eq!(chat.hears().await, "Order N-7 is paid.");
    assert_eq!(world.api.charges("7"), 1);

    world.event("checkout.completed", "42", json!({ "order_id": "7", "total": 89.5 })).await;
    let conversation = world.until_conversation(&id, "it has its outcome", |c| c["outcome"]["kind"] == "goal").await;
    assert_eq!(conversation["outcome"]["value"], 89.5);
    assert_eq!(conversation["state"], "open");

    let entries = chat.entries(&id);
    assert_dense(&entries);
    let shown = serde_json::to_string(&entries).unwrap();
    assert!(!shown.contains("do not show this") && !shown.contains("4242424242424242"), "{shown}");

    let outcome = world.outcome(&event).await;
    assert_eq!(outcome["decisions"][0]["verdict"], "opened", "{outcome}");
    assert_eq!(outcome["decisions"][0]["conversation"], id.as_str());
    let not_yet = world.outcome(&first).await;
    assert_eq!(not_yet["decisions"][0]["verdict"], "not_matched");
    assert_eq!(not_yet["decisions"][0]["condition"], "event.data.attempt >= 2");
    assert_eq!(not_yet["decisions"][0]["values"]["event.data.attempt"], 1);
}
