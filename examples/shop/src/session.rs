//! Who is visiting: a cookie that only their browser knows, and a customer of their own behind it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::Shop;

/// The cookie's name.
const COOKIE: &str = "northwind";

/// The user id of the customer who asks.
#[derive(Debug, Clone)]
pub struct Visitor(pub String);

/// For pages: welcomes those without a session, and gives them one.
pub async fn welcome(State(shop): State<Arc<Shop>>, mut request: Request, next: Next) -> Response {
    let jar = CookieJar::from_headers(request.headers());
    if let Some(visitor) = known(&shop, &jar) {
        request.extensions_mut().insert(visitor);
        return next.run(request).await;
    }
    let session = {
        let mut books = shop.ledger.books();
        let (session, customer) = books.welcome();
        request.extensions_mut().insert(Visitor(customer.id.clone()));
        session
    };
    (jar.add(cookie(session)), next.run(request).await).into_response()
}

/// Takes the session from the browser; the next page welcomes somebody new.
pub fn forget(headers: &HeaderMap) -> CookieJar {
    CookieJar::from_headers(headers).remove(cookie(String::new()))
}

/// Refuses forms that another site filled in. Browsers say where a request comes from, programs need not.
pub async fn own_forms_only(request: Request, next: Next) -> Response {
    let from = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if request.method() == Method::POST && from.is_some_and(|from| from != "same-origin") {
        return (StatusCode::FORBIDDEN, "This form was not sent from the shop.").into_response();
    }
    next.run(request).await
}

fn cookie(session: String) -> Cookie<'static> {
    Cookie::build((COOKIE, session)).path("/").http_only(true).same_site(SameSite::Lax).build()
}

fn known(shop: &Shop, jar: &CookieJar) -> Option<Visitor> {
    let session = jar.get(COOKIE)?.value();
    shop.ledger.books().visitor(session).map(|id| Visitor(id.to_owned()))
}

impl FromRequestParts<Arc<Shop>> for Visitor {
    type Rejection = Response;

    /// The visitor that [`welcome`] let in, or the one the cookie names. A form of somebody the shop no longer
    /// knows leads to the front page; anything else is 401.
    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Response> {
        if let Some(visitor) = parts.extensions.get::<Self>() {
            return Ok(visitor.clone());
        }
        known(shop, &CookieJar::from_headers(&parts.headers)).ok_or_else(|| match parts.method {
            Method::POST => Redirect::to("/").into_response(),
            _ => StatusCode::UNAUTHORIZED.into_response(),
        })
    }
}
