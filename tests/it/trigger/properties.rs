//! Properties: windows and sequences against slow and obvious models, permutations of arrival, budgets, conserved sums.

use std::collections::BTreeMap;
use std::sync::Arc;

use beckon::catalog::compile;
use beckon::model::catalog::Catalog;
use beckon::model::entry::Verdict;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::play::{DAY, HOUR, MINUTE, Play, SECOND, WEEK, files, playbook};

fn catalog(texts: &[&str]) -> Arc<Catalog> {
    Arc::new(compile(&files(texts), None).unwrap())
}

/// Whether the last event matched.
fn matched(told: &str) -> bool {
    told == "p waiting" || told == "p joined"
}

/// All events so far, and the obvious question about them.
#[derive(Default)]
struct Slow {
    events: Vec<(u64, u32, f64)>,
}

impl Slow {
    /// Whether the events of a key in the closed window that ends at `end` satisfy `holds`; then they are used up.
    fn matches(&mut self, key: u32, from: u64, end: u64, holds: impl Fn(&[f64]) -> bool) -> bool {
        let inside = |event: &(u64, u32, f64)| event.1 == key && (from..=end).contains(&event.0);
        let values: Vec<f64> = self.events.iter().filter(|e| inside(e)).map(|e| e.2).collect();
        if !holds(&values) {
            return false;
        }
        self.events.retain(|event| !inside(event));
        true
    }
}

