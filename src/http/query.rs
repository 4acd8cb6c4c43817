//! Reading the query of a request: no parameter that is unknown passes unseen, and a cursor is one or the answer is 400.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::problem::ApiError;
use crate::catalog::did_you_mean;

/// The query of a request, as a struct whose fields are all the parameters there are.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T, S> FromRequestParts<S> for Asked<T>
where
    T: DeserializeOwned + IntoParams,
    S: Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Asked<T>, ApiError> {
        let known: Vec<String> = T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect();
        let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)?;
        if let Some((other, _)) = given.iter().find(|(name, _)| !known.contains(name)) {
            let help = did_you_mean(other, known.iter().map(String::as_str))
                .unwrap_or_else(|| format!("there are {}.", known.join(", ")));
            let detail = format!("There is no such parameter here: {help}");
            return Err(ApiError::invalid(format!("query {other}"), detail));
        }
        let Query(read) = Query::try_from_uri(&parts.uri)?;
        Ok(Asked(read))
    }
}

/// Where to go on, by the parameter of this name; none where it is not there.
///
/// # Errors
/// 400: no page gave this cursor. To begin at the start instead would send who follows cursors round for ever.
pub fn cursor<C: FromStr>(name: &str, text: Option<&str>) -> Result<Option<C>, ApiError> {
    let wrong = |_| ApiError::invalid(format!("query {name}"), format!("`{name}` is not the cursor of a page before."));
    text.map(str::parse).transpose().map_err(wrong)
}
