//! Who a session's customer is: a signed token says so, or a secret id that this store's own key made.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::jwks::Jwks;
use crate::clock::Clock;
use crate::model::ids::ActorId;
use crate::model::json;
use crate::model::time::{Millis, Ms};
use crate::secret::Secret;

/// The largest traits that a token may carry, in bytes of JSON.
const MAX_TRAITS: usize = 8 * 1_024;
/// How far ahead of ours the clock of who signs may be.
const SKEW: Millis = Millis::seconds(60);
/// Random bytes of an anonymous id: 24 characters.
const CHANCE: usize = 18;
/// Bytes of its keyed check: 8 characters.
const CHECK: usize = 6;

/// How customers are told apart; from `[chat]`.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Keys of HS256 tokens; any of them verifies.
    pub keys: Vec<Secret>,
    /// Where the keys of RS256 and ES256 tokens are published.
    pub jwks: Option<reqwest::Url>,
    /// What `aud` must name; none: it is not looked at.
    pub audience: Option<String>,
    /// Whether a customer may come without a token.
    pub anonymous: bool,
}

/// A customer, and how long that is known.
#[derive(Clone)]
pub struct Known {
    /// The customer.
    pub customer: ActorId,
    /// The id to come back with, where the customer is anonymous; a secret.
    pub anonymous_id: Option<String>,
    /// When the token ends.
    pub expires: Option<Ms>,
    /// What the token says of the customer.
    pub traits: Map<String, Value>,
}

/// An anonymous id is a secret.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("customer", &self.customer.masked()).finish_non_exhaustive()
    }
}

/// Why nobody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The token was good, once.
    #[error("the token expired")]
    Expired,
    /// The token is not good, and why; never which key came close.
    #[error("{0}")]
    Bad(&'static str),
    /// The published keys cannot be had.
    #[error("the keys of tokens cannot be fetched")]
    Away,
}

/// Tells who customers are.
pub struct Identity {
    keys: Vec<DecodingKey>,
    jwks: Option<Jwks>,
    audience: Option<String>,
    anonymous: bool,
    secret: [u8; 16],
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    traits: Option<Map<String, Value>>,
}

impl Identity {
    /// By settings. `secret` is the store's: all nodes of one store know each other's anonymous ids, and a new store
    /// knows none, as it has none of their conversations either.
    ///
    /// # Errors
    /// Where the client for published keys cannot be made.
    pub fn new(settings: &Settings, secret: [u8; 16], clock: Arc<dyn Clock>) -> Result<Identity, reqwest::Error> {
        let keys = settings.keys.iter().map(|key| DecodingKey::from_secret(key.reveal().as_bytes())).collect();
        let jwks = settings.jwks.clone().map(Jwks::new).transpose()?;
        let (audience, anonymous) = (settings.audience.clone(), settings.anonymous);
        Ok(Identity { keys, jwks, audience, anonymous, secret, clock })
    }

    /// Who comes with this token, or else with this anonymous id. An id that was not made here is not taken: nobody
    /// chooses a name. Then, and without one, a new one is made.
    ///
    /// # Errors
    /// [`Denied`]; a token that is there but not good never falls back to an anonymous customer.
    pub async fn of(&self, token: Option<&str>, anonymous_id: Option<&str>) -> Result<Known, Denied> {
        if let Some(token) = token {
            return self.by_token(token).await;
        }
        if !self.anonymous {
            return Err(Denied::Bad("a token is needed"));
        }
        let id = match anonymous_id.filter(|id| self.made(id)) {
            Some(id) => id.to_owned(),
            None => self.anonymous_id(),
        };
        let customer = ActorId::anonymous(&id);
        Ok(Known { customer, anonymous_id: Some(id), expires: None, traits: Map::new() })
    }

    async fn by_token(&self, token: &str) -> Result<Known, Denied> {
        // The algorithm follows from the key, never from the token.
        let symmetric = self.validation(Algorithm::HS256);
        let claims = self.keys.iter().find_map(|key| decode::<Claims>(token, key, &symmetric).ok());
        let claims = match (claims, &self.jwks) {
            (Some(claims), _) => claims.claims,
            (None, Some(jwks)) => self.by_published_key(token, jwks).await?,
            (None, None) => return Err(Denied::Bad("the token is not valid")),
        };
        self.known(claims)
    }

