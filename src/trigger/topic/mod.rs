//! What a topic decides: whom an event concerns, who is told when, what they hear later, and when it is over. Pure.
//!
//! `hearing` is what events do to it, `revoking` how they are taken back, `sending` what it sends out, `looking` where an
//! API names customers. Not here: how an event comes to a topic (`forward`), what a customer makes of it (`engine::news`).

pub mod forward;
mod hearing;
pub mod looking;
pub mod revoking;
mod sending;

use std::sync::Arc;

use serde_json::Value;

use super::restrain::key_of;
use super::sense::No;
use crate::model::catalog::{Catalog, Catalogs, Expression, Playbook};
use crate::model::customer::State;
use crate::model::decision::{Change, Decision, Ignored, Judged, Page};
use crate::model::entry::Verdict;
use crate::model::event::Event;
use crate::model::ids::{ActorId, EventId, Pos};
use crate::model::input::{Body, Input};
use crate::model::pattern::{Moment, ToMany, Trigger};
use crate::model::scope::Scope;
use crate::model::time::{Millis, Ms};
use crate::model::topic::{MAX_PAGES, News, PAGE, Stage, Topic};

/// The topic of a playbook, with its trigger; it has one at most.
pub fn topic_of(playbook: &Playbook) -> Option<(&Trigger, &ToMany)> {
    playbook.on.iter().find_map(|trigger| match &trigger.moment {
        Moment::Topic(many) => Some((trigger, &**many)),
        _ => None,
    })
}

/// Ids of users as customers; each once, in order. Numbers are ids too.
///
/// # Errors
/// Why it is no list of ids.
pub fn customers(value: &Value) -> Result<Vec<ActorId>, String> {
    let Value::Array(items) = value else { return Err("it is no list of ids of users".to_owned()) };
    let mut seen = std::collections::BTreeSet::new();
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let id = key_of(item.clone()).map_err(|problem| format!("one of them {problem}"))?;
        let customer = ActorId::parse(ActorId::user(&id).as_str()).map_err(|problem| problem.to_string())?;
        if seen.insert(customer.clone()) {
            found.push(customer);
        }
    }
    Ok(found)
}

/// What an expression names, as customers.
///
/// # Errors
/// Why it names none.
pub fn named(scope: &Scope, expression: &Expression) -> Result<Vec<ActorId>, String> {
    scope.value(expression).and_then(|value| customers(&value)).map_err(|why| format!("{}: {why}", expression.source))
}

/// What a topic tells under a revision, as the event that customers get; none where that was taken back.
pub fn news_of(topic: &Topic, actor: &ActorId, revision: Pos) -> Option<Event> {
    let selected = topic.selection.as_ref().map(|selection| &selection.telling);
    let telling = selected.into_iter().chain(&topic.news).find(|telling| telling.revision == revision)?;
    let news = News {
        topic: actor.clone(),
        playbook: topic.playbook.clone(),
        begun: topic.begun?,
        revision,
        stage: telling.stage,
        origin: telling.id,
    };
    Some(Event { news: Some(Box::new(news)), ..(*telling.event).clone() })
}

/// Decides one input of a topic.
pub fn decide(mut state: State, actor: &ActorId, input: &Input, catalogs: &Catalogs) -> Decision {
    let topic = match (state.topic.take(), &input.body) {
        (Some(topic), _) => *topic,
        (None, Body::Heard(heard)) => {
            Topic { playbook: heard.playbook.clone(), key: heard.key.clone(), ..Topic::default() }
        }
        (None, _) => return Decision { state, ignored: Some(Ignored::LateNews), ..Decision::default() },
    };
    let playbook = catalogs.current().and_then(|catalog| {
        catalog.playbooks.get(&topic.playbook).map(|playbook| (Arc::clone(catalog), Arc::clone(playbook)))
    });
    let known = playbook.as_ref().and_then(|(catalog, playbook)| {
        let (_, many) = topic_of(playbook)?;
        Some(Known { catalog, many, within: playbook.open.within })
    });
    let mut deciding =
        Deciding { catalogs, actor, known, topic, pos: input.pos, now: input.time(), out: Decision::default() };
    deciding.input(&input.body);
    let Deciding { topic, mut out, .. } = deciding;
    if out.change != Change::Forget {
        state.topic = Some(Box::new(topic));
    }
    out.state = state;
    out
}

