//! Tokens signed by published keys: RS256 and ES256, each only by a key of its kind.

use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

use super::*;

/// Keys made for these tests; they sign nothing else.
const EC: &[u8] = include_bytes!("keys/ec.pem");
const RSA: &[u8] = include_bytes!("keys/rsa.pem");

fn published(key: &EncodingKey, algorithm: Algorithm, id: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    serde_json::to_value(jwk).unwrap()
}

async fn keys_at(set: Value) -> reqwest::Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/keys", get(move || async move { axum::Json(set) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url.parse().unwrap()
}

fn signed(key: &EncodingKey, algorithm: Algorithm, id: Option<&str>) -> String {
    let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, &json!({ "sub": "42", "exp": seconds() + 60 }), key).unwrap()
}

#[tokio::test]
async fn published_keys_verify_tokens_of_their_own_kind_only() {
    let (ec, rsa) = (EncodingKey::from_ec_pem(EC).unwrap(), EncodingKey::from_rsa_pem(RSA).unwrap());
    let odd = json!({ "kty": "made-up", "kid": "odd" });
    let published_ec = published(&ec, Algorithm::ES256, "ec");
    let set = json!({ "keys": [odd, published_ec, published(&rsa, Algorithm::RS256, "rsa")] });
    let mut settings = settings();
    settings.identity.jwks = Some(keys_at(set).await);
    let server = Server::with(settings, Shelf::default()).await;
    for good in [
        signed(&ec, Algorithm::ES256, Some("ec")),
        signed(&rsa, Algorithm::RS256, Some("rsa")),
        signed(&rsa, Algorithm::RS256, None),
        token("42"),
    ] {
        let (_, welcome) = server.hello(json!({ "type": "hello", "token": good })).await;
        assert_eq!(welcome["customer"], "user:42");
    }
    // The public key is public: as the secret of an HS256 token it proves nothing.
    let public = EncodingKey::from_secret(published_ec["x"].as_str().unwrap().as_bytes());
    for bad in [
        signed(&rsa, Algorithm::RS256, Some("ec")),
        signed(&rsa, Algorithm::RS512, Some("rsa")),
        signed(&ec, Algorithm::ES256, Some("unknown")),
        signed(&public, Algorithm::HS256, Some("ec")),
    ] {
        let mut client = server.connect().await;
        client.send(json!({ "type": "hello", "token": bad })).await;
        assert_eq!(client.closed().await.0, 4501);
    }
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_say_come_back_and_never_let_in() {
    let ec = EncodingKey::from_ec_pem(EC).unwrap();
    let mut settings = settings();
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    settings.identity.jwks = Some(format!("http://{}/keys", nobody.local_addr().unwrap()).parse().unwrap());
    drop(nobody);
    let server = Server::with(settings, Shelf::default()).await;
    let mut client = server.connect().await;
    client.send(json!({ "type": "hello", "token": signed(&ec, Algorithm::ES256, Some("ec")) })).await;
    assert_eq!(client.closed().await.0, 4503);
    server.user("42").await;
}
