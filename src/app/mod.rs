//! Builds everything from its settings, serves, and shuts down in order.

mod archive;
mod playbooks;
mod projection;
mod retention;
mod serving;
mod setup;
mod sweeping;
pub mod workspace;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::adapter::Adapter;
use crate::adapter::http::HttpAdapter;
use crate::catalog;
use crate::clock::{Clock, SystemClock};
use crate::engine::assistant::Assistant;
use crate::engine::effects::Outside;
use crate::engine::inbox::Inbox;
use crate::engine::node;
use crate::engine::notify::Notifier;
use crate::engine::projector::Behind;
use crate::engine::shelf::Shelf;
use crate::engine::suggest::Suggester;
use crate::http;
use crate::http::chat::Chat;
use crate::http::chat::attachments::Taken;
use crate::http::dashboard::{Dashboard, Installation, Sightings};
use crate::llm::Llm;
use crate::llm::openai::OpenAi;
use crate::model::catalog::Catalogs;
use crate::model::input::InForce;
use crate::model::time::Millis;
use crate::record::Record;
use crate::store::{self, Store};

pub use serving::Bounds as Connections;
pub use workspace::{Compiled, Workspace, compile};

/// Shorter than this, the record is as good as level with the store: operators need not hear of it.
const WORTH_SAYING: Millis = Millis(5_000);

/// Everything that a server is made of.
pub struct Setup {
    /// The data folder.
    pub data: PathBuf,
    /// The store.
    pub store: store::Settings,
    /// The record's URL.
    pub record: String,
    /// How long the record keeps what is over; none: for ever.
    pub keep: Option<Millis>,
    /// Playbooks, prompts, adapters, sources.
    pub workspace: Workspace,
    /// Models, in order of preference.
    pub models: Vec<crate::llm::Settings>,
    /// The company's APIs by name.
    pub adapters: BTreeMap<String, crate::adapter::Settings>,
    /// Where notifications go.
    pub notify: Option<crate::engine::notify::Settings>,
    /// Who may call.
    pub keys: Vec<http::keys::ApiKey>,
    /// Bounds on requests.
    pub limits: http::limits::Limits,
    /// Bounds on connections.
    pub connections: Connections,
    /// Chat.
    pub chat: http::chat::Settings,
    /// This node's name, unique among those on the store.
    pub node: String,
    /// How it works.
    pub engine: node::Settings,
    /// How the dashboard is reached.
    pub dashboard: http::dashboard::Settings,
    /// How long the script takes for a word; zero: its words come at once.
    pub script_pace: Duration,
    /// Reads a secret by its name.
    pub secrets: http::ReadSecret,
    /// Counters and gauges in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// What a 202 survives here, in a sentence.
    pub survives: String,
    /// Live state.
    pub store: Arc<dyn Store>,
    /// The record.
    pub record: Record,
    /// How far the record is behind.
    pub behind: Arc<Behind>,
    chat: Chat,
    closing: CancellationToken,
    draining: watch::Sender<bool>,
    serving: (CancellationToken, JoinHandle<()>),
    node: (CancellationToken, JoinHandle<()>),
    last: (CancellationToken, Vec<JoinHandle<()>>),
}

