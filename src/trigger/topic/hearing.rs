//! What an event does to a topic: it begins it, is news for those who were told, or ends it.

use serde_json::{Value, json};

use super::super::sense::No;
use super::{Deciding, named, unmatched};
use crate::model::decision::Ignored;
use crate::model::entry::Verdict;
use crate::model::event::Event;
use crate::model::ids::ActorId;
use crate::model::pattern::Whom;
use crate::model::scope::{Scope, event_value};
use crate::model::time::Ms;
use crate::model::topic::{Cursor, Heard, MAX_EVENT, MAX_NEWS, Mark, Selection, Sent, Stage, Telling};

impl Deciding<'_> {
    pub(super) fn heard(&mut self, heard: &Heard) {
        let last = self.topic.heard.get(&heard.id.partition).copied();
        if last.is_some_and(|last| last >= heard.id.pos) {
            self.out.ignored = Some(Ignored::LateNews);
            return;
        }
        self.topic.heard.insert(heard.id.partition, heard.id.pos);
        self.topic.quiet = self.now;
        match heard.stage {
            Stage::Begun => self.begins(heard),
            Stage::Updated => self.updates(heard),
            Stage::Ended => self.ends(heard),
            Stage::Revoked => self.revokes(heard),
        }
    }

    fn begins(&mut self, heard: &Heard) {
        let Some(known) = self.known else {
            return self.judge(heard.id, unmatched("the playbook no longer has this topic"));
        };
        if let Some(ended) = self.topic.ended.filter(|ended| *ended >= heard.at) {
            let no = No::with(Verdict::NotMatched, "it had ended before", json!({ "ended": ended.to_string() }));
            return self.judge(heard.id, no);
        }
        if self.is_paused() {
            return self.judge(heard.id, No::of(Verdict::Paused, "the playbook is paused"));
        }
        let (event, listed) = match listed(&known.many.to, &heard.event) {
            Ok(found) => found,
            Err(problem) => return self.judge(heard.id, No::of(Verdict::Failed, problem)),
        };
        if serde_json::to_vec(&event).map_or(usize::MAX, |bytes| bytes.len()) > MAX_EVENT {
            return self.judge(heard.id, No::of(Verdict::Limited, "full: the event is too large"));
        }
        if self.topic.news.iter().any(|news| news.stage == Stage::Ended) || self.lingers() {
            // Who has not heard of the end yet need not: it is anew.
            for news in std::mem::take(&mut self.topic.news) {
                let no = No::with(Verdict::Told, "it began again before all were told", json!({ "sent": news.sent }));
                self.judge(news.id, no);
            }
            self.make_way();
            self.over();
        }
        // It lasts since the first of several.
        let since = self.make_way().unwrap_or(heard.at).min(heard.at);
        self.topic.begun.get_or_insert(self.pos);
        let held = Some(since.plus(known.many.hold).plus(crate::model::time::Millis(1)));
        let held = held.filter(|until| known.many.hold.0 > 0 && *until > self.now);
        let mut selection = Selection {
            telling: self.telling(heard, event),
            since,
            held,
            cursor: Cursor::Start,
            selected: 0,
            stopped: None,
            failures: 0,
        };
        if let Some(customers) = listed {
            selection.cursor = Cursor::End;
            selection.selected = u64::try_from(customers.len()).unwrap_or(u64::MAX);
            self.write(&customers);
        }
        let no = match held {
            Some(until) => {
                let reason = format!("it is told when it has lasted {}", known.many.hold);
                No::with(Verdict::Pending, reason, json!({ "until": until.to_string() }))
            }
            None => progress(&selection, "its topic selects and tells"),
        };
        self.topic.selection = Some(selection);
        self.topic.announced = Some(heard.id);
        self.topic.revoked = false;
        self.judge(heard.id, no);
    }

    /// A selection under way makes way for a later one; when it began to hold, where it still held.
    fn make_way(&mut self) -> Option<Ms> {
        let under_way = self.topic.under_way.is_some_and(|under_way| under_way.what == Sent::Begin);
        let selection = self.topic.selection.take();
        let since = selection.as_ref().filter(|selection| selection.held.is_some()).map(|selection| selection.since);
        if let Some(selection) = selection {
            let reason = "a later event of its topic took its place";
            let no = match (since, &selection.stopped) {
                (_, Some(reason)) if self.topic.revoked => counted(Verdict::Withdrawn, &selection, reason),
                (Some(_), _) => No::of(Verdict::Withdrawn, reason),
                (None, _) => done(&selection, reason),
            };
            self.judge(selection.telling.id, no);
        }
        // Where a page was told in part, or is being told, the next one begins after it.
        let Mark { page, within } = self.topic.told;
        let next = page + u32::from(within > 0 || under_way);
        if next > page {
            self.topic.partly.insert(page, within);
        }
        self.drop_pages(next);
        self.topic.told = Mark { page: next.min(self.topic.pages), within: 0 };
        since
    }

    fn updates(&mut self, heard: &Heard) {
        if self.topic.begun.is_none() || self.told_nobody() {
            return self.judge(heard.id, unmatched("nobody was told of it yet"));
        }
        if self.topic.news.iter().any(|news| news.stage == Stage::Ended) {
            return self.judge(heard.id, unmatched("it has ended"));
        }
        self.queue(heard);
    }

    fn ends(&mut self, heard: &Heard) {
        if let Some(selection) = &self.topic.selection
            && heard.at < selection.since
        {
            return self.judge(heard.id, unmatched("what ended was before this began"));
        }
        if self.topic.news.iter().any(|news| news.stage == Stage::Ended) {
            return self.judge(heard.id, unmatched("its end is being told already"));
        }
        self.topic.ended = self.topic.ended.max(Some(heard.at));
        if self.topic.begun.is_none() {
            return self.judge(heard.id, unmatched("nobody was told of it"));
        }
        if self.told_nobody() {
            if let Some(selection) = self.topic.selection.take() {
                let reason = "it ended before anybody was told";
                self.judge(selection.telling.id, No::of(Verdict::Withdrawn, reason));
            }
            self.over();
            return self.judge(heard.id, unmatched("it ended before anybody was told"));
        }
        if let Some(selection) = self.topic.selection.as_mut().filter(|selection| selection.stopped.is_none()) {
            selection.stopped = Some("it ended before all were told".to_owned());
        }
        self.withdraw_news("the end came first");
        self.queue(heard);
    }

    /// Whether nobody knows of it: then there is nobody to tell more.
    pub(super) fn told_nobody(&self) -> bool {
        let begins = self.topic.under_way.is_some_and(|under_way| under_way.what == Sent::Begin);
        self.topic.told == Mark::default() && !begins
    }

    fn queue(&mut self, heard: &Heard) {
        let event = (*heard.event).clone();
        let large = serde_json::to_vec(&event).map_or(usize::MAX, |bytes| bytes.len()) > MAX_EVENT;
        // The end always has a place.
        let full = self.topic.news.len() >= MAX_NEWS && heard.stage != Stage::Ended;
        if large || full {
            return self.judge(heard.id, No::of(Verdict::Limited, "full"));
        }
        let telling = self.telling(heard, event);
        self.judge(heard.id, No::of(Verdict::Forwarded, "its topic tells those who know of it"));
        self.topic.news.push_back(telling);
    }

    pub(super) fn telling(&self, heard: &Heard, event: Event) -> Telling {
        let (revision, id, stage) = (self.pos, heard.id, heard.stage);
        Telling { revision, id, stage, event: Box::new(event), place: Mark::default(), sent: 0 }
    }
}

