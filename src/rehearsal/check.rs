//! Whether what a scenario expects did happen: each expectation that does not hold, with what was there instead.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::stage::Stage;
use super::timeline::{Happened, Moment, verdict, word};
use crate::catalog::Spot;
use crate::catalog::scenario::{At, Expect, NamedCall, Standing, WantedVerdict, Words};
use crate::model::conversation::Conversation;
use crate::model::decision::{Judged, Summary, SummaryState};
use crate::model::entry::{By, Entry, Kind, Verdict};
use crate::model::ids::ActorId;

/// What a step looks at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// What happened from here on is new.
    pub since: usize,
    /// The customer; none: what concerns nobody.
    pub customer: &'a ActorId,
    /// The conversation, where there is one.
    pub conversation: Option<&'a Summary>,
}

/// What does not hold, and where it was expected.
pub fn check(view: View<'_>, expect: &Expect) -> Vec<(Spot, String)> {
    let mut wrong = Vec::new();
    let mut hold = |spot: Spot, problem: Option<String>| wrong.extend(problem.map(|problem| (spot, problem)));
    if let Some(At { spot, value }) = &expect.opening {
        hold(*spot, view.opening(value));
    }
    for At { spot, value } in &expect.verdicts {
        hold(*spot, view.verdict(value));
    }
    for At { spot, value } in &expect.says {
        hold(*spot, view.says(value));
    }
    if let Some(At { spot, value }) = &expect.silent {
        hold(*spot, view.silent(*value));
    }
    if let Some(At { spot, value }) = &expect.choices {
        let there: Vec<&str> =
            view.live().map(|c| c.offered.iter().map(|o| o.label.as_str()).collect()).unwrap_or_default();
        hold(*spot, differs("the choices are", &quoted(value), &quoted(&there)));
    }
    if let Some(At { spot, value }) = &expect.calls {
        let there = view.calls();
        let same = value.len() == there.len() && value.iter().zip(&there).all(|(a, b)| same_call(a, *b));
        let problem = format!("the calls are {}", calls(&there));
        hold(*spot, (!same).then_some(problem));
    }
    for At { spot, value: (name, wanted) } in &expect.facts {
        hold(*spot, view.fact(name, wanted));
    }
    if let Some(At { spot, value }) = &expect.confirm {
        hold(*spot, view.confirm(value.as_ref()));
    }
    for At { spot, value: (timer, wanted) } in &expect.timers {
        let at = view.stage.state(view.customer).zip(view.conversation).and_then(|(state, conversation)| {
            state.timers.iter().find(|(_, id, kind)| *id == conversation.id && kind == timer).map(|(at, _, _)| *at)
        });
        let left = at.map(|at| at.since(view.stage.now()));
        let shown = |left: &Option<_>| left.as_ref().map_or("not set".to_owned(), ToString::to_string);
        hold(*spot, differs(&format!("`{}` is due in", word(timer)), &shown(wanted), &shown(&left)));
    }
    if let Some(At { spot, value }) = &expect.holder {
        hold(*spot, differs("the holder is", &word(value), &view.said_of(|c| word(&c.holder))));
    }
    if let Some(At { spot, value }) = &expect.state {
        hold(*spot, differs("the conversation is", standing(*value), standing(view.standing())));
    }
    if let Some(At { spot, value }) = &expect.outcome {
        let there = view.conversation.and_then(|c| c.outcome.as_ref());
        let shown = |kind: Option<_>| kind.map_or("none".to_owned(), |kind| word(&kind));
        hold(*spot, differs("the outcome is", &shown(*value), &shown(there.map(|outcome| outcome.kind))));
    }
    if let Some(At { spot, value }) = &expect.value {
        let there = view.conversation.and_then(|c| c.outcome.as_ref()?.value.clone()).unwrap_or_default();
        hold(*spot, (!same(value, &there)).then(|| format!("the outcome's value is {there}")));
    }
    if let Some(At { spot, value }) = &expect.refused {
        let there = view.lately().filter_map(|what| match what {
            Happened::Refused(code) => Some(code.code()),
            _ => None,
        });
        let there = there.last().unwrap_or("not refused");
        hold(*spot, differs("the last act was", value.code(), there));
    }
    if let Some(At { spot, value }) = &expect.notified {
        let there: Vec<&str> = view
            .lately()
            .filter_map(|what| match what {
                Happened::Notified(notice, _) => Some(notice.name()),
                _ => None,
            })
            .collect();
        hold(*spot, differs("the company was told", &quoted(value), &quoted(&there)));
    }
    wrong
}

