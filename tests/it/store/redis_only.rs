//! What only Redis needs: lost scripts, restarts, replicas, memory, and keys that a cluster could take.

use std::time::Duration;

use beckon::model::ids::Pos;
use beckon::store::{Appended, Batch, Channel, Committed, Hint, JournalId, Settings, Store, StoreError};
use tokio::time::{sleep, timeout};

use super::server::Server;
use super::{Owner, P0, Place, actor, conversation, dead, entry, input, keyed, own, put, put_many};

const SOON: Duration = Duration::from_secs(20);

fn place(server: &Server) -> Place {
    Place::Redis { url: server.url(), prefix: "bk".to_owned() }
}

fn run(server: &Server, words: &[&str]) -> redis::Value {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query(&mut server.connection()).unwrap()
}

/// Tries until the store is there again, and counts how often it was away.
async fn until_there(store: &dyn Store, input: impl Fn() -> beckon::store::NewInput) -> (Appended, u32) {
    let mut away = 0;
    let tries = async {
        loop {
            match store.append(vec![input()]).await {
                Ok(answers) => break answers[0],
                Err(StoreError::Away(_)) => away += 1,
                Err(other) => panic!("{other}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = timeout(SOON, tries).await.expect("it comes back");
    (answer, away)
}

#[tokio::test]
async fn scripts_that_the_server_lost_are_loaded_again() {
    let server = Server::start(&[]);
    let store = place(&server).open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(Batch::default()).await;
    run(&server, &["SCRIPT", "FLUSH"]);
    owner.commit(Batch::default()).await;
    run(&server, &["SCRIPT", "FLUSH"]);
    assert!(store.renew(P0, owner.epoch, super::TTL).await.unwrap());
    assert_eq!(store.read(P0, Pos::START, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_restarted_server_is_away_and_then_goes_on() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = place(&server).open().await;
    let mut hints = store.subscribe(Channel::Actor(actor("a")), 8).await.unwrap();
    let mut owner = Owner::of(&*store, P0).await;
    let first = store.append(vec![keyed(P0, "a", 1)]).await.unwrap()[0];
    owner.commit_to(first.pos, Batch::default()).await;
    let mut wakes = store.wakes().await.unwrap();
    server.kill();
    let asked = std::time::Instant::now();
    assert!(matches!(store.append(vec![input(P0, "x")]).await, Err(StoreError::Away(_))));
    assert!(matches!(store.read(P0, Pos::START, 1).await, Err(StoreError::Away(_))));
    assert!(asked.elapsed() < Duration::from_secs(15), "it waited {:?}", asked.elapsed());
    assert!(server.up());
    let (again, _) = until_there(&*store, || keyed(P0, "a", 1)).await;
    assert_eq!(again, Appended { pos: first.pos, fresh: false });
    let to = put(&*store, P0, "b").await;
    assert!(to > first.pos);
    owner.commit_to(to, Batch::default()).await;
    // Who listened is told that something may be lost, and hears again.
    assert_eq!(timeout(SOON, hints.recv()).await.unwrap(), Some(Hint::Missed));
    store.publish(Channel::Actor(actor("a")), b"x".to_vec()).await.unwrap();
    loop {
        match timeout(SOON, hints.recv()).await.unwrap().unwrap() {
            Hint::Missed => {}
            Hint::Payload(payload) => break assert_eq!(&payload[..], b"x"),
        }
    }
    // And every owner looks for itself, for its wake may be lost.
    let mut woken = std::collections::BTreeSet::new();
    while woken.len() < 4 {
        woken.insert(timeout(SOON, wakes.recv()).await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn a_subscription_is_refused_while_the_server_is_away() {
    let mut server = Server::start(&[]);
    let store = place(&server).open().await;
    server.kill();
    let refused = async {
        while store.subscribe(Channel::Record, 8).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, refused).await.unwrap();
    assert!(server.up());
    let again = async {
        loop {
            if let Ok(hints) = store.subscribe(Channel::Record, 8).await {
                break hints;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let mut hints = timeout(SOON, again).await.unwrap();
    until_there(&*store, || input(P0, "x")).await;
    store.publish(Channel::Record, b"x".to_vec()).await.unwrap();
    assert!(timeout(SOON, hints.recv()).await.unwrap().is_some());
}

#[tokio::test]
async fn where_memory_is_short_intake_stops_and_what_frees_it_goes_on() {
    let server = Server::start(&[]);
    let store = place(&server).open().await;
    let mut owner = Owner::of(&*store, P0).await;
    let all = put_many(&*store, P0, 10).await;
    owner.commit_to(all[4], Batch { journal: vec![vec![1; 1_000]], journal_from: 1, ..Batch::default() }).await;
    run(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    let ended = store.append(vec![input(P0, "x")]).await;
    assert!(matches!(ended, Err(StoreError::Full { .. })), "{ended:?}");
    assert!(store.renew(P0, owner.epoch, super::TTL).await.unwrap());
    let states = vec![(actor("a"), Some(vec![1; 1_000]))];
    owner.commit_to(all[9], Batch { states, ..Batch::default() }).await;
    store.trim(P0, JournalId { epoch: owner.epoch, n: 1 }, all[9], &[]).await.unwrap();
    assert!(store.read(P0, Pos::START, 10).await.unwrap().is_empty());
    store.release(P0, owner.epoch).await.unwrap();
    own(&*store, P0, "another").await;
    run(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    assert!(put(&*store, P0, "x").await > all[9]);
}

#[tokio::test]
async fn an_append_waits_for_the_replicas_that_are_asked_for() {
    let primary = Server::start(&[]);
    let port = primary.port().to_string();
    let mut replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    let place = place(&primary);
    let open = || place.open_with(|settings: &mut Settings| settings.min_replicas = 1);
    let store = open().await;
    let (first, _) = until_there(&*store, || keyed(P0, "a", 1)).await;
    let held = run(&replica, &["XLEN", "bk:{00}:in"]);
    assert_eq!(held, redis::Value::Int(1));
    let calls = (0..20).map(|n| {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move { store.append(vec![input(P0, &n.to_string())]).await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let lease = own(&*store, P0, "node").await;
    let effects = || Batch { effects: vec![("a".to_owned(), vec![1])], ..Batch::default() };
    // A replica that is there but behind: what is sent again is still not answered, whichever connection it takes.
    replica.pause();
    for _ in 0..2 {
        let ended = store.append(vec![keyed(P0, "behind", 3)]).await;
        assert!(matches!(ended, Err(StoreError::Away(_))), "{ended:?}");
    }
    let fresh = open().await;
    let ended = fresh.append(vec![keyed(P0, "behind", 3)]).await;
    assert!(matches!(ended, Err(StoreError::Away(_))), "{ended:?}");
    replica.go_on();
    let (behind, _) = until_there(&*fresh, || keyed(P0, "behind", 3)).await;
    assert!(!behind.fresh);
    replica.kill();
    // Not held, so not answered: neither the first time nor, written by now, the second.
    for _ in 0..2 {
        let ended = store.append(vec![keyed(P0, "b", 2)]).await;
        assert!(matches!(ended, Err(StoreError::Away(_))), "{ended:?}");
        let ended = store.commit(P0, lease.epoch, Pos::START, first.pos, effects()).await;
        assert!(matches!(ended, Err(StoreError::Away(_))), "{ended:?}");
    }
    assert!(replica.up());
    let (b, _) = until_there(&*store, || keyed(P0, "b", 2)).await;
    assert!(!b.fresh);
    let done = store.commit(P0, lease.epoch, Pos::START, first.pos, effects()).await.unwrap();
    assert_eq!(done, Committed::Done);
}

#[tokio::test]
async fn what_a_202_survives_follows_the_servers_settings() {
    let server = Server::start(&[]);
    let store = place(&server).open().await;
    for (settings, setting, machine_lost) in [
        (&["appendonly", "no", "save", ""][..], "no persistence", "everything"),
        (&["appendonly", "no", "save", "60 1"], "snapshots only", "everything since the last snapshot"),
        (
            &["appendonly", "yes", "appendfsync", "always"],
            "appendonly yes, appendfsync always",
            "nothing that the disk kept",
        ),
        (&["appendonly", "yes", "appendfsync", "everysec"], "appendonly yes, appendfsync everysec", "up to about 1 s"),
    ] {
        run(&server, &[&["CONFIG", "SET"], settings].concat());
        let survives = store.survives().await.unwrap();
        assert_eq!((&survives.setting[..], survives.machine_lost), (setting, machine_lost));
    }
    let held =
        place(&server).open_with(|settings: &mut Settings| settings.min_replicas = 2).await.survives().await.unwrap();
    assert!(held.setting.ends_with("min_replicas 2"), "{held:?}");
    assert_eq!(held.machine_lost, "nothing held by n replicas");
    let secretive = Server::start(&["--rename-command", "CONFIG", ""]);
    let store = place(&secretive).open().await;
    assert_eq!(store.survives().await.unwrap().setting, "unknown settings");
}

#[tokio::test]
async fn every_key_of_a_partition_has_its_hash_tag_and_the_prefix() {
    let server = Server::start(&[]);
    let store = place(&server).open().await;
    let c = conversation(P0, 1);
    let mut owner = Owner::of(&*store, P0).await;
    store.append(vec![keyed(P0, "x", 1)]).await.unwrap();
    let to = put(&*store, P0, "x").await;
    owner
        .commit_to(
            to,
            Batch {
                states: vec![(actor("{x} *\u{202e}"), Some(vec![1]))],
                due: vec![(actor("a"), Some(to.time()))],
                entries: vec![entry(c, 1, 1)],
                effects: vec![("e".to_owned(), vec![1])],
                journal: vec![vec![1]],
                journal_from: 1,
                dead: vec![dead(to, "{x} *", &[1])],
                ..Batch::default()
            },
        )
        .await;
    store.start(P0, owner.epoch, "e").await.unwrap();
    store.heartbeat("node", super::TTL).await.unwrap();
    store.put_catalog("h", &Default::default()).await.unwrap();
    let keys: Vec<String> = redis::from_redis_value(run(&server, &["KEYS", "*"])).unwrap();
    let global = ["bk:meta", "bk:nodes", "bk:catalog:h"];
    for key in &keys {
        assert!(key.starts_with("bk:{00}:") || global.contains(&key.as_str()), "{key}");
        assert_eq!(key.matches(['{', '}', '*', ' ']).count(), if key.contains("{00}") { 2 } else { 0 }, "{key}");
    }
    assert_eq!(keys.len(), 13 + global.len(), "{keys:?}");
}

#[tokio::test]
async fn dedupe_keys_end_by_themselves_but_not_before_the_window() {
    let server = Server::start(&[]);
    let store = place(&server).open().await;
    store.append(vec![keyed(P0, "x", 1)]).await.unwrap();
    let slots: Vec<String> = redis::from_redis_value(run(&server, &["KEYS", "bk:{00}:seen:*"])).unwrap();
    assert_eq!(slots.len(), 1);
    let ttl: u64 = redis::from_redis_value(run(&server, &["PTTL", &slots[0]])).unwrap();
    let hour = 3_600_000;
    assert!((24 * hour..=25 * hour).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn a_longer_window_finds_what_the_shorter_one_kept() {
    let server = Server::start(&[]);
    let place = place(&server);
    let hours = |n| move |settings: &mut Settings| settings.bounds.dedupe = beckon::model::time::Millis::hours(n);
    let first = place.open_with(hours(100)).await.append(vec![keyed(P0, "x", 1)]).await.unwrap()[0];
    for n in [1, 300] {
        let again = place.open_with(hours(n)).await.append(vec![keyed(P0, "x", 1)]).await.unwrap()[0];
        assert_eq!(again, Appended { pos: first.pos, fresh: false }, "{n} h");
    }
}

#[tokio::test]
async fn a_newer_store_and_settings_that_will_not_do_are_refused() {
    let server = Server::start(&[]);
    let mut settings = place(&server).settings();
    for prefix in ["", "a{b", "ä", "a b", "a*", &"x".repeat(65)] {
        settings.prefix = prefix.to_owned();
        let ended = beckon::store::redis::connect(&settings).await.err().unwrap();
        assert!(matches!(ended, StoreError::Unusable(_)), "{prefix}: {ended}");
    }
    settings.prefix = "bk".to_owned();
    run(&server, &["HSET", "bk:meta", "schema", "9"]);
    let ended = beckon::store::redis::connect(&settings).await.err().unwrap();
    assert!(matches!(ended, StoreError::Newer { found: 9, .. }), "{ended}");
    settings.url = "redis://user:planted-secret@".to_owned();
    let ended = beckon::store::redis::connect(&settings).await.err().unwrap().to_string();
    assert!(!ended.contains("planted-secret"), "{ended}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_away() {
    let mut server = Server::start(&[]);
    server.kill();
    let ended = beckon::store::redis::connect(&place(&server).settings()).await.err().unwrap();
    assert!(matches!(ended, StoreError::Away(_)), "{ended}");
}

#[tokio::test]
async fn two_nodes_share_one_server() {
    let server = Server::start(&[]);
    let place = place(&server);
    let (one, other) = (place.open().await, place.open().await);
    assert_eq!(one.dedupe_secret(), other.dedupe_secret());
    let mut hints = other.subscribe(Channel::Actor(actor("a")), 8).await.unwrap();
    let mut wakes = other.wakes().await.unwrap();
    let mut owner = Owner::of(&*one, P0).await;
    assert_eq!(other.acquire(P0, "other", super::TTL).await.unwrap(), None);
    owner.commit(Batch { hints: vec![(Channel::Actor(actor("a")), b"x".to_vec())], ..Batch::default() }).await;
    assert_eq!(timeout(SOON, wakes.recv()).await.unwrap(), Some(P0));
    let hint = timeout(SOON, hints.recv()).await.unwrap().unwrap();
    assert_eq!(hint, Hint::Payload(std::sync::Arc::new(b"x".to_vec())));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_away_and_what_it_did_all_the_same_is_done() {
    let server = Server::start(&[]);
    let store = place(&server).open().await;
    let mut owner = Owner::of(&*store, P0).await;
    owner.commit(Batch::default()).await;
    let to = put(&*store, P0, "x").await;
    let mut sleepy = server.connection();
    let asleep = std::thread::spawn(move || redis::cmd("DEBUG").arg("SLEEP").arg("6").exec(&mut sleepy));
    while timeout(Duration::from_millis(200), store.now()).await.is_ok() {}
    let asked = std::time::Instant::now();
    let commit = || {
        let batch = Batch { journal: vec![vec![1]], journal_from: 1, ..Batch::default() };
        store.commit(P0, owner.epoch, owner.at, to, batch)
    };
    let ended = commit().await;
    assert!(matches!(ended, Err(StoreError::Away(_))), "{ended:?}");
    assert!(asked.elapsed() < SOON);
    asleep.join().unwrap().unwrap();
    let again = timeout(SOON, async {
        loop {
            match commit().await {
                Ok(committed) => break committed,
                Err(StoreError::Away(_)) => sleep(Duration::from_millis(20)).await,
                Err(other) => panic!("{other}"),
            }
        }
    });
    assert_eq!(again.await.unwrap(), Committed::Done);
    assert_eq!(store.journal(P0, JournalId::default(), 10).await.unwrap().len(), 1);
}
