//! Tells the company: notifications to its webhook, by Standard Webhooks. They may come twice; `webhook-id` is the same
//! on every try.
//!
//! Not here: what is told and when (`engine::decide`), who calls again (`engine::effects`).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use url::Url;

use crate::adapter::guard::{GuardedClient, guarded_client};
use crate::clock::Clock;
use crate::model::retry_after;
use crate::model::time::Ms;
use crate::secret::Secret;

/// How long one try may take.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// When a notification is tried, counted from what it tells of; for the last time after 23 h 35 min.
const TRIES: &[Duration] = &[
    Duration::from_secs(5),
    Duration::from_secs(35),
    Duration::from_secs(6 * 60),
    Duration::from_secs(36 * 60),
    Duration::from_secs(156 * 60),
    Duration::from_secs(396 * 60),
    Duration::from_secs(876 * 60),
    Duration::from_secs(1_415 * 60),
];

/// How long to wait after a try that failed so long after what it tells of; none: give up.
pub fn wait_after(age: Duration) -> Option<Duration> {
    TRIES.iter().find(|due| **due > age).map(|due| *due - age)
}

/// Where notifications go; the `[notify]` section of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The webhook.
    pub url: Url,
    /// `whsec_` and base64 of 24 to 64 bytes; none: unsigned.
    pub secret: Option<Secret>,
    /// Whether the webhook's own host may be loopback or private.
    pub allow_private: bool,
}

/// Why a notification was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    /// Not now: try again by [`wait_after`], and not before `after` where the receiver asked for it.
    #[error("the webhook did not take it: {why}")]
    Retry {
        /// What the receiver asked for.
        after: Option<Duration>,
        /// What went wrong.
        why: String,
    },
    /// Trying again does not help.
    #[error("the webhook will not take it: {0}")]
    GiveUp(String),
}

/// Delivers notifications.
pub struct Notifier {
    url: Url,
    key: Option<Vec<u8>>,
    client: GuardedClient,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").field("signed", &self.key.is_some()).finish_non_exhaustive()
    }
}

/// The body, as the convention of Standard Webhooks has it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: &'a Value,
}

impl Notifier {
    /// A notifier by its settings; sends nothing yet.
    ///
    /// # Errors
    /// A sentence that names the setting that cannot be used, never the secret.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Notifier, String> {
        if !matches!(settings.url.scheme(), "http" | "https") {
            return Err("`notify.webhook` must be http or https".to_owned());
        }
        let key = settings.secret.as_ref().map(key).transpose()?;
        let client = guarded_client(settings.allow_private.then_some(&settings.url))?;
        Ok(Notifier { url: settings.url, key, client, clock })
    }

    /// One try to deliver what happened `at` this time under an `id` that is the same on every try.
    ///
    /// # Errors
    /// [`NotifyError`]; a redirect is a failure, 410 is final.
    pub async fn deliver(&self, id: &str, kind: &str, at: Ms, data: &Value) -> Result<(), NotifyError> {
        let give_up = |why: &dyn std::fmt::Display| NotifyError::GiveUp(why.to_string());
        let told = Told { kind, timestamp: at.to_string(), data };
        let body = serde_json::to_vec(&told).map_err(|e| give_up(&e))?;
        let seconds = self.clock.now().0 / 1_000;
        let request = self.client.request(Method::POST, self.url.clone()).map_err(|e| give_up(&e))?;
        let mut request = request
            .timeout(TIMEOUT)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string());
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", sign(key, id, seconds, &body).map_err(|e| give_up(&e))?);
        }
        let response = match request.body(body).send().await {
            Ok(response) => response,
            Err(error) if error.is_builder() => return Err(give_up(&error.without_url())),
            Err(error) => {
                let error = error.without_url();
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                return Err(NotifyError::Retry { after: None, why: format!("{error}{cause}") });
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let why = format!("it answered {}", status.as_u16());
        if status == StatusCode::GONE {
            return Err(NotifyError::GiveUp(why));
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let date = header(reqwest::header::DATE);
        let after = header(RETRY_AFTER).and_then(|wait| retry_after::parse(wait, date, self.clock.now()));
        Err(NotifyError::Retry { after, why })
    }
}

/// The `webhook-signature` of a body: `v1,` and base64 of HMAC-SHA256 over id, timestamp and body.
///
/// # Errors
/// Only where the key has a length that HMAC does not take; it takes all.
pub fn sign(key: &[u8], id: &str, seconds: u64, body: &[u8]) -> Result<String, hmac::digest::InvalidLength> {
    let mac = Hmac::<Sha256>::new_from_slice(key)?;
    let mac = mac.chain_update(format!("{id}.{seconds}.")).chain_update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// The bytes of a `whsec_` secret.
///
/// # Errors
/// What is wrong with it, without it.
pub fn key(secret: &Secret) -> Result<Vec<u8>, String> {
    const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let wrong = || "`notify.secret` must be `whsec_` and base64 of 24 to 64 bytes".to_owned();
    let text = secret.reveal().strip_prefix("whsec_").ok_or_else(wrong)?;
    ANY_PADDING.decode(text).ok().filter(|key| (24..=64).contains(&key.len())).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_ever_later_and_end_within_a_day() {
        let (mut age, mut waits) = (Duration::ZERO, Vec::new());
        while let Some(wait) = wait_after(age) {
            waits.push(wait);
            age += wait;
        }
        assert_eq!(waits.len(), TRIES.len());
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1] * 2), "{waits:?}");
        assert!(age < Duration::from_secs(24 * 3_600) && age > Duration::from_secs(20 * 3_600), "{age:?}");
    }

    #[test]
    fn a_new_owner_goes_on_where_the_last_one_was() {
        assert_eq!(wait_after(Duration::from_secs(60)), Some(Duration::from_secs(300)));
        assert_eq!(wait_after(Duration::from_secs(24 * 3_600)), None);
    }

    #[test]
    fn secrets_that_are_none_are_refused_without_showing_them() {
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        for text in ["planted", "whsec_", "whsec_!!!", "whsec_cGxhbnRlZA==", long.as_str()] {
            let refused = key(&Secret::new(text)).unwrap_err();
            assert!(!refused.contains("planted") && refused.contains("notify.secret"), "{refused}");
        }
        assert_eq!(key(&Secret::new(format!("whsec_{}", STANDARD.encode([7; 32])))), Ok(vec![7; 32]));
        assert_eq!(
            key(&Secret::new(format!("whsec_{}", STANDARD.encode([7; 25]).trim_end_matches('=')))),
            Ok(vec![7; 25])
        );
    }
}
