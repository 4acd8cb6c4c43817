//! A person takes over: asked for, claimed, speaking, handing back; or nobody comes.

use beckon::record::{ConversationFilter, View};
use reqwest::Method;
use serde_json::json;

use super::journeys;
use super::model::Says;
use super::world::{ANA, BEN, World, of_kind, until};

journeys!(
    a_person_is_asked_for_comes_and_hands_back,
    of_two_operators_who_claim_at_once_one_gets_it,
    labels_and_priority_are_for_the_team_alone,
    where_nobody_comes_the_assistant_stays_and_it_stays_listed,
    an_operator_closes_what_it_holds,
    a_takeover_stops_the_reply_on_its_way,
);

async fn a_person_is_asked_for_comes_and_hands_back(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.say(&id, "I want a human").await;
    let queue = chat.holder("queue").await;
    assert_eq!(queue["by"], "system");
    assert_eq!(world.conversation(&id).await["holder"], "queue");
    chat.say(&id, "hello?").await;
    world.settle("42").await;
    assert!(world.trace(&id).await.iter().all(|entry| entry["by"] != "assistant" || entry["seq"] == 1), "silent");

    assert_eq!(world.write(ANA, &id, "not yet mine").await.0, 409);
    let entry = world.claim(ANA, &id).await;
    assert_eq!((&entry["holder"], &entry["name"]), (&json!("operator"), &json!("Ana")));
    assert_eq!(chat.holder("operator").await["name"], "Ana");
    let (status, written) = world.write(ANA, &id, "Hello, this is Ana.").await;
    assert_eq!((status, &written["by"]), (200, &json!("operator")));
    assert_eq!(chat.hears().await, "Hello, this is Ana.");
    assert_eq!(world.write(BEN, &id, "And I am Ben.").await.0, 409);
    assert_eq!(world.act(BEN, &id, "release", json!({})).await.0, 409);

    let (status, _) = world.act(ANA, &id, "release", json!({ "note": "she has paid by now" })).await;
    assert_eq!(status, 200);
    chat.holder("assistant").await;
    world.settle("42").await;
    chat.catch_up().await;
    assert_eq!(chat.entries(&id).last().unwrap()["kind"], "holder", "Ana spoke last, so the assistant is silent");

    world.claim(ANA, &id).await;
    chat.say(&id, "use another card please").await;
    let said = chat.wait("own words", |f| f["kind"] == "message" && f["by"] == "customer" && f["seq"] == 9).await;
    assert_eq!(said["text"], "use another card please");
    world.act(ANA, &id, "release", json!({})).await;
    assert_eq!(chat.hears().await, "Which card?", "the customer spoke last, so the assistant answers");
    let trace = world.trace(&id).await;
    let note = of_kind(&trace, "note")[0];
    assert_eq!((&note["text"], &note["name"]), (&json!("she has paid by now"), &json!("Ana")));
    assert!(!chat.story().contains("she has paid"), "a note is not for the customer");
}

async fn labels_and_priority_are_for_the_team_alone(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    let path = format!("/v1/conversations/{id}");
    let judged = json!({ "client_id": "triage-000000001", "priority": "urgent", "add": [" Planted  LABEL", "vip"] });
    let (status, told) = world.act(ANA, &id, "triage", judged.clone()).await;
    let both = json!(["planted label", "vip"]);
    assert_eq!((status, &told["priority"], &told["labels"]), (200, &json!("urgent"), &both), "{told}");
    // It was said once, whoever sends it again and whatever came between.
    let less = json!({ "client_id": "triage-000000002", "priority": "low", "remove": ["vip"] });
    assert_eq!(world.act(BEN, &id, "triage", less).await.0, 200);
    let (status, told) = world.act(ANA, &id, "triage", judged).await;
    assert_eq!((status, &told["priority"], &told["labels"]), (200, &json!("low"), &json!(["planted label"])), "{told}");
    let shown = world.conversation(&id).await;
    assert_eq!((&shown["priority"], &shown["labels"]), (&json!("low"), &json!(["planted label"])), "{path}");
    let trace = world.trace(&id).await;
    let acts = of_kind(&trace, "triaged");
    assert_eq!(acts.len(), 2, "{acts:?}");
    assert_eq!((&acts[0]["name"], &acts[0]["add"]), (&json!("Ana"), &both));

    let listed = async |query: &str| {
        let list = world.get(&format!("/v1/conversations?{query}")).await;
        list["items"].as_array().unwrap().iter().any(|row| row["id"] == id.as_str())
    };
    until("it is listed by what it was given", async || listed("label=Planted%20Label&priority=low").await).await;
    assert!(!listed("label=vip").await && !listed("priority=urgent").await);

    // What restarts, and what is read again, has the same; and no frame ever tells the customer.
    world.restart().await;
    let mut back = world.chat("42").await;
    back.catch_up().await;
    let shown = world.conversation(&id).await;
    assert_eq!((&shown["priority"], &shown["labels"]), (&json!("low"), &json!(["planted label"])));
    for frames in [chat.story(), back.story()] {
        for secret in ["planted", "labels", "priority", "urgent", "triage"] {
            assert!(!frames.to_lowercase().contains(secret), "{secret} in {frames}");
        }
    }
}

