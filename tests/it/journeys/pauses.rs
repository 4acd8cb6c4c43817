//! Playbooks are paused and resumed.

use serde_json::json;

use super::journeys;
use super::world::{World, of_kind};

journeys!(
    a_paused_playbook_opens_nothing_and_what_is_open_goes_on,
    a_pause_holds_for_whatever_is_sent_after_its_answer,
    a_paused_playbook_is_opened_by_nobody,
);

async fn a_pause_holds_for_whatever_is_sent_after_its_answer(mut world: World) {
    for round in 0..5 {
        let (paused, resumed) = (format!("p{round}"), format!("r{round}"));
        assert_eq!(world.post("/v1/playbooks/checkout-trouble/pause", json!(null)).await.0, 200);
        let refused = world.decline(&paused, "1").await;
        assert_eq!(world.post("/v1/playbooks/checkout-trouble/resume", json!(null)).await.0, 200);
        let opened = world.decline(&resumed, "1").await;
        assert_eq!(world.outcome(&refused).await["decisions"][0]["verdict"], "paused", "round {round}");
        let verdict = world.outcome(&opened).await["decisions"][0]["verdict"].clone();
        assert!(["waiting", "opened"].contains(&verdict.as_str().unwrap()), "round {round}: {verdict}");
    }
}

async fn a_paused_playbook_is_opened_by_nobody(world: World) {
    let wanted = |customer: &str| {
        let facts = json!({ "order_id": "7", "attempt": 2, "total": 89.5 });
        json!({ "customer": format!("user:{customer}"), "playbook": "checkout-trouble", "facts": facts })
    };
    assert_eq!(world.post("/v1/playbooks/checkout-trouble/pause", json!(null)).await.0, 200);
    let (status, refused) = world.post("/v1/conversations", wanted("42")).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("paused"), "{refused}");
    assert_eq!(world.post("/v1/playbooks/checkout-trouble/resume", json!(null)).await.0, 200);
    let (status, opened) = world.post("/v1/conversations", wanted("42")).await;
    assert_eq!(status, 201, "{opened}");
}

async fn a_paused_playbook_opens_nothing_and_what_is_open_goes_on(mut world: World) {
    let mut chat = world.chat("42").await;
    let running = world.talk(&mut chat, "42", "7").await;
    let unseen = world.decline("77", "1").await;
    let unseen_id = world.until_verdict(&unseen, "waiting").await["conversation"].as_str().unwrap().to_owned();
    world.until_conversation(&unseen_id, "the opening is said", |c| c["last_seq"] == 1).await;

    let (status, list) = world.post("/v1/playbooks/checkout-trouble/pause", json!(null)).await;
    assert_eq!(status, 200);
    let paused = list["items"].as_array().unwrap().iter().find(|p| p["name"] == "checkout-trouble").unwrap();
    assert_eq!(paused["state"], "paused");
    let withdrawn = world.until_verdict(&unseen, "expired").await;
    assert_eq!(withdrawn["reason"], "the playbook was paused");
    let late = world.chat("77").await;
    assert_eq!(late.welcome["conversations"], json!([]));

    let refused = world.decline("78", "2").await;
    world.until_verdict(&refused, "paused").await;
    let data = json!({ "order_id": "7", "attempt": 3, "total": 89.5 });
    let joined = world.event("checkout.payment_failed", "42", data).await;
    world.until_verdict(&joined, "joined").await;
    assert_eq!(of_kind(&world.trace(&running).await, "event").len(), 2);
    chat.choose(&running, "Use another card").await;
    assert_eq!(chat.hears().await, "Which card?", "a running conversation goes on");
    let other = world.event("quick.opened", "78", json!({ "id": "a", "level": 2 })).await;
    world.until_verdict(&other, "waiting").await;

    assert_eq!(world.post("/v1/playbooks/unheard-of/pause", json!(null)).await.0, 404);
    assert_eq!(world.post("/v1/playbooks/checkout-trouble/resume", json!(null)).await.0, 200);
    world.holds_everywhere().await;
    let mut back = world.chat("77").await;
    // The place in the limit is free again, for the withdrawn opening gave it back.
    world.decline("77", "again").await;
    back.opened().await;
}