impl<'a> View<'a> {
    /// What is new for this customer, in order, and what concerns nobody or many.
    fn moments(self) -> impl Iterator<Item = &'a Moment> {
        let moments = self.stage.timeline.get(self.since..).unwrap_or_default();
        let concerns =
            move |customer: &Option<ActorId>| customer.as_ref().is_none_or(|c| c == self.customer || c.is_topic());
        moments.iter().filter(move |moment| concerns(&moment.customer))
    }

    fn lately(self) -> impl Iterator<Item = &'a Happened> {
        self.moments().map(|moment| &moment.what)
    }

    fn live(self) -> Option<&'a Conversation> {
        self.stage.state(self.customer)?.conversations.get(&self.conversation?.id)
    }

    fn said_of(self, say: impl Fn(&Summary) -> String) -> String {
        self.conversation.map_or("none: there is no conversation".to_owned(), say)
    }

    /// The last word of each playbook: on an event of this customer, else on one that concerns nobody or many.
    fn judged(self) -> BTreeMap<&'a str, &'a Judged> {
        let judged = |own: bool| {
            let moments = self.moments().filter(move |moment| (moment.customer.as_ref() == Some(self.customer)) == own);
            moments.filter_map(|moment| match &moment.what {
                Happened::Judged(judged) => Some((judged.playbook.as_str(), judged)),
                _ => None,
            })
        };
        judged(false).chain(judged(true)).collect()
    }

    /// All that playbooks made of events lately, for who expected something else.
    fn judgements(self) -> String {
        let judged: Vec<String> =
            self.judged().into_iter().map(|(name, judged)| format!("{name}: {}", verdict(judged))).collect();
        if judged.is_empty() { "no playbook heard of anything".to_owned() } else { judged.join("; ") }
    }

    fn opening(self, wanted: &[String]) -> Option<String> {
        let opened: Vec<&str> = self
            .lately()
            .filter_map(|what| match what {
                Happened::Judged(judged) if judged.verdict == Verdict::Waiting => Some(judged.playbook.as_str()),
                _ => None,
            })
            .collect();
        let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let mut sorted = opened.clone();
        wanted.sort_unstable();
        sorted.sort_unstable();
        if wanted == sorted {
            return None;
        }
        let what =
            if opened.is_empty() { "nothing opened".to_owned() } else { format!("{} opened", opened.join(", ")) };
        Some(format!("{what} ({})", self.judgements()))
    }

    fn verdict(self, wanted: &WantedVerdict) -> Option<String> {
        let judged = self.judged();
        let Some(there) = judged.get(wanted.playbook.as_str()) else {
            return Some(format!("`{}` judged nothing since ({})", wanted.playbook, self.judgements()));
        };
        let fits = |wanted: &Option<Words>, there: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| meets(wanted, there.as_deref().unwrap_or_default()))
        };
        let holds = there.verdict == wanted.verdict
            && fits(&wanted.reason, &there.reason)
            && fits(&wanted.condition, &there.condition)
            && wanted.values.iter().all(|(name, value)| there.values.get(name).is_some_and(|seen| same(value, seen)));
        (!holds).then(|| format!("`{}` says {}", wanted.playbook, verdict(there)))
    }

    /// What the customer could read of the company's side.
    fn read(self) -> Vec<&'a str> {
        let words = self.lately().filter_map(|what| match what {
            Happened::Entry(_, entry) => heard(entry),
            _ => None,
        });
        words.collect()
    }

    fn says(self, wanted: &Words) -> Option<String> {
        let read = self.read();
        let positive = Words { not_contains: Vec::new(), ..wanted.clone() };
        let asks = wanted.is.is_some() || !wanted.contains.is_empty() || !wanted.matches.is_empty();
        let met = !asks || read.iter().any(|text| meets(&positive, text));
        // What must not be said must not be said by any of them.
        let clean = read.iter().all(|text| wanted.not_contains.iter().all(|word| !text.contains(word.as_str())));
        (!(met && clean)).then(|| match read.as_slice() {
            [] => "nothing was said".to_owned(),
            read => format!("said was {}", quoted(read)),
        })
    }

    fn silent(self, wanted: bool) -> Option<String> {
        let read = self.read();
        match (wanted, read.as_slice()) {
            (true, [_, ..]) => Some(format!("said was {}", quoted(&read))),
            (false, []) => Some("nothing was said".to_owned()),
            _ => None,
        }
    }

    fn calls(self) -> Vec<(&'a str, &'a Map<String, Value>)> {
        let calls = self.lately().filter_map(|what| match what {
            Happened::Call { operation, args, context: false } => Some((operation.as_str(), args)),
            _ => None,
        });
        calls.collect()
    }

    fn fact(self, name: &str, wanted: &Value) -> Option<String> {
        let facts = self.conversation.map(|c| self.stage.facts(c.id)).unwrap_or_default();
        match facts.get(name) {
            Some(there) if same(wanted, there) => None,
            Some(there) => Some(format!("the fact `{name}` is {there}")),
            None => Some(format!("there is no fact `{name}`")),
        }
    }

    fn confirm(self, wanted: Option<&Words>) -> Option<String> {
        let asked = self.live().and_then(|c| c.confirming);
        let summary = self.stage.timeline.iter().rev().find_map(|moment| match &moment.what {
            Happened::Entry(id, entry) if self.conversation.is_some_and(|c| c.id == *id) => match &entry.kind {
                Kind::Confirm { call_id, summary, .. } if Some(*call_id) == asked => Some(summary.as_str()),
                _ => None,
            },
            _ => None,
        });
        match (wanted, summary) {
            (None, None) => None,
            (Some(wanted), Some(summary)) if meets(wanted, summary) => None,
            (_, Some(summary)) => Some(format!("to be confirmed is \"{summary}\"")),
            (Some(_), None) => Some("nothing is to be confirmed".to_owned()),
        }
    }

    fn standing(self) -> Standing {
        match self.conversation.map(|c| c.state) {
            None => Standing::None,
            Some(SummaryState::Waiting) => Standing::Waiting,
            Some(SummaryState::Open) => Standing::Open,
            Some(SummaryState::Closed) => Standing::Closed,
        }
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::None => "none",
        Standing::Waiting => "waiting",
        Standing::Open => "open",
        Standing::Closed => "closed",
    }
}

