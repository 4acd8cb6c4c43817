//! Published keys (JWKS): fetched when needed, kept for a while, bounded in time and size.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

/// Keys are fetched again after this.
const FRESH: Duration = Duration::from_secs(600);
/// At the earliest after this where a token names a key that is not there, or fetching failed.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest a fetch may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest set of keys, in bytes.
const MAX_BYTES: usize = 256 * 1_024;
/// The most keys looked at.
const MAX_KEYS: usize = 50;

/// A published key with the one algorithm it is good for.
#[derive(Debug, Clone)]
pub struct PublishedKey {
    /// `kid`.
    pub id: Option<String>,
    /// By the kind of key: RS256 or ES256.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

/// The keys at one address.
#[derive(Debug)]
pub struct Jwks {
    url: reqwest::Url,
    client: reqwest::Client,
    held: Mutex<Held>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Option<Arc<[PublishedKey]>>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

impl Held {
    /// Whether keys should be fetched: they are old, or this one is not among them; and it was not tried just now.
    fn wants(&self, kid: Option<&str>) -> bool {
        let old = self.fetched.is_none_or(|at| at.elapsed() >= FRESH);
        let named = |keys: &Arc<[PublishedKey]>| kid.is_none() || keys.iter().any(|key| key.id.as_deref() == kid);
        let may_try = self.tried.is_none_or(|at| at.elapsed() >= PAUSE);
        may_try && (old || !self.keys.as_ref().is_some_and(named))
    }
}

/// The keys cannot be had, and none are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the published keys cannot be fetched")]
pub struct KeysAway;

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl Jwks {
    /// The keys at this address; nothing is fetched yet.
    ///
    /// # Errors
    /// Where no client can be made.
    pub fn new(url: reqwest::Url) -> Result<Jwks, reqwest::Error> {
        let client =
            reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Jwks { url, client, held: Mutex::default(), fetching: tokio::sync::Mutex::default() })
    }

    /// The keys; fetched where they are old, or where `kid` is not among them. Old ones are better than none.
    ///
    /// # Errors
    /// [`KeysAway`] where there are none.
    pub async fn keys(&self, kid: Option<&str>) -> Result<Arc<[PublishedKey]>, KeysAway> {
        if !self.held().wants(kid) {
            return self.held().keys.clone().ok_or(KeysAway);
        }
        // One fetch at a time: who waited finds what the other brought. Who has its key does not come here.
        let _fetching = self.fetching.lock().await;
        if self.held().wants(kid) {
            self.held().tried = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    let mut held = self.held();
                    held.keys = Some(keys);
                    held.fetched = Some(Instant::now());
                }
                Err(why) => tracing::warn!(url = %self.url, "keys of tokens cannot be fetched: {why:#}"),
            }
        }
        self.held().keys.clone().ok_or(KeysAway)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change is one assignment, so a panic elsewhere leaves it whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> anyhow::Result<Arc<[PublishedKey]>> {
        let mut response = self.client.get(self.url.clone()).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            anyhow::ensure!(body.len() + chunk.len() <= MAX_BYTES, "over {MAX_BYTES} bytes");
            body.extend_from_slice(&chunk);
        }
        let published: Published = serde_json::from_slice(&body)?;
        // One key of a kind we do not know must not spoil the others.
        let keys = published.keys.into_iter().take(MAX_KEYS);
        Ok(keys.filter_map(|key| serde_json::from_value(key).ok()).filter_map(|jwk| usable(&jwk)).collect())
    }
}

/// The key with its algorithm, where it is one for signatures that we verify.
fn usable(jwk: &Jwk) -> Option<PublishedKey> {
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    if jwk.common.key_algorithm.is_some_and(|theirs| theirs != name) {
        return None;
    }
    Some(PublishedKey { id: jwk.common.key_id.clone(), algorithm, key: DecodingKey::from_jwk(jwk).ok()? })
}
