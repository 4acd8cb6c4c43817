//! What a page carries, and who may send its forms.

use axum::http::StatusCode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use crate::world::{IDENTITY_KEY, Visitor, World};

#[tokio::test]
async fn a_page_names_beckon_once_and_says_who_is_looking_by_a_signed_token() {
    let world = World::start().await;
    let ana = world.visitor().await;
    let front = ana.get("/").await;
    assert!(front.headers().get("set-cookie").is_none(), "a known visitor stays the same");
    let policy = front.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let (http, ws) = (&world.beckon, world.beckon.replace("http", "ws"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; script-src 'self' {http}; connect-src 'self' {http} {ws}; style-src 'self'; \
             img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    );

    let page = front.text().await.unwrap();
    let (_, tag) = page.split_once(&format!(r#"<script async src="{http}/widget.js" data-token=""#)).unwrap();
    let on_page = tag.split('"').next().unwrap();
    let fresh = ana.json("/token").await;
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_required_spec_claims(&["exp", "sub"]);
    for token in [on_page, fresh["token"].as_str().unwrap()] {
        let key = DecodingKey::from_secret(IDENTITY_KEY.as_bytes());
        let claims = decode::<Value>(token, &key, &rules).unwrap().claims;
        assert_eq!((&claims["sub"], &claims["traits"]["name"]), (&json!(ana.id), &fresh["name"]));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 15 * 60);
    }
    for inline in ["<style", " style=", "onclick", "<script>"] {
        assert!(!page.contains(inline), "{inline} would be blocked by the policy");
    }
}

#[tokio::test]
async fn a_form_that_another_site_sends_changes_nothing() {
    let world = World::start().await;
    let ana = world.visitor().await;
    let order = ana.order_a_lantern().await;
    let request = ana.http.post(format!("{}/orders/{order}/pay", world.shop)).header("cookie", &ana.cookie);
    let request = request.header("sec-fetch-site", "cross-site");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body("card=visa-4242");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(world.charges(&order).await, 0);
}

#[tokio::test]
async fn somebody_who_starts_over_is_somebody_new() {
    let world = World::start().await;
    let ana = world.visitor().await;
    let request = ana.http.post(format!("{}/leave", world.shop)).header("cookie", &ana.cookie);
    let left = request.send().await.unwrap();
    let cookie = left.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("northwind=;") && cookie.contains("Path=/") && cookie.contains("Max-Age=0"), "{cookie}");
    assert_ne!(world.visitor().await.id, ana.id);
    let stranger = Visitor { cookie: "northwind=forged".into(), ..ana };
    assert_eq!(stranger.get("/token").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.send("/checkout", "").await, "/");
}
