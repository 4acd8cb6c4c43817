//! What Beckon is told, also when it would not listen at first.

use axum::http::StatusCode;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_event_comes_again_under_its_id_until_beckon_takes_it_and_no_other_overtakes_it() {
    let not_now = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    let mut world = World::start_with(&not_now, 1).await;
    let ana = world.visitor().await;
    ana.send("/cart/lines", "product=storm-lantern").await;
    ana.send("/cart/lines", "product=storm-lantern").await;

    let first = world.sent().await.1;
    assert_eq!(world.sent().await.1, first);
    assert_eq!(world.sent().await.1, first);
    let second = world.sent().await.1;
    assert_eq!((&first["data"]["items"], &second["data"]["items"]), (&json!(1), &json!(2)));
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn an_event_that_beckon_refuses_for_good_holds_up_no_other() {
    let mut world = World::start_with(&[StatusCode::BAD_REQUEST], 0).await;
    let ana = world.visitor().await;
    let order = ana.order_a_lantern().await;
    ana.pay(&order, "visa-0002").await;
    ana.pay(&order, "visa-4242").await;
    assert_eq!(world.sent().await.1["type"], "cart.updated", "this one was refused");
    assert_eq!(world.event().await["data"]["attempt"], 1);
    assert_eq!(world.event().await["type"], "checkout.completed");
}

#[tokio::test]
async fn a_cart_is_told_of_until_it_is_paid_or_emptied_and_so_is_what_was_looked_at() {
    let mut world = World::start().await;
    let ana = world.visitor().await;
    ana.page("/products/beach-kite").await;
    let order = ana.order_a_lantern().await;
    ana.pay(&order, "visa-4242").await;
    ana.send("/cart/lines", "product=deck-mug").await;
    ana.send("/cart/lines", "product=deck-mug&quantity=0").await;
    let mut told = Vec::new();
    for _ in 0..6 {
        let event = world.sent().await.1;
        assert_eq!(event["subject"], ana.id.as_str());
        told.push((event["type"].as_str().unwrap().to_owned(), event["data"].clone()));
    }
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    let cart = ["product.viewed", "cart.updated", "checkout.completed", "cart.ended", "cart.updated", "cart.ended"];
    assert_eq!(kinds, cart);
    assert_eq!(told[0].1, json!({ "product": "beach-kite", "title": "Beach kite", "price": 54.0 }));
    assert_eq!(told[1].1, json!({ "items": 1, "total": 89.5, "currency": "EUR" }));
    assert_eq!((&told[3].1, &told[5].1), (&json!({ "reason": "paid" }), &json!({ "reason": "emptied" })));
}

#[tokio::test]
async fn a_play_makes_somebody_new_to_whom_it_happened_a_while_ago() {
    let mut world = World::start().await;
    let ana = world.visitor().await;
    assert_eq!(ana.send("/play/cart", "").await, "/cart");
    let cart = world.sent().await.1;
    assert_ne!(cart["subject"], ana.id.as_str());
    let ago = jiff::Timestamp::now().duration_since(cart["time"].as_str().unwrap().parse().unwrap());
    assert!((29..31).contains(&ago.as_mins()), "{ago}");
    ana.send("/play/looks", "").await;
    for product in ["storm-lantern", "harbour-kettle", "deck-mug"] {
        assert_eq!(world.sent().await.1["data"]["product"], product);
    }
}
