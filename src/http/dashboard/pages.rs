//! Templates to pages; errors to pages with a way on.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::RustEmbed;
use serde_json::{Value, json};
use tera::{Context, Kwargs, Tera};

use super::Dashboard;
use super::access::SignedIn;
use super::assets;
use crate::http::problem::Cause;
use crate::record::RecordError;
use crate::store::StoreError;

#[derive(RustEmbed)]
#[folder = "templates/dashboard/"]
struct Templates;

/// The compiled templates.
pub(super) struct Pages {
    tera: Tera,
}

impl Pages {
    /// Compiles what is in the binary. Autoescape is on for `.html`, which all of them are.
    pub(super) fn compile() -> anyhow::Result<Pages> {
        let mut tera = Tera::new();
        tera.register_function("asset", |args: Kwargs, _: &tera::State| -> tera::TeraResult<String> {
            let name: String = args.must_get("name")?;
            Ok(assets::address(&name))
        });
        let mut all = Vec::new();
        for name in Templates::iter().filter(|name| name.ends_with(".html")) {
            let file = Templates::get(&name).ok_or_else(|| anyhow::anyhow!("the template {name} is gone"))?;
            all.push((name.to_string(), String::from_utf8(file.data.into_owned())?));
        }
        tera.add_raw_templates(all)?;
        Ok(Pages { tera })
    }

    /// Renders a template with values; `values` is an object.
    pub(super) fn render(&self, template: &str, values: &Value) -> Result<String, PageError> {
        let context = Context::from_serialize(values).map_err(PageError::internal)?;
        self.tera.render(template, &context).map_err(PageError::internal)
    }
}

impl Dashboard {
    /// A whole page for who is signed in: the template's own values and those of the frame.
    pub(super) async fn page(
        &self,
        operator: &SignedIn,
        template: &str,
        section: &str,
        mut values: Value,
    ) -> Result<Html<String>, PageError> {
        let needs = self.needs(operator).await?;
        if let Some(object) = values.as_object_mut() {
            let account = &operator.account;
            let me = json!({ "id": account.id, "name": account.name, "email": account.email });
            object.insert("me".to_owned(), me);
            object.insert("csrf".to_owned(), json!(operator.csrf));
            object.insert("section".to_owned(), json!(section));
            let lag = (self.lag)().map(super::words::length).unwrap_or_default();
            object.insert("lag".to_owned(), json!(lag));
            object.insert("needs".to_owned(), json!(needs));
            // A page without news of its own still shows how many need a person now.
            object.entry("live").or_insert_with(|| json!("/operator/live?page=other"));
        }
        self.pages.render(template, &values).map(Html)
    }
}

/// Why there is no page.
#[derive(Debug)]
pub(super) struct PageError {
    status: StatusCode,
    message: String,
    cause: Option<String>,
}

impl PageError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> PageError {
        PageError { status, message: message.into(), cause: None }
    }

    pub(super) fn not_found(what: &str) -> PageError {
        PageError::new(StatusCode::NOT_FOUND, format!("There is no such {what}."))
    }

    pub(super) fn internal(cause: impl std::fmt::Display) -> PageError {
        let message = "Something went wrong on our side. The log says what.".to_owned();
        PageError { status: StatusCode::INTERNAL_SERVER_ERROR, message, cause: Some(cause.to_string()) }
    }

    fn away(what: &str, cause: impl std::fmt::Display) -> PageError {
        let message = format!("{what} cannot be reached just now. Nothing is lost; try again in a moment.");
        PageError { status: StatusCode::SERVICE_UNAVAILABLE, message, cause: Some(cause.to_string()) }
    }
}

impl From<RecordError> for PageError {
    fn from(error: RecordError) -> PageError {
        match &error {
            RecordError::Away(_) => PageError::away("The record", error),
            _ => PageError::internal(error),
        }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> PageError {
        match &error {
            StoreError::Away(_) | StoreError::Full { .. } => PageError::away("The store", error),
            StoreError::Quarantined(_) => PageError::new(
                StatusCode::CONFLICT,
                "Too many inputs of this customer could not be processed. Its dead letters come first.",
            ),
            _ => PageError::internal(error),
        }
    }
}

/// A small page of its own, without templates: what failed may be the templates.
impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut message = Vec::new();
        // Writing to memory does not fail.
        let _ = tera::escape_html(&self.message, &mut message);
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} \u{b7} Beckon</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"{}\">\
             <link rel=\"stylesheet\" href=\"{}\">\
             <link rel=\"stylesheet\" href=\"{}\"></head><body class=\"alone\"><main><p class=\"mono dim\">{}</p>\
             <h1>{title}</h1><p>{}</p><p><a href=\"/operator/\">To the inbox</a></p></main></body></html>",
            assets::address("flag.svg"),
            assets::address("tokens.css"),
            assets::address("dashboard.css"),
            self.status.as_u16(),
            String::from_utf8_lossy(&message),
        );
        let mut response = (self.status, Html(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

/// Any other path below `/operator/`.
pub(super) async fn not_found(State(_): State<Dashboard>, _operator: SignedIn) -> PageError {
    PageError::not_found("page")
}