/// Builds and starts everything. The listener comes in, so that its port may be any.
///
/// # Errors
/// What cannot be opened or built, and what to do.
pub async fn start(setup: Setup, listener: TcpListener) -> anyhow::Result<Running> {
    std::fs::create_dir_all(&setup.data)
        .with_context(|| format!("the data folder {} cannot be made", setup.data.display()))?;
    crate::telemetry::begin();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = store::open(&setup.store, &setup.data).await?;
    let survives = told(&store.survives().await?);
    let record = Record::open(&setup.record, &setup.data).await?;
    let adapters: std::collections::BTreeSet<String> = setup.adapters.keys().cloned().collect();
    let shelf = Shelf::new(
        Arc::clone(&store),
        Arc::new(|files| catalog::compile(files, None).map_err(|mistakes| workspace::listed(&mistakes))),
    );
    let (first, seen) = workspace::put_in_force(&*store, &setup.workspace, &adapters).await?;
    // Before anything is accepted: the first event is judged by the files that this server was started with.
    Inbox::new(Arc::clone(&store)).announce(&first).await?;
    let in_force = watch::Sender::new(InForce::default());
    let catalogs = watch::Sender::new(Catalogs::default());
    let current = shelf.get(&first.hash).await?;
    catalogs.send_replace(Catalogs {
        by_hash: current.into_iter().map(|catalog| (first.hash.clone(), catalog)).collect(),
        in_force: first,
    });

    let models = models(&setup.models)?;
    let asked = models.iter().map(|(model, _)| Arc::clone(model)).collect();
    let assistant = Assistant::new(models, setup.script_pace);
    let suggester = Suggester::new(Arc::clone(&store), shelf.clone(), assistant.clone());
    let outside = Outside {
        assistant,
        adapters: Arc::new(apis(&setup.adapters)?),
        notifier: notifier(&setup, &clock)?,
        record: Some(record.clone()),
    };
    let behind = Arc::new(Behind::default());
    let draining = watch::Sender::new(false);
    let last = CancellationToken::new();
    let chat = Chat::new(
        Arc::clone(&store),
        setup.chat.clone(),
        Arc::new(archive::Archived::new(record.clone(), shelf.clone())),
        Arc::clone(&clock),
    )?;
    let taken = Taken::default();
    let mut lasting = vec![
        tokio::spawn(sweeping::run(record.clone(), taken.clone(), Arc::clone(&clock), last.clone())),
        tokio::spawn(projection::run(Arc::clone(&store), record.clone(), Arc::clone(&behind), last.clone())),
        tokio::spawn(projection::measure(
            Arc::clone(&store),
            setup.store.bounds,
            Arc::clone(&behind),
            Arc::clone(&clock),
            last.clone(),
        )),
        tokio::spawn(workspace::follow(shelf.clone(), in_force.subscribe(), catalogs.clone(), last.clone())),
    ];
    if let Some(keep) = setup.keep {
        lasting.push(tokio::spawn(retention::run(record.clone(), Arc::clone(&clock), keep, last.clone())));
    }
    if let Workspace::Folder(_) = &setup.workspace {
        let watching = workspace::watch(Arc::clone(&store), setup.workspace.clone(), adapters, seen, last.clone());
        lasting.push(tokio::spawn(watching));
    }

    let node_stop = CancellationToken::new();
    let parts = node::Parts {
        store: Arc::clone(&store),
        shelf,
        outside,
        clock: Arc::clone(&clock),
        name: setup.node.clone(),
        settings: setup.engine,
        behind: Arc::clone(&behind),
        in_force,
    };
    let node = tokio::spawn({
        let stop = node_stop.clone();
        async move {
            if let Err(problem) = node::run(parts, stop).await {
                tracing::error!(error = %problem, "the node could not start");
            }
        }
    });

    let address = listener.local_addr()?;
    let closing = CancellationToken::new();
    let router = routes(
        &setup,
        &store,
        &record,
        &clock,
        &catalogs,
        &behind,
        &draining,
        chat.clone(),
        taken,
        &closing,
        asked,
        suggester,
    )?;
    let serving_stop = CancellationToken::new();
    let serving = tokio::spawn(serving::serve(listener, router, setup.connections, serving_stop.clone()));
    Ok(Running {
        address,
        survives,
        store,
        record,
        behind,
        chat,
        closing,
        draining,
        serving: (serving_stop, serving),
        node: (node_stop, node),
        last: (last, lasting),
    })
}

impl Running {
    /// Shuts down in order: no new sockets, sessions told to come back, requests answered, leases given back, the
    /// record brought up to date. Nothing accepted is lost; what is pending goes on at the next start.
    pub async fn stop(self) {
        self.draining.send_replace(true);
        self.closing.cancel();
        let left = self.chat.registry().drain(Duration::from_secs(5)).await;
        if left > 0 {
            tracing::warn!(sockets = left, "sockets were still open at the end");
        }
        self.serving.0.cancel();
        if tokio::time::timeout(Duration::from_secs(10), self.serving.1).await.is_err() {
            tracing::warn!("requests were still under way at the end");
        }
        self.node.0.cancel();
        if tokio::time::timeout(Duration::from_secs(20), self.node.1).await.is_err() {
            tracing::warn!("effects were still under way at the end: they are taken up again");
        }
        self.last.0.cancel();
        for task in self.last.1 {
            if tokio::time::timeout(Duration::from_secs(10), task).await.is_err() {
                tracing::warn!("the record is behind at the end: it is brought up to date at the next start");
            }
        }
        self.record.close().await;
    }
}

