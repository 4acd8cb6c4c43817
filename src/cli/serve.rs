//! `beckon serve`: a server of a workspace, until it is told to stop.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::given::folder;
use crate::app::{self, Setup, Workspace};
use crate::catalog;
use crate::config::{self, Config, ConfigMistake, Flag, Input, Secrets};
use crate::secret::Secret;

/// Libraries that log what they carry.
const QUIET: &str = "async_openai=off,tungstenite=info,tokio_tungstenite=info";

/// What `serve` and others take over the configuration.
#[derive(Debug, Clone, Args)]
pub struct Overrides {
    /// The workspace: the folder with beckon.toml, playbooks/, prompts/, adapters/, sources/
    #[arg(long, default_value = ".", global = true, value_parser = folder)]
    pub workspace: PathBuf,
    /// Where to listen, such as 127.0.0.1:8080
    #[arg(long, global = true)]
    pub listen: Option<String>,
    /// The folder for all that this machine keeps
    #[arg(long, global = true)]
    pub data: Option<PathBuf>,
    /// The store: embedded: or redis://…
    #[arg(long, global = true)]
    pub store: Option<String>,
    /// The record: sqlite: or postgres://…
    #[arg(long, global = true)]
    pub record: Option<String>,
    /// Say that this is the only node: a SQLite record may then stand beside a shared store
    #[arg(long, global = true)]
    pub single: bool,
}

/// Arguments of `serve`.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// What stands over the configuration.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Print the configuration as it is read, secrets masked, and end
    #[arg(long)]
    pub print_config: bool,
}

impl Overrides {
    fn flags(&self) -> Vec<Flag> {
        let flag = |name: &str, key: &str, value: String| Flag { name: name.to_owned(), key: key.to_owned(), value };
        let mut flags = Vec::new();
        flags.extend(self.listen.clone().map(|value| flag("--listen", "http.listen", value)));
        flags.extend(self.data.as_ref().map(|path| flag("--data", "engine.data", path.display().to_string())));
        flags.extend(self.store.clone().map(|value| flag("--store", "store.url", value)));
        flags.extend(self.record.clone().map(|value| flag("--record", "record.url", value)));
        if self.single {
            flags.push(flag("--single", "engine.single", "true".to_owned()));
        }
        flags
    }

    /// Reads the configuration of the workspace under these flags.
    ///
    /// # Errors
    /// Every mistake at once, ready to be read.
    pub fn config(&self, secrets: Secrets) -> anyhow::Result<Config> {
        let env: BTreeMap<String, String> = std::env::vars().collect();
        let input = Input::of_workspace(&self.workspace, env, self.flags()).map_err(|mistake| listed(&[mistake]))?;
        config::load(&input, secrets).map_err(|mistakes| listed(&mistakes))
    }

    /// The record's address, its secret read; for commands that need no other secret.
    ///
    /// # Errors
    /// Where the variable or file is missing.
    pub fn record_url(config: &Config) -> anyhow::Result<String> {
        let url = Secret::resolve(config.record.url.reveal(), &|name| std::env::var(name).ok());
        Ok(url.map_err(anyhow::Error::msg)?.reveal().to_owned())
    }

    /// The data folder: relative to where the command is run where a flag named it, else to the workspace.
    pub fn base(&self) -> &Path {
        if self.data.is_some() { Path::new("") } else { &self.workspace }
    }
}

/// Mistakes of the configuration, ready to be read.
pub fn listed(mistakes: &[ConfigMistake]) -> anyhow::Error {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("the configuration has mistakes:\n\n{}", lines.join("\n\n"))
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from starting, and what to do.
pub async fn run(serve: &Serve) -> anyhow::Result<bool> {
    let overrides = &serve.overrides;
    if serve.print_config {
        println!("{}", config::print(&overrides.config(Secrets::Resolve)?));
        return Ok(true);
    }
    let config = overrides.config(Secrets::Resolve)?;
    let files = catalog::read_workspace(&overrides.workspace);
    // Its own mistakes are told when it is put in force; these are of what the configuration says of it.
    if let Ok(catalog) = files.and_then(|files| catalog::compile(&files, None)) {
        let mistakes = config::together(&config, &catalog);
        if !mistakes.is_empty() {
            return Err(listed(&mistakes));
        }
    }
    log(&config.log)?;
    let listen = config.http.listen;
    let workspace = Workspace::Folder(overrides.workspace.clone());
    let mut setup = Setup::of(config, workspace, overrides.base());
    setup.metrics = recorder()?;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen at {listen}: name another address with --listen, or end what has this one")
    })?;
    let running = app::start(setup, listener).await?;
    println!("listening at http://{}", running.address);
    println!("{}", running.survives);
    stopped().await?;
    tracing::info!("shutting down");
    running.stop().await;
    Ok(true)
}

/// How long stopping may take; what waits for the process kills it after 60 s.
const STOPPING: Duration = Duration::from_secs(55);

/// Ends the process when stopping has had its time, whatever holds it up: killed it would lose no less and no more.
fn end_in_time() {
    std::thread::spawn(|| {
        std::thread::sleep(STOPPING);
        tracing::error!("something did not come to its end within {} s; leaving without it", STOPPING.as_secs());
        std::process::exit(1);
    });
}

/// Waits for SIGTERM or SIGINT. From then on the process ends by itself within 55 s.
///
/// # Errors
/// Where signals cannot be heard.
pub async fn stopped() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    end_in_time();
    Ok(())
}

/// Logs as configured. Some libraries log whole answers and frames, tokens among them: what people wrote is not for logs,
/// whatever level was asked for.
///
/// # Errors
/// Where the filter cannot be read.
pub fn log(settings: &config::Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{},{QUIET}", settings.level))
        .with_context(|| format!("`log.level` is not a filter: {}", settings.level))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    let set = match settings.format {
        config::LogFormat::Text => lines.try_init(),
        config::LogFormat::Json => lines.json().try_init(),
    };
    set.map_err(|problem| anyhow::anyhow!("logging cannot be set up: {problem}"))
}

/// Counters and gauges of this process, in Prometheus' text format.
///
/// # Errors
/// Where they are set up twice.
pub fn recorder() -> anyhow::Result<Arc<dyn Fn() -> String + Send + Sync>> {
    let handle = PrometheusBuilder::new().install_recorder().context("metrics cannot be set up")?;
    Ok(Arc::new(move || {
        handle.run_upkeep();
        handle.render()
    }))
}
