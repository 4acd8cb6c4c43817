//! `/openapi.json`: the description of what [`super::router`] serves, made of the handlers themselves.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{acts, conversations, customers, dead_letters, events, hooks, operation, outcomes, playbooks, segment};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Beckon",
        description = "Business events in, conversations out. Errors are problem details (RFC 9457) with a pointer to the field."
    ),
    paths(
        events::post, events::handshake, outcomes::list, outcomes::get, hooks::post,
        segment::track, segment::identify, segment::page, segment::screen, segment::group, segment::alias,
        segment::batch, segment::t, segment::i, segment::p, segment::g, segment::b, segment::settings,
        conversations::list, conversations::open, conversations::get,
        acts::claim, acts::release, acts::message, acts::settle, acts::close,
        customers::get, customers::erase, playbooks::list, playbooks::pause, playbooks::resume,
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
    modifiers(&Schemes)
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
pub async fn get() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], description()).into_response()
}
