//! PORT. The company's APIs: operations described in the workspace, called for one customer.

use async_trait::async_trait;
use serde_json::{Map, Value};

use self::returns::Amount;
use crate::model::catalog::Operation;
use crate::model::input::CallOutcome;

pub mod breaker;
pub mod guard;
pub mod http;
pub mod outcome;
pub mod returns;
pub mod template;

/// Where an adapter's API is; an `[adapter.NAME]` section of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The base of every path.
    pub url: url::Url,
    /// Sent with every request.
    pub headers: Vec<(String, crate::secret::Secret)>,
    /// Whether the base's own host may be loopback or private.
    pub allow_private: bool,
    /// How many requests may be under way at once.
    pub concurrency: usize,
    /// The largest answer, in bytes.
    pub max_body: usize,
}

/// One call of an operation.
#[derive(Debug)]
pub struct Request<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// What follows `user:`; none for an anonymous customer.
    pub customer: Option<&'a str>,
    /// The arguments; they passed the schema.
    pub args: &'a Map<String, Value>,
    /// The write's key, the same on every try; sent where the operation declares a header.
    pub key: &'a str,
    /// How much of the answer is kept.
    pub amount: Amount,
}

/// A company's API.
#[async_trait]
pub trait Adapter: Send + Sync + 'static {
    /// One try. For a write: `Done` on 2xx, `Failed` where it surely was not done (not connected, or 4xx other than 408,
    /// 409 and 425), else `Unknown`. For a read: `Done` or `Failed`. The value has only the fields in `returns`.
    async fn call(&self, request: Request<'_>) -> CallOutcome;
}
