//! The server is restarted, its playbooks are changed, an input cannot be read: conversations go on.

use beckon::model::ids::{ActorId, Partition};
use beckon::model::input::To;
use beckon::store::NewInput;
use serde_json::{Value, json};

use super::journeys;
use super::model::Says;
use super::world::{KEY, World, assert_dense, of_kind, until};

journeys!(
    a_conversation_goes_on_after_a_restart,
    a_turn_under_way_is_finished_after_a_restart,
    a_changed_playbook_holds_for_new_conversations_only,
    the_first_event_is_judged_by_the_files_that_the_server_was_started_with,
    an_input_that_cannot_be_read_blocks_nobody,
    a_quarantined_customers_events_are_rejected_until_its_dead_letters_go,
    a_node_without_its_record_is_ready_and_says_so,
);

async fn a_conversation_goes_on_after_a_restart(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    chat.choose(&id, "Use another card").await;
    chat.hears().await;
    chat.choose(&id, "card-a").await;
    let confirm = chat.entry("confirm").await;
    let (cursor, mut entries) = (chat.cursor(&id), chat.entries(&id));
    world.restart().await;
    assert!(chat.next_within(std::time::Duration::from_secs(5)).await.is_none(), "the socket was closed");

    let mut back = world.chat_resuming("42", cursor).await;
    back.confirm(&id, &confirm["call_id"], true).await;
    assert_eq!(back.hears().await, "Order N-7 is paid.");
    entries.extend(back.entries(&id));
    assert_dense(&entries);
    assert_eq!(world.api.charges("7"), 1);
    let paid = world.event("checkout.completed", "42", json!({ "order_id": "7", "total": 89.5 })).await;
    assert_eq!(world.outcome(&paid).await["goals"][0]["conversation"], id.as_str());
}

async fn a_turn_under_way_is_finished_after_a_restart(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Held("This will never be "), Says::Words("Here is your answer.")]);
    chat.say(&id, "a question").await;
    let delta = chat.frame("delta").await;
    let (cursor, mut entries) = (chat.cursor(&id), chat.entries(&id));
    world.restart().await;

    let mut back = world.chat_resuming("42", cursor).await;
    world.until_conversation(&id, "the turn is finished", |c| c["last_seq"] == 3).await;
    back.catch_up().await;
    entries.extend(back.entries(&id));
    assert_dense(&entries);
    assert_eq!(entries[2]["text"], "Here is your answer.");
    assert_eq!(entries[2]["turn_id"], delta["turn_id"], "the same turn");
    assert!(entries[2]["try"].as_u64() > delta["try"].as_u64(), "a later try replaces what was shown");
    assert_eq!(world.model.requests().len(), 2);
}

async fn a_changed_playbook_holds_for_new_conversations_only(world: World) {
    let mut world = world.with_files(&[]).await;
    let revision = world.get("/v1/playbooks").await["revision"].as_u64().unwrap();
    let mut chat = world.chat("42").await;
    let running = world.quick_talk(&mut chat, "42", "a").await;

    let good = world.read_file("playbooks/quick.yaml");
    let changed = good.replace("Something happened", "Something new happened").replace("You said", "I hear");
    world.write_file("playbooks/quick.yaml", &changed);
    world.until_revision(revision + 1).await;
    let mut other = world.chat("43").await;
    let new = world.quick_talk(&mut other, "43", "b").await;
    assert_eq!(other.entries(&new)[0]["text"], "Something new happened to b.");
    other.say(&new, "yes").await;
    assert_eq!(other.hears().await, "I hear yes.");
    chat.say(&running, "yes").await;
    assert_eq!(chat.hears().await, "You said yes.", "a running conversation stays on its catalog");

    world.write_file("playbooks/quick.yaml", "playbook: quick\non: nothing\n");
    world.restart().await;
    assert_eq!(world.get("/v1/playbooks").await["revision"], revision + 1, "a broken file replaces nothing");
    let mut chat = world.chat("42").await;
    chat.say(&running, "still").await;
    assert_eq!(chat.hears().await, "You said still.", "over a restart too");
    let mut third_chat = world.chat("44").await;
    let third = world.quick_talk(&mut third_chat, "44", "c").await;
    assert_eq!(third_chat.entries(&third)[0]["text"], "Something new happened to c.");

    world.write_file("playbooks/quick.yaml", &good);
    world.until_revision(revision + 2).await;
}

async fn the_first_event_is_judged_by_the_files_that_the_server_was_started_with(world: World) {
    let mut world = world.with_files(&[]).await;
    world.down().await;
    let changed = world.read_file("playbooks/quick.yaml").replace("Something happened", "Something new happened");
    world.write_file("playbooks/quick.yaml", &changed);
    world.restart().await;
    let event = world.event("quick.opened", "42", json!({ "id": "a", "level": 2 })).await;
    let verdict = world.outcome(&event).await["decisions"][0].clone();
    let trace = world.trace(verdict["conversation"].as_str().unwrap()).await;
    assert_eq!(of_kind(&trace, "message")[0]["text"], "Something new happened to a.", "{verdict}");
}

