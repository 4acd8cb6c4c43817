//! More than one process on the same state: refused where the promises would not hold.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use beckon::clock::SystemClock;
use beckon::engine::assistant::Assistant;
use beckon::engine::effects::Outside;
use beckon::engine::node::{self, Parts, Settings};
use beckon::engine::projector::Behind;
use beckon::engine::shelf::Shelf;
use beckon::model::ids::{ActorId, Partition};
use beckon::model::input::InForce;
use beckon::store::{self, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::chaos;
use super::poison::{put, with_catalog};
use super::process::{Site, run, text};
use crate::journeys::world::until;
use crate::store::{P0, Place, TTL};

chaos!(an_owner_that_panics_is_replaced, catalogs_that_nobody_uses_are_let_go);

pub(crate) fn parts(store: &Arc<dyn Store>, shelf: Shelf, settings: Settings) -> Parts {
    Parts {
        store: Arc::clone(store),
        shelf,
        outside: Outside {
            assistant: Assistant::new(Vec::new(), Duration::ZERO),
            adapters: Arc::new(BTreeMap::new()),
            notifier: None,
            record: None,
        },
        clock: Arc::new(SystemClock),
        name: "node".to_owned(),
        settings,
        behind: Arc::new(Behind::default()),
        in_force: watch::Sender::new(InForce::default()),
    }
}

async fn an_owner_that_panics_is_replaced(place: Place) {
    let store = place.open().await;
    with_catalog(&store).await;
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    // Not in `decide`, whose panics are caught: while it takes its partition over.
    let shelf = Shelf::new(
        Arc::clone(&store),
        Arc::new(move |files| {
            assert!(counted.fetch_add(1, Ordering::Relaxed) >= 3, "this build does not like the catalog yet");
            beckon::catalog::compile(files, None).map_err(|mistakes| format!("{mistakes:?}"))
        }),
    );
    put(&store, "somebody", "a").await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(node::run(parts(&store, shelf, Settings::default()), stop.clone()));
    until("every partition is taken again and decided", || async {
        store.fill().await.unwrap().values().all(|fill| fill.undecided == 0)
    })
    .await;
    assert!(asked.load(Ordering::Relaxed) > 3, "owners did panic");
    assert!(store.load(P0, &[ActorId::user("somebody")]).await.unwrap()[0].is_some());
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(store.acquire(P0, "other", TTL).await.unwrap().unwrap().clean, "and every lease is given back");
}

async fn catalogs_that_nobody_uses_are_let_go(place: Place) {
    const REVISIONS: u64 = 30;
    let store = place.open().await;
    let (_, first) = with_catalog(&store).await;
    let shelf = Shelf::new(
        Arc::clone(&store),
        Arc::new(|files| beckon::catalog::compile(files, None).map_err(|mistakes| format!("{mistakes:?}"))),
    );
    let lease = store.acquire(P0, "node", TTL).await.unwrap().unwrap();
    let settings = Settings::default();
    let mut owner =
        beckon::engine::owner::Owner::take(Arc::clone(&store), shelf.clone(), P0, &lease, settings).await.unwrap();
    put(&store, "of the first", "a").await;
    owner.step(&first).await.unwrap();
    let files = store.catalog(&first.hash).await.unwrap().unwrap();
    let mut catalogs = vec![Arc::downgrade(&shelf.get(&first.hash).await.unwrap().unwrap())];
    for revision in 2..=REVISIONS {
        let mut files = files.clone();
        files.get_mut("playbooks/loud.yaml").unwrap().extend(format!("# {revision}\n").into_bytes());
        let hash = beckon::catalog::hash(&files);
        store.put_catalog(&hash, &files).await.unwrap();
        let next = InForce { revision, hash: hash.clone(), paused: Vec::new() };
        while owner.step(&next).await.unwrap() != beckon::engine::owner::Worked::Nothing {}
        assert_eq!(owner.in_force(), &next);
        catalogs.push(Arc::downgrade(&shelf.get(&hash).await.unwrap().unwrap()));
    }
    let alive: Vec<usize> = (0..catalogs.len()).filter(|n| catalogs[*n].strong_count() > 0).collect();
    assert!(alive.contains(&0), "a conversation was opened under the first: {alive:?}");
    assert!(alive.contains(&(catalogs.len() - 1)), "the last is in force: {alive:?}");
    assert!(alive.len() <= 12, "these two, and a few that may be asked for again: {alive:?}");
}

/// A server's address behind a line that takes so long each way, whatever is on it.
async fn far_away(server: SocketAddr, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(server).await else { return };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_in, far_out, delay));
            tokio::spawn(carry(far_in, near_out, delay));
        }
    });
    address
}

async fn carry(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf, delay: Duration) {
    let (line, mut under_way) = mpsc::unbounded_channel::<(tokio::time::Instant, VecDeque<u8>)>();
    tokio::spawn(async move {
        let mut bytes = [0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let _ = line.send((tokio::time::Instant::now() + delay, bytes[..count].iter().copied().collect()));
        }
    });
    while let Some((due, bytes)) = under_way.recv().await {
        tokio::time::sleep_until(due).await;
        if to.write_all(&Vec::from(bytes)).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_far_away_costs_no_lease() {
    let place = Place::redis();
    let mut settings = place.settings();
    settings.partitions = 32;
    let near: Arc<dyn Store> = store::open(&settings, std::path::Path::new("/nonexistent")).await.unwrap();
    let server: url::Url = settings.url.parse().unwrap();
    let server = SocketAddr::from(([127, 0, 0, 1], server.port().unwrap()));
    let line = far_away(server, Duration::from_millis(50)).await;
    settings.url = format!("redis://{line}");
    let far: Arc<dyn Store> = store::open(&settings, std::path::Path::new("/nonexistent")).await.unwrap();
    let shelf = Shelf::new(Arc::clone(&far), Arc::new(|_| Err("there is none".to_owned())));
    let lease = Duration::from_millis(1_500);
    let stop = CancellationToken::new();
    let running = tokio::spawn(node::run(parts(&far, shelf, Settings { lease, ..Settings::default() }), stop.clone()));
    let all: Vec<Partition> = (0..32).map(Partition).collect();
    let taken = || async {
        let mut taken = Vec::new();
        for partition in &all {
            if near.acquire(*partition, "other", Duration::from_millis(1)).await.unwrap().is_some() {
                taken.push(*partition);
            }
        }
        taken
    };
    until("it holds all partitions", || async { taken().await.is_empty() }).await;
    let begun = Instant::now();
    while begun.elapsed() < lease * 4 {
        assert_eq!(taken().await, [], "after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_sqlite_record_beside_a_shared_store_is_refused_unless_said_to_be_the_only_node() {
    let site = Site::new(Place::redis(), None);
    let refused = run(site.serve(&[]), "");
    assert!(!refused.status.success());
    let told = text(&refused);
    for word in ["--single", "record", "postgres://"] {
        assert!(told.contains(word), "{told}");
    }
    assert!(!told.contains("panicked"), "{told}");
    drop(site.start());
}

#[tokio::test]
async fn a_second_process_on_the_same_data_folder_is_refused() {
    let site = Site::new(Place::embedded(), None);
    let first = site.start();
    let refused = run(site.serve(&["--single"]), "");
    assert!(!refused.status.success());
    let told = text(&refused);
    assert!(told.contains("another") && told.contains(&site.data.path().display().to_string()), "{told}");
    assert_eq!(site.get(&first, "/readyz").await["ready"], true, "the first goes on");
}
