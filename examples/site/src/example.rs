//! An example company: its name, its workspace and its server, run beside Beckon by the demo or alone.

use std::env;
use std::future::Future;
use std::io::{self, Error, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use reqwest::{Client, Url};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

use crate::outbox::{self, Outbox};
use crate::{assets, guard};

/// No form or call is longer, in bytes.
const BODY: usize = 16 * 1024;
/// How long one attempt to deliver an event may take.
const DELIVERY: Duration = Duration::from_secs(10);
/// How long events may still be delivered after the company has closed.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// What a company has to know to live beside Beckon.
#[derive(Clone)]
pub struct Settings {
    /// Base URL of Beckon, such as `http://127.0.0.1:8080`.
    pub beckon: String,
    /// Beckon's API key for the company's backend.
    pub api_key: String,
    /// The secret that signs customer tokens (HS256).
    pub identity_key: String,
    /// The bearer token that callers of the company's own API need.
    pub api_token: String,
}

/// What a company's server is built with.
pub struct Beside {
    /// How it lives beside Beckon.
    pub settings: Settings,
    /// Where it hands in events.
    pub outbox: Outbox,
    /// Where Beckon's script is.
    pub widget: String,
}

/// An example company.
#[derive(Clone, Copy)]
pub struct Example {
    /// Its short name: of its adapter, of its variables, and for `beckon demo --workspace`.
    pub name: &'static str,
    /// What to try on its pages, in a few words.
    pub hint: &'static str,
    /// Where it listens unless it is told otherwise.
    pub listen: &'static str,
    /// Its Beckon workspace: path inside the folder, content.
    pub workspace: &'static [(&'static str, &'static [u8])],
    /// Its pages and its API.
    pub router: fn(Beside) -> io::Result<Router>,
}

impl Example {
    /// Runs the company on `listener` until `stop` is ready, then lets running requests end and delivers what events it
    /// can within two seconds.
    ///
    /// # Errors
    /// `InvalidInput` if a setting is empty or `beckon` is no http URL; otherwise what the listener says.
    pub async fn serve(
        &self,
        listener: TcpListener,
        settings: Settings,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let beckon = checked(&settings)?;
        let policy = guard::policy(&beckon).map_err(io::Error::other)?;
        let client = Client::builder().timeout(DELIVERY).build().map_err(io::Error::other)?;
        let base = beckon.as_str().trim_end_matches('/').to_owned();
        let (outbox, events) = outbox::channel();

        // A set ends its tasks when it is dropped: nothing is left behind if this future is.
        let mut tasks = JoinSet::new();
        tasks.spawn(outbox::run(events, client, format!("{base}/v1/events"), settings.api_key.clone()));

        let beside = Beside { settings, outbox, widget: format!("{base}/widget.js") };
        let router = (self.router)(beside)?
            .merge(Router::new().nest("/assets", assets::routes()))
            .layer(DefaultBodyLimit::max(BODY))
            .layer(middleware::map_response(move |answer| {
                let sealed = guard::seal(&policy, answer);
                async { sealed }
            }));
        axum::serve(listener, router).with_graceful_shutdown(stop).await?;

        if tokio::time::timeout(LAST_EVENTS, tasks.join_next()).await.is_err() {
            tracing::warn!("closed with events that Beckon has not taken");
        }
        Ok(())
    }

    /// The company as a program of its own, with its settings in the environment.
    #[must_use]
    pub fn alone(&self) -> ExitCode {
        let running = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        match running.and_then(|runtime| runtime.block_on(self.run())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}: {error}", self.name);
                ExitCode::from(2)
            }
        }
    }

    async fn run(&self) -> io::Result<()> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        tracing_subscriber::fmt().with_env_filter(filter).init();

        let settings = self.settings()?;
        let listen = env::var(self.variable("LISTEN")).unwrap_or_else(|_| self.listen.to_owned());
        let listener = TcpListener::bind(&listen).await?;
        let address = format!("http://{}", listener.local_addr()?);
        tracing::info!(example = self.name, address, beckon = settings.beckon, "the example is open");
        let stop = async {
            if let Err(error) = tokio::signal::ctrl_c().await {
                tracing::warn!(error = %error, "no signal handler: the example can only be killed");
                std::future::pending::<()>().await;
            }
        };
        self.serve(listener, settings, stop).await
    }

    /// A variable of this example: `SHOP_TOKEN` for the shop's `TOKEN`.
    #[must_use]
    pub fn variable(&self, what: &str) -> String {
        format!("{}_{what}", self.name.to_uppercase())
    }

    fn settings(&self) -> io::Result<Settings> {
        let mut missing = Vec::new();
        let mut need = |name: String| {
            env::var(&name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let settings = Settings {
            beckon: env::var("BECKON_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned()),
            api_key: need("BECKON_API_KEY".to_owned()),
            identity_key: need("BECKON_IDENTITY_KEY".to_owned()),
            // Beckon sends this variable as a whole header, so it may begin with the scheme.
            api_token: need(self.variable("TOKEN")).trim_start_matches("Bearer ").to_owned(),
        };
        if missing.is_empty() {
            return Ok(settings);
        }
        Err(Error::new(ErrorKind::InvalidInput, format!("set these variables: {}", missing.join(", "))))
    }
}

fn checked(settings: &Settings) -> io::Result<Url> {
    let wrong = |what: &str| Error::new(ErrorKind::InvalidInput, what);
    let secrets = [
        ("api_key is empty", &settings.api_key),
        ("identity_key is empty", &settings.identity_key),
        ("api_token is empty", &settings.api_token),
    ];
    if let Some((what, _)) = secrets.iter().find(|(_, secret)| secret.is_empty()) {
        return Err(wrong(what));
    }
    match Url::parse(&settings.beckon) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(wrong("beckon is not an http URL")),
    }
}