/// The event, and the customers whom it lists, where it is to list them. What lists them is cut out: nobody learns of others.
fn listed(to: &Whom, event: &Event) -> Result<(Event, Option<Vec<ActorId>>), String> {
    let Whom::List(expression) = to else { return Ok((event.clone(), None)) };
    let mut scope = Scope::new();
    scope.bind("event", event_value(event));
    let customers = named(&scope, expression)?;
    let mut event = event.clone();
    for path in &expression.paths {
        if let [root, data, rest @ ..] = path.as_slice()
            && root == "event"
            && data == "data"
        {
            cut(&mut event.data, rest);
        }
    }
    scope.bind("event", event_value(&event));
    if named(&scope, expression).is_ok_and(|left| !left.is_empty()) {
        // It is named in a way that was not followed.
        event.data = Value::Null;
    }
    Ok((event, Some(customers)))
}

fn cut(value: &mut Value, path: &[String]) {
    match path {
        [] => *value = Value::Null,
        [field] => {
            if let Value::Object(fields) = value {
                fields.remove(field);
            }
        }
        [field, rest @ ..] => {
            if let Some(inner) = value.get_mut(field) {
                cut(inner, rest);
            }
        }
    }
}

/// How far a selection is.
pub(super) fn progress(selection: &Selection, reason: &str) -> No {
    counted(Verdict::Forwarded, selection, reason)
}

/// A selection goes no further.
pub(super) fn done(selection: &Selection, reason: &str) -> No {
    counted(Verdict::Told, selection, reason)
}

pub(super) fn counted(verdict: Verdict, selection: &Selection, reason: &str) -> No {
    No::with(verdict, reason, json!({ "selected": selection.selected, "sent": selection.telling.sent }))
}
