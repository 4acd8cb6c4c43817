//! From a full cart to a paid order, through the pages and through the shop's API.

use axum::http::StatusCode;
use reqwest::{Client, Method};
use serde_json::json;

use crate::world::{API_KEY, World};

#[tokio::test]
async fn a_card_is_declined_twice_and_the_charge_that_beckon_makes_completes_the_checkout() {
    let mut world = World::start().await;
    let ana = world.visitor().await;
    let order = ana.order_a_lantern().await;
    let checkout = ana.page(&format!("/orders/{order}/checkout")).await;
    assert!(checkout.contains(r#"value="visa-0002" required checked"#), "the bad card is the default");

    for attempt in 1..=2 {
        assert_eq!(ana.pay(&order, "visa-0002").await, format!("/orders/{order}/checkout#declined"));
        let page = ana.page(&format!("/orders/{order}/checkout")).await;
        assert!(page.contains("Your card was declined.") && page.contains(&format!("This was attempt {attempt}.")));

        let (headers, event) = world.checkout().await;
        assert_eq!(headers["authorization"], format!("Bearer {API_KEY}"));
        assert_eq!(headers["content-type"], "application/cloudevents+json");
        assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("checkout.payment_failed")));
        assert_eq!((&event["source"], &event["subject"]), (&json!("shop"), &json!(ana.id)));
        assert!(event["time"].as_str().unwrap().ends_with('Z'));
        let number = format!("NW-{}", order.strip_prefix("o-").unwrap());
        let told = json!({ "order_id": order, "number": number, "attempt": attempt, "total": 89.5,
                           "currency": "EUR", "reason": "card_declined" });
        assert_eq!(event["data"], told);
    }

    let (_, told) = world.api(Method::GET, &format!("/customers/{}/orders/{order}", ana.id), None, None).await;
    assert_eq!((&told["status"], &told["total"]), (&json!("payment_failed"), &json!(89.5)));
    assert_eq!(told["lines"], json!([{ "title": "Storm lantern", "quantity": 1, "price": 89.5 }]));
    let (_, cards) = world.api(Method::GET, &format!("/customers/{}/cards", ana.id), None, None).await;
    assert_eq!(cards[0], json!({ "id": "visa-4242", "label": "Visa ending 4242", "expires": "04/29" }));
    assert_eq!(cards[2]["label"], "Visa ending 0002 (declined before)");

    let (status, paid) = world.charge(&ana.id, &order, "visa-4242", "c/3").await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!((&paid["status"], &paid["order_id"], &paid["total"]), (&json!("paid"), &json!(order), &json!(89.5)));

    let shown = ana.json(&format!("/orders/{order}/status")).await;
    assert_eq!((&shown["status"], &shown["label"], &shown["in_cart"]), (&json!("paid"), &json!("Paid"), &json!(0)));
    let completed = world.event().await;
    assert_eq!(completed["type"], "checkout.completed");
    assert_eq!((&completed["subject"], &completed["data"]["order_id"]), (&json!(ana.id), &json!(order)));
    assert_eq!((&completed["data"]["total"], world.charges(&order).await), (&json!(89.5), json!(1)));
}

#[tokio::test]
async fn a_charge_sent_again_under_its_key_is_answered_and_told_once() {
    let mut world = World::start().await;
    let ana = world.visitor().await;
    let order = ana.order_a_lantern().await;

    let declined = world.charge(&ana.id, &order, "visa-0002", "k-1").await;
    assert_eq!(declined.0, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(world.charge(&ana.id, &order, "visa-0002", "k-1").await, declined);
    let paid = world.charge(&ana.id, &order, "visa-4242", "k-2").await;
    assert_eq!(world.charge(&ana.id, &order, "visa-4242", "k-2").await, paid);
    assert_eq!(world.charge(&ana.id, &order, "visa-4242", "k-1").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.charge(&ana.id, &order, "mastercard-5100", "k-3").await.0, StatusCode::CONFLICT);
    assert_eq!(world.charges(&order).await, 1);

    // A second customer's decline marks the end of what the first one caused.
    let eva = world.visitor().await;
    let other = eva.order_a_lantern().await;
    eva.pay(&other, "visa-0002").await;
    assert_eq!(world.event().await["data"]["attempt"], 1);
    assert_eq!(world.event().await["type"], "checkout.completed");
    assert_eq!(world.event().await["subject"], eva.id);
}

#[tokio::test]
async fn another_customers_order_is_not_there() {
    let world = World::start().await;
    let (ana, eva) = (world.visitor().await, world.visitor().await);
    let order = ana.order_a_lantern().await;

    let (status, problem) = world.api(Method::GET, &format!("/customers/{}/orders/{order}", eva.id), None, None).await;
    assert_eq!((status, &problem["status"]), (StatusCode::NOT_FOUND, &json!(404)));
    assert_eq!(world.charge(&eva.id, &order, "visa-4242", "k").await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.charge(&ana.id, &order, "visa-9999", "k").await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.api(Method::GET, "/customers/nobody/cards", None, None).await.0, StatusCode::NOT_FOUND);

    assert_eq!(eva.get(&format!("/orders/{order}")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(eva.get(&format!("/orders/{order}/status")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(eva.pay(&order, "visa-4242").await, "/orders");
    assert_eq!(world.charges(&order).await, 0);
}

#[tokio::test]
async fn the_api_answers_nobody_without_its_token() {
    let world = World::start().await;
    let ana = world.visitor().await;
    for token in [None, Some("wrong"), Some(""), Some("a-shop-toke")] {
        let request = Client::new().get(format!("{}/api/customers/{}/cards", world.shop, ana.id));
        let request = token.map_or(request.try_clone().unwrap(), |token| request.bearer_auth(token));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_payment_that_cannot_be_read_is_a_named_error() {
    let world = World::start().await;
    let ana = world.visitor().await;
    let order = ana.order_a_lantern().await;
    let path = format!("/customers/{}/orders/{order}/payments", ana.id);
    let wrong = world.api(Method::POST, &path, None, Some(json!({ "card": 7 }))).await;
    assert_eq!((wrong.0, &wrong.1["pointer"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("/card")));
    let long = "k".repeat(256);
    let body = Some(json!({ "card": "visa-4242" }));
    assert_eq!(world.api(Method::POST, &path, Some(&long), body).await.0, StatusCode::BAD_REQUEST);
    let big = Some(json!({ "card": "x".repeat(20_000) }));
    assert_eq!(world.api(Method::POST, &path, None, big).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.charges(&order).await, 0);
}
