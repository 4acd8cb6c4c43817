//! What runners do when the store is away for a moment, or when they come too late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use beckon::adapter::Adapter;
use beckon::engine::assistant::Assistant;
use beckon::engine::effects::{Outside, Runner};
use beckon::engine::shelf::Shelf;
use beckon::llm::Llm;
use beckon::model::entry::{By, CallState, Kind};
use beckon::model::ids::ConversationId;
use beckon::model::time::Millis;
use beckon::store::Store;

use super::desk::Desk;
use super::outside::Voice;
use super::workspace;
use super::world::run;

/// A runner for the desk's partition, beside its owner.
fn runner(desk: &Desk) -> Runner {
    let ground = &desk.world.ground;
    ground.model.set_voice(Voice::Plain);
    let store: Arc<dyn Store> = ground.store.clone();
    let shelf = Shelf::new(Arc::clone(&store), Arc::new(workspace::compile));
    let adapters: BTreeMap<String, Arc<dyn Adapter>> =
        [("shop".to_owned(), Arc::clone(&ground.api) as Arc<dyn Adapter>)].into();
    let model: Arc<dyn Llm> = ground.model.clone();
    let assistant = Assistant::new(vec![(model, 500)], Duration::ZERO);
    let outside = Outside { assistant, adapters: Arc::new(adapters), notifier: None, record: None };
    Runner::new(store, shelf, outside, desk.partition, desk.owner.epoch(), 8)
}

/// What was said and what became of calls, in order.
fn told(desk: &Desk, id: ConversationId) -> Vec<String> {
    let lines = desk.world.store().lines();
    let entries = lines.iter().flat_map(|(_, _, line)| &line.entries).filter(|logged| logged.conversation == id);
    let told = entries.filter_map(|logged| match &logged.entry.kind {
        Kind::Message { text, .. } if logged.entry.by == By::Assistant => Some(text.clone()),
        Kind::Call { state, problem, .. } => Some(match state {
            CallState::Done => "done".to_owned(),
            _ => problem.clone().unwrap_or_default(),
        }),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_store_that_is_away_for_a_moment_costs_no_turn() {
    run(async {
        for away in [200, 3_000, 9_000] {
            let mut desk = Desk::new().await;
            let id = desk.asked().await;
            let mut runner = runner(&desk);
            runner.begin(true).await.unwrap();
            desk.world.store().go_away(Duration::from_millis(away));
            runner.ended().await;
            desk.decide().await;
            assert_eq!(told(&desk, id).last().unwrap(), "I see.", "away for {away} ms");
            desk.judge();
        }
    });
}

#[test]
fn a_write_that_did_not_leave_within_ten_minutes_of_its_confirmation_never_does() {
    run(async {
        for (waited, end) in [(9, "done"), (11, "it did not leave within 10 minutes")] {
            let mut desk = Desk::new().await;
            let (id, _) = desk.charging().await;
            let mut runner = runner(&desk);
            desk.world.store().leap(Millis::minutes(waited));
            runner.begin(true).await.unwrap();
            runner.ended().await;
            desk.decide().await;
            assert_eq!(told(&desk, id).last().unwrap(), end, "after {waited} minutes");
            assert_eq!(desk.world.ground.api.writes().len(), usize::from(waited < 10));
            assert!(desk.conversation(id).turn.is_some(), "the assistant tells the customer");
        }
    });
}
