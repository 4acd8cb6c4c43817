//! Writes: done once, whatever happens meanwhile; what nobody knows is settled by a person.

use std::sync::Arc;
use std::time::Duration;

use beckon::model::ids::{ActorId, Partition};
use serde_json::{Value, json};

use super::api::Mood;
use super::chat::Chat;
use super::journeys;
use super::model::Says;
use super::world::{ANA, World, assert_dense, of_kind, until};

journeys!(
    words_during_a_charge_wait_for_its_result,
    a_model_cannot_charge_a_second_time_while_the_first_is_under_way,
    a_charge_whose_answer_was_lost_is_repeated_under_its_key,
    a_write_without_a_key_stays_unknown_until_a_person_settles_it,
    what_a_person_settled_as_done_is_not_offered_again_and_what_was_not_done_is,
    a_model_is_told_what_a_person_settled,
    a_takeover_during_a_charge_gets_its_result_as_an_entry,
    what_the_customer_declines_or_writes_over_is_not_charged,
    a_server_that_stops_waits_for_a_write_under_way,
);

/// Up to the confirmation of a charge of `card-a`; answers the conversation and the call.
async fn up_to_the_question(world: &mut World, chat: &mut Chat) -> (String, Value) {
    let id = world.talk(chat, "42", "7").await;
    chat.choose(&id, "Use another card").await;
    assert_eq!(chat.hears().await, "Which card?");
    chat.choose(&id, "card-a").await;
    let call = chat.entry("confirm").await["call_id"].clone();
    (id, call)
}

fn kinds(entries: &[Value]) -> Vec<String> {
    let name = |e: &Value| match e["kind"].as_str().unwrap() {
        "message" => format!("{} says", e["by"].as_str().unwrap()),
        "call" => format!("call {}", e["state"].as_str().unwrap()),
        "holder" => format!("holder {}", e["holder"].as_str().unwrap()),
        other => other.to_owned(),
    };
    entries.iter().map(name).collect()
}

async fn words_during_a_charge_wait_for_its_result(mut world: World) {
    let mut chat = world.chat("42").await;
    let (id, call) = up_to_the_question(&mut world, &mut chat).await;
    world.api.is(Mood::Slow);
    chat.confirm(&id, &call, true).await;
    world.api.payment_arrived().await;
    let client_id = chat.say(&id, "use another card").await;
    chat.answer(&client_id).await.unwrap();
    world.settle("42").await;
    world.api.release();
    assert_eq!(chat.hears().await, "Order N-7 is paid.");
    assert_eq!(chat.hears().await, "Which card?", "then what was written meanwhile is answered");
    let entries = chat.entries(&id);
    assert_dense(&entries);
    let tail = ["confirmed", "customer says", "call done", "assistant says", "call done", "assistant says"];
    assert!(kinds(&entries).ends_with(&tail.map(str::to_owned)), "{:?}", kinds(&entries));
    assert_eq!(world.api.charges("7"), 1);
}

async fn a_model_cannot_charge_a_second_time_while_the_first_is_under_way(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let first = world.talk(&mut chat, "42", "7").await;
    let pay = || json!({ "id": "7", "card": "card-a" }).to_string();
    world.model.will_say([Says::Calls("shop__retry_payment", pay())]);
    chat.say(&first, "charge it").await;
    let call = chat.entry("confirm").await["call_id"].clone();
    world.api.is(Mood::Slow);
    chat.confirm(&first, &call, true).await;
    world.api.payment_arrived().await;

    // Another conversation of the same customer: the same order, so the same charge.
    let (status, other) = world
        .post(
            "/v1/conversations",
            json!({ "customer": "user:42", "playbook": "checkout-trouble",
                "facts": { "order_id": "9", "attempt": 2, "total": 50.0 } }),
        )
        .await;
    assert_eq!(status, 201, "{other}");
    let second = chat.opened().await;
    world.model.will_say([Says::Calls("shop__retry_payment", pay()), Says::Words("It is under way.")]);
    chat.say(&second, "charge 7").await;
    assert_eq!(chat.hears().await, "It is under way.");
    let trace = world.trace(&second).await;
    let refused = of_kind(&trace, "call")[0];
    assert_eq!((&refused["state"], &refused["problem"]), (&json!("refused"), &json!("the same is under way")));
    assert!(world.model.last_asked().contains("the same is under way"), "the model is told");
    assert!(chat.entries(&second).iter().all(|e| e["kind"] != "confirm"), "the customer is not asked again");

    world.model.will_say([Says::Words("It is paid.")]);
    world.api.release();
    assert_eq!(chat.hears().await, "It is paid.");
    assert_eq!(world.api.charges("7"), 1);
}

async fn a_charge_whose_answer_was_lost_is_repeated_under_its_key(mut world: World) {
    let mut chat = world.chat("42").await;
    let (id, call) = up_to_the_question(&mut world, &mut chat).await;
    world.api.is(Mood::HangsUp);
    chat.confirm(&id, &call, true).await;
    world.api.payment_arrived().await;
    world.api.is(Mood::Well);
    assert_eq!(chat.hears().await, "Order N-7 is paid.");
    let keys = world.api.keys();
    assert!(keys.len() >= 2, "it was tried again: {keys:?}");
    assert!(keys.iter().all(|key| *key == format!("{id}/{}", call.as_str().unwrap())), "{keys:?}");
    assert_eq!(world.api.charges("7"), 1);
}

