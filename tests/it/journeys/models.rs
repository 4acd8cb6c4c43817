//! A real model in front of the script: words on their way, calls, what it may not do.

use serde_json::{Value, json};

use super::journeys;
use super::model::Says;
use super::world::{World, assert_dense, of_kind};

journeys!(
    a_model_calls_a_tool_and_speaks_of_its_result,
    words_come_before_the_entry_that_replaces_them,
    a_model_offers_hands_over_and_closes,
    what_a_model_may_not_do_is_refused_recorded_and_told_to_it,
    of_several_calls_those_after_a_question_are_refused,
    a_message_supersedes_the_answer_on_its_way,
    a_model_that_only_calls_is_stopped,
);

async fn a_model_calls_a_tool_and_speaks_of_its_result(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    world.model.will_say([
        Says::Calls("shop__get_order", json!({ "id": "7" }).to_string()),
        Says::Words("Order N-7 is open, 89.50 EUR."),
    ]);
    chat.say(&id, "what about my order?").await;
    assert_eq!(chat.hears().await, "Order N-7 is open, 89.50 EUR.");
    let call = chat.entries(&id).into_iter().find(|e| e["kind"] == "call").unwrap();
    assert_eq!((&call["name"], &call["state"]), (&json!("shop.get_order"), &json!("done")));
    assert!(call.get("result").is_none(), "{call}");

    let requests = world.model.requests();
    assert_eq!(requests.len(), 2);
    let names: Vec<&Value> = requests[0]["tools"].as_array().unwrap().iter().map(|t| &t["function"]["name"]).collect();
    let tools = ["shop__get_order", "shop__list_cards", "shop__retry_payment", "offer", "handoff", "close"];
    assert_eq!(names, tools.map(|name| json!(name)).iter().collect::<Vec<_>>());
    let messages = requests[1]["messages"].as_array().unwrap();
    let result = messages.iter().find(|m| m["role"] == "tool").unwrap();
    let told: Value = serde_json::from_str(result["content"].as_str().unwrap()).unwrap();
    assert_eq!(told["state"], "done");
    assert_eq!(told["result"]["number"], "N-7");
    assert!(!requests[1].to_string().contains("do not show this"), "only the fields in `returns`");

    let trace = world.trace(&id).await;
    let step = of_kind(&trace, "step")[0];
    assert_eq!((&step["model"], &step["calls"][0]["operation"]), (&json!("stub"), &json!("shop.get_order")));
    assert_dense(&chat.entries(&id));
}

async fn words_come_before_the_entry_that_replaces_them(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Held("One two three four five ")]);
    chat.say(&id, "count").await;
    let first = chat.frame("delta").await;
    assert_eq!(first["index"], 0);
    let shown = |chat: &super::chat::Chat| -> String {
        chat.all("delta").iter().map(|delta| delta["text"].as_str().unwrap()).collect()
    };
    while shown(&chat) != "One two three four five " {
        chat.frame("delta").await;
    }
    world.model.release();
    let entry = chat.entry("message").await;
    let deltas = chat.all("delta");
    for (index, delta) in deltas.iter().enumerate() {
        assert_eq!(delta["index"], index, "dense from 0 within a try");
        assert_eq!((&delta["turn_id"], &delta["try"]), (&entry["turn_id"], &entry["try"]));
    }
    assert_eq!(entry["text"], "One two three four five");
    let typing = chat.all("typing");
    assert!(typing.iter().any(|frame| frame["by"] == "assistant"), "{}", chat.story());
}

async fn a_model_offers_hands_over_and_closes(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    let offer = json!({ "text": "What shall I do?", "choices": ["Retry", "Wait"] });
    world.model.will_say([Says::Calls("offer", offer.to_string())]);
    chat.say(&id, "hm").await;
    let offered = chat.wait("an offer", |f| f["kind"] == "message" && f["by"] == "assistant").await;
    assert_eq!(offered["text"], "What shall I do?");
    assert_eq!(
        offered["choices"],
        json!([{ "label": "Retry", "value": "Retry" }, { "label": "Wait", "value": "Wait" }])
    );
    world.model.will_say([Says::Words("Waiting, then.")]);
    chat.choose(&id, "Wait").await;
    assert_eq!(chat.hears().await, "Waiting, then.");

    let handoff = json!({ "reason": "wants a refund", "summary": "Card declined twice; wants her money back." });
    world.model.will_say([Says::Calls("handoff", handoff.to_string())]);
    chat.say(&id, "I want a refund").await;
    chat.holder("queue").await;
    let trace = world.trace(&id).await;
    let asked = of_kind(&trace, "handoff")[0];
    assert_eq!((&asked["reason"], &asked["summary"]), (&handoff["reason"], &handoff["summary"]));

    let mut other = world.chat("43").await;
    let id = world.talk(&mut other, "43", "8").await;
    world.model.will_say([Says::Calls("close", "{}".to_owned())]);
    other.say(&id, "that is all").await;
    assert_eq!(other.entry("closed").await["outcome"], "resolved");
    assert_eq!(world.conversation(&id).await["outcome"]["kind"], "resolved");
}

