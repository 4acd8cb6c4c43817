//! What the example companies' own doors hold, whoever asks: tokens, other customers, proofs, keys that come twice.

use serde_json::json;

use super::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_without_the_token_is_answered_and_no_customer_is_answered_about_another() {
    let doors = [
        ("shop", "/cart"),
        ("saas", "/slots"),
        ("bank", "/slots"),
        ("logistics", "/parcels/GN-1"),
        ("telecom", "/times"),
    ];
    for (example, path) in doors {
        let stage = Stage::of(example).await;
        let known = if example == "logistics" { 404 } else { 200 };
        assert_eq!(stage.doors(&stage.customer, path).await, (known, 401), "{example}");
        assert_eq!(stage.doors("c-somebody-else", path).await, (404, 401), "{example}");
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bank_blocks_no_card_before_its_customer_has_confirmed_and_blocks_it_once_after() {
    let mut stage = Stage::of("bank").await;
    let block = "/cards/visa-7710/block";
    assert_eq!(stage.write(block, "k-1", json!({})).await.0, 403);
    assert!(!stage.page("/").await.contains(">blocked<"));
    stage.press("/identity").await;
    assert_eq!(stage.write(block, "k-1", json!({})).await.0, 403, "this key has its answer");
    let first = stage.write(block, "k-2", json!({})).await;
    assert_eq!(first, (201, json!({ "card_id": "visa-7710", "card": "Visa ending 7710", "status": "blocked" })));
    assert_eq!(stage.write(block, "k-2", json!({})).await, first);
    assert_eq!(stage.write("/cards/visa-9999/block", "k-3", json!({})).await.0, 404);
    assert!(stage.page("/").await.contains(">blocked<"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_books_one_call_and_a_second_call_is_refused() {
    let stage = Stage::of("saas").await;
    let slots = stage.slots("/slots").await;
    let book = |key, slot: &str| {
        let (stage, body) = (&stage, json!({ "slot": slot }));
        async move { stage.write("/calls", key, body).await.0 }
    };
    assert_eq!(book("k-0", "Never, 3:00").await, 422);
    assert_eq!(book("k-1", &slots[0]).await, 201);
    assert_eq!(book("k-1", &slots[0]).await, 201, "the same answer");
    assert_eq!(book("k-1", &slots[1]).await, 422, "the key was for another time");
    assert_eq!(book("k-2", &slots[1]).await, 409);
    assert_eq!(stage.write("/calls", "k-3", json!({ "when": 1 })).await.1["pointer"], "/slot");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_that_is_ordered_twice_is_one_order() {
    let stage = Stage::of("shop").await;
    assert_eq!(stage.write("/orders", "k-1", json!({})).await.0, 409, "nothing is in it");
    assert_eq!(stage.write("/cart/lines", "k-2", json!({ "product": "beach-kite" })).await.1["items"], 1);
    assert_eq!(stage.write("/cart/lines", "k-3", json!({ "product": "beach-kite" })).await.1["items"], 1);
    assert_eq!(stage.write("/cart/lines", "k-4", json!({ "product": "a-boat" })).await.0, 422);
    let first = stage.write("/orders", "k-5", json!({})).await;
    assert_eq!((first.0, &first.1["total"]), (201, &json!(54.0)));
    assert_eq!(stage.write("/orders", "k-6", json!({})).await, first);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_area_is_named_page_by_page_and_one_outage_is_credited_once() {
    let mut stage = Stage::of("telecom").await;
    let mut found = Vec::new();
    for area in ["harbour", "mill-hill", "old-town"] {
        let mut after = "0".to_owned();
        loop {
            let (with, without) = stage.company_says(&format!("/api/areas/{area}/customers?after={after}")).await;
            assert_eq!(without, 401);
            let page = with["items"].as_array().unwrap();
            assert!(page.len() <= 20);
            found.extend(page.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(next) = with["following"].as_str() else { break };
            after = next.to_owned();
        }
    }
    let every = found.iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!((found.len(), every.len()), (3 * 45 + 1, 3 * 45 + 1), "everybody once");
    assert!(every.contains(&stage.customer));

    assert_eq!(stage.write("/outages/none/credit", "k-1", json!({})).await.0, 404);
    stage.press("/play/cut").await;
    let page = stage.page("/").await;
    let id = page.split_once("Outage number ").unwrap().1.split('<').next().unwrap();
    let credit = format!("/outages/{id}/credit");
    assert_eq!(stage.write(&credit, "k-2", json!({})).await, (201, json!({ "amount": "4.00 EUR" })));
    assert_eq!(stage.write(&credit, "k-2", json!({})).await.0, 201, "the same answer");
    assert_eq!(stage.write(&credit, "k-3", json!({})).await.0, 409);
    assert_eq!(stage.write("/callback", "k-4", json!({ "time": "Never" })).await.0, 422);
    stage.close().await;
}
