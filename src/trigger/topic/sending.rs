//! What a topic sends out, one thing at a time: it looks for customers, tells a page of them, or gives those who were told
//! the news. Each result brings the next, not before the pace allows it.

use serde_json::json;

use super::super::sense::No;
use super::Deciding;
use super::hearing::{counted, done, progress};
use crate::model::decision::{Change, Effect, Ignored, sent_key};
use crate::model::entry::Verdict;
use crate::model::ids::Pos;
use crate::model::time::Millis;
use crate::model::topic::{Cursor, Found, KEPT, Mark, PAGE, SILENT, Sent, Stage, Told, UnderWay};

/// How long a topic rests while too many wait for a person.
const REST: Millis = Millis::seconds(5);

/// How often customers are looked for in vain, one time after the other.
const MAX_FAILURES: u32 = 6;

/// How long after the first failure they are looked for again; each time twice as long.
const RETRY: Millis = Millis::seconds(2);

impl Deciding<'_> {
    /// Sends out what comes next, or says when it does.
    pub(super) fn go_on(&mut self) {
        // What ran out before this input may have begun again by it.
        self.out.change = Change::Put;
        self.topic.due = None;
        if self.topic.under_way.is_some() {
            return;
        }
        self.settle();
        if !self.topic.news.is_empty() {
            return self.tell_news();
        }
        if self.topic.selection.is_some() {
            return self.select();
        }
        let due = self.topic.quiet.plus(self.kept());
        if due <= self.now {
            self.over();
            self.out.change = Change::Forget;
        } else {
            self.topic.due = Some(due);
        }
    }

    /// Ends a selection that goes no further.
    fn settle(&mut self) {
        let Some(selection) = &self.topic.selection else { return };
        let (verdict, reason) = if let Some(reason) = &selection.stopped {
            (if self.topic.revoked { Verdict::Withdrawn } else { Verdict::Told }, reason.clone())
        } else if self.known.is_none() {
            (Verdict::Withdrawn, "the playbook no longer has this topic".to_owned())
        } else if self.is_paused() {
            (Verdict::Paused, "the playbook was paused before all were told".to_owned())
        } else {
            return;
        };
        let no = counted(verdict, selection, &reason);
        let id = selection.telling.id;
        self.judge(id, no);
        self.leave_selection();
    }

    /// No more customers are told of the beginning.
    fn leave_selection(&mut self) {
        self.topic.selection = None;
        let next = self.topic.told.page + u32::from(self.topic.told.within > 0);
        self.drop_pages(next);
        self.topic.quiet = self.now;
        if self.topic.news.is_empty() && (self.known.is_none() || self.topic.told == Mark::default()) {
            self.over();
        }
    }

    /// Whether those who were told may hear more.
    fn is_further(&self) -> bool {
        self.known.is_some_and(|known| known.many.updates.is_some() || known.many.ends.is_some())
    }

    /// Whether whom it told is kept for one thing only: that it can still be taken back.
    pub(super) fn lingers(&self) -> bool {
        self.topic.begun.is_some() && self.topic.selection.is_none() && !self.is_further()
    }

    /// How long it is kept after what it heard last.
    fn kept(&self) -> Millis {
        match self.known {
            Some(known) if self.lingers() => KEPT.max(known.within).min(SILENT),
            _ if self.topic.begun.is_some() => SILENT,
            _ => KEPT,
        }
    }

    fn select(&mut self) {
        let Some(selection) = &mut self.topic.selection else { return };
        if let Some(until) = selection.held {
            if self.now < until {
                self.topic.due = Some(until);
                return;
            }
            selection.held = None;
        }
        let revision = selection.telling.revision;
        let all = Mark { page: self.topic.pages, within: 0 };
        if self.topic.told >= all && selection.cursor == Cursor::End {
            let (id, no) = (selection.telling.id, done(selection, "all whom it selected were told"));
            self.judge(id, no);
            self.leave_selection();
            return self.go_on();
        }
        if self.now < self.topic.next {
            self.topic.due = Some(self.topic.next);
        } else if self.topic.told < all {
            self.tell(Sent::Begin, revision, self.topic.told, u32::MAX);
        } else {
            self.look(revision);
        }
    }

    fn tell_news(&mut self) {
        let (told, partly) = (self.topic.told, &self.topic.partly);
        let next = self.topic.news.iter().skip(1).find(|news| matches!(news.stage, Stage::Ended | Stage::Revoked));
        let next = next.map(|news| news.stage);
        let is_further = self.is_further();
        let Some(news) = self.topic.news.front_mut() else { return };
        while news.place < told && partly.get(&news.place.page).is_some_and(|within| news.place.within >= *within) {
            news.place = Mark { page: news.place.page.saturating_add(1), within: 0 };
        }
        let (verdict, reason) = match self.known {
            _ if news.place >= told => (Verdict::Told, "all who knew of it were told"),
            _ if news.stage == Stage::Updated && next == Some(Stage::Ended) => (Verdict::Told, "the end came first"),
            _ if news.stage == Stage::Updated && next == Some(Stage::Revoked) => {
                (Verdict::Told, "what it is about was taken back")
            }
            None => (Verdict::Withdrawn, "the playbook no longer has this topic"),
            Some(_) => (Verdict::Forwarded, ""),
        };
        if verdict != Verdict::Forwarded {
            let no = No::with(verdict, reason, json!({ "sent": news.sent }));
            let (id, stage) = (news.id, news.stage);
            self.judge(id, no);
            self.topic.news.pop_front();
            let nobody_left = !is_further || told == Mark::default();
            if stage == Stage::Ended || (stage == Stage::Revoked && self.topic.selection.is_none() && nobody_left) {
                self.over();
            }
            return self.go_on();
        }
        let upto = if news.place.page == told.page { Some(&told.within) } else { partly.get(&news.place.page) };
        let most = upto.map_or(u32::MAX, |within| within.saturating_sub(news.place.within));
        let (revision, place) = (news.revision, news.place);
        if self.now < self.topic.next && !self.takes_back(revision) {
            self.topic.due = Some(self.topic.next);
            return;
        }
        self.tell(Sent::News, revision, place, most);
    }

    /// Whether these news take back what was told. That brings nobody new: no pace holds it up.
    fn takes_back(&self, revision: Pos) -> bool {
        self.topic.news.iter().any(|news| news.revision == revision && news.stage == Stage::Revoked)
    }

    fn tell(&mut self, what: Sent, revision: Pos, from: Mark, most: u32) {
        let Some(known) = self.known else { return };
        let pace = known.many.pace.filter(|_| !self.takes_back(revision));
        let pace = pace.map_or(u32::MAX, |pace| pace.at_once());
        let most = most.min(pace).min(u32::try_from(PAGE).unwrap_or(u32::MAX));
        // News are no openings: nobody new comes to the queue.
        let queue = known.many.queue.filter(|_| what == Sent::Begin);
        let (topic, turn, at) = (self.actor.clone(), self.begin(what, revision, from), self.now);
        self.out.effects.push(Effect::Tell { topic, turn, revision, from, most, queue, at });
    }

    fn look(&mut self, revision: Pos) {
        let Some(known) = self.known else { return };
        let catalog = known.catalog.hash.clone();
        let (topic, turn, at) = (self.actor.clone(), self.begin(Sent::Select, revision, Mark::default()), self.now);
        self.out.effects.push(Effect::Select { topic, turn, revision, catalog, at });
    }

    fn begin(&mut self, what: Sent, revision: Pos, from: Mark) -> u32 {
        self.topic.turn = self.topic.turn.wrapping_add(1);
        let turn = self.topic.turn;
        self.topic.under_way = Some(UnderWay { turn, revision, what, from });
        turn
    }

    /// What was sent out came back; none where it is not what is waited for.
    fn came_back(&mut self, turn: u32) -> Option<UnderWay> {
        let under_way = self.topic.under_way.filter(|under_way| under_way.turn == turn);
        match under_way {
            Some(under_way) => {
                self.topic.under_way = None;
                self.out.finished.push(sent_key(self.actor, under_way.revision, turn));
            }
            None => self.out.ignored = Some(Ignored::LateNews),
        }
        under_way
    }

    /// Customers were looked for.
    pub(super) fn selected(&mut self, turn: u32, outcome: &Result<Found, String>) {
        let Some(under_way) = self.came_back(turn) else { return };
        let Some(mut selection) = self.topic.selection.take() else { return };
        if selection.telling.revision != under_way.revision || selection.stopped.is_some() {
            self.topic.selection = Some(selection);
            return;
        }
        let no = match outcome {
            Ok(found) => {
                let next = found.next.clone().map_or(Cursor::End, Cursor::After);
                selection.failures = 0;
                selection.selected += u64::try_from(found.customers.len()).unwrap_or(u64::MAX);
                let fits = self.write(&found.customers);
                if !fits {
                    selection.stopped = Some("there are more customers than a topic tells".to_owned());
                } else if next == selection.cursor {
                    selection.stopped = Some("the same page of customers came again".to_owned());
                }
                selection.cursor = next;
                progress(&selection, "its topic selects and tells")
            }
            Err(problem) => {
                selection.failures += 1;
                if selection.failures >= MAX_FAILURES {
                    let no = counted(Verdict::Failed, &selection, &format!("customers could not be found: {problem}"));
                    self.judge(selection.telling.id, no);
                    return self.leave_selection();
                }
                let wait = Millis(RETRY.0.saturating_mul(1 << selection.failures.min(16)));
                self.topic.next = self.now.plus(wait);
                progress(&selection, &format!("customers could not be found yet, and are looked for again: {problem}"))
            }
        };
        self.judge(selection.telling.id, no);
        self.topic.selection = Some(selection);
    }

    /// Customers were told.
    pub(super) fn told(&mut self, turn: u32, outcome: Told) {
        let Some(under_way) = self.came_back(turn) else { return };
        let (sent, passed, more) = match outcome {
            Told::Sent { sent, passed, more } => (sent, passed, more),
            Told::Rests(waiting) => return self.rest(waiting),
        };
        let pace = self.known.and_then(|known| known.many.pace);
        if let Some(pace) = pace.filter(|_| !self.takes_back(under_way.revision)) {
            self.topic.next = self.topic.next.max(self.now.plus(pace.time_for(passed)));
        }
        let on = |mark: Mark| match more {
            true => Mark { within: mark.within.saturating_add(passed), ..mark },
            false => Mark { page: mark.page.saturating_add(1), within: 0 },
        };
        if under_way.what == Sent::News {
            let told = self.topic.told;
            if let Some(news) = self.topic.news.iter_mut().find(|news| news.revision == under_way.revision) {
                news.place = on(news.place).min(told);
                news.sent += u64::from(sent);
            }
            return;
        }
        let begins = self.topic.selection.as_mut();
        let Some(selection) = begins.filter(|selection| selection.telling.revision == under_way.revision) else {
            // Told for one that made way meanwhile: its page is passed already, and these of it know.
            let Mark { page, within } = under_way.from;
            if let Some(known) = self.topic.partly.get_mut(&page).filter(|known| **known == within) {
                *known = within.saturating_add(passed);
            }
            return;
        };
        self.topic.told = on(self.topic.told);
        selection.telling.place = self.topic.told;
        selection.telling.sent += u64::from(sent);
        let (id, no) = (selection.telling.id, progress(selection, "its topic selects and tells"));
        self.judge(id, no);
    }

    fn rest(&mut self, waiting: u64) {
        self.topic.next = self.now.plus(REST);
        let Some(selection) = &self.topic.selection else { return };
        let who = if waiting == 1 { "conversation waits" } else { "conversations wait" };
        let reason = format!("it rests: {waiting} {who} for a person");
        let (id, no) = (selection.telling.id, progress(selection, &reason));
        self.judge(id, no);
    }
}
