//! `beckon demo`: an example company, a server and a dashboard in one process. The company knows Beckon only through its
//! HTTP API, one script tag and a signed customer token; nothing here knows what the company does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use beckon_example_site::{Example, Settings};
use clap::Args;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

use super::given;
use super::operator::fresh_secret;
use super::serve::{listed, log, recorder, stopped};
use crate::app::{self, Running, Setup, Workspace};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Flag, Input, Secrets};
use crate::model::catalog::Files;
use crate::record::{NewAccount, Role};
use crate::secret::Secret;

/// The example companies.
pub const EXAMPLES: [Example; 5] = [
    beckon_example_shop::EXAMPLE,
    beckon_example_saas::EXAMPLE,
    beckon_example_bank::EXAMPLE,
    beckon_example_logistics::EXAMPLE,
    beckon_example_telecom::EXAMPLE,
];

/// Who signs in to the dashboard of the demo.
const OPERATOR: &str = "operator@beckon.example";

/// What the demo may be told.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// An OpenAI-compatible server, such as http://127.0.0.1:11434/v1; without it the playbook's script speaks
    #[arg(long, value_name = "URL", value_parser = given::model)]
    pub model: Option<Url>,
    /// The model's name there
    #[arg(long, default_value = "default", requires = "model")]
    pub model_name: String,
    /// The key of the model's server
    #[arg(long, env = "BECKON_MODEL_KEY", hide_env_values = true)]
    pub model_key: Option<String>,
    /// Which example: shop, saas, bank, logistics or telecom; or the folder of a workspace for one of them, whose files are watched
    #[arg(long, value_name = "NAME|DIR", default_value = "shop", value_parser = named)]
    pub workspace: PathBuf,
    /// Where Beckon listens; another free port is taken where this one is not free
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = given::listen)]
    pub listen: SocketAddr,
    /// Where the example listens; another free port is taken where this one is not free
    #[arg(long, alias = "shop-listen", default_value = "127.0.0.1:8090", value_parser = given::listen)]
    pub example_listen: SocketAddr,
    /// Keep the data in this folder; without it they are thrown away at the end
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// The store
    #[arg(long)]
    pub store: Option<String>,
}

/// A demo that runs: the example company, Beckon beside it, and who may sign in.
pub struct Playing {
    /// The company.
    pub example: Example,
    /// Where its pages and its API are.
    pub company: String,
    /// The bearer token of its API.
    pub api_token: String,
    /// Where Beckon is.
    pub beckon: String,
    /// The key of the company's backend at Beckon.
    pub api_key: String,
    /// The operator's password.
    pub password: Secret,
    running: Running,
    serving: JoinHandle<std::io::Result<()>>,
    close: oneshot::Sender<()>,
    data: Data,
}

/// What a demo is watched by: sets up the log, answers what shows the metrics.
pub type Watch = fn(&config::Log) -> anyhow::Result<Arc<dyn Fn() -> String + Send + Sync>>;

/// Runs the demo until it is stopped.
///
/// # Errors
/// What keeps it from starting.
pub async fn run(demo: &Demo) -> anyhow::Result<bool> {
    let watch: Watch = |settings| {
        log(settings)?;
        recorder()
    };
    let playing = begin(demo, watch).await?;
    println!("{:<10} {}/   {}", playing.example.name, playing.company, playing.example.hint);
    println!("dashboard  {}/operator/   e-mail {OPERATOR}   password {}", playing.beckon, playing.password.reveal());
    if let Some(url) = &demo.model
        && !answers(url).await
    {
        println!("model      nobody answers at {url}: until a server does, the playbook's script speaks");
    }
    println!(
        "stop       Ctrl-C{}",
        if playing.data.kept { "" } else { "; all data of this demo are thrown away then" }
    );
    stopped().await?;
    playing.stop().await?;
    Ok(true)
}

