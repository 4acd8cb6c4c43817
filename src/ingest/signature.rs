//! Signatures of webhooks, over the raw bytes as they came; compared in constant time.
//!
//! Every secret may have signed (rotation), and a header may carry several signatures: one that fits is enough.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use super::Headers;
use crate::model::catalog::{Scheme, Verify};
use crate::model::time::{Millis, Ms};
use crate::secret::Secret;

/// Why a webhook is not believed. Callers are told no more than that; the log has this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header that the scheme needs is missing or unreadable.
    #[error("the header {0} is missing or unreadable")]
    Header(&'static str),
    /// The signed time is too far from ours.
    #[error("the signed time is {0} away from ours, more than the tolerance")]
    Time(Millis),
    /// No signature fits any of the secrets.
    #[error("no signature fits")]
    Signature,
    /// There is no secret to verify by.
    #[error("the source has no usable secret")]
    NoSecret,
}

/// Believes a webhook or not.
///
/// # Errors
/// Why not.
pub fn verify(verify: &Verify, secrets: &[Secret], headers: &Headers, body: &[u8], now: Ms) -> Result<(), VerifyError> {
    if secrets.is_empty() {
        return Err(VerifyError::NoSecret);
    }
    let signed = Signed::read(verify.scheme, headers)?;
    if let Some(at) = signed.at {
        let away = if now > at { now.since(at) } else { at.since(now) };
        if away > verify.tolerance {
            return Err(VerifyError::Time(away));
        }
    }
    // Every pair is compared, so the time taken says nothing of which one fits.
    let mut fits = Choice::from(0);
    for secret in secrets {
        let expected = signed.expect(verify.scheme, secret, body);
        for given in &signed.signatures {
            fits |= expected.ct_eq(given);
        }
    }
    if bool::from(fits) { Ok(()) } else { Err(VerifyError::Signature) }
}

/// The time that a webhook says it was signed at; none where its scheme signs none.
pub fn signed_at(scheme: Scheme, headers: &Headers) -> Option<Ms> {
    Signed::read(scheme, headers).ok().and_then(|signed| signed.at)
}

/// The most signatures of one header that are looked at.
const MAX_SIGNATURES: usize = 16;

/// What the headers say.
struct Signed {
    signatures: Vec<Vec<u8>>,
    /// What is signed before the body.
    prefix: String,
    at: Option<Ms>,
}

impl Signed {
    fn read(scheme: Scheme, headers: &Headers) -> Result<Signed, VerifyError> {
        match scheme {
            Scheme::StandardWebhooks => Signed::standard(headers),
            Scheme::Stripe => Signed::stripe(headers),
            Scheme::Github => {
                let name = "x-hub-signature-256";
                let hex = headers.get(name).and_then(|text| text.strip_prefix("sha256=")).and_then(unhex);
                Signed::plain(hex.ok_or(VerifyError::Header(name))?)
            }
            Scheme::Segment => {
                let name = "x-signature";
                Signed::plain(headers.get(name).and_then(unhex).ok_or(VerifyError::Header(name))?)
            }
            Scheme::Bearer => {
                let name = "authorization";
                let given = headers.get(name).and_then(|text| text.split_once(' '));
                match given {
                    Some((kind, token)) if kind.eq_ignore_ascii_case("bearer") => {
                        Signed::plain(hmac::<Hmac<Sha256>>(BEARER, &[token.trim().as_bytes()]))
                    }
                    _ => Err(VerifyError::Header(name)),
                }
            }
        }
    }

    fn plain(signature: Vec<u8>) -> Result<Signed, VerifyError> {
        Ok(Signed { signatures: vec![signature], prefix: String::new(), at: None })
    }

    fn standard(headers: &Headers) -> Result<Signed, VerifyError> {
        let (id, time, list) = match headers.get("webhook-id") {
            Some(id) => (Some(id), headers.get("webhook-timestamp"), headers.get("webhook-signature")),
            None => (headers.get("svix-id"), headers.get("svix-timestamp"), headers.get("svix-signature")),
        };
        let id = id.ok_or(VerifyError::Header("webhook-id"))?;
        let time = time.ok_or(VerifyError::Header("webhook-timestamp"))?;
        let at = seconds(time).ok_or(VerifyError::Header("webhook-timestamp"))?;
        let list = list.ok_or(VerifyError::Header("webhook-signature"))?;
        let of_v1 =
            |one: &str| one.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok()).filter(|s| !s.is_empty());
        let signatures: Vec<Vec<u8>> = list.split(' ').filter_map(of_v1).take(MAX_SIGNATURES).collect();
        if signatures.is_empty() {
            return Err(VerifyError::Header("webhook-signature"));
        }
        Ok(Signed { signatures, prefix: format!("{id}.{time}."), at: Some(at) })
    }

    fn stripe(headers: &Headers) -> Result<Signed, VerifyError> {
        let wrong = VerifyError::Header("stripe-signature");
        let header = headers.get("stripe-signature").ok_or(wrong.clone())?;
        let pairs = || header.split(',').filter_map(|pair| pair.trim().split_once('='));
        let time = pairs().find(|(name, _)| *name == "t").map(|(_, time)| time).ok_or(wrong.clone())?;
        let at = seconds(time).ok_or(wrong.clone())?;
        let of_v1 = |(name, hex): (&str, &str)| if name == "v1" { unhex(hex) } else { None };
        let signatures: Vec<Vec<u8>> = pairs().filter_map(of_v1).take(MAX_SIGNATURES).collect();
        if signatures.is_empty() {
            return Err(wrong);
        }
        Ok(Signed { signatures, prefix: format!("{time}."), at: Some(at) })
    }

    fn expect(&self, scheme: Scheme, secret: &Secret, body: &[u8]) -> Vec<u8> {
        let parts = [self.prefix.as_bytes(), body];
        let key = secret.reveal();
        match scheme {
            Scheme::StandardWebhooks => {
                // `whsec_` and base64; a secret that is no base64 is taken as it is, like the vendors' own libraries do.
                let text = key.strip_prefix("whsec_").unwrap_or(key);
                let key = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
                hmac::<Hmac<Sha256>>(&key, &parts)
            }
            Scheme::Stripe | Scheme::Github => hmac::<Hmac<Sha256>>(key.as_bytes(), &parts),
            Scheme::Segment => hmac::<Hmac<Sha1>>(key.as_bytes(), &parts),
            Scheme::Bearer => hmac::<Hmac<Sha256>>(BEARER, &[key.as_bytes()]),
        }
    }
}

/// Tokens are compared by hashes, so that their lengths do not show.
const BEARER: &[u8] = b"beckon bearer";

fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length; were it not so, an empty answer fits no signature of the right length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn seconds(text: &str) -> Option<Ms> {
    let digits = text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    let seconds: u64 = if digits { text.parse().ok()? } else { return None };
    seconds.checked_mul(1_000).map(Ms)
}

/// Bytes of a hexadecimal text; an empty one is none.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.is_empty() || text.len() > 256 || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
            _ => None,
        })
        .collect()
}