async fn a_write_without_a_key_stays_unknown_until_a_person_settles_it(mut world: World) {
    for (customer, became, answer) in
        [("42", "done", "The voucher is on its way."), ("43", "failed", "That did not work.")]
    {
        let before = world.api.vouchers();
        let mut chat = world.chat(customer).await;
        world.event("voucher.due", customer, json!({})).await;
        let id = chat.opened().await;
        chat.choose(&id, "Yes please").await;
        let call = chat.entry("confirm").await["call_id"].as_str().unwrap().to_owned();
        world.api.is(Mood::HangsUp);
        chat.confirm(&id, &json!(call), true).await;
        assert_eq!(chat.entry("call").await["state"], "unknown");
        let told = chat.hears().await;
        assert!(told.starts_with("I could not find out"), "{told}");
        world.api.is(Mood::Well);
        assert_eq!(world.api.vouchers() - before, 1, "never repeated");

        let (status, problem) = world.act(ANA, &id, "calls/99/settle", json!({ "state": became })).await;
        assert_eq!(status, 409, "{problem}");
        let (status, entry) = world.act(ANA, &id, &format!("calls/{call}/settle"), json!({ "state": became })).await;
        assert_eq!((status, &entry["state"]), (200, &json!(became)), "{entry}");
        assert_eq!(chat.entry("call").await["state"], became);
        let again = world.act(ANA, &id, &format!("calls/{call}/settle"), json!({ "state": "failed" })).await;
        assert_eq!(again.0, 409, "settled once");
        assert_eq!(chat.hears().await, answer);
        world.settle(customer).await;
        chat.catch_up().await;
        assert_eq!(chat.entries(&id).last().unwrap()["text"], answer, "the customer is not asked again");
        assert_eq!(world.api.vouchers() - before, 1);
        assert_dense(&chat.entries(&id));
    }
}

/// The shop of the examples, whose API here knows no idempotency key: the end of a charge may stay unknown.
async fn with_the_shops_playbook(world: World) -> World {
    const PLAYBOOK: &str = include_str!("../../../examples/shop/workspace/playbooks/checkout-trouble.yaml");
    const PROMPT: &str = include_str!("../../../examples/shop/workspace/prompts/checkout-trouble.md");
    let adapter = world.read_file("adapters/shop.yaml").replace("    idempotency_header: Idempotency-Key\n", "");
    let files = [
        ("playbooks/checkout-trouble.yaml", PLAYBOOK),
        ("prompts/checkout-trouble.md", PROMPT),
        ("adapters/shop.yaml", &adapter),
    ];
    world.with_files(&files).await
}

/// Opens the conversation of the shop's playbook, which names the order's number; seen by the customer.
async fn talk_of(world: &mut World, chat: &mut Chat, customer: &str, order: &str) -> String {
    let data = json!({ "order_id": order, "number": format!("N-{order}"), "attempt": 2, "total": 89.5 });
    world.event("checkout.payment_failed", customer, data).await;
    let id = chat.opened().await;
    chat.seen(&id, 1).await;
    id
}

/// Confirms a charge whose end nobody knows; answers its call.
async fn lost_charge(world: &World, chat: &mut Chat, id: &str) -> String {
    let call = chat.entry("confirm").await["call_id"].as_str().unwrap().to_owned();
    world.api.is(Mood::HangsUp);
    chat.confirm(id, &json!(call), true).await;
    assert_eq!(chat.entry("call").await["state"], "unknown");
    world.api.is(Mood::Well);
    call
}

async fn what_a_person_settled_as_done_is_not_offered_again_and_what_was_not_done_is(world: World) {
    let mut world = with_the_shops_playbook(world).await;
    for (customer, order, became) in [("42", "7", "done"), ("43", "8", "failed")] {
        let mut chat = world.chat(customer).await;
        let id = talk_of(&mut world, &mut chat, customer, order).await;
        chat.choose(&id, "Use another card").await;
        assert!(chat.hears().await.starts_with("Gladly. Which card"));
        chat.choose(&id, "card-a").await;
        let call = lost_charge(&world, &mut chat, &id).await;
        assert!(chat.hears().await.starts_with("I could not find out"));
        let (status, entry) = world.act(ANA, &id, &format!("calls/{call}/settle"), json!({ "state": became })).await;
        assert_eq!(status, 200, "{entry}");
        let told = chat.hears().await;
        chat.say(&id, "another card, please").await;
        let answer = chat.hears().await;
        let asked = chat.entries(&id).iter().filter(|e| e["kind"] == "confirm").count();
        assert_eq!(asked, 1);
        if became == "done" {
            assert!(told.contains("is paid"), "{told}");
            assert!(answer.contains("is paid already, so I will not charge another card"), "{answer}");
            chat.say(&id, "4242").await;
            assert!(chat.hears().await.contains("is paid already"), "not by naming a card either");
        } else {
            assert!(told.contains("You can pick another card"), "{told}");
            assert!(answer.starts_with("Gladly. Which card"), "{answer}");
            chat.choose(&id, "card-b").await;
            let again = chat.entry("confirm").await["call_id"].clone();
            chat.confirm(&id, &again, true).await;
            assert!(chat.hears().await.contains("is paid"));
        }
    }
    assert_eq!(world.api.charges("7"), 1);
}

