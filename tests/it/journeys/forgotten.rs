//! An erased customer's events: nobody finds them, though the inbox may keep an input longer than the record.

use reqwest::Method;
use serde_json::{Value, json};

use super::journeys;
use super::world::{World, until};

journeys!(an_erased_customers_event_is_not_pending_while_the_inbox_still_has_it);

async fn an_erased_customers_event_is_not_pending_while_the_inbox_still_has_it(mut world: World) {
    let event = world.event("nobody.listens", "42", json!({ "secret": "xyzzy-4711" })).await;
    world.outcome(&event).await;
    let input = world.archived_input(&event);
    assert_eq!(world.rest(Method::DELETE, "/v1/customers/user:42", Value::Null).await.0, 204);
    let path = format!("/v1/events/{event}");
    until("the record has forgotten it", || async { world.rest(Method::GET, &path, Value::Null).await.0 == 404 }).await;

    // As where the inbox is trimmed late, or the store is away just then.
    world.put_back(&event, &input);
    let (status, told) = world.rest(Method::GET, &path, Value::Null).await;
    assert_eq!(status, 404, "{told}");
    let by_sender = world.get("/v1/events?id=e-1").await;
    assert_eq!(by_sender["items"], json!([]));
    let known = world.rest(Method::GET, "/v1/customers/user:42", Value::Null).await.1;
    assert!(!known.to_string().contains("xyzzy"), "{known}");

    // Another customer's event is told of all the same, before it is archived and after.
    let other = world.event("nobody.listens", "43", json!({})).await;
    let (status, told) = world.rest(Method::GET, &format!("/v1/events/{other}"), Value::Null).await;
    assert_eq!((status, &told["customer"]), (200, &json!("user:43")));
    world.outcome(&other).await;
}