async fn an_input_that_cannot_be_read_blocks_nobody(mut world: World) {
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    let store = std::sync::Arc::clone(&world.server().store);
    let partition: Partition = ActorId::user("42").partition(store.partitions());
    let input = |payload: &[u8]| NewInput {
        partition,
        actor: ActorId::user("42"),
        payload: payload.to_vec(),
        dedupe: None,
        bounded: true,
        guest: false,
    };
    let poisons = store
        .append(vec![input(b"\xff\xfenot even text"), input(br#"{"to":"partition","body":{"unheard_of":1}}"#)])
        .await
        .unwrap();
    chat.say(&id, "does it go on?").await;
    assert_eq!(chat.hears().await, "You said does it go on?.");

    let dead = store.dead(None, 10).await.unwrap();
    assert_eq!(dead.len(), 2);
    for (letter, poison) in dead.iter().zip(&poisons) {
        assert_eq!((letter.partition, letter.pos), (partition, poison.pos));
        let told: Value = serde_json::from_slice(&letter.payload).unwrap();
        assert!(told["reason"].as_str().unwrap().contains("cannot be read"), "{told}");
    }
    let ready = world.get("/readyz").await;
    assert_eq!((&ready["ready"], &ready["dead_letters"]), (&json!(true), &json!(2)));
}

async fn a_quarantined_customers_events_are_rejected_until_its_dead_letters_go(mut world: World) {
    let store = std::sync::Arc::clone(&world.server().store);
    let sick = ActorId::user("sick");
    let partition = sick.partition(store.partitions());
    let well =
        (0..).map(|n| format!("well{n}")).find(|id| ActorId::user(id).partition(store.partitions()) == partition);
    let well = well.unwrap();
    // Of a build to come: whom it concerns can be read, what it is cannot.
    let payload = json!({ "to": To::Actor(sick.clone()), "body": { "unheard_of": 1 } }).to_string().into_bytes();
    let poison = NewInput { partition, actor: sick.clone(), payload, dedupe: None, bounded: false, guest: false };
    let most = store_settings().dead_a_customer;
    store.append(vec![poison; usize::try_from(most).unwrap()]).await.unwrap();
    until("all are put aside", || async { store.fill().await.unwrap()[&partition].dead == most }).await;

    let event = |id: &str, customer: &str| json!({ "specversion": "1.0", "id": id, "source": "shop", "type": "a.b", "subject": customer });
    let (status, refused) = world.send_event(KEY, event("1", "sick")).await;
    assert_eq!((status, &refused["type"]), (409, &json!("/problems/quarantined")), "{refused}");
    let batch = json!([event("2", &well), event("3", "sick")]);
    let request = world.http.post(format!("{}/v1/events", world.url)).bearer_auth(KEY);
    let request = request.header("content-type", "application/cloudevents-batch+json").body(batch.to_string());
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["accepted"], 1, "{answer}");
    assert_eq!(
        (&answer["results"][0]["status"], &answer["results"][1]["status"]),
        (&json!("accepted"), &json!("rejected"))
    );
    assert_eq!(answer["results"][1]["error"]["type"], "/problems/quarantined", "{answer}");
    world.outcome(answer["results"][0]["event"].as_str().unwrap()).await;

    // All of them are found, page by page.
    let mut found = Vec::new();
    let mut path = "/v1/dead-letters?limit=20".to_owned();
    loop {
        let page = world.get(&path).await;
        found.extend(page["items"].as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["cursor"].as_str() else { break };
        path = format!("/v1/dead-letters?limit=20&cursor={cursor}");
    }
    assert_eq!(found.len() as u64, most);
    assert!(found.is_sorted_by(|a, b| a != b), "each once");
    let last = found.last().unwrap();
    assert_eq!(world.get(&format!("/v1/dead-letters/{last}")).await["input"]["body"], json!({ "unheard_of": 1 }));

    assert!(world.rest(reqwest::Method::DELETE, "/v1/customers/user:sick", Value::Null).await.0 < 300);
    assert_eq!(world.get("/v1/dead-letters").await["items"], json!([]), "erased with all else");
    world.event("a.b", "sick", Value::Null).await;
}

fn store_settings() -> beckon::store::Bounds {
    crate::store::Place::embedded().settings().bounds
}

async fn a_node_without_its_record_is_ready_and_says_so(mut world: World) {
    world.server().record.close().await;
    world.event("a.b", "42", Value::Null).await;
    let request = world.http.get(format!("{}/readyz", world.url)).send().await.unwrap();
    assert_eq!(request.status(), 200);
    let told: Value = request.json().await.unwrap();
    assert_eq!(told["ready"], true, "{told}");
    assert!(told["problems"][0].as_str().unwrap().contains("record"), "{told}");
}
