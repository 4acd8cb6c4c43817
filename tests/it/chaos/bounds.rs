//! F12b: inbox and effects both at their bounds: nothing new is taken, results still enter, and it drains.

use serde_json::{Value, json};

use super::chaos;
use super::process::{KEY, Process, Site};
use crate::journeys::model::{Model, Says};
use crate::store::{P0, Place, input, unbounded};
use beckon::store::StoreError;

chaos!(results_enter_where_inbox_and_effects_are_full_and_it_drains);

const EFFECTS: u64 = 3;
const INBOX: u64 = 5;

async fn results_enter_where_inbox_and_effects_are_full_and_it_drains(place: Place) {
    let model = Model::start().await;
    let mut site = Site::new(place, None).with_model(model.address);
    // Customers are held up at half of it.
    for (name, value) in [("PARTITIONS", 1), ("EFFECTS", 2 * EFFECTS), ("INBOX", 2 * INBOX)] {
        site.set(&format!("BECKON__STORE__{name}"), &value.to_string());
    }
    let process = site.start();
    let mut asked = Vec::new();
    for n in 0..EFFECTS {
        let customer = format!("c{n}");
        let mut chat = site.chat(&process, &customer, json!({})).await;
        site.event(&process, "quick.opened", &customer, json!({ "id": "a", "level": 2 })).await;
        let id = chat.opened().await;
        chat.seen(&id, 1).await;
        asked.push((chat, id));
    }
    model.will_say((0..EFFECTS).map(|_| Says::Held("Not yet ")));
    for (chat, id) in &mut asked {
        let client_id = chat.say(id, "a question").await;
        chat.answer(&client_id).await.unwrap();
    }
    site.until(&process, "the effects are full", "/readyz", |ready| ready["pending_effects"] == EFFECTS).await;
    let (chat, id) = &mut asked[0];
    let one_more = chat.say(id, "and another one").await;
    assert_eq!(chat.answer(&one_more).await.unwrap_err(), "unavailable");
    site.event(&process, "nobody.listens", "42", Value::Null).await;
    process.kill();

    site.set("BECKON__STORE__EFFECTS", &EFFECTS.to_string());
    site.set("BECKON__STORE__INBOX", &INBOX.to_string());
    model.will_say((0..EFFECTS).map(|_| Says::Held("Still not ")));
    let process = site.start();
    refused(&site, &process).await;
    process.kill();

    let store = site
        .store_with(|settings| {
            settings.bounds.effects = EFFECTS;
            settings.bounds.inbox = INBOX;
        })
        .await;
    let nobody = r#"{"to":"partition","body":"tick"}"#;
    store.append((0..INBOX).map(|_| unbounded(P0, nobody)).collect()).await.unwrap();
    let fill = store.fill().await.unwrap()[&P0];
    assert!(fill.undecided >= INBOX && fill.effects >= EFFECTS, "{fill:?}");
    let full = store.append(vec![input(P0, nobody)]).await.unwrap_err();
    assert!(matches!(full, StoreError::Full { .. }), "{full}");
    store.append(vec![unbounded(P0, nobody)]).await.unwrap();
    drop(store);

    model.will_say((0..EFFECTS).map(|_| Says::Words("Here is your answer.")));
    let process = site.start();
    site.until(&process, "it drains", "/readyz", |ready| {
        ready["pending_effects"] == 0 && ready["undecided_inputs"] == 0
    })
    .await;
    for (_, id) in &asked {
        let path = format!("/v1/conversations/{id}");
        let told = site.until(&process, "it is answered", &path, |c| c["last_seq"] == 3).await;
        assert_eq!(told["entries"][2]["text"], "Here is your answer.");
    }
    site.event(&process, "nobody.listens", "42", Value::Null).await;
}

/// An event is answered 503 with a time to come back, and is not taken.
async fn refused(site: &Site, process: &Process) {
    let event = json!({ "specversion": "1.0", "id": "1", "source": "chaos", "type": "a.b", "subject": "42" });
    let request = reqwest::Client::new().post(format!("{}/v1/events", process.url)).bearer_auth(KEY);
    let request = request.header("content-type", "application/cloudevents+json").body(event.to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let list = site.get(process, "/v1/events?id=1").await;
    assert_eq!(list["items"], json!([]));
}