#[expect(clippy::too_many_arguments, reason = "the one place where all parts of a server meet")]
fn routes(
    setup: &Setup,
    store: &Arc<dyn Store>,
    record: &Record,
    clock: &Arc<dyn Clock>,
    catalogs: &watch::Sender<Catalogs>,
    behind: &Arc<Behind>,
    draining: &watch::Sender<bool>,
    chat: Chat,
    taken: Taken,
    closing: &CancellationToken,
    models: Vec<Arc<dyn Llm>>,
    suggester: Suggester,
) -> anyhow::Result<Router> {
    let sightings = Sightings::new(Arc::clone(clock));
    let inbox = Inbox::new(Arc::clone(store));
    let dashboard = Dashboard::new(http::dashboard::Parts {
        record: record.clone(),
        store: Arc::clone(store),
        inbox: inbox.clone(),
        clock: Arc::clone(clock),
        settings: setup.dashboard,
        nearest: playbooks::nearest(catalogs.subscribe()),
        under_way: playbooks::under_way(catalogs.subscribe()),
        revocable: playbooks::revocable(catalogs.subscribe()),
        lag: {
            let (behind, clock) = (Arc::clone(behind), Arc::clone(clock));
            Arc::new(move || Some(behind.lag(clock.now())).filter(|lag| *lag >= WORTH_SAYING))
        },
        playbooks: Arc::new(playbooks::InForcePlaybooks::new(
            Arc::clone(store),
            catalogs.subscribe(),
            setup.workspace.clone(),
            setup.adapters.keys().cloned().collect(),
        )),
        suggester,
        installation: Installation {
            origins: setup.chat.origins.clone(),
            anonymous: setup.chat.identity.anonymous,
            tokens: !setup.chat.identity.keys.is_empty() || setup.chat.identity.jwks.is_some(),
            sockets: {
                let chat = chat.clone();
                Arc::new(move || chat.registry().open())
            },
            sightings: sightings.clone(),
            models,
        },
        closing: closing.clone(),
    })?;
    let (known, behind, lag_clock, drains) =
        (catalogs.subscribe(), Arc::clone(behind), Arc::clone(clock), draining.subscribe());
    let parts = http::Parts {
        store: Arc::clone(store),
        inbox,
        record: record.clone(),
        catalogs: Arc::new(move || known.borrow().clone()),
        keys: Arc::new(http::keys::Keys::new(setup.keys.clone(), setup.limits.rate)),
        limits: setup.limits,
        origins: http::layers::Origins::new(setup.chat.origins.iter().cloned()),
        secrets: Arc::clone(&setup.secrets),
        clock: Arc::clone(clock),
        lag: Arc::new(move || Some(behind.lag(lag_clock.now()))),
        draining: Arc::new(move || *drains.borrow()),
        metrics: Arc::clone(&setup.metrics),
    };
    let routes = http::router(parts)
        .merge(http::chat::attachments::routes(chat.clone(), record.clone(), taken, setup.limits.arrival))
        .merge(sightings.watch(http::chat::routes(chat).merge(http::widget::routes())))
        .merge(http::dashboard::routes(dashboard))
        .fallback(http::operation::nothing);
    Ok(http::layers::around(routes, setup.limits.arrival))
}

fn models(settings: &[crate::llm::Settings]) -> anyhow::Result<Vec<(Arc<dyn Llm>, u32)>> {
    let made = settings.iter().map(|settings| {
        let model = OpenAi::new(settings.clone()).map_err(anyhow::Error::msg)?;
        Ok((Arc::new(model) as Arc<dyn Llm>, settings.max_tokens))
    });
    made.collect()
}

fn apis(settings: &BTreeMap<String, crate::adapter::Settings>) -> anyhow::Result<BTreeMap<String, Arc<dyn Adapter>>> {
    let made = settings.iter().map(|(name, settings)| {
        let adapter = HttpAdapter::new(name, settings.clone()).map_err(anyhow::Error::msg)?;
        Ok((name.clone(), Arc::new(adapter) as Arc<dyn Adapter>))
    });
    made.collect()
}

fn notifier(setup: &Setup, clock: &Arc<dyn Clock>) -> anyhow::Result<Option<Arc<Notifier>>> {
    let made = setup.notify.clone().map(|settings| Notifier::new(settings, Arc::clone(clock)));
    Ok(made.transpose().map_err(anyhow::Error::msg)?.map(Arc::new))
}

/// What a 202 survives, in a sentence.
fn told(survives: &store::Survives) -> String {
    let primary = match survives.primary_lost {
        // One that has no replicas has no primary to lose either.
        "-" => String::new(),
        survives => format!(", a lost primary with {survives}"),
    };
    format!(
        "store {} ({}): a 202 survives a killed process with {}, a lost machine with {}{primary}",
        survives.store, survives.setting, survives.process_killed, survives.machine_lost
    )
}
