//! Metrics: every one of them as a function here. No ids in labels, and never what people wrote.

use metrics::{counter, gauge, histogram};

use crate::model::time::Millis;

/// Inputs decided, and how many of them changed nothing.
pub fn decided(inputs: usize, ignored: usize) {
    counter!("beckon_inputs_decided_total").increment(inputs as u64);
    if ignored > 0 {
        counter!("beckon_inputs_ignored_total").increment(ignored as u64);
    }
}

/// Effects added to the queue.
pub fn effects_added(effects: usize) {
    counter!("beckon_effects_total").increment(effects as u64);
}

/// An input went to dead letters.
pub fn dead_letter() {
    counter!("beckon_dead_letters_total").increment(1);
}

/// A model's try, by how it ended.
pub fn model_try(model: &str, ended: &'static str) {
    counter!("beckon_model_tries_total", "model" => model.to_owned(), "ended" => ended).increment(1);
}

/// A call of an adapter, by how it ended.
pub fn call(adapter: &str, ended: &'static str) {
    counter!("beckon_calls_total", "adapter" => adapter.to_owned(), "ended" => ended).increment(1);
}

/// A commit was refused: another node owns the partition now.
pub fn lease_lost() {
    counter!("beckon_leases_lost_total").increment(1);
}

/// How full the stages are, over all partitions.
pub fn fill(undecided: u64, oldest: Millis, effects: u64, journal: u64, dead: u64) {
    gauge!("beckon_inbox_undecided").set(undecided as f64);
    gauge!("beckon_inbox_oldest_seconds").set(oldest.0 as f64 / 1_000.0);
    gauge!("beckon_effects_pending").set(effects as f64);
    gauge!("beckon_projector_lag_lines").set(journal as f64);
    gauge!("beckon_dead_letters").set(dead as f64);
}

/// Open sockets.
pub fn sockets(open: usize) {
    gauge!("beckon_sockets_open").set(open as f64);
}

/// How long an effect took, by kind.
pub fn effect_took(kind: &'static str, took: std::time::Duration) {
    histogram!("beckon_effect_seconds", "kind" => kind).record(took.as_secs_f64());
}
