//! Tells Beckon what happened: CloudEvents, one after the other, each sent again under its own id until Beckon
//! has taken it. Bounded: who cannot reserve a place does not let happen what there would be to tell.

use std::time::Duration;

use jiff::Timestamp;
use rand::RngExt;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::people::random;

/// How many events may wait for Beckon.
const WAITING: usize = 1_024;
/// The first pause before an event is sent again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest that is waited because Beckon said so.
const LONGEST_ASKED: Duration = Duration::from_secs(30);

/// Where events are handed in.
pub type Outbox = mpsc::Sender<Event>;

/// A CloudEvent in structured mode.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    specversion: &'static str,
    id: String,
    source: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    datacontenttype: &'static str,
    data: Value,
}

impl Event {
    /// What happened to a customer just now.
    #[must_use]
    pub fn now(source: &'static str, kind: &'static str, customer: &str, data: Value) -> Self {
        Self::at(Timestamp::now(), source, kind, customer, data)
    }

    /// What happened to a customer at some time.
    #[must_use]
    pub fn at(time: Timestamp, source: &'static str, kind: &'static str, customer: &str, data: Value) -> Self {
        Self { subject: Some(customer.to_owned()), ..Self::of_many(time, source, kind, data) }
    }

    /// What happened at some time, and is not about one customer.
    #[must_use]
    pub fn of_many(time: Timestamp, source: &'static str, kind: &'static str, data: Value) -> Self {
        Self {
            specversion: "1.0",
            id: random(24),
            source,
            kind,
            subject: None,
            time: time.to_string(),
            datacontenttype: "application/json",
            data,
        }
    }
}

/// An outbox and the end that [`run`] empties.
#[must_use]
pub fn channel() -> (Outbox, mpsc::Receiver<Event>) {
    mpsc::channel(WAITING)
}

/// Sends what is handed in, in that order, to `url` with `key` as bearer. Returns when every [`Outbox`] is gone
/// and all is sent.
pub async fn run(mut events: mpsc::Receiver<Event>, client: Client, url: String, key: String) {
    while let Some(event) = events.recv().await {
        deliver(&event, &client, &url, &key).await;
    }
}

async fn deliver(event: &Event, client: &Client, url: &str, key: &str) {
    let Ok(body) = serde_json::to_string(event) else {
        return;
    };
    let mut pause = FIRST_PAUSE;
    loop {
        let request = client.post(url).bearer_auth(key).header(CONTENT_TYPE, "application/cloudevents+json");
        let asked = match request.body(body.clone()).send().await {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) if worth_another_try(answer.status()) => retry_after(&answer),
            Ok(answer) => {
                tracing::error!(event.id, status = answer.status().as_u16(), "event refused");
                return;
            }
            Err(error) => {
                tracing::debug!(event.id, error = %error.without_url(), "event not delivered yet");
                None
            }
        };
        let chance = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(asked.unwrap_or(pause.mul_f64(chance))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn worth_another_try(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_ASKED))
}
