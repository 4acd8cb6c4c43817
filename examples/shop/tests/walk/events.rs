//! What Beckon is told, also when it would not listen at first.

use axum::http::StatusCode;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_event_comes_again_under_its_id_until_beckon_takes_it_and_no_other_overtakes_it() {
    let not_now = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    let mut world = World::start_with(&not_now, 1).await;
    let ana = world.visitor().await;
    let order = ana.order_a_lantern().await;
    ana.pay(&order, "visa-0002").await;
    ana.pay(&order, "visa-0002").await;

    let first = world.event().await;
    assert_eq!(world.event().await, first);
    assert_eq!(world.event().await, first);
    let second = world.event().await;
    assert_eq!((&first["data"]["attempt"], &second["data"]["attempt"]), (&json!(1), &json!(2)));
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn an_event_that_beckon_refuses_for_good_holds_up_no_other() {
    let mut world = World::start_with(&[StatusCode::BAD_REQUEST], 0).await;
    let ana = world.visitor().await;
    let order = ana.order_a_lantern().await;
    ana.pay(&order, "visa-0002").await;
    ana.pay(&order, "visa-4242").await;
    assert_eq!(world.event().await["data"]["attempt"], 1);
    assert_eq!(world.event().await["type"], "checkout.completed");
}
