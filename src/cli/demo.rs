//! `beckon demo`: a shop, a server and a dashboard in one process. The shop knows Beckon only through its HTTP API, one
//! script tag and a signed customer token.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use url::Url;

use super::given;
use super::operator::fresh_secret;
use super::serve::{listed, log, recorder, stopped};
use crate::app::{self, Setup, Workspace};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Flag, Input, Secrets};
use crate::model::catalog::Files;
use crate::record::{NewAccount, Role};
use crate::secret::Secret;

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
    /// Another workspace for the same shop; its files are watched
    #[arg(long, value_parser = given::folder)]
    pub workspace: Option<PathBuf>,
    /// Where Beckon listens; another free port is taken where this one is not free
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = given::listen)]
    pub listen: SocketAddr,
    /// Where the shop listens; another free port is taken where this one is not free
    #[arg(long, default_value = "127.0.0.1:8090", value_parser = given::listen)]
    pub shop_listen: SocketAddr,
    /// Keep the data in this folder; without it they are thrown away at the end
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// The store
    #[arg(long)]
    pub store: Option<String>,
}

/// Runs the demo until it is stopped.
///
/// # Errors
/// What keeps it from starting.
pub async fn run(demo: &Demo) -> anyhow::Result<bool> {
    let listener = bind(demo.listen).await?;
    let shop_listener = bind(demo.shop_listen).await?;
    let beckon = format!("http://{}", listener.local_addr()?);
    let shop = format!("http://{}", shop_listener.local_addr()?);
    let data = Data::new(demo.data.clone())?;
    let (api_key, identity_key, shop_token) = (fresh_secret(), fresh_secret(), fresh_secret());

    let (workspace, file) = workspace(demo)?;
    let bearer = format!("Bearer {shop_token}");
    let settings = [
        ("BECKON_API_KEY", api_key.as_str()),
        ("BECKON_IDENTITY_KEY", identity_key.as_str()),
        ("SHOP_TOKEN", bearer.as_str()),
        ("BECKON__ADAPTER__SHOP__URL", shop.as_str()),
        ("BECKON__LOG__LEVEL", "warn"),
    ];
    let mut env: BTreeMap<String, String> =
        settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    env.insert("BECKON__CHAT__ORIGINS".to_owned(), format!("[\"{shop}\"]"));
    if let Ok(level) = std::env::var("BECKON__LOG__LEVEL") {
        env.insert("BECKON__LOG__LEVEL".to_owned(), level);
    }
    let flag = |key: &str, value: String| Flag { name: "demo".to_owned(), key: key.to_owned(), value };
    let mut flags = vec![flag("engine.single", "true".to_owned())];
    flags.extend(demo.store.clone().map(|url| flag("store.url", url)));
    let mut config = config::load(&Input { file, env, flags }, Secrets::Resolve).map_err(|found| listed(&found))?;
    log(&config.log)?;
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
    setup.metrics = recorder()?;
    let running = app::start(setup, listener).await?;

    let (stop_shop, stopping) = oneshot::channel::<()>();
    let shop_settings =
        beckon_example_shop::Settings { beckon: beckon.clone(), api_key, identity_key, api_token: shop_token };
    let selling = tokio::spawn(beckon_example_shop::serve(shop_listener, shop_settings, async move {
        let _ = stopping.await;
    }));

    let password = fresh_secret();
    let account = NewAccount {
        email: OPERATOR.to_owned(),
        name: "Rui".to_owned(),
        role: Role::Admin,
        team: None,
        password: Secret::new(password.clone()),
    };
    // A kept data folder knows the account from before.
    if running.record.add_operator(account, SystemClock.now()).await.is_err() {
        running.record.reset_password(OPERATOR, Secret::new(password.clone())).await?;
    }
    println!("shop       {shop}/   pay twice with the card ending 0002");
    println!("dashboard  {beckon}/operator/   e-mail {OPERATOR}   password {password}");
    if let Some(url) = &demo.model
        && !answers(url).await
    {
        println!("model      nobody answers at {url}: until a server does, the playbook's script speaks");
    }
    println!("stop       Ctrl-C{}", if data.kept { "" } else { "; all data of this demo are thrown away then" });
    stopped().await?;
    let _ = stop_shop.send(());
    running.stop().await;
    selling.await.context("the shop broke")??;
    Ok(true)
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

/// The workspace and its `beckon.toml`: the one named, else the shop's own from inside the binary.
fn workspace(demo: &Demo) -> anyhow::Result<(Workspace, String)> {
    if let Some(folder) = &demo.workspace {
        let path = folder.join(config::FILE);
        let file = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        return Ok((Workspace::Folder(folder.clone()), file));
    }
    let files: Files = beckon_example_shop::workspace()
        .into_iter()
        .map(|(path, content)| (path.to_owned(), content.to_vec()))
        .collect();
    let file = files.get(config::FILE).cloned().unwrap_or_default();
    Ok((Workspace::Files(files), String::from_utf8(file)?))
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