async fn a_model_is_told_what_a_person_settled(world: World) {
    let mut world = with_the_shops_playbook(world).await.with_model().await;
    for (customer, order, became, seen) in
        [("42", "7", "done", r#"\"settled\":\"done\""#), ("43", "8", "failed", "settled by Ana: it was not done")]
    {
        let mut chat = world.chat(customer).await;
        let id = talk_of(&mut world, &mut chat, customer, order).await;
        let pay = json!({ "id": order, "card": "card-a" }).to_string();
        world.model.will_say([Says::Calls("shop__retry_payment", pay), Says::Words("A colleague will check.")]);
        chat.say(&id, "charge it").await;
        let call = lost_charge(&world, &mut chat, &id).await;
        assert_eq!(chat.hears().await, "A colleague will check.");
        world.model.will_say([Says::Words("Now we know.")]);
        let (status, entry) = world.act(ANA, &id, &format!("calls/{call}/settle"), json!({ "state": became })).await;
        assert_eq!(status, 200, "{entry}");
        assert_eq!(chat.hears().await, "Now we know.");
        let asked = world.model.last_asked();
        assert!(asked.contains("A result came later.") && asked.contains(seen), "{asked}");
    }
}

async fn a_takeover_during_a_charge_gets_its_result_as_an_entry(mut world: World) {
    let mut chat = world.chat("42").await;
    let (id, call) = up_to_the_question(&mut world, &mut chat).await;
    world.api.is(Mood::Slow);
    chat.confirm(&id, &call, true).await;
    world.api.payment_arrived().await;
    world.claim(ANA, &id).await;
    chat.holder("operator").await;
    world.api.release();
    assert_eq!(chat.entry("call").await["state"], "done");
    world.settle("42").await;
    chat.catch_up().await;
    let kinds = kinds(&chat.entries(&id));
    let tail = ["confirmed", "holder operator", "call done"];
    assert!(kinds.ends_with(&tail.map(str::to_owned)), "no turn starts: {kinds:?}");
    assert_eq!(world.api.charges("7"), 1);
}

async fn what_the_customer_declines_or_writes_over_is_not_charged(mut world: World) {
    let mut chat = world.chat("42").await;
    let (id, call) = up_to_the_question(&mut world, &mut chat).await;
    chat.say(&id, "yes, do it").await;
    let lapsed = chat.entry("call").await;
    assert_eq!((&lapsed["state"], &lapsed["call_id"]), (&json!("refused"), &call), "typed words never approve");
    chat.holder("queue").await;
    let late = chat.confirm(&id, &call, true).await;
    assert_eq!(chat.answer(&late).await, Err("confirm_gone".to_owned()));
    assert_eq!(world.api.charges("7"), 0);

    let mut other = world.chat("43").await;
    let id = world.talk(&mut other, "43", "8").await;
    other.choose(&id, "Try again").await;
    other.hears().await;
    other.choose(&id, "card-b").await;
    let call = other.entry("confirm").await["call_id"].clone();
    world.claim(ANA, &id).await;
    assert_eq!(other.entry("call").await["state"], "refused", "a takeover lets it lapse");
    world.act(ANA, &id, "release", json!({})).await;
    other.holder("assistant").await;
    other.choose(&id, "card-b").await;
    let again = other.entry("confirm").await["call_id"].clone();
    assert_ne!(again, call);
    other.confirm(&id, &again, false).await;
    assert_eq!(other.hears().await, "All right, I leave it as it is.");
    assert_eq!(world.api.charges("8"), 0);
}

async fn a_server_that_stops_waits_for_a_write_under_way(mut world: World) {
    let mut chat = world.chat("42").await;
    world.event("voucher.due", "42", json!({})).await;
    let id = chat.opened().await;
    chat.choose(&id, "Yes please").await;
    let call = chat.entry("confirm").await["call_id"].clone();
    world.api.is(Mood::Slow);
    chat.confirm(&id, &call, true).await;
    let api = world.api.clone();
    until("the voucher is asked for", || async { api.vouchers() == 1 }).await;
    let store = Arc::clone(&world.server().store);
    let own = ActorId::user("42").partition(store.partitions());
    let idle = (0..).map(Partition).find(|partition| *partition != own).unwrap();
    // Without a key nobody could ask again: cut off, its end would be unknown.
    tokio::join!(world.down(), async {
        until("it gives leases back", || async {
            store.acquire(idle, "other", Duration::from_millis(1)).await.unwrap().is_some()
        })
        .await;
        api.release();
        drop(store);
    });
    world.restart().await;
    world
        .until_conversation(&id, "it is told", |c| c["entries"].to_string().contains("The voucher is on its way."))
        .await;
    assert_eq!(world.api.vouchers(), 1);
}