/// Words that the customer could read and did not write.
fn heard(entry: &Entry) -> Option<&str> {
    match &entry.kind {
        Kind::Message { text, .. } if entry.visible && entry.by != By::Customer => Some(text),
        _ => None,
    }
}

/// Whether a text has all properties.
fn meets(wanted: &Words, text: &str) -> bool {
    wanted.is.as_ref().is_none_or(|is| is == text)
        && wanted.contains.iter().all(|word| text.contains(word.as_str()))
        && wanted.not_contains.iter().all(|word| !text.contains(word.as_str()))
        && wanted.matches.iter().all(|pattern| pattern.is_match(text))
}

/// Equal, where 20 and 20.0 are: who writes YAML sees no difference.
fn same(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn same_call(wanted: &NamedCall, there: (&str, &Map<String, Value>)) -> bool {
    wanted.0 == there.0
        && wanted.1.len() == there.1.len()
        && wanted.1.iter().all(|(name, value)| there.1.get(name).is_some_and(|there| same(value, there)))
}

fn calls(calls: &[(&str, &Map<String, Value>)]) -> String {
    let shown: Vec<String> =
        calls.iter().map(|(operation, args)| format!("{operation} {}", Value::Object((*args).clone()))).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

fn quoted<T: AsRef<str>>(texts: &[T]) -> String {
    let shown: Vec<String> = texts.iter().map(|text| format!("\"{}\"", text.as_ref())).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

/// What is there, where it is not what was wanted.
fn differs(what: &str, wanted: &str, there: &str) -> Option<String> {
    (wanted != there).then(|| format!("{what} {there}, not {wanted}"))
}
