//! A client of the HTTP API, for the commands that touch live state.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

/// A server and a key to it.
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

/// What became of a request that may be pushed back.
pub enum Posted {
    /// The answer.
    Answer(Value),
    /// 429 or 503: send it again after this.
    Later(Duration),
}

impl Client {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new(url: &str, key: Option<String>) -> anyhow::Result<Client> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).tcp_nodelay(true).build()?;
        Ok(Client { http, url: url.trim_end_matches('/').to_owned(), key })
    }

    /// The server's base.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `GET`, as JSON.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses: its own words.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// Any method with a JSON body, as JSON.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses: its own words.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request.send().await.with_context(|| self.unreachable())?).await
    }

    /// `POST` of a body as it is; pushed back requests are told apart.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses: its own words.
    pub async fn post_raw(&self, path: &str, kind: &str, body: String) -> anyhow::Result<Posted> {
        let request = self.request(Method::POST, path).header("content-type", kind).body(body);
        let response = request.send().await.with_context(|| self.unreachable())?;
        if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            return Ok(Posted::Later(Duration::from_secs(after.unwrap_or(1))));
        }
        Ok(Posted::Answer(answer(response).await?))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    fn unreachable(&self) -> String {
        format!("no server answers at {}: start one with `beckon serve`, or name it with --url", self.url)
    }
}

async fn answer(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    let body: Value = response.json().await.unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(body);
    }
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or("no further words");
    let hint = match status {
        StatusCode::UNAUTHORIZED => " (give a key with --key or BECKON_API_KEY)",
        StatusCode::FORBIDDEN => " (the key has not the right)",
        _ => "",
    };
    bail!("the server answered {status}: {detail}{hint}")
}
