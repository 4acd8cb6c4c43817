//! A node beside a store that answers late: nothing that comes meanwhile is lost. Nobody looks by itself here, so that a
//! wake that goes astray is an input that is never decided.

pub(crate) mod gated;

use std::sync::Arc;
use std::time::Duration;

use beckon::app::workspace;
use beckon::engine::inbox::Inbox;
use beckon::engine::node::{self, Parts, Settings};
use beckon::engine::shelf::Shelf;
use beckon::model::catalog::Catalogs;
use beckon::model::customer::State;
use beckon::model::event::Event;
use beckon::model::ids::ActorId;
use beckon::model::input::InForce;
use beckon::model::time::Millis;
use beckon::store::Store;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::chaos::chaos;
use crate::chaos::nodes::parts;
use crate::chaos::poison::with_catalog;
use crate::journeys::world::until;
use crate::store::{P0, Place, TTL};
use gated::Gated;

chaos!(
    inputs_and_timers_are_decided_while_leases_are_renewed,
    an_input_between_the_lease_and_its_owner_is_decided,
    an_input_that_comes_while_its_owner_begins_is_decided,
    an_input_that_comes_as_its_owner_looks_away_is_decided,
    an_owner_that_may_not_commit_begins_anew,
    a_lease_that_was_lost_without_an_input_is_taken_again,
    a_store_that_is_away_makes_no_dead_letters,
    a_catalog_that_could_not_be_read_is_read_again,
);

/// A node on a gated store, with a catalog in force.
struct Office {
    store: Arc<Gated>,
    parts: Parts,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
}

impl Office {
    async fn new(place: &Place) -> Office {
        let store = Gated::new(place.open_with(|settings| settings.partitions = 1).await);
        let shared: Arc<dyn Store> = store.clone();
        let (shelf, _) = with_catalog(&shared).await;
        // Renewed in every round.
        let settings = Settings { lease: Duration::from_millis(600), ..Settings::default() };
        Office { parts: parts(&shared, shelf, settings), store, stop: CancellationToken::new(), running: None }
    }

    fn begins(&mut self) {
        let run = node::run(self.parts.clone(), self.stop.clone());
        self.running = Some(tokio::spawn(async move { run.await.unwrap() }));
    }

    /// Waits until it owns the partition, and nothing is left to decide: no timer either, so that nothing wakes it.
    async fn settles(&self) {
        until("it owns the partition", || async {
            self.store.acquire(P0, "other", Duration::from_millis(1)).await.unwrap().is_none()
        })
        .await;
        until("all is decided", || async { self.store.fill().await.unwrap()[&P0].undecided == 0 }).await;
    }

    /// An event about a customer that opens a conversation, for three seconds.
    async fn event(&self, customer: &str) {
        let about = Some(ActorId::user(customer));
        let mut event = Event::new("chaos", customer, "thing.happened", about, json!({ "id": customer }));
        event.expires = Some(self.store.now().await.unwrap().plus(Millis::seconds(3)));
        let shared: Arc<dyn Store> = self.store.clone();
        assert!(Inbox::new(shared).events(vec![event]).await.unwrap()[0].unwrap().1);
    }

    async fn decides(&self, customer: &str) {
        until(customer, || async { self.phases(customer).await.is_some() }).await;
    }

    /// Of a customer's conversations, where anything was decided, whether each is over.
    async fn phases(&self, customer: &str) -> Option<Vec<bool>> {
        let stored = self.store.load(P0, &[ActorId::user(customer)]).await.unwrap().remove(0)?;
        let state = State::decode(&stored).unwrap();
        Some(state.conversations.values().map(|conversation| conversation.phase.is_closed()).collect())
    }

    async fn ends(mut self) {
        self.stop.cancel();
        self.running.take().expect("it runs").await.unwrap();
    }
}

async fn inputs_and_timers_are_decided_while_leases_are_renewed(place: Place) {
    let mut office = Office::new(&place).await;
    office.begins();
    office.settles().await;
    office.store.close("renew");
    office.store.somebody_waits("renew").await;
    office.event("meanwhile").await;
    office.decides("meanwhile").await;
    // The opening expires by its timer alone.
    until("the timer goes off", || async { office.phases("meanwhile").await == Some(vec![true]) }).await;
    office.store.open("renew");
    office.event("after").await;
    office.decides("after").await;
    office.ends().await;
}

