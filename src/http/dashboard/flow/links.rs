//! From counts to the ribbons of the picture, which are also the rows of the table. Pure.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::dashboard::{spine, words};
use crate::record::{Flow, FlowTalk};

/// Names told apart in one column; the rest are one node together.
const MOST: usize = 8;

/// What stands over the columns.
pub(super) const COLUMNS: [&str; 6] = ["Sources", "Events", "Playbooks", "Verdicts", "Who talked", "Outcomes"];
/// What each step between two columns is called in the table.
pub(super) const STEPS: [&str; 5] =
    ["source to event", "event to playbook", "playbook to verdict", "verdict to talk", "talk to outcome"];

/// So many went from here to there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The column it begins in, from 0.
    pub(super) stage: usize,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) count: u64,
    /// The class of its colour.
    pub(super) mark: &'static str,
    /// The filter of the list of these events.
    query: Vec<(&'static str, String)>,
}

impl Link {
    /// The list of these events; empty where no list has just these.
    pub(super) fn href(&self) -> String {
        if self.query.is_empty() {
            return String::new();
        }
        let parts: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        format!("/operator/events?{}", parts.join("&"))
    }
}

/// All links, by column, the largest first.
pub(super) fn of(flow: &Flow) -> Vec<Link> {
    let mut links = Links::default();
    for events in &flow.events {
        let query = vec![("source", events.source.clone()), ("kind", events.kind.clone())];
        links.add(0, &events.source, &events.kind, events.count, "ev", query);
    }
    for row in &flow.rows {
        let kind = ("kind", row.kind.clone());
        let Some((playbook, verdict)) = &row.judged else {
            let to = match (row.dead, row.goal) {
                (true, _) => "dead letters",
                (_, true) => "a goal reached",
                _ => "no playbook",
            };
            let mark = if row.dead { "bad" } else { "plain" };
            links.add(1, &row.kind, to, row.count, mark, vec![kind]);
            continue;
        };
        links.add(1, &row.kind, playbook, row.count, "ev", vec![kind, ("playbook", playbook.clone())]);
        let query = vec![("playbook", playbook.clone()), ("verdict", verdict.clone())];
        links.add(2, playbook, &words::words(verdict), row.count, verdict_mark(verdict), query);
        if let Some(talk) = row.opened.as_ref().filter(|_| verdict == "opened" || verdict == "waiting") {
            let (who, mark) = who(talk);
            links.add(3, &words::words(verdict), who, row.count, mark, vec![("verdict", verdict.clone())]);
            if talk.state != "waiting" {
                let outcome = talk.outcome.as_deref().map_or("still open", spine::outcome_name);
                links.add(4, who, outcome, row.count, mark, Vec::new());
            }
        }
    }
    links.finish()
}

fn who(talk: &FlowTalk) -> (&'static str, &'static str) {
    match (talk.state.as_str(), talk.handed) {
        ("waiting", _) => ("not seen yet", "plain"),
        (_, true) => ("a person joined", "op"),
        (_, false) => ("the assistant alone", "ai"),
    }
}

fn verdict_mark(verdict: &str) -> &'static str {
    match verdict {
        "opened" | "joined" => "ai",
        "waiting" => "warn",
        "failed" => "bad",
        _ => "plain",
    }
}

#[derive(Default)]
struct Links(BTreeMap<(usize, String, String), Link>);

