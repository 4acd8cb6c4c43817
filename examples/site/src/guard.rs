//! The headers on every answer. The policy is as strict as a company's can be: Beckon's widget has to live with it.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, InvalidHeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::Response;
use reqwest::Url;

/// The content security policy of all pages, with Beckon's origin as the only stranger.
///
/// # Errors
/// If the origin cannot stand in a header.
pub fn policy(beckon: &Url) -> Result<HeaderValue, InvalidHeaderValue> {
    let http = beckon.origin().ascii_serialization();
    let ws = http.replacen("http", "ws", 1);
    HeaderValue::from_str(&format!(
        "default-src 'none'; script-src 'self' {http}; connect-src 'self' {http} {ws}; style-src 'self'; \
         img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ))
}

/// Puts the policy and its companions on an answer.
pub fn seal(policy: &HeaderValue, mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // Pages carry a token, and the API what somebody bought or owns.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}