/// What the catalog in force says of the topic.
#[derive(Clone, Copy)]
struct Known<'a> {
    catalog: &'a Catalog,
    many: &'a ToMany,
    /// How long an opening waits to be seen.
    within: Millis,
}

/// A topic's decision in the making.
struct Deciding<'a> {
    catalogs: &'a Catalogs,
    actor: &'a ActorId,
    /// None: the playbook is gone, or has no topic any more.
    known: Option<Known<'a>>,
    topic: Topic,
    pos: Pos,
    now: Ms,
    out: Decision,
}

impl Deciding<'_> {
    fn input(&mut self, body: &Body) {
        // A slow owner changes nothing: what is due before this input happened before it. The end of what is held is
        // compared by its own time instead: it may have been on its way.
        let held = self.topic.selection.as_ref().and_then(|selection| selection.held);
        let is_due = |due: &Ms| match (body, held) {
            (Body::Heard(heard), Some(until)) if heard.stage == Stage::Ended => *due <= self.now && heard.at >= until,
            _ => *due < self.now,
        };
        if let Some(due) = self.topic.due.filter(is_due) {
            let now = std::mem::replace(&mut self.now, due);
            self.go_on();
            self.now = now;
        }
        match body {
            Body::Heard(heard) => self.heard(heard),
            Body::Selected { turn, outcome } => self.selected(*turn, outcome),
            Body::Told { turn, outcome } => self.told(*turn, *outcome),
            // What is due is done below.
            _ => {}
        }
        self.go_on();
    }

    /// Says what became of an event.
    fn judge(&mut self, event: EventId, no: No) {
        let No { verdict, reason, condition, values } = no;
        let playbook = self.topic.playbook.clone();
        self.out.verdicts.push(Judged { event, playbook, verdict, reason, condition, values, conversation: None });
    }

    /// Writes customers down as pages; false where there is no room for all of them.
    fn write(&mut self, customers: &[ActorId]) -> bool {
        // Whole steps of the pace: a page's last customers would else have the next ones on their heels.
        let step = self.known.and_then(|known| known.many.pace).map_or(1, |pace| pace.at_once());
        let step = usize::try_from(step).unwrap_or(PAGE).clamp(1, PAGE);
        for page in customers.chunks(PAGE - PAGE % step) {
            if self.topic.pages >= MAX_PAGES {
                return false;
            }
            let begun = self.topic.begun.unwrap_or(self.pos);
            self.out.pages.push(Page { begun, number: self.topic.pages, customers: Some(page.to_vec()) });
            self.topic.pages += 1;
        }
        true
    }

    /// Lets pages go, from one on.
    fn drop_pages(&mut self, from: u32) {
        let (gone, begun) = (from..self.topic.pages, self.topic.begun.unwrap_or(self.pos));
        // What this very decision wrote was never there.
        let written = |page: &Page| page.begun == begun && gone.contains(&page.number);
        self.out.pages.retain(|page| !written(page));
        self.out.pages.extend(gone.map(|number| Page { begun, number, customers: None }));
        self.topic.pages = self.topic.pages.min(from);
    }

    /// What was begun is over: nobody hears of it any more.
    fn over(&mut self) {
        self.drop_pages(0);
        self.topic.told = crate::model::topic::Mark::default();
        self.topic.partly.clear();
        self.topic.begun = None;
        self.topic.announced = None;
        self.topic.revoked = false;
        self.topic.quiet = self.now;
    }

    fn is_paused(&self) -> bool {
        self.catalogs.is_paused(&self.topic.playbook)
    }
}

fn unmatched(reason: &str) -> No {
    No::of(Verdict::NotMatched, reason)
}
