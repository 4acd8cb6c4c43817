//! Errors over HTTP: RFC 9457 problem details. What the log needs stays in `cause` and never leaves.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::store::StoreError;

/// When to come back to a store that a person has to mend first.
const REPAIR: Duration = Duration::from_secs(60);

/// What a caller is told, and what the log is.
#[derive(Debug)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// What the caller reads.
    pub problem: Box<Problem>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// For the log only.
    pub cause: Option<String>,
}

/// The body of an error, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// A stable code, as a relative reference such as `/problems/invalid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// JSON pointer to the field, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

impl Problem {
    /// A problem with a stable `code`.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            pointer: None,
        }
    }

    /// The same, pointing at a field.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Problem {
        self.pointer = Some(pointer.into());
        self
    }
}

impl ApiError {
    /// An error with a stable `code`.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> ApiError {
        ApiError { status, problem: Box::new(Problem::new(status, code, detail)), retry_after: None, cause: None }
    }

    /// 400: the request is wrong, at this field.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> ApiError {
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, "invalid", detail);
        error.problem.pointer = Some(pointer.into());
        error
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 409: what this customer sent before could not be processed, and comes first.
    pub fn quarantined() -> ApiError {
        let detail = "Too many inputs of this customer could not be processed; its dead letters come first.";
        ApiError::new(StatusCode::CONFLICT, "quarantined", detail)
    }

    /// 500, with the cause for the log.
    pub fn internal(cause: impl ToString) -> ApiError {
        let mut error =
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.");
        error.cause = Some(cause.to_string());
        error
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        ApiError::invalid("query", rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> ApiError {
        ApiError::not_found("There is nothing here.")
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        let (detail, retry_after) = match &error {
            StoreError::Full { what, retry_after } => (format!("{what} is full; send it again later."), *retry_after),
            StoreError::Away(_) => {
                ("The store cannot be reached; send it again later.".to_owned(), Duration::from_secs(1))
            }
            StoreError::Quarantined(_) => {
                return ApiError { cause: Some(error.to_string()), ..ApiError::quarantined() };
            }
            // Nothing was taken, so sending again is safe and right; but somebody has to look first.
            StoreError::Newer { .. } | StoreError::Corrupt(_) | StoreError::Unusable(_) => {
                ("The store cannot be used as it is; send it again later.".to_owned(), REPAIR)
            }
        };
        let mut api = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        api.retry_after = Some(retry_after);
        api.cause = Some(error.to_string());
        api
    }
}

/// The cause of an error response, for the layer that logs it once.
#[derive(Debug, Clone)]
pub struct Cause(pub String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(*self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            // Rounded up: who comes back at the second named must not be too early.
            let seconds = after.as_millis().div_ceil(1_000).max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

/// What is wrong, as an error says it, as a sentence.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_ails_the_store_is_503_with_a_time_to_come_back() {
        let newer = StoreError::Newer { found: 2, known: 1, place: "secret place".to_owned() };
        let full = StoreError::Full { what: "the inbox", retry_after: Duration::from_millis(1_001) };
        for (error, seconds) in [
            (full, "2"),
            (StoreError::Away("secret".to_owned()), "1"),
            (newer, "60"),
            (StoreError::Corrupt("secret".to_owned()), "60"),
            (StoreError::Unusable("secret".to_owned()), "60"),
        ] {
            let api = ApiError::from(error);
            assert!(!api.problem.detail.contains("secret"), "the cause is for the log");
            assert!(api.cause.is_some());
            let response = api.into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }
}
