//! `/openapi.json`: the description of what [`super::router`] serves, made of the handlers themselves.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{
    acts, conversations, customers, dead_letters, events, files, hooks, operation, outcomes, playbooks, revoke, segment,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Beckon",
        description = "Business events in, conversations out. Errors are problem details (RFC 9457) with a pointer to the field."
    ),
    paths(
        events::post, events::handshake, outcomes::list, outcomes::get, revoke::post, hooks::post,
        segment::track, segment::identify, segment::page, segment::screen, segment::group, segment::alias,
        segment::batch, segment::t, segment::i, segment::p, segment::g, segment::b, segment::settings,
        conversations::list, conversations::open, conversations::get,
        acts::claim, acts::release, acts::pass, acts::message, acts::settle, acts::triage, acts::close, files::get,
        customers::get, customers::pending, customers::erase, playbooks::list, playbooks::pause, playbooks::resume,
        dead_letters::list, dead_letters::get, dead_letters::resend, dead_letters::forget,
        operation::healthz, operation::readyz, operation::metrics, get,
    ),
    tags(
        (name = "events", description = "Events in, and what became of them"),
        (name = "segment", description = "Segment's API, for its libraries and RudderStack's"),
        (name = "conversations", description = "Reading, opening and leading conversations"),
        (name = "customers", description = "What is known of a customer, and forgetting it"),
        (name = "playbooks", description = "What is in force"),
        (name = "operation", description = "For those who run it"),
    ),
    modifiers(&Schemes, &Everywhere)
)]
struct Api;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let mut add = |name: &str, scheme, about: &str| {
            let scheme = HttpBuilder::new().scheme(scheme).description(Some(about)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        };
        add("key", HttpAuthScheme::Bearer, "An API key");
        add("basic", HttpAuthScheme::Basic, "An API key as the user, no password: what Segment's libraries send");
    }
}

/// What any request may be answered that comes with a key, or that asks the store; and what errors are written as.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut api.paths.paths {
            for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
                let responses = &mut operation.responses.responses;
                if path.starts_with("/v1/") {
                    for (status, about) in [
                        ("429", "The key calls too often: wait as long as `Retry-After` says"),
                        ("503", "The store or the record is away: come back after `Retry-After`"),
                    ] {
                        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(about)));
                    }
                }
                for (status, response) in responses {
                    if let RefOr::T(response) = response
                        && status.starts_with(['4', '5'])
                        && let Some(content) = response.content.shift_remove("application/json")
                    {
                        response.content.insert("application/problem+json".to_owned(), content);
                    }
                }
            }
        }
    }
}

/// A response with problem details.
fn problem(about: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(about).content("application/json", content).build()
}

/// The description, as it is served.
pub fn description() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| Api::openapi().to_pretty_json().unwrap_or_default());
    &TEXT
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
    security(())
)]
pub async fn get() -> axum::response::Response {
    ([(header::CONTENT_TYPE, "application/json")], description()).into_response()
}
