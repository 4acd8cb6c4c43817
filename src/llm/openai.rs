//! OpenAI-compatible models: one streamed chat completion a question.
//!
//! async-openai makes the request and reads the stream; what is below it is `transport`, what is made of the pieces
//! `answer`. Built from our configuration only: nothing of the environment, no proxy, no redirects, no retries.
//! The application filters its log target: it logs whole answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::HeaderValue;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::Answer;
use super::transport::{Transport, reason};
use super::wire::{Body, Dialect};
use super::{Completion, Llm, LlmError, Request, Settings};

/// The longest silence between two pieces of an answer.
const GAP: Duration = Duration::from_secs(10);

/// The longest answer, in time.
const WHOLE: Duration = Duration::from_secs(120);

/// How long after the end of an answer the count of its tokens may take.
const AFTERWORD: Duration = Duration::from_secs(1);

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// One OpenAI-compatible model.
pub struct OpenAi {
    settings: Settings,
    client: Client<OpenAIConfig>,
    /// Some servers cut a stream when a second request comes: so many at once, the rest waits.
    places: Arc<Semaphore>,
    dialect: Mutex<Dialect>,
    gap: Duration,
}

impl std::fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenAi").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl OpenAi {
    /// A model by its settings; asks nothing yet.
    ///
    /// # Errors
    /// A sentence that names the setting that cannot be used, never the key.
    pub fn new(settings: Settings) -> Result<OpenAi, String> {
        let wrong = |why: String| format!("model `{}`: {why}", settings.name);
        let url: url::Url = settings.url.parse().map_err(|e| wrong(format!("`url` is no URL: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("`url` must be http or https, without query".to_owned()));
        }
        let authorization = match &settings.api_key {
            None => None,
            Some(key) => {
                let value = HeaderValue::from_str(&format!("Bearer {}", key.reveal()));
                let mut value = value.map_err(|_| wrong("`api_key` has characters that no header takes".to_owned()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT.min(settings.first_token))
            .user_agent(concat!("beckon/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| wrong(reason(e)))?;
        let longest = usize::try_from(settings.max_tokens).unwrap_or(usize::MAX).saturating_mul(2_048);
        let transport = Transport { client, authorization, longest: longest.clamp(1 << 20, 1 << 24) };
        // `new` of theirs reads the environment: every field it may have filled is set here.
        let config = OpenAIConfig::new()
            .with_api_base(settings.url.trim_end_matches('/'))
            .with_api_key("")
            .with_org_id("")
            .with_project_id("");
        Ok(OpenAi {
            client: Client::with_config(config).with_http_service(transport),
            places: Arc::new(Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS))),
            dialect: Mutex::default(),
            gap: GAP,
            settings,
        })
    }

    /// The same with another longest silence between two pieces of an answer than 10 s.
    #[must_use]
    pub fn with_gap(mut self, gap: Duration) -> OpenAi {
        self.gap = gap;
        self
    }

    fn dialect(&self) -> Dialect {
        *self.dialect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from a refusal what the server does not take. Whether there was something new to learn.
    fn learn(&self, refusal: &LlmError) -> bool {
        let LlmError::Refused(message) = refusal else { return false };
        let mut dialect = self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *dialect;
        dialect.completion_limit |= message.contains("max_completion_tokens");
        dialect.no_stream_options |= message.contains("stream_options");
        let lower = message.to_lowercase();
        dialect.one_system |= lower.contains("system") && (lower.contains("role") || lower.contains("message"));
        *dialect != before
    }

    async fn try_once(&self, request: &Request, words: &mpsc::Sender<String>) -> Result<Completion, LlmError> {
        let max_tokens = request.max_tokens.min(self.settings.max_tokens).max(1);
        let body = Body::new(&self.settings.model, request, max_tokens, self.dialect());
        let started = Instant::now();
        let first = started + self.settings.first_token;
        let late = || LlmError::Away(format!("not a word within {:?}", self.settings.first_token));
        let chat = self.client.chat();
        let opening = chat.create_stream_byot::<_, Box<RawValue>>(&body);
        let mut pieces = timeout_at(first, opening).await.map_err(|_| late())?.map_err(failure)?;

        let mut answer = Answer::new(max_tokens);
        let mut begun = false;
        loop {
            let patience = match (answer.is_finished(), begun) {
                (true, _) => Instant::now() + AFTERWORD,
                (false, true) => (Instant::now() + self.gap).min(started + WHOLE),
                (false, false) => first,
            };
            let piece = match timeout_at(patience, pieces.next()).await {
                Ok(None) => break,
                Ok(Some(Ok(piece))) => piece,
                // It was whole already; only the count of its tokens is missing.
                Ok(Some(Err(_))) | Err(_) if answer.is_finished() => break,
                Ok(Some(Err(error))) => return Err(failure(error)),
                Err(_) if !begun => return Err(late()),
                Err(_) => return Err(LlmError::Broken("it fell silent within the answer".to_owned())),
            };
            let taken = match answer.take(piece.get()) {
                Err(_) if answer.is_finished() => break,
                taken => taken?,
            };
            begun |= taken.begun;
            if !taken.words.is_empty() {
                // Nobody listening is no reason to stop: the answer is what counts.
                let _ = words.send(taken.words).await;
            }
        }
        answer.complete(request)
    }
}

#[async_trait]
impl Llm for OpenAi {
    fn name(&self) -> &str {
        &self.settings.name
    }

    /// One try; but a server that refuses a parameter by name is asked once more without it, and never again with it.
    async fn ask(&self, request: &Request, words: &mpsc::Sender<String>) -> Result<Completion, LlmError> {
        let waiting = crate::telemetry::Waiting::at_model(&self.settings.name);
        let place = timeout(self.settings.first_token, self.places.acquire()).await;
        drop(waiting);
        let Ok(Ok(_place)) = place else { return Err(LlmError::Busy { retry_after: None }) };
        loop {
            match self.try_once(request, words).await {
                Err(refusal) if self.learn(&refusal) => {}
                answer => return answer,
            }
        }
    }
}

/// What async-openai's error means.
fn failure(error: OpenAIError) -> LlmError {
    match error {
        OpenAIError::Boxed(ours) => match ours.downcast::<LlmError>() {
            Ok(ours) => *ours,
            Err(other) => LlmError::Away(other.to_string()),
        },
        OpenAIError::Reqwest(error) => LlmError::Away(reason(error)),
        OpenAIError::JSONDeserialize(error, _) => LlmError::Broken(format!("a piece is no JSON: {error}")),
        OpenAIError::StreamError(error) => LlmError::Broken(error.to_string()),
        other => LlmError::Refused(other.to_string()),
    }
}
