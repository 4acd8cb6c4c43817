//! What runners do when the store is away for a moment, or when they come too late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use beckon::adapter::Adapter;
use beckon::engine::assistant::Assistant;
use beckon::engine::effects::{Outside, Runner};
use beckon::engine::shelf::Shelf;
use beckon::llm::Llm;
use beckon::model::conversation::Holder;
use beckon::model::decision::call_key;
use beckon::model::entry::{By, CallState, Kind};
use beckon::model::ids::ConversationId;
use beckon::model::input::{Body, CallOutcome};
use beckon::model::time::Millis;
use beckon::store::Store;

use super::desk::{Desk, take};
use super::outside::{Mood, Voice};
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
fn a_model_that_never_ends_costs_no_more_than_the_turns_time() {
    run(async {
        let mut desk = Desk::new().await;
        let id = desk.asked().await;
        let mut runner = runner(&desk);
        desk.world.ground.model.set_voice(Voice::Silent);
        let begun = tokio::time::Instant::now();
        runner.begin(true).await.unwrap();
        runner.ended().await;
        assert!(begun.elapsed() < beckon::dialogue::turn::TURN_TIME.duration(), "{:?}", begun.elapsed());
        desk.decide().await;
        assert!(desk.conversation(id).turn.is_none(), "the script has answered: {:?}", told(&desk, id));
        assert_eq!(desk.conversation(id).holder, Holder::Assistant, "nobody else is needed");
        desk.judge();
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

/// A desk whose owner began a charge and died so long ago; another owns the partition now. The charge, and where its result
/// would come.
async fn orphaned(ago: Millis) -> (Desk, ConversationId, Body) {
    let mut desk = Desk::new().await;
    let (id, call) = desk.charging().await;
    let store = Arc::clone(desk.world.store());
    store.start(desk.partition, desk.owner.epoch(), &call_key(id, call)).await.unwrap();
    store.leap(ago);
    desk.owner = take(&store, desk.partition, "node-2").await.expect("the lease is over");
    let done = CallOutcome::Done(serde_json::json!({ "payment": 1 }));
    (desk, id, Body::Called { conversation: id, call, outcome: done })
}

/// What a runner makes of a write that nobody knows the end of.
const UNKNOWN: &str = "its sender ended before the answer came";

#[test]
fn a_result_that_lies_in_the_inbox_is_decided_before_its_write_is_judged() {
    run(async {
        let (mut desk, id, result) = orphaned(Millis::minutes(1)).await;
        desk.append(result).await;
        let mut runner = runner(&desk);
        runner.begin(false).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        desk.decide().await;
        assert!(told(&desk, id).contains(&"done".to_owned()), "{:?}", told(&desk, id));
        runner.begin(true).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(desk.world.ground.api.writes().is_empty(), "it was done, and told: nothing leaves again");
        desk.decide().await;
        desk.judge();
    });
}

#[test]
fn a_write_of_a_dead_sender_is_repeated_under_its_key_for_an_hour() {
    run(async {
        for (ago, end) in [(59, "done"), (61, UNKNOWN)] {
            let (mut desk, id, _) = orphaned(Millis::minutes(ago)).await;
            desk.decide().await;
            let mut runner = runner(&desk);
            runner.begin(true).await.unwrap();
            runner.ended().await;
            desk.decide().await;
            assert!(told(&desk, id).contains(&end.to_owned()), "after {ago} minutes: {:?}", told(&desk, id));
            assert_eq!(desk.world.ground.api.writes().len(), usize::from(ago < 60));
        }
    });
}

#[test]
fn a_write_that_is_repeated_and_refused_then_may_have_been_done_before() {
    run(async {
        let (mut desk, id, _) = orphaned(Millis::minutes(1)).await;
        desk.decide().await;
        desk.world.ground.api.set_mood(Mood::Refuses);
        let mut runner = runner(&desk);
        runner.begin(true).await.unwrap();
        runner.ended().await;
        desk.decide().await;
        assert_eq!(desk.world.ground.api.writes().len(), 1, "it was repeated");
        assert!(
            told(&desk, id).contains(&UNKNOWN.to_owned()),
            "a refusal says nothing of the first: {:?}",
            told(&desk, id)
        );
    });
}
