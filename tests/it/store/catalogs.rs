//! What is in force is changed by whoever knows what was, and files are kept under their hash.

use beckon::model::catalog::Files;
use beckon::model::input::InForce;

use super::{Place, contract};

contract!(
    at_first_nothing_is_in_force,
    who_knows_the_revision_changes_it_and_others_do_not,
    of_many_who_change_at_once_one_does,
    a_catalog_is_kept_under_its_hash,
    what_is_in_force_survives_a_restart,
    a_store_says_what_a_202_survives,
);

fn revision(revision: u64) -> InForce {
    InForce { revision, hash: format!("hash {revision}"), paused: vec!["a".to_owned(), "é\"".to_owned()] }
}

async fn at_first_nothing_is_in_force(place: Place) {
    let store = place.open().await;
    assert_eq!(store.in_force().await.unwrap(), InForce::default());
    assert_eq!(store.catalog("x").await.unwrap(), None);
}

async fn who_knows_the_revision_changes_it_and_others_do_not(place: Place) {
    let store = place.open().await;
    assert!(!store.set_in_force(1, &revision(2)).await.unwrap());
    assert!(store.set_in_force(0, &revision(1)).await.unwrap());
    assert!(!store.set_in_force(0, &revision(9)).await.unwrap());
    assert_eq!(store.in_force().await.unwrap(), revision(1));
    assert!(store.set_in_force(1, &revision(2)).await.unwrap());
    assert_eq!(store.in_force().await.unwrap(), revision(2));
}

async fn of_many_who_change_at_once_one_does(place: Place) {
    let store = place.open().await;
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let store = std::sync::Arc::clone(&store);
            let next = InForce { hash: n.to_string(), ..revision(1) };
            tokio::spawn(async move { store.set_in_force(0, &next).await.unwrap().then_some(next) })
        })
        .collect();
    let mut won = Vec::new();
    for call in calls {
        won.extend(call.await.unwrap());
    }
    assert_eq!(won, [store.in_force().await.unwrap()]);
}

async fn a_catalog_is_kept_under_its_hash(place: Place) {
    let store = place.open().await;
    let mut files = Files::new();
    files.insert("beckon.toml".to_owned(), b"[server]".to_vec());
    files.insert("playbooks/ü {}.yaml".to_owned(), (0..=255).collect());
    files.insert("empty".to_owned(), Vec::new());
    let hash = "ab/c{d}";
    store.put_catalog(hash, &files).await.unwrap();
    store.put_catalog(hash, &files).await.unwrap();
    store.put_catalog("none", &Files::new()).await.unwrap();
    assert_eq!(store.catalog(hash).await.unwrap(), Some(files));
    assert_eq!(store.catalog("none").await.unwrap(), Some(Files::new()));
    assert_eq!(store.catalog("other").await.unwrap(), None);
}

async fn what_is_in_force_survives_a_restart(place: Place) {
    let store = place.open().await;
    store.set_in_force(0, &revision(1)).await.unwrap();
    drop(store);
    assert_eq!(place.open().await.in_force().await.unwrap(), revision(1));
}

async fn a_store_says_what_a_202_survives(place: Place) {
    let store = place.open().await;
    let survives = store.survives().await.unwrap();
    assert_eq!(survives.process_killed, "nothing lost");
    let setting = match place {
        Place::Embedded(_) => "synchronous=full",
        Place::Redis { .. } => "appendonly yes, appendfsync everysec",
    };
    assert_eq!(survives.setting, setting);
}
