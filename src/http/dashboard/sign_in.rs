//! Signing in and out.

use axum::extract::FromRequest;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;
use serde_json::json;

use super::Dashboard;
use super::access::{COOKIE, Fields, Posted, foreign, is_ours};
use super::pages::PageError;
use crate::secret::Secret;

/// Where to go afterwards.
#[derive(Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

/// The form.
pub(super) async fn form(
    State(dashboard): State<Dashboard>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, PageError> {
    dashboard.sign_in_page(&Form { next: wanted.next.as_deref().unwrap_or_default(), ..Form::default() })
}

/// What the form shows again.
#[derive(Default)]
struct Form<'a> {
    next: &'a str,
    email: &'a str,
    problem: &'a str,
    /// Words that somebody sent after the session had ended.
    kept: &'a str,
}

/// Takes the form.
pub(super) async fn sign_in(State(dashboard): State<Dashboard>, request: Request) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    let address = dashboard.address(&parts);
    let secure = dashboard.is_https(&parts.headers);
    if !is_ours(&parts.headers) {
        // Anybody can send this, so it counts as an attempt: the audit does not grow without bound.
        if dashboard.attempts.begin("", &address, dashboard.clock.now()).is_ok() {
            dashboard.audit("", "form.refused", "/operator/sign-in", &address).await;
        }
        return Err(foreign().into_response());
    }
    let jar = CookieJar::from_headers(&parts.headers);
    let fields = Fields::from_request(Request::from_parts(parts, body), &dashboard).await?;
    let done = dashboard.check(&fields, &address, secure, jar).await;
    done.map_err(IntoResponse::into_response)
}

/// Ends the session.
pub(super) async fn sign_out(State(dashboard): State<Dashboard>, posted: Posted) -> Result<Response, PageError> {
    dashboard.record.end_session(&posted.operator.token).await?;
    dashboard.audit(&posted.operator.account.id, "sign-out", "", &posted.operator.address).await;
    let gone = Cookie::build((COOKIE, "")).path("/operator").removal().build();
    Ok((CookieJar::new().add(gone), Redirect::to("/operator/sign-in")).into_response())
}

impl Dashboard {
    async fn check(&self, fields: &Fields, address: &str, secure: bool, jar: CookieJar) -> Result<Response, PageError> {
        let (email, next) = (fields.get("email"), fields.get("next"));
        let form = Form { next, email, kept: fields.get("kept"), problem: "" };
        let now = self.clock.now();
        if let Err(blocked) = self.attempts.begin(email, address, now) {
            if blocked.is_first {
                self.audit(&shown(email), "sign-in.limited", "", address).await;
            }
            let problem = "Too many wrong passwords. Wait a quarter of an hour, or ask an administrator.";
            let page = self.sign_in_page(&Form { problem, ..form })?;
            let mut response = (StatusCode::TOO_MANY_REQUESTS, page).into_response();
            let seconds = blocked.until.since(now).0.div_ceil(1_000).max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return Ok(response);
        }
        let password = Secret::new(fields.get("password"));
        let Some(account) = self.record.check_password(email, password).await? else {
            self.audit(&shown(email), "sign-in.refused", "", address).await;
            let page = self.sign_in_page(&Form { problem: "E-mail or password is wrong.", ..form })?;
            return Ok((StatusCode::UNAUTHORIZED, page).into_response());
        };
        self.attempts.succeeded(email, address);
        // A session that the browser had before does not live on beside the new one.
        if let Some(old) = jar.get(COOKIE) {
            self.record.end_session(old.value()).await?;
        }
        let token = self.record.create_session(&account, now, self.settings.session).await?;
        self.audit(&account.id, "sign-in", "", address).await;
        let cookie = Cookie::build((COOKIE, token.reveal().to_owned()))
            .path("/operator")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(secure)
            .build();
        Ok((CookieJar::new().add(cookie), Redirect::to(inside(next))).into_response())
    }

    /// The form, for who sent words after the session had ended: they are shown, and not sent by whoever signs in.
    pub(super) fn sign_in_keeping(&self, next: &str, words: &str) -> Result<Response, PageError> {
        let page = self.sign_in_page(&Form { next, kept: words, ..Form::default() })?;
        Ok((StatusCode::UNAUTHORIZED, page).into_response())
    }

    fn sign_in_page(&self, form: &Form<'_>) -> Result<Html<String>, PageError> {
        let email: String = form.email.chars().take(254).collect();
        let values = json!({
            "next": inside(form.next), "email": email, "problem": form.problem, "kept": form.kept,
        });
        self.pages.render("sign_in.html", &values).map(Html)
    }
}

/// What was typed as an e-mail, for the audit. Somebody may have typed a password there: without an `@` it is not kept.
fn shown(email: &str) -> String {
    if email.contains('@') { email.trim().to_lowercase() } else { "?".to_owned() }
}

/// A page of ours to go to, whatever was asked for.
fn inside(next: &str) -> &str {
    let ours = next.starts_with("/operator/") && next.len() <= 1_000 && !next.contains("//") && !next.contains("..");
    let clean = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if ours && clean { next } else { "/operator/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_never_leads_elsewhere() {
        for next in [
            "https://evil.example",
            "//evil.example",
            "/operator/..//evil",
            "/operator/\\evil",
            "/op",
            "/operator/\r\nx",
        ] {
            assert_eq!(inside(next), "/operator/", "{next}");
        }
        assert_eq!(inside("/operator/conversations/1-2-3-0?view=all"), "/operator/conversations/1-2-3-0?view=all");
    }

    #[test]
    fn a_password_typed_as_an_address_is_not_kept() {
        assert_eq!(shown("hunter2"), "?");
        assert_eq!(shown(" Rui@Shop.example"), "rui@shop.example");
    }
}