/// Times in order, each with a key and a value.
fn stream() -> impl Strategy<Value = Vec<(u64, u32, u32)>> {
    prop::collection::vec((0..8 * MINUTE, 0..2_u32, 1..50_u32), 1..40).prop_map(|steps| {
        let mut at = 0;
        steps
            .into_iter()
            .map(|(gap, key, value)| {
                // Multiples of a minute too, so that boundaries are met.
                at += if value % 2 == 0 { gap / MINUTE * MINUTE } else { gap };
                (at, key, value)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(super::cases(96))]

    #[test]
    fn a_count_is_what_an_obvious_model_counts(events in stream(), least in 1..6_u32, tumbling: bool) {
        let window = if tumbling { "tumbling" } else { "sliding" };
        let trigger = format!(
            "count: {{ event: x, at_least: {least}, within: 10m, key: event.data.key, window: {window} }}"
        );
        let mut play = Play::on("42", catalog(&[&playbook("p", &trigger, "")]));
        let mut slow = Slow::default();
        for (at, key, value) in events {
            let told = play.told(at, "x", json!({ "key": key, "value": value }));
            slow.events.push((at, key, 1.0));
            let (from, end) = if tumbling {
                (at / (10 * MINUTE) * (10 * MINUTE), (at / (10 * MINUTE) + 1) * (10 * MINUTE) - 1)
            } else {
                (at.saturating_sub(10 * MINUTE), at)
            };
            let expected = slow.matches(key, from, end, |values| values.len() >= least as usize);
            prop_assert_eq!(matched(&told), expected, "at {} for key {}", at, key);
        }
    }

    #[test]
    fn a_sum_and_a_maximum_are_what_an_obvious_model_says(events in stream(), least in 20..150_u32, sum: bool) {
        let name = if sum { "sum" } else { "max" };
        let trigger = format!("{name}: {{ event: x, of: event.data.value, at_least: {least}, within: 10m }}");
        let mut play = Play::on("42", catalog(&[&playbook("p", &trigger, "")]));
        let mut slow = Slow::default();
        for (at, _, value) in events {
            let told = play.told(at, "x", json!({ "value": value }));
            slow.events.push((at, 0, f64::from(value)));
            let expected = slow.matches(0, at.saturating_sub(10 * MINUTE), at, |values| {
                let total: f64 = values.iter().sum();
                let most = values.iter().copied().fold(0.0, f64::max);
                (if sum { total } else { most }) >= f64::from(least)
            });
            prop_assert_eq!(matched(&told), expected, "at {}", at);
        }
    }

    #[test]
    fn a_sequence_is_what_an_obvious_model_finds(
        kinds in prop::collection::vec((0..4_usize, 1..8 * MINUTE), 1..25), strict: bool,
    ) {
        let names = ["a", "b", "c", "other"];
        let order = if strict { "strict" } else { "relaxed" };
        let trigger = format!("sequence: {{ events: [a, b, c], within: 15m, order: {order} }}");
        let mut play = Play::on("42", catalog(&[&playbook("p", &trigger, "")]));
        let (mut at, mut kept): (u64, Vec<(u64, usize)>) = (0, Vec::new());
        for (kind, gap) in kinds {
            at += gap;
            let told = play.told(at, names[kind], Value::Null);
            if kind == 3 {
                prop_assert_eq!(told, "", "nobody hears it");
                continue;
            }
            kept.push((at, kind));
            // Every way to take three events that end with this one.
            let last = kept.len() - 1;
            let found = kind == 2 && (0..last).any(|first| {
                (first + 1..last).any(|second| {
                    let adjacent = second == first + 1 && last == second + 1;
                    kept[first].1 == 0 && kept[second].1 == 1 && at - kept[first].0 <= 15 * MINUTE
                        && (adjacent || !strict)
                })
            });
            if found {
                kept.clear();
            }
            prop_assert_eq!(matched(&told), found, "at {}", at);
        }
    }

    #[test]
    fn any_order_of_arrival_within_the_lateness_opens_the_same(
        times in prop::collection::vec((0..40 * MINUTE, 0..3_u32), 1..9),
        order in prop::collection::vec(any::<u32>(), 9),
        which in 0..3_usize,
    ) {
        let trigger = [
            "count: { event: x, at_least: 3, within: 10m }",
            "sum: { event: x, of: event.data.n, at_least: 4, within: 10m }",
            "sequence: { events: [x, y], within: 10m }",
        ][which];
        let catalog = catalog(&[&playbook("p", trigger, "")]);
        let opened = |events: &[(u64, u32)]| {
            let mut play = Play::on("42", Arc::clone(&catalog));
            for (place, (at, n)) in events.iter().enumerate() {
                let kind = if which == 2 && *n == 0 { "y" } else { "x" };
                play.late(41 * MINUTE + place as u64, *at, kind, json!({ "n": n }));
            }
            play.open().len()
        };
        let mut in_order = times.clone();
        in_order.sort_unstable();
        // Two at once are in the order of their arrival, so only different times are the same in any.
        in_order.dedup_by_key(|(at, _)| *at);
        let mut other: Vec<(u32, (u64, u32))> = order.into_iter().zip(in_order.iter().copied()).collect();
        other.sort_unstable();
        let other: Vec<(u64, u32)> = other.into_iter().map(|(_, event)| event).collect();
        prop_assert_eq!(opened(&in_order), opened(&other), "{:?} {:?}", in_order, other);
    }

    #[test]
    fn any_order_of_arrival_leaves_the_same_absences_open_after_withdrawals(
        events in prop::collection::vec((0..100_u64, any::<bool>(), 0..50_u64), 1..8), first: bool,
    ) {
        let from = if first { "first" } else { "last" };
        let trigger = format!("absence: {{ of: b, after: a, within: 30m, from: {from} }}");
        let catalog = catalog(&[&playbook("p", &trigger, "")]);
        let mut events = events;
        events.sort_unstable();
        events.dedup_by_key(|(at, _, _)| *at);
        let open = |late: bool| {
            let mut arriving: Vec<(u64, u64, bool)> = events
                .iter()
                .map(|(at, begins, delay)| (at + if late { *delay } else { 0 }, *at, *begins))
                .collect();
            arriving.sort_unstable();
            let mut play = Play::on("42", Arc::clone(&catalog));
            for (arrives, happened, begins) in arriving {
                play.late(arrives * MINUTE, happened * MINUTE, if begins { "a" } else { "b" }, Value::Null);
            }
            play.ticks(DAY);
            play.open().len()
        };
        prop_assert_eq!(open(false), open(true), "{:?}", events);
    }

    #[test]
    fn late_events_of_a_period_change_it_as_those_in_time_do(
        counts in prop::collection::vec(0..8_u64, 6..10), order in prop::collection::vec(any::<u32>(), 80),
    ) {
        let trigger = "{ change: { event: x, per: 1w, falls_below: 50%, of: { usual: 4w } }, lateness: 7d }";
        let catalog = catalog(&[&playbook("p", trigger, "")]);
        let times: Vec<u64> = counts
            .iter()
            .enumerate()
            .flat_map(|(week, count)| (0..*count).map(move |n| week as u64 * WEEK + n * DAY / 2))
            .collect();
        let opened = |late: bool| {
            let mut arriving: Vec<(u64, u64)> = times
                .iter()
                .zip(&order)
                .map(|(at, by)| (at + if late { u64::from(*by) % (7 * DAY) } else { 0 }, *at))
                .collect();
            arriving.sort_unstable();
            let mut play = Play::on("42", Arc::clone(&catalog));
            for (arrives, happened) in arriving {
                play.late(arrives, happened, "x", Value::Null);
            }
            play.ticks(30 * WEEK);
            play.openings()
        };
        prop_assert_eq!(opened(false), opened(true), "{:?}", counts);
    }

    #[test]
    fn no_budget_is_ever_exceeded_in_any_window_and_every_event_ends_in_one_verdict(
        steps in prop::collection::vec((0..5_u32, 0..3 * HOUR, 0..4_u32), 1..60),
    ) {
        let playbooks = [
            playbook("a", "event: a", "class: offer"),
            playbook("b", "count: { event: a, at_least: 2, within: 2h }", "class: offer\ndebounce: { for: 20m }"),
            playbook("c", "absence: { of: b, after: c, within: 1h }", "limits: { per_customer: 1 per 12h }"),
            playbook("d", "event: b", "quiet_hours: { from: \"21:00\", to: \"06:00\" }\npriority: 3\nwhen_open: replace"),
            playbook("e", "event: b", "priority: 5\nwhen_open: drop"),
            playbook("f", "event: d", "class: critical\nbecause: fraud"),
        ];
        let mut texts: Vec<&str> = playbooks.iter().map(String::as_str).collect();
        texts.push("budget: { all: 3 per 1d, offer: 1 per 6h }");
        let catalog = catalog(&texts);
        let mut play = Play::on("42", Arc::clone(&catalog));
        let (mut at, mut sent) = (0, Vec::new());
        for (kind, gap, then) in steps {
            at += gap + SECOND;
            let kind = ["a", "b", "c", "d", "nobody hears it"][kind as usize];
            sent.push((play.event(at, kind, Value::Null), kind));
            if then == 0 && !play.open().is_empty() {
                play.seen(at + 1);
                play.close(at + 2);
            }
        }
        play.ticks(at + 3 * DAY);

        for (event, kind) in &sent {
            let hearing = catalog.listeners.get(*kind).map_or(0, Vec::len);
            let told = play.verdicts.keys().filter(|(id, _)| id == event).count();
            prop_assert_eq!(told, hearing, "{}", kind);
        }
        let unfinished = play.verdicts.values().filter(|judged| {
            matches!(judged.verdict, Verdict::Pending) || judged.verdict == Verdict::Quiet
        });
        prop_assert_eq!(unfinished.count(), 0, "nothing waits for ever");

        let mut openings: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for logged in &play.entries {
            if let beckon::model::entry::Kind::Verdict { playbook, .. } = &logged.entry.kind {
                let class = if ["a", "b"].contains(&playbook.as_str()) { "offer" } else { "service" };
                // One that was replaced or withdrawn before it was seen gave its place back.
                let unseen = play.verdicts.values().any(|judged| {
                    judged.conversation == Some(logged.conversation)
                        && matches!(judged.verdict, Verdict::Expired | Verdict::Withdrawn)
                });
                if playbook != "f" && !unseen {
                    openings.entry("all").or_default().push(logged.entry.at.0);
                    openings.entry(class).or_default().push(logged.entry.at.0);
                }
            }
        }
        for (class, most, per) in [("all", 3, DAY), ("offer", 1, 6 * HOUR)] {
            let times = openings.get(class).cloned().unwrap_or_default();
            for begin in &times {
                let inside = times.iter().filter(|at| (*begin..*begin + per).contains(*at)).count();
                prop_assert!(inside <= most, "{} {} within {} ms", inside, class, per);
            }
        }
    }
}
