//! A pause takes back what nobody has seen, however much there is to do.

use std::sync::Arc;

use beckon::engine::node::Settings;
use beckon::engine::owner::{Owner, Worked};
use beckon::engine::pause::set_paused;
use beckon::model::conversation::Phase;
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
    // Withdrawals go to a customer's own partition.
    let of_p0 = |id: &String| ActorId::user(id).partition(store.partitions()) == P0;
    let name = (0..).map(|n| format!("unseen{n}")).find(of_p0).unwrap();
    let unseen = ActorId::user(&name);
    put(&store, &name, "a").await;
    while owner.step(&in_force).await.unwrap() != Worked::Nothing {}
    assert!(is_waiting(&store, &unseen).await);

    put(&store, "busy", "0").await;
    let paused = set_paused(&store, &["loud".to_owned()], true).await.unwrap();
    let mut steps = 0;
    while is_waiting(&store, &unseen).await {
        steps += 1;
        assert!(steps < 50, "never withdrawn under load");
        // One more for each that is decided.
        put(&store, "busy", &steps.to_string()).await;
        assert_eq!(owner.step(&paused).await.unwrap(), Worked::Decided(1));
    }
}

async fn is_waiting(store: &Arc<dyn Store>, customer: &ActorId) -> bool {
    let stored = store.load(P0, std::slice::from_ref(customer)).await.unwrap().remove(0).unwrap();
    let state = State::decode(&stored).unwrap();
    state.conversations.values().any(|conversation| conversation.phase == Phase::Waiting)
}
