//! `/operator/attachments/{id}`: a customer's file, for who is signed in.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;

use super::Dashboard;
use super::access::SignedIn;
use crate::http::files;
use crate::http::problem::ApiError;
use crate::model::attachment::AttachmentId;

/// A file. It is shown nowhere but in a thumbnail of ours; followed as a link it is saved.
pub(super) async fn file(
    State(dashboard): State<Dashboard>,
    _operator: SignedIn,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = id?;
    let id = AttachmentId::parse(&id).ok_or_else(files::gone)?;
    let (_, file) = dashboard.record.attachment(&id).await?.ok_or_else(files::gone)?;
    files::send(&dashboard.record, &file).await
}
