//! The customer token: how the shop tells Beckon who is looking at the page. Signed here, read there.

use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode, errors};
use serde::Serialize;

use crate::customer::Customer;

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
pub fn sign(customer: &Customer, key: &str) -> Result<String, errors::Error> {
    let now = Timestamp::now().as_second();
    let traits = Traits { name: customer.name };
    let claims = Claims { sub: &customer.id, iat: now, exp: now + LIFETIME, traits };
    encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes()))
}