    async fn by_published_key(&self, token: &str, jwks: &Jwks) -> Result<Claims, Denied> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Bad("the token is not valid"))?;
        let keys = jwks.keys(header.kid.as_deref()).await.map_err(|_| Denied::Away)?;
        keys.iter()
            .filter(|key| header.kid.is_none() || key.id.is_none() || key.id == header.kid)
            .find_map(|key| decode::<Claims>(token, &key.key, &self.validation(key.algorithm)).ok())
            .map(|data| data.claims)
            .ok_or(Denied::Bad("the token is not valid"))
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        // Looked at in `known`, by our clock and with an answer of its own.
        validation.validate_exp = false;
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.set_required_spec_claims(&["exp", "sub", "aud"]);
            }
            None => {
                validation.validate_aud = false;
                validation.set_required_spec_claims(&["exp", "sub"]);
            }
        }
        validation
    }

    fn known(&self, claims: Claims) -> Result<Known, Denied> {
        let now = self.clock.now();
        let expires = numeric_date(claims.exp).ok_or(Denied::Bad("`exp` is not a time"))?;
        if expires <= now {
            return Err(Denied::Expired);
        }
        if claims.nbf.and_then(numeric_date).is_some_and(|from| from > now.plus(SKEW)) {
            return Err(Denied::Bad("the token is not valid yet"));
        }
        let named = ActorId::parse(&format!("user:{}", claims.sub));
        let customer = named.map_err(|_| Denied::Bad("`sub` is not the id of a user"))?;
        let traits = claims.traits.unwrap_or_default();
        let json = serde_json::to_vec(&traits).unwrap_or_default();
        if json.len() > MAX_TRAITS {
            return Err(Denied::Bad("`traits` are too large"));
        }
        // As of every other door: what no store and no page can hold is not taken.
        if json::read(&json).is_err() {
            return Err(Denied::Bad("`traits` have a character or a number that is not supported"));
        }
        Ok(Known { customer, anonymous_id: None, expires: Some(expires), traits })
    }

    /// A new anonymous id: 24 random characters, then 8 that only this store's key can make.
    fn anonymous_id(&self) -> String {
        let chance: [u8; CHANCE] = rand::random();
        let mut bytes = chance.to_vec();
        bytes.extend_from_slice(&self.check(&chance));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether an id was made by [`Identity::anonymous_id`] of this store.
    fn made(&self, id: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(id) else { return false };
        match bytes.split_at_checked(CHANCE) {
            Some((chance, check)) => check.ct_eq(&self.check(chance)).into(),
            None => false,
        }
    }

    fn check(&self, chance: &[u8]) -> Vec<u8> {
        // A key of any length is taken; the label keeps these apart from whatever else the secret is used for.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return Vec::new() };
        mac.update(b"beckon anonymous id\0");
        mac.update(chance);
        mac.finalize().into_bytes().iter().take(CHECK).copied().collect()
    }
}

/// Seconds since 1970, with fractions, as JWT has them.
fn numeric_date(seconds: f64) -> Option<Ms> {
    let length = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(length.as_millis()).ok().map(Ms)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const NOW: Ms = Ms(1_764_000_000_000);

    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> Ms {
            NOW
        }
    }

    fn identity(audience: Option<&str>) -> Identity {
        let keys = vec![Secret::new("new key, long enough to sign"), Secret::new("old key, still good")];
        let settings = Settings { keys, jwks: None, audience: audience.map(str::to_owned), anonymous: true };
        Identity::new(&settings, [7; 16], Arc::new(Fixed)).unwrap()
    }

    fn token(key: &str, claims: &Value) -> String {
        encode(&Header::default(), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
    }

    async fn denied(identity: &Identity, token: &str) -> Denied {
        identity.of(Some(token), None).await.unwrap_err()
    }

    #[tokio::test]
    async fn any_identity_key_verifies() {
        let claims = json!({ "sub": "42", "exp": 1_764_000_060, "traits": { "plan": "pro" } });
        for key in ["new key, long enough to sign", "old key, still good"] {
            let known = identity(None).of(Some(&token(key, &claims)), Some("ignored")).await.unwrap();
            assert_eq!(known.customer, ActorId::user("42"));
            assert_eq!(known.expires, Some(Ms(1_764_000_060_000)));
            assert_eq!(known.traits.get("plan"), Some(&json!("pro")));
            assert_eq!(known.anonymous_id, None);
        }
    }

    #[tokio::test]
    async fn a_token_that_is_not_good_names_nobody() {
        let identity = identity(Some("shop"));
        let key = "new key, long enough to sign";
        let good = json!({ "sub": "42", "exp": 1_764_000_060, "aud": "shop" });
        assert!(identity.of(Some(&token(key, &good)), None).await.is_ok());
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            token(key, &claims)
        };
        let without = |name: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(name);
            token(key, &claims)
        };
        assert_eq!(denied(&identity, &with("exp", json!(1_763_999_999))).await, Denied::Expired);
        let unsigned = {
            let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", part(json!({ "alg": "none", "typ": "JWT" })), part(good.clone()))
        };
        let other =
            encode(&Header::new(Algorithm::HS512), &good, &EncodingKey::from_secret(b"new key, long enough to sign"));
        for bad in [
            unsigned,
            other.unwrap(),
            token("somebody else's key", &good),
            with("aud", json!("other")),
            with("nbf", json!(1_764_009_999)),
            with("sub", json!("")),
            with("sub", json!(42)),
            with("exp", json!("soon")),
            with("exp", json!(-5)),
            with("traits", json!({ "long": "x".repeat(10_000) })),
            with("traits", json!({ "name": "Ann\u{0}x" })),
            with("traits", json!({ "list": [{ "a\u{0}": 1 }] })),
            without("aud"),
            without("sub"),
            without("exp"),
            "rubbish".to_owned(),
        ] {
            assert!(matches!(denied(&identity, &bad).await, Denied::Bad(_)), "{bad}");
        }
    }

    #[tokio::test]
    async fn nobody_chooses_an_anonymous_id() {
        let identity = identity(None);
        let made = identity.of(None, None).await.unwrap().anonymous_id.unwrap();
        assert_eq!(made.len(), 32);
        let again = identity.of(None, Some(&made)).await.unwrap();
        assert_eq!(again.customer, ActorId::anonymous(&made));
        let mut forged = made.clone();
        forged.replace_range(0..1, if made.starts_with('A') { "B" } else { "A" });
        for chosen in ["user:42", "42", "", &"A".repeat(32), &forged, &made[..24]] {
            let known = identity.of(None, Some(chosen)).await.unwrap();
            assert_ne!(known.anonymous_id.as_deref(), Some(chosen));
            assert_ne!(known.customer, ActorId::anonymous(chosen));
        }
    }
}