impl Links {
    fn add(
        &mut self,
        stage: usize,
        from: &str,
        to: &str,
        count: u64,
        mark: &'static str,
        query: Vec<(&'static str, String)>,
    ) {
        let key = (stage, from.to_owned(), to.to_owned());
        let fresh = Link { stage, from: from.to_owned(), to: to.to_owned(), count: 0, mark, query };
        self.0.entry(key).or_insert(fresh).count += count;
    }

    /// Melts what is small in the columns that have no bound of their own.
    fn finish(self) -> Vec<Link> {
        let all: Vec<Link> = self.0.into_values().collect();
        let kept: Vec<BTreeSet<String>> = (0..3).map(|column| largest(&all, column)).collect();
        let name = |column: usize, name: &str| match kept.get(column) {
            Some(kept) if !kept.contains(name) => "others".to_owned(),
            _ => name.to_owned(),
        };
        let mut melted = Links::default();
        for link in all {
            let (from, to) = (name(link.stage, &link.from), name(link.stage + 1, &link.to));
            let whole = from == link.from && to == link.to;
            let query = if whole { link.query } else { Vec::new() };
            melted.add(link.stage, &from, &to, link.count, link.mark, query);
        }
        let mut links: Vec<Link> = melted.0.into_values().collect();
        links.sort_by(|a, b| (a.stage, b.count, &a.from, &a.to).cmp(&(b.stage, a.count, &b.from, &b.to)));
        links
    }
}

/// The names of a column that stay.
fn largest(links: &[Link], column: usize) -> BTreeSet<String> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for link in links {
        // What leaves the column counts; of the last one bounded here, what comes in.
        let side = if column == 2 { (1, &link.to) } else { (column, &link.from) };
        if link.stage == side.0 {
            *totals.entry(side.1).or_default() += link.count;
        }
    }
    let mut names: Vec<(&str, u64)> = totals.into_iter().collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    // One name alone is not worth melting.
    let most = if names.len() == MOST + 1 { MOST + 1 } else { MOST };
    names.into_iter().take(most).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FlowEvents, FlowRow};

    fn row(kind: &str, judged: Option<(&str, &str)>, talk: Option<FlowTalk>, count: u64) -> FlowRow {
        let judged = judged.map(|(playbook, verdict)| (playbook.to_owned(), verdict.to_owned()));
        FlowRow { kind: kind.to_owned(), judged, opened: talk, goal: false, dead: false, count }
    }

    fn talk(state: &str, handed: bool, outcome: Option<&str>) -> Option<FlowTalk> {
        Some(FlowTalk { state: state.to_owned(), handed, outcome: outcome.map(str::to_owned) })
    }

    fn total(links: &[Link], stage: usize) -> u64 {
        links.iter().filter(|link| link.stage == stage).map(|link| link.count).sum()
    }

    #[test]
    fn what_enters_a_step_leaves_it_or_ends_there_by_name() {
        let flow = Flow {
            events: vec![FlowEvents { source: "shop".to_owned(), kind: "order.late".to_owned(), count: 10 }],
            rows: vec![
                row("order.late", Some(("late", "opened")), talk("closed", true, Some("goal")), 4),
                row("order.late", Some(("late", "waiting")), talk("waiting", false, None), 3),
                row("order.late", Some(("late", "not_matched")), None, 3),
            ],
            ..Flow::default()
        };
        let links = of(&flow);
        assert_eq!((0..3).map(|stage| total(&links, stage)).collect::<Vec<_>>(), [10, 10, 10]);
        assert_eq!((total(&links, 3), total(&links, 4)), (7, 4));
        let last = links.iter().find(|link| link.stage == 4).unwrap();
        assert_eq!((last.from.as_str(), last.to.as_str(), last.mark), ("a person joined", "goal reached", "op"));
        assert_eq!(links[0].href(), "/operator/events?source=shop&kind=order%2Elate");
    }

    #[test]
    fn many_small_sources_are_one_node_and_nothing_is_lost() {
        let events = (0..30).map(|n| FlowEvents { source: format!("s{n}"), kind: "k".to_owned(), count: n + 1 });
        let flow = Flow { events: events.collect(), rows: vec![row("k", None, None, 465)], ..Flow::default() };
        let links = of(&flow);
        let first: Vec<_> = links.iter().filter(|link| link.stage == 0).collect();
        assert_eq!((first.len(), total(&links, 0), total(&links, 1)), (MOST + 1, 465, 465));
        assert!(first.iter().any(|link| link.from == "others" && link.href().is_empty()));
    }
}
