//! Metrics: every one of them as a function here. No ids in labels, and never what people wrote.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::model::time::Millis;

/// What never happened is there all the same, as 0: an alert on it can be tried before it matters.
pub fn begin() {
    for name in ["beckon_dead_letters_total", "beckon_leases_lost_total", "beckon_deltas_dropped_total"] {
        counter!(name).increment(0);
    }
    for name in ["beckon_inputs_decided_total", "beckon_inputs_ignored_total", "beckon_effects_total"] {
        counter!(name).increment(0);
    }
    counter!("beckon_record_pruned_lines_total").increment(0);
    counter!("beckon_memories_crowded_out_total").increment(0);
    gauge!("beckon_sockets_open").set(0.0);
}

/// Events that came in by a door, by what became of them.
pub fn events(door: &'static str, status: &'static str, count: u64) {
    counter!("beckon_events_total", "door" => door, "status" => status).increment(count);
}

/// A request was answered.
pub fn request(route: String, status: u16) {
    counter!("beckon_http_requests_total", "route" => route, "status" => status.to_string()).increment(1);
}

/// A webhook was not accepted.
pub fn hook_refused(source: &str) {
    counter!("beckon_hooks_refused_total", "source" => source.to_owned()).increment(1);
}

/// A socket was refused before it was one.
pub fn chat_refused(code: &str) {
    counter!("beckon_chat_refused_total", "code" => code.to_owned()).increment(1);
}

/// The server closed a socket.
pub fn chat_closed(code: u16) {
    counter!("beckon_chat_closed_total", "code" => code.to_string()).increment(1);
}

/// Words under way did not reach a socket that is slow, or missed some; the entry says them all.
pub fn deltas_dropped(count: usize) {
    counter!("beckon_deltas_dropped_total").increment(count as u64);
}

/// How long appending took, with the disk or the server.
pub fn append_took(took: Duration) {
    histogram!("beckon_append_seconds").record(took.as_secs_f64());
}

/// How long deciding a batch took.
pub fn decide_took(took: Duration) {
    histogram!("beckon_decide_seconds").record(took.as_secs_f64());
}

/// How long committing a batch took.
pub fn commit_took(took: Duration) {
    histogram!("beckon_commit_seconds").record(took.as_secs_f64());
}

/// Somebody waits for a place at a model or an API; until it is dropped.
#[derive(Debug)]
pub struct Waiting {
    metric: &'static str,
    label: &'static str,
    name: String,
}

impl Waiting {
    /// At a model.
    pub fn at_model(model: &str) -> Waiting {
        Waiting::begin("beckon_model_waiting", "model", model)
    }

    /// At an API.
    pub fn at_adapter(adapter: &str) -> Waiting {
        Waiting::begin("beckon_adapter_waiting", "adapter", adapter)
    }

    fn begin(metric: &'static str, label: &'static str, name: &str) -> Waiting {
        gauge!(metric, label => name.to_owned()).increment(1.0);
        Waiting { metric, label, name: name.to_owned() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        gauge!(self.metric, self.label => self.name.clone()).decrement(1.0);
    }
}

/// Whether an API is left alone, for it failed several times in a row.
pub fn breaker(adapter: &str, open: bool) {
    gauge!("beckon_adapter_open", "adapter" => adapter.to_owned()).set(if open { 1.0 } else { 0.0 });
}

/// How long the record has been behind.
pub fn projector_lag(lag: Millis) {
    gauge!("beckon_projector_lag_seconds").set(lag.0 as f64 / 1_000.0);
}

/// The fullest partition, as a share of its bound.
pub fn fullest(bound: &'static str, is: u64, most: u64) {
    gauge!("beckon_fullest_partition", "bound" => bound).set(is as f64 / most.max(1) as f64);
}

/// Dedupe keys that are kept.
pub fn dedupe_keys(keys: u64) {
    gauge!("beckon_dedupe_keys").set(keys as f64);
}

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

/// A file that a customer sent: `taken`, or why it was refused.
pub fn attachment(ended: &str) {
    counter!("beckon_attachments_total", "ended" => ended.to_owned()).increment(1);
}

/// Open sockets.
pub fn sockets(open: usize) {
    gauge!("beckon_sockets_open").set(open as f64);
}

/// How long an effect took, by kind.
pub fn effect_took(kind: &'static str, took: Duration) {
    histogram!("beckon_effect_seconds", "kind" => kind).record(took.as_secs_f64());
}

/// Items of the outbox that wait in a partition, and how long the oldest of them has.
pub fn outbox(partition: u16, waiting: usize, oldest: Millis) {
    let partition = partition.to_string();
    gauge!("beckon_outbox_waiting", "partition" => partition.clone()).set(waiting as f64);
    gauge!("beckon_outbox_oldest_seconds", "partition" => partition).set(oldest.0 as f64 / 1_000.0);
}

/// Items of the outbox were delivered, the oldest of them so long after it was decided.
pub fn forwarded(items: usize, took: Millis) {
    counter!("beckon_outbox_items_total").increment(items as u64);
    histogram!("beckon_outbox_seconds").record(took.0 as f64 / 1_000.0);
}

/// A topic told customers of a page, so long after it was decided.
pub fn told(took: Millis) {
    histogram!("beckon_topic_page_seconds").record(took.0 as f64 / 1_000.0);
}

/// Keys that conditions over time forgot for want of room.
pub fn crowded_out(keys: usize) {
    if keys > 0 {
        counter!("beckon_memories_crowded_out_total").increment(keys as u64);
    }
}

/// Lines of the archive that were old enough to go.
pub fn pruned(lines: u64) {
    counter!("beckon_record_pruned_lines_total").increment(lines);
}

/// Customers whom topics told.
pub fn customers_told(count: usize) {
    counter!("beckon_topic_customers_total").increment(count as u64);
}