/// An input that comes while the answer of an operation is on its way is decided.
async fn decides_though_it_waits_for(operation: &'static str, place: Place) {
    let mut office = Office::new(&place).await;
    office.store.close(operation);
    office.begins();
    office.store.somebody_waits(operation).await;
    office.event("meanwhile").await;
    office.store.open(operation);
    office.decides("meanwhile").await;
    office.ends().await;
}

async fn an_input_between_the_lease_and_its_owner_is_decided(place: Place) {
    decides_though_it_waits_for("acquire", place).await;
}

async fn an_input_that_comes_while_its_owner_begins_is_decided(place: Place) {
    // It reads what holds in the partition.
    decides_though_it_waits_for("load", place).await;
}

async fn an_input_that_comes_as_its_owner_looks_away_is_decided(place: Place) {
    // It found the inbox empty, and asks what is due before it waits.
    decides_though_it_waits_for("due", place).await;
}

/// As another that has the node's name would: the node's own lease is over, and nobody told it.
async fn usurp(office: &Office) -> u64 {
    office.store.acquire(P0, &office.parts.name, TTL).await.unwrap().expect("it goes by the name").epoch
}

async fn an_owner_that_may_not_commit_begins_anew(place: Place) {
    let mut office = Office::new(&place).await;
    // Long enough that no renewal tells it first.
    office.parts.settings.lease = Duration::from_secs(120);
    office.begins();
    office.event("before").await;
    office.decides("before").await;
    let epoch = usurp(&office).await;
    office.event("after").await;
    office.decides("after").await;
    assert!(!office.store.renew(P0, epoch, TTL).await.unwrap(), "under an epoch of its own");
    office.ends().await;
}

async fn a_lease_that_was_lost_without_an_input_is_taken_again(place: Place) {
    let mut office = Office::new(&place).await;
    office.begins();
    office.settles().await;
    let epoch = usurp(&office).await;
    // Nothing is appended and nothing is due, so no commit tells it.
    until("it is the node's again", || async { !office.store.renew(P0, epoch, TTL).await.unwrap() }).await;
    office.ends().await;
}

async fn a_store_that_is_away_makes_no_dead_letters(place: Place) {
    let mut office = Office::new(&place).await;
    office.store.fail_next("commit", 5);
    office.event("unlucky").await;
    office.begins();
    office.store.have_failed("commit").await;
    office.decides("unlucky").await;
    // An owner that gave up each time would have left the input under suspicion.
    assert!(office.store.dead(None, 1).await.unwrap().is_empty());
    office.ends().await;
}

async fn a_catalog_that_could_not_be_read_is_read_again(place: Place) {
    let office = Office::new(&place).await;
    let newest = office.store.in_force().await.unwrap();
    // A shelf of its own: the owner's has the catalog already.
    let shared: Arc<dyn Store> = office.store.clone();
    let compile = Arc::new(|files: &_| beckon::catalog::compile(files, None).map_err(|m| format!("{m:?}")));
    let shelf = Shelf::new(shared, compile);
    let (in_force, catalogs) = (watch::Sender::new(InForce::default()), watch::Sender::new(Catalogs::default()));
    let mut seen = catalogs.subscribe();
    let following = tokio::spawn(workspace::follow(shelf, in_force.subscribe(), catalogs.clone(), office.stop.clone()));
    office.store.fail_next("catalog", 1);
    in_force.send_replace(newest.clone());
    office.store.have_failed("catalog").await;
    // Nothing changes any more: only a try of its own brings the catalog.
    let followed = tokio::time::timeout(Duration::from_secs(40), seen.wait_for(|held| held.in_force == newest)).await;
    let held = followed.expect("it tries again by itself").unwrap().clone();
    assert!(held.by_hash.contains_key(&newest.hash), "and what is told is what was read");
    office.stop.cancel();
    following.await.unwrap();
}
