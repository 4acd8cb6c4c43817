//! A pause takes back what nobody has seen, however much there is to do.

use std::sync::Arc;

use beckon::engine::node::Settings;
use beckon::engine::owner::{Owner, Worked};
use beckon::engine::pause::set_paused;
use beckon::model::customer::State;
use beckon::model::ids::ActorId;
use beckon::store::Store;

use super::chaos;
use super::poison::{put, with_catalog};
use crate::store::{P0, Place, TTL};

chaos!(a_pause_withdraws_though_the_inbox_is_never_empty);

async fn a_pause_withdraws_though_the_inbox_is_never_empty(place: Place) {
    let store = place.open().await;
    let (shelf, in_force) = with_catalog(&store).await;
    let lease = store.acquire(P0, "busy", TTL).await.unwrap().unwrap();
    let singly = Settings { batch: 1, ..Settings::default() };
    let mut owner = Owner::take(Arc::clone(&store), shelf, P0, &lease, singly).await.unwrap();
    let unseen = ActorId::user("unseen");
    put(&store, "unseen", "a").await;
    while owner.step(&in_force).await.unwrap() != Worked::Nothing {}
    assert_eq!(conversations(&store, &unseen).await, 1);

    put(&store, "busy", "0").await;
    let paused = set_paused(&store, &["loud".to_owned()], true).await.unwrap();
    let mut steps = 0;
    while conversations(&store, &unseen).await > 0 {
        steps += 1;
        assert!(steps < 50, "never withdrawn under load");
        // One more for each that is decided.
        put(&store, "busy", &steps.to_string()).await;
        assert_eq!(owner.step(&paused).await.unwrap(), Worked::Decided(1));
    }
}

async fn conversations(store: &Arc<dyn Store>, customer: &ActorId) -> usize {
    let stored = store.load(P0, std::slice::from_ref(customer)).await.unwrap().remove(0);
    stored.map_or(0, |bytes| State::decode(&bytes).unwrap().conversations.len())
}
