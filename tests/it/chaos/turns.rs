//! F2: killed between a model's call and the commit: the turn is finished by the next process, and answered once, or its
//! words are taken back.

use serde_json::json;

use super::chaos;
use super::process::Site;
use crate::journeys::model::{Model, Says};
use crate::journeys::world::assert_dense;
use crate::store::Place;

chaos!(
    a_turn_that_a_kill_cut_off_is_finished_and_answered_once,
    a_turn_that_a_kill_cut_off_and_nobody_can_finish_takes_its_words_back,
);

async fn a_turn_that_a_kill_cut_off_is_finished_and_answered_once(place: Place) {
    let model = Model::start().await;
    let site = Site::new(place, None).with_model(model.address);
    let process = site.start();
    let mut chat = site.chat(&process, "42", json!({})).await;
    site.event(&process, "quick.opened", "42", json!({ "id": "a", "level": 2 })).await;
    let id = chat.opened().await;
    chat.seen(&id, 1).await;
    model.will_say([Says::Held("This will never be "), Says::Words("Here is your answer.")]);
    let asked = chat.say(&id, "a question").await;
    chat.answer(&asked).await.unwrap();
    model.was_asked(1).await;
    let delta = chat.frame("delta").await;
    let (cursor, mut entries) = (chat.cursor(&id), chat.entries(&id));
    process.kill();

    let process = site.start();
    let mut back = site.chat(&process, "42", cursor).await;
    let path = format!("/v1/conversations/{id}");
    site.until(&process, "the turn is finished", &path, |c| c["last_seq"] == 3).await;
    // The frame is sent again, for its answer might have been lost: it gets the same.
    back.send(json!({ "type": "say", "client_id": asked, "conversation_id": id, "text": "something else" })).await;
    assert_eq!(back.answer(&asked).await, Ok(2));
    back.catch_up().await;
    // The words that were lost are replaced by the entry of their turn; nothing else is on a screen.
    assert_eq!(back.all("dropped"), [] as [serde_json::Value; 0], "{}", back.story());
    entries.extend(back.entries(&id));
    assert_dense(&entries);
    assert_eq!(entries.len(), 3, "one answer: {entries:#?}");
    assert_eq!((&entries[1]["text"], &entries[2]["text"]), (&json!("a question"), &json!("Here is your answer.")));
    assert_eq!(entries[2]["turn_id"], delta["turn_id"], "the same turn");
    assert!(entries[2]["try"].as_u64() > delta["try"].as_u64(), "a later try replaces what was shown");
    assert_eq!(model.requests().len(), 2);
}

async fn a_turn_that_a_kill_cut_off_and_nobody_can_finish_takes_its_words_back(place: Place) {
    let model = Model::start().await;
    let site = Site::new(place, None).with_model(model.address);
    let process = site.start();
    let mut chat = site.chat(&process, "42", json!({})).await;
    let data = json!({ "order_id": "7", "attempt": 2, "total": 89.5 });
    site.event(&process, "checkout.payment_failed", "42", data).await;
    let id = chat.opened().await;
    chat.seen(&id, 1).await;
    model.will_say([Says::Held("This will never be ")]);
    let asked = chat.say(&id, "What is the meaning of this?").await;
    chat.answer(&asked).await.unwrap();
    let delta = chat.frame("delta").await;
    let cursor = chat.cursor(&id);
    process.kill();

    // The model is busy until the customer is back, then answers 500; the script has no step for what was asked.
    model.will_say([Says::Busy(2)]);
    let process = site.start();
    let mut back = site.chat(&process, "42", cursor).await;
    // Where the new owner was faster than the client, the client's welcome has the end already, and shows no half words.
    if back.entries(&id).iter().all(|entry| entry["kind"] != "holder") {
        let dropped = back.frame("dropped").await;
        assert_eq!((&dropped["conversation_id"], &dropped["turn_id"]), (&json!(id), &delta["turn_id"]));
    }
    back.catch_up().await;
    let said = back.words(&id);
    assert_eq!(said.last().unwrap().1, "I can't reach my assistant right now. A colleague will join you.", "{said:?}");
    assert_dense(&[chat.entries(&id), back.entries(&id)].concat());
}