async fn what_a_model_may_not_do_is_refused_recorded_and_told_to_it(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    let paths = world.api.paths().len();
    let tries = [
        ("shop__send_voucher", json!({ "reason": "asked nicely" }).to_string(), "not one of the tools"),
        ("refund", json!({ "amount": 1_000 }).to_string(), "not one of the tools"),
        ("shop__get_order", json!({ "id": 7 }).to_string(), "the arguments do not fit"),
        ("shop__get_order", json!({}).to_string(), "the arguments do not fit"),
        ("shop__get_order", "{\"id\": \"7\"".to_owned(), "the arguments are no JSON"),
        ("shop__get_order", "[\"7\"]".to_owned(), "the arguments are no JSON object"),
        ("shop__get_order", json!({ "id": ".." }).to_string(), ""),
    ];
    for (name, arguments, why) in tries {
        world.model.will_say([Says::Calls(name, arguments.clone()), Says::Words("I cannot do that.")]);
        chat.say(&id, "do it").await;
        let said = chat.wait("an answer", |f| f["kind"] == "message" && f["by"] != "customer").await;
        assert_eq!(said["text"], "I cannot do that.", "{name} {arguments}");
        let trace = world.trace(&id).await;
        let call = *of_kind(&trace, "call").last().unwrap();
        assert!(call["state"] == "refused" || why.is_empty(), "{call}");
        assert!(call["problem"].as_str().unwrap().contains(why), "{call}");
        let told = world.model.last_asked();
        assert!(told.contains("refused") && told.contains(why) || why.is_empty(), "the model is told: {told}");
        if why.is_empty() {
            assert_eq!(call["state"], "failed", "it never leaves its place in the path: {call}");
        }
    }
    assert_eq!(world.api.paths().len(), paths, "nothing left for the API");
    assert_eq!(world.api.vouchers(), 0);

    // Another customer's order: whatever the model asks, it asks as this customer.
    world.model.will_say([
        Says::Calls("shop__get_order", json!({ "id": "99", "customer": "43" }).to_string()),
        Says::Words("There."),
    ]);
    chat.say(&id, "show me order 99 of customer 43").await;
    chat.wait("an answer", |f| f["text"] == "There.").await;
    assert!(world.api.paths().iter().all(|path| path.starts_with("/customers/42/")), "{:?}", world.api.paths());
    assert_dense(&chat.entries(&id));
}

async fn of_several_calls_those_after_a_question_are_refused(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    let pay = |card: &str| json!({ "id": "7", "card": card }).to_string();
    world.model.will_say([Says::CallsAll(vec![
        ("shop__list_cards", "{}".to_owned()),
        ("shop__retry_payment", pay("card-a")),
        ("shop__retry_payment", pay("card-b")),
        ("shop__get_order", json!({ "id": "7" }).to_string()),
    ])]);
    chat.say(&id, "pay with every card").await;
    let confirm = chat.entry("confirm").await;
    assert_eq!(confirm["summary"], "Charge card-a for order 7", "the adapter's words, never the model's");
    world.settle("42").await;
    let trace = world.trace(&id).await;
    let states: Vec<String> = of_kind(&trace, "call").iter().map(|c| format!("{} {}", c["name"], c["state"])).collect();
    let expected =
        ["\"shop.list_cards\" \"done\"", "\"shop.retry_payment\" \"refused\"", "\"shop.get_order\" \"refused\""];
    assert_eq!(states, expected);
    world.model.will_say([Says::Words("Paid with card A.")]);
    chat.confirm(&id, &confirm["call_id"], true).await;
    assert_eq!(chat.hears().await, "Paid with card A.");
    assert_eq!(world.api.charges("7"), 1);
    assert_eq!(world.api.keys().len(), 1);
}

async fn a_message_supersedes_the_answer_on_its_way(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.quick_talk(&mut chat, "42", "a").await;
    world.model.will_say([Says::Held("The answer to your first "), Says::Words("The answer to both.")]);
    chat.say(&id, "first question").await;
    let delta = chat.frame("delta").await;
    chat.say(&id, "second question").await;
    assert_eq!(chat.frame("dropped").await["turn_id"], delta["turn_id"]);
    assert_eq!(chat.hears().await, "The answer to both.");
    world.model.release();
    world.settle("42").await;
    chat.catch_up().await;
    let said: Vec<String> = chat.words(&id).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["Something happened to a.", "first question", "second question", "The answer to both."]);
    let asked = world.model.last_asked();
    assert!(asked.contains("first question") && asked.contains("second question"), "{asked}");
}

async fn a_model_that_only_calls_is_stopped(world: World) {
    let mut world = world.with_model().await;
    let mut chat = world.chat("42").await;
    let id = world.talk(&mut chat, "42", "7").await;
    world.model.will_say((0..20).map(|_| Says::Calls("shop__list_cards", "{}".to_owned())));
    chat.say(&id, "go").await;
    chat.holder("queue").await;
    assert_eq!(world.model.requests().len(), 8, "8 steps a turn");
    let last = chat.words(&id).last().cloned().unwrap();
    assert_eq!(last.1, "I can't reach my assistant right now. A colleague will join you.");
}
