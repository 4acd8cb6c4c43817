//! Who is visiting: a cookie that only their browser knows, and a customer of their own behind it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

/// A company that knows its visitors.
pub trait Doors: Send + Sync + 'static {
    /// The name of its cookie.
    fn cookie(&self) -> &'static str;
    /// Welcomes somebody new: their session and their user id.
    fn welcome(&self) -> (String, String);
    /// Whose session this is.
    fn visitor(&self, session: &str) -> Option<String>;
}

/// The user id of the customer who asks.
#[derive(Debug, Clone)]
pub struct Visitor(pub String);

/// For pages: welcomes those without a session, and gives them one.
pub async fn welcome<D: Doors>(State(doors): State<Arc<D>>, mut request: Request, next: Next) -> Response {
    let jar = CookieJar::from_headers(request.headers());
    if let Some(visitor) = known(&*doors, &jar) {
        request.extensions_mut().insert(visitor);
        return next.run(request).await;
    }
    let (session, id) = doors.welcome();
    request.extensions_mut().insert(Visitor(id));
    (jar.add(cookie(doors.cookie(), session)), next.run(request).await).into_response()
}

/// Takes the session from the browser; the next page welcomes somebody new.
pub fn forget<D: Doors>(doors: &D, headers: &HeaderMap) -> CookieJar {
    CookieJar::from_headers(headers).remove(cookie(doors.cookie(), String::new()))
}

/// Gives the browser another session: from now on it is somebody else's.
pub fn remember<D: Doors>(doors: &D, headers: &HeaderMap, session: String) -> CookieJar {
    CookieJar::from_headers(headers).add(cookie(doors.cookie(), session))
}

/// Refuses forms that another site filled in. Browsers say where a request comes from, programs need not.
pub async fn own_forms_only(request: Request, next: Next) -> Response {
    let from = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if request.method() == Method::POST && from.is_some_and(|from| from != "same-origin") {
        return (StatusCode::FORBIDDEN, "This form was sent from another site.").into_response();
    }
    next.run(request).await
}

fn cookie(name: &'static str, session: String) -> Cookie<'static> {
    Cookie::build((name, session)).path("/").http_only(true).same_site(SameSite::Lax).build()
}

fn known<D: Doors>(doors: &D, jar: &CookieJar) -> Option<Visitor> {
    let session = jar.get(doors.cookie())?.value();
    doors.visitor(session).map(Visitor)
}

impl<D: Doors> FromRequestParts<Arc<D>> for Visitor {
    type Rejection = Response;

    /// The visitor that [`welcome`] let in, or the one the cookie names. A form of somebody the company no longer
    /// knows leads to the front page; anything else is 401.
    async fn from_request_parts(parts: &mut Parts, doors: &Arc<D>) -> Result<Self, Response> {
        if let Some(visitor) = parts.extensions.get::<Self>() {
            return Ok(visitor.clone());
        }
        known(&**doors, &CookieJar::from_headers(&parts.headers)).ok_or_else(|| match parts.method {
            Method::POST => Redirect::to("/").into_response(),
            _ => StatusCode::UNAUTHORIZED.into_response(),
        })
    }
}
