//! The customer token: how a company tells Beckon who is looking at the page. Signed here, read there.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode, errors};
use serde::Serialize;
use serde_json::json;

/// How long a token is good for, in seconds. The page fetches another when Beckon asks for one.
pub const LIFETIME: i64 = 15 * 60;

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: i64,
    exp: i64,
    traits: Traits<'a>,
}

#[derive(Serialize)]
struct Traits<'a> {
    name: &'a str,
}

/// A fresh token for this customer (JWT, HS256).
///
/// # Errors
/// If the key cannot sign.
pub fn sign(customer: &str, name: &str, key: &str) -> Result<String, errors::Error> {
    let now = Timestamp::now().as_second();
    let claims = Claims { sub: customer, iat: now, exp: now + LIFETIME, traits: Traits { name } };
    encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes()))
}

/// A fresh token as the document that a page asks for.
pub fn document(customer: &str, name: &str, key: &str) -> Response {
    match sign(customer, name, key) {
        Ok(token) => {
            let expires = Timestamp::now().as_second() + LIFETIME;
            Json(json!({ "customer": customer, "name": name, "token": token, "expires": expires })).into_response()
        }
        Err(error) => unsigned(&error),
    }
}

/// The answer where no token could be signed.
pub fn unsigned(error: &errors::Error) -> Response {
    tracing::error!(error = %error, "token not signed");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