/// Starts the demo.
///
/// # Errors
/// What keeps it from starting.
pub async fn begin(demo: &Demo, watch: Watch) -> anyhow::Result<Playing> {
    let (example, workspace, file) = chosen(&demo.workspace)?;
    let listener = bind(demo.listen).await?;
    let company_listener = bind(demo.example_listen).await?;
    let beckon = format!("http://{}", listener.local_addr()?);
    let company = format!("http://{}", company_listener.local_addr()?);
    let data = Data::new(demo.data.clone())?;
    // A key that signs is longer than one that is only compared.
    let identity_key = fresh_secret() + &fresh_secret();
    let (api_key, api_token) = (fresh_secret(), fresh_secret());

    let mut env = BTreeMap::from([
        ("BECKON_API_KEY".to_owned(), api_key.clone()),
        ("BECKON_IDENTITY_KEY".to_owned(), identity_key.clone()),
        (example.variable("TOKEN"), format!("Bearer {api_token}")),
        (format!("BECKON__ADAPTER__{}", example.variable("_URL")), company.clone()),
        ("BECKON__CHAT__ORIGINS".to_owned(), format!("[\"{company}\"]")),
    ]);
    let level = std::env::var("BECKON__LOG__LEVEL").unwrap_or_else(|_| "warn".to_owned());
    env.insert("BECKON__LOG__LEVEL".to_owned(), level);
    let flag = |key: &str, value: String| Flag { name: "demo".to_owned(), key: key.to_owned(), value };
    let mut flags = vec![flag("engine.single", "true".to_owned())];
    flags.extend(demo.store.clone().map(|url| flag("store.url", url)));
    let mut config = config::load(&Input { file, env, flags }, Secrets::Resolve).map_err(|found| listed(&found))?;
    let metrics = watch(&config.log)?;
    config.engine.data = data.folder.clone();
    config.models.extend(demo.model.as_ref().map(|url| crate::llm::Settings {
        name: demo.model_name.clone(),
        url: url.to_string(),
        model: demo.model_name.clone(),
        api_key: demo.model_key.clone().map(Secret::new),
        first_token: Duration::from_secs(10),
        concurrency: 8,
        max_tokens: 600,
    }));
    let mut setup = Setup::of(config, workspace, &data.folder);
    setup.metrics = metrics;
    let running = app::start(setup, listener).await?;

    let (close, closing) = oneshot::channel::<()>();
    let (key, token) = (api_key.clone(), api_token.clone());
    let settings = Settings { beckon: beckon.clone(), api_key: key, identity_key, api_token: token };
    let serving = tokio::spawn(async move {
        let stop = async move {
            let _ = closing.await;
        };
        example.serve(company_listener, settings, stop).await
    });

    let password = Secret::new(fresh_secret());
    let account = NewAccount {
        email: OPERATOR.to_owned(),
        name: "Rui".to_owned(),
        role: Role::Admin,
        team: None,
        password: password.clone(),
    };
    // A kept data folder knows the account from before.
    if running.record.add_operator(account, SystemClock.now()).await.is_err() {
        running.record.reset_password(OPERATOR, password.clone()).await?;
    }
    Ok(Playing { example, company, api_token, beckon, api_key, password, running, serving, close, data })
}

impl Playing {
    /// Stops both: first the company, which tells Beckon what it still has to tell.
    ///
    /// # Errors
    /// Where the company broke.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.close.send(());
        let served = self.serving.await;
        self.running.stop().await;
        served.context("the example broke")??;
        Ok(())
    }
}

/// Whether somebody listens where the model should be.
async fn answers(model: &Url) -> bool {
    let (Some(host), Some(port)) = (model.host_str(), model.port_or_known_default()) else { return false };
    // An IPv6 address stands in brackets in a URL only.
    let host = host.trim_matches(['[', ']']);
    let connected = tokio::time::timeout(Duration::from_secs(2), TcpStream::connect((host, port))).await;
    connected.is_ok_and(|connected| connected.is_ok())
}

/// Listens there, or at another free port of the same address.
async fn bind(wanted: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(wanted).await {
        Ok(listener) => Ok(listener),
        Err(_) => {
            let any = SocketAddr::new(wanted.ip(), 0);
            TcpListener::bind(any).await.with_context(|| format!("cannot listen at {}", wanted.ip()))
        }
    }
}

fn names() -> String {
    EXAMPLES.map(|example| example.name).join(", ")
}

/// The name of an example, or a folder that is there.
fn named(text: &str) -> Result<PathBuf, String> {
    if EXAMPLES.iter().any(|example| example.name == text) {
        return Ok(PathBuf::from(text));
    }
    given::folder(text).map_err(|why| format!("{why}, and the examples are {}", names()))
}

/// The example that is played, its workspace and its `beckon.toml`: from inside the binary where an example is named, else
/// of a folder, which says by its `[adapter.NAME]` for which example it is.
fn chosen(named: &Path) -> anyhow::Result<(Example, Workspace, String)> {
    if let Some(example) = EXAMPLES.into_iter().find(|example| Path::new(example.name) == named) {
        let files: Files =
            example.workspace.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect();
        let file = files.get(config::FILE).cloned().unwrap_or_default();
        return Ok((example, Workspace::Files(files), String::from_utf8(file)?));
    }
    let names = names();
    let path = named.join(config::FILE);
    let file = std::fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read: name a folder with it, or one of {names}", path.display()))?;
    let parsed: toml::Table = file.parse().with_context(|| format!("{} is no TOML", path.display()))?;
    let adapters = parsed.get("adapter").and_then(toml::Value::as_table);
    let known = |example: &Example| adapters.is_some_and(|adapters| adapters.contains_key(example.name));
    match EXAMPLES.into_iter().find(known) {
        Some(example) => Ok((example, Workspace::Folder(named.to_owned()), file)),
        None => bail!("{} has no adapter of an example: it needs [adapter.NAME] for one of {names}", path.display()),
    }
}

/// The folder for the demo's data; removed at the end unless it was named.
struct Data {
    folder: PathBuf,
    kept: bool,
}

impl Data {
    fn new(named: Option<PathBuf>) -> anyhow::Result<Data> {
        let kept = named.is_some();
        let fresh = || std::env::temp_dir().join(format!("beckon-demo-{:016x}", rand::random::<u64>()));
        let folder = named.unwrap_or_else(fresh);
        std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Data { folder: std::path::absolute(folder)?, kept })
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed is left to the system's own cleaning of its temporary folder.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
