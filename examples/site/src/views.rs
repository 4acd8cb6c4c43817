//! Pages from templates, which hold no logic beyond `if` and `for`, in the frame that all examples share.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use tera::{Context, Tera};

const FRAME: (&str, &str) = ("site.html", include_str!("../templates/site.html"));

/// How a company shows itself.
#[derive(Debug, Serialize)]
pub struct Brand {
    /// Its name.
    pub name: &'static str,
    /// One line under its pages: that it is made up.
    pub note: &'static str,
    /// What is inside of its mark, an SVG of 32 by 32.
    pub mark: &'static str,
    /// The name of its cookie, and of its own style sheet.
    pub look: &'static str,
}

/// The compiled templates.
#[derive(Debug)]
pub struct Views(Tera);

impl Views {
    /// Compiles a company's templates together with the frame, which they extend.
    ///
    /// # Errors
    /// If one does not parse.
    pub fn new(own: &[(&'static str, &'static str)]) -> Result<Self, tera::Error> {
        let mut tera = Tera::new();
        tera.add_raw_templates(std::iter::once(FRAME).chain(own.iter().copied()))?;
        Ok(Self(tera))
    }

    /// One page as a response.
    pub fn page(&self, status: StatusCode, name: &str, context: &Context) -> Response {
        match self.0.render(name, context) {
            Ok(page) => (status, Html(page)).into_response(),
            Err(error) => {
                tracing::error!(page = name, error = %error, "page not rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "This page is broken. Please come back later.").into_response()
            }
        }
    }
}

/// What every page shows around its own part.
#[derive(Debug, Serialize)]
pub struct Frame {
    /// Whose page it is.
    pub brand: &'static Brand,
    /// Where Beckon's script is.
    pub widget: String,
    /// The customer token.
    pub token: String,
    /// The visitor's name.
    pub name: &'static str,
}
