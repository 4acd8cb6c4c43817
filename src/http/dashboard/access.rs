//! Who may: the session behind a request, the token behind a form, and the headers that keep pages to themselves.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use subtle::ConstantTimeEq;

use super::pages::PageError;
use super::{Dashboard, Front, words};
use crate::model::input::Operator;
use crate::record::{Account, AuditRow, Role};

/// The cookie of a session.
pub(super) const COOKIE: &str = "beckon_session";

/// Who is signed in.
#[derive(Debug, Clone)]
pub(super) struct SignedIn {
    pub(super) account: Account,
    pub(super) csrf: String,
    pub(super) token: String,
    pub(super) address: String,
}

impl SignedIn {
    /// As inputs name who acts.
    pub(super) fn operator(&self) -> Operator {
        Operator { id: self.account.id.clone(), name: self.account.name.clone() }
    }
}

impl Dashboard {
    /// Writes to the audit; a page does not fail for it.
    pub(super) async fn audit(&self, who: &str, act: &str, about: &str, address: &str) {
        let row = AuditRow {
            at: self.clock.now(),
            who: who.to_owned(),
            act: act.to_owned(),
            about: about.to_owned(),
            address: address.to_owned(),
        };
        if let Err(error) = self.record.audit(row).await {
            tracing::error!(%error, act, "audit not written");
        }
    }

    /// Refuses who may not do this.
    pub(super) async fn require(&self, operator: &SignedIn, role: Role, about: &str) -> Result<(), PageError> {
        if role == Role::Admin && operator.account.role != Role::Admin {
            self.audit(&operator.account.id, "role.refused", about, &operator.address).await;
            return Err(PageError::new(StatusCode::FORBIDDEN, "Only an administrator may do this."));
        }
        Ok(())
    }

    /// The network address of the caller.
    pub(super) fn address(&self, parts: &Parts) -> String {
        let forwarded = || parts.headers.get("x-forwarded-for")?.to_str().ok()?.rsplit(',').next();
        let named = if self.settings.front == Front::Proxy { forwarded() } else { None };
        match (named, parts.extensions.get::<ConnectInfo<SocketAddr>>()) {
            (Some(named), _) => named.trim().chars().take(64).collect(),
            (None, Some(ConnectInfo(peer))) => peer.ip().to_string(),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// Whether the caller came by https, as far as we can know.
    pub(super) fn is_https(&self, headers: &HeaderMap) -> bool {
        let scheme = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        self.settings.front == Front::Proxy && scheme == Some("https")
    }
}

impl FromRequestParts<Dashboard> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Dashboard) -> Result<SignedIn, Response> {
        let token = CookieJar::from_headers(&parts.headers).get(COOKIE).map(|cookie| cookie.value().to_owned());
        let session = match &token {
            Some(token) => dashboard.record.session(token, dashboard.clock.now()).await,
            None => Ok(None),
        };
        match (session, token) {
            (Ok(Some(session)), Some(token)) => {
                let address = dashboard.address(parts);
                Ok(SignedIn { account: session.account, csrf: session.csrf, token, address })
            }
            (Err(error), _) => Err(PageError::from(error).into_response()),
            _ => Err(to_sign_in(parts)),
        }
    }
}

/// Leads to the sign-in form, and back afterwards: to the page that was asked for, or that the form stood on.
fn to_sign_in(parts: &Parts) -> Response {
    let wanted = wanted_page(parts);
    let address = match wanted.as_deref().filter(|page| *page != "/operator/") {
        Some(page) => format!("/operator/sign-in?next={}", words::address(page)),
        None => "/operator/sign-in".to_owned(),
    };
    if parts.headers.contains_key("hx-request")
        && let Ok(value) = HeaderValue::from_str(&address)
    {
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", value)]).into_response();
    }
    Redirect::to(&address).into_response()
}

/// The page that somebody was at. What the browser says of it is looked at again before anybody is led there.
fn wanted_page(parts: &Parts) -> Option<String> {
    if let Some(shown) = parts.headers.get("hx-current-url") {
        let shown = url::Url::parse(shown.to_str().ok()?).ok()?;
        let query = shown.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Some(format!("{}{query}", shown.path()));
    }
    let path = parts.uri.path();
    match path.strip_prefix("/operator/conversations/") {
        // A form of a conversation: its last part is what was to be done.
        Some(rest) if parts.method == Method::POST => {
            Some(format!("/operator/conversations/{}", rest.split('/').next().unwrap_or_default()))
        }
        _ if parts.method == Method::GET && path != "/operator/live" => {
            parts.uri.path_and_query().map(|path| path.as_str().to_owned())
        }
        _ => None,
    }
}

/// A form that somebody signed in sent from a page of ours.
pub(super) struct Posted {
    pub(super) operator: SignedIn,
    pub(super) fields: Fields,
    pub(super) is_htmx: bool,
}

impl FromRequest<Dashboard> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, dashboard: &Dashboard) -> Result<Posted, Response> {
        let (mut parts, body) = request.into_parts();
        let about = parts.uri.path().to_owned();
        let is_htmx = parts.headers.contains_key("hx-request");
        let headers = parts.headers.clone();
        let ours = is_ours(&headers);
        let operator = match SignedIn::from_request_parts(&mut parts, dashboard).await {
            Ok(operator) => operator,
            // A browser without scripts has the words nowhere else.
            Err(_) if ours && !is_htmx && (about.ends_with("/say") || about.ends_with("/note")) => {
                let next = wanted_page(&parts).unwrap_or_default();
                let fields = Fields::from_request(Request::from_parts(parts, body), dashboard).await?;
                return Err(dashboard.sign_in_keeping(&next, fields.get("text")).into_response());
            }
            Err(answer) => return Err(answer),
        };
        let fields = match ours {
            true => Fields::from_request(Request::from_parts(parts, body), dashboard).await?,
            false => Fields::default(),
        };
        let header = headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
        let given = header.unwrap_or_else(|| fields.get("csrf"));
        if !ours || !bool::from(given.as_bytes().ct_eq(operator.csrf.as_bytes())) {
            dashboard.audit(&operator.account.id, "form.refused", &about, &operator.address).await;
            return Err(foreign().into_response());
        }
        Ok(Posted { operator, fields, is_htmx })
    }
}

/// The answer to a form that did not come from our page.
pub(super) fn foreign() -> PageError {
    PageError::new(
        StatusCode::FORBIDDEN,
        "This form did not come from this page, or it is too old. Load the page again.",
    )
}

/// Whether browsers say that the request comes from a page of this server. Other clients say nothing, and carry no
/// cookie that they were not given.
pub(super) fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match (text("origin"), text("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, named)| named.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => false,
    }
}

/// The fields of a form, the last of a name.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A field; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl FromRequest<Dashboard> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, dashboard: &Dashboard) -> Result<Fields, Response> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let body = bytes::Bytes::from_request(request, dashboard).await.map_err(IntoResponse::into_response)?;
        if !is_form && !body.is_empty() {
            return Err(PageError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is no form.").into_response());
        }
        Ok(Fields(url::form_urlencoded::parse(&body).into_owned().take(50).collect()))
    }
}

/// Headers of every answer: nothing inline, nothing from elsewhere, in nobody's frame.
pub(super) async fn protect(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; \
                          connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
