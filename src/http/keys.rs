//! API keys: who calls, and what that key may do.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::pace::Pace;
use super::problem::ApiError;
use crate::model::event::Trust;
use crate::model::input::Operator;
use crate::secret::Secret;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Send events and ask what became of them.
    Events,
    /// Read and lead conversations, read customers.
    Conversations,
    /// Everything: pause playbooks, erase customers.
    Admin,
}

/// One key of the configuration.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its name: what operators see of who did something.
    pub name: String,
    /// The key itself.
    pub key: Secret,
    /// What it may do.
    pub rights: Vec<Right>,
    /// The profile that reads its events, and the source of its Segment calls.
    pub source: Option<String>,
    /// It stands in web pages, so everybody has it: it may send events about anonymous customers, and nothing else.
    pub browser: bool,
}

impl ApiKey {
    /// Who vouches for what comes by this key.
    pub fn trust(&self) -> Trust {
        if self.browser { Trust::Client } else { Trust::Server }
    }

    /// Who speaks, where this key speaks to a customer.
    pub fn operator(&self) -> Operator {
        Operator { id: format!("key:{}", self.name), name: self.name.clone() }
    }

    fn may(&self, right: Right) -> bool {
        let given = self.rights.contains(&right) || self.rights.contains(&Right::Admin);
        given && (!self.browser || right == Right::Events)
    }
}

/// All keys.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    key: ApiKey,
    digest: [u8; 32],
    pace: Pace,
}

impl Keys {
    /// Keys to know callers by; each may call `rate` times a second.
    pub fn new(keys: Vec<ApiKey>, rate: u32) -> Keys {
        let known = |key: ApiKey| Known { digest: digest(key.key.reveal()), key, pace: Pace::new(rate) };
        Keys { keys: keys.into_iter().map(known).collect() }
    }

    /// The caller, by `Authorization: Bearer`.
    ///
    /// # Errors
    /// 401: no known key; 403: it may not do this; 429: it calls too often.
    pub fn authenticate(&self, headers: &HeaderMap, right: Right) -> Result<&ApiKey, ApiError> {
        self.allow(bearer(headers), right)
    }

    /// The caller, where browsers' keys have no business.
    ///
    /// # Errors
    /// As [`Keys::authenticate`], and 403 for a browser's key.
    pub fn authenticate_secret(&self, headers: &HeaderMap, right: Right) -> Result<&ApiKey, ApiError> {
        let key = self.authenticate(headers, right)?;
        if key.browser { Err(forbidden()) } else { Ok(key) }
    }

    /// The caller, by what was given as a key.
    ///
    /// # Errors
    /// 401: no known key; 403: it may not do this; 429: it calls too often.
    pub fn allow(&self, given: Option<String>, right: Right) -> Result<&ApiKey, ApiError> {
        let known = self.known(&given.ok_or_else(unknown)?).ok_or_else(unknown)?;
        known.pace.take(Instant::now()).map_err(too_often)?;
        if known.key.may(right) { Ok(&known.key) } else { Err(forbidden()) }
    }

    /// The key that was given. Every key is compared, by hashes of one length: time says nothing of which is near.
    pub fn find(&self, given: &str) -> Option<&ApiKey> {
        self.known(given).map(|known| &known.key)
    }

    fn known(&self, given: &str) -> Option<&Known> {
        let given = digest(given);
        let mut found = None;
        for known in &self.keys {
            if bool::from(known.digest.ct_eq(&given)) {
                found = Some(known);
            }
        }
        found
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn unknown() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid API key is needed.")
}

fn too_often(wait: Duration) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "This API key calls too often; wait a moment.",
    );
    error.retry_after = Some(wait);
    error
}

fn forbidden() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", "This API key may not do this.")
}

/// What follows `Bearer` in the authorization header.
pub fn bearer(headers: &HeaderMap) -> Option<String> {
    credentials(headers, "bearer").map(str::to_owned)
}

/// The user name of a Basic authorization: Segment's libraries put the key there; some forget the colon.
pub fn basic(headers: &HeaderMap) -> Option<String> {
    let packed = credentials(headers, "basic")?;
    let bytes = STANDARD.decode(packed).or_else(|_| STANDARD_NO_PAD.decode(packed)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text.split(':').next().unwrap_or_default().to_owned())
}

fn credentials<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let (given, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let key = |name: &str, rights: &[Right], browser| ApiKey {
            name: name.to_owned(),
            key: Secret::new(format!("k-{name}")),
            rights: rights.to_vec(),
            source: None,
            browser,
        };
        Keys::new(
            vec![
                key("shop", &[Right::Events], false),
                key("page", &[Right::Events, Right::Conversations], true),
                key("root", &[Right::Admin], false),
            ],
            100,
        )
    }

    fn status(given: Option<&str>, right: Right) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some(given) = given {
            headers.insert(header::AUTHORIZATION, given.parse().unwrap());
        }
        keys().authenticate(&headers, right).map_or_else(|error| error.status.as_u16(), |_| 200)
    }

    #[test]
    fn a_key_opens_what_its_rights_say_and_nothing_else() {
        assert_eq!(status(Some("Bearer k-shop"), Right::Events), 200);
        assert_eq!(status(Some("bearer  k-shop "), Right::Events), 200);
        assert_eq!(status(Some("Bearer k-shop"), Right::Conversations), 403);
        assert_eq!(status(Some("Bearer k-root"), Right::Conversations), 200);
        assert_eq!(status(Some("Bearer k-page"), Right::Conversations), 403);
        assert_eq!(status(Some("Bearer k-sho"), Right::Events), 401);
        assert_eq!(status(Some("Bearer "), Right::Events), 401);
        assert_eq!(status(Some("Basic k-shop"), Right::Events), 401);
        assert_eq!(status(None, Right::Events), 401);
    }

    #[test]
    fn basic_carries_the_key_as_the_user_with_or_without_a_colon() {
        let mut headers = HeaderMap::new();
        for given in ["Basic d2tfdGVzdDo=", "Basic d2tfdGVzdA==", "basic d2tfdGVzdA"] {
            headers.insert(header::AUTHORIZATION, given.parse().unwrap());
            assert_eq!(basic(&headers).as_deref(), Some("wk_test"), "{given}");
        }
    }

    #[test]
    fn keys_do_not_show_in_debug() {
        assert!(!format!("{:?}", keys().keys.iter().map(|known| &known.key).collect::<Vec<_>>()).contains("k-shop"));
    }
}