async fn of_two_operators_who_claim_at_once_one_gets_it(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.say(&id, "a human please").await;
    chat.holder("queue").await;
    let n = world.conversation(&id).await["holder_n"].clone();
    let (ana, ben) =
        tokio::join!(world.act(ANA, &id, "claim", json!({ "n": n })), world.act(BEN, &id, "claim", json!({ "n": n })),);
    let mut statuses = [ana.0, ben.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{ana:?} {ben:?}");
    let (winner, loser) = if ana.0 == 200 { (ANA, BEN) } else { (BEN, ANA) };
    assert_eq!(world.write(loser, &id, "mine").await.0, 409);
    assert_eq!(world.write(winner, &id, "Hello.").await.0, 200);
    assert_eq!(chat.hears().await, "Hello.");
    // Who comes later knows the newest entry, and takes over on purpose.
    world.claim(loser, &id).await;
    assert_eq!(world.write(winner, &id, "Still me?").await.0, 409);
}

async fn where_nobody_comes_the_assistant_stays_and_it_stays_listed(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    chat.say(&id, "is there a person?").await;
    chat.holder("queue").await;
    assert_eq!(chat.hears().await, "Nobody is free right now.");
    chat.holder("assistant").await;
    chat.say(&id, "then you").await;
    assert_eq!(chat.hears().await, "You said then you.");

    let filter = ConversationFilter {
        view: View::NeedsPerson { operator: "key:Ana".to_owned(), now: beckon::model::time::Ms(0) },
        ..ConversationFilter::default()
    };
    until("it is listed for operators", || async {
        let page = world.server().record.conversations(&filter, None, 50).await.unwrap();
        page.items.iter().any(|row| row.summary.id.to_string() == id && row.summary.unattended)
    })
    .await;
    world.claim(ANA, &id).await;
    chat.holder("operator").await;
}

async fn an_operator_closes_what_it_holds(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.claim(ANA, &id).await;
    assert_eq!(world.act(BEN, &id, "close", json!({})).await.0, 409);
    let (status, entry) = world.act(ANA, &id, "close", json!({})).await;
    assert_eq!((status, &entry["outcome"]), (200, &json!("closed_by_operator")), "{entry}");
    assert_eq!(chat.entry("closed").await["outcome"], "closed_by_operator");
    assert_eq!(world.conversation(&id).await["outcome"]["kind"], "closed_by_operator");
    assert_eq!(world.act(ANA, &id, "claim", json!({ "n": 3 })).await.0, 409);
    let (status, _) = world.rest_as(ANA, Method::POST, "/v1/conversations/0-1-1-1/claim", json!({ "n": 0 })).await;
    assert_eq!(status, 404);
}

async fn a_takeover_stops_the_reply_on_its_way(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Held("I think that you ought to ")]);
    chat.say(&id, "what now?").await;
    let delta = chat.frame("delta").await;
    world.claim(ANA, &id).await;
    let dropped = chat.frame("dropped").await;
    assert_eq!((&dropped["turn_id"], &dropped["conversation_id"]), (&delta["turn_id"], &json!(id)));
    world.model.release();
    world.write(ANA, &id, "Ana here.").await;
    world.settle("42").await;
    chat.catch_up().await;
    let trace = world.trace(&id).await;
    let claimed = trace.iter().position(|entry| entry["kind"] == "holder").unwrap();
    assert!(trace[claimed..].iter().all(|entry| entry["by"] != "assistant"), "{trace:#?}");
    assert_eq!(chat.words(&id).last().unwrap(), &("operator".to_owned(), "Ana here.".to_owned()));
}
