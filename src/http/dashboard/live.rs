//! Live pages: one stream of server-sent events a page. Hints of the bus say when to look; what is sent is read anew.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Dashboard;
use super::access::SignedIn;
use super::conversation::Said;
use super::events::Lookup;
use super::flow::Window;
use super::inbox::Which;
use super::pages::PageError;
use super::spine::{self, Standing};
use super::thread::Thread;
use super::triage::Undone;
use crate::model::ids::{ConversationId, EventId};
use crate::model::live::Attention;
use crate::store::{Channel, Hint, Hints, LogCursor};

/// At most four looks at a list a second.
const LIST_PAUSE: Duration = Duration::from_millis(250);
/// Counting where events went, and looking for events, reads more: at most every two seconds.
const FLOW_PAUSE: Duration = Duration::from_secs(2);
/// How often to look without a hint, whether the session still lasts, and to say that we are here.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// What a page shows, and up to where.
#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    conversation: Option<ConversationId>,
    after: Option<String>,
    /// What the page shows beside the conversation's log.
    aside: Option<String>,
    /// Which page; the inbox where none is named.
    page: Option<Kind>,
    window: Option<Window>,
    event: Option<EventId>,
}

/// Which page is kept up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The inbox, with or without a conversation.
    Inbox,
    /// Where events went.
    Flow,
    /// What became of an event.
    Event,
    /// The latest events, or those looked for.
    Events,
    /// Any other: only how many need a person.
    Other,
}

/// Opens the stream of a page.
pub(super) async fn stream(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Query(which): Query<Which>,
    Query(shown): Query<Shown>,
    Query(lookup): Query<Lookup>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let permit = dashboard.live.clone().try_acquire_owned().map_err(|_| {
        PageError::new(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are live just now. Load this one to see news.")
    })?;
    let lists = dashboard.store.subscribe(Channel::Record, 16).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let thread = match shown.conversation {
        Some(id) => {
            let mut thread = dashboard.thread(id, last.or(shown.after).as_deref(), &operator.account.id).await?;
            thread.aside = shown.aside.unwrap_or_default();
            Some(thread)
        }
        None => None,
    };
    let page = Page {
        dashboard,
        operator,
        which,
        kind: shown.page.unwrap_or(Kind::Inbox),
        window: shown.window.unwrap_or_default(),
        event: shown.event,
        lookup,
        lists,
        thread,
        list_due: None,
        list_shown: String::new(),
        look_again: Instant::now(),
        queue: VecDeque::new(),
        ending: false,
        _permit: permit,
    };
    let events = futures_util::stream::unfold(page, |mut page| async move {
        let event = page.next().await?;
        Some((Ok::<_, Infallible>(event), page))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// A page that is being kept up to date.
struct Page {
    dashboard: Dashboard,
    operator: SignedIn,
    which: Which,
    kind: Kind,
    window: Window,
    event: Option<EventId>,
    lookup: Lookup,
    lists: Hints,
    thread: Option<Thread>,
    /// When the list is to be looked at; none: nothing changed.
    list_due: Option<Instant>,
    list_shown: String,
    look_again: Instant,
    queue: VecDeque<Event>,
    /// Nothing follows what is queued.
    ending: bool,
    _permit: OwnedSemaphorePermit,
}

enum Happened {
    Record,
    Actor(Hint),
    Due,
    Closing,
}

impl Page {
    /// The next event of the stream; none ends it.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            if self.ending {
                return None;
            }
            match self.happened().await {
                Happened::Closing => return None,
                Happened::Record => {
                    let counts = matches!(self.kind, Kind::Flow | Kind::Event | Kind::Events);
                    let pause = if counts { FLOW_PAUSE } else { LIST_PAUSE };
                    self.list_due.get_or_insert_with(|| Instant::now() + pause);
                }
                Happened::Actor(hint) => {
                    if let Some(thread) = &mut self.thread {
                        thread.take(&hint, Instant::now());
                    }
                }
                Happened::Due => {}
            }
            if let Err(error) = self.look().await {
                // The browser comes again by itself, after a pause.
                tracing::debug!(error = ?error, "live page ended");
                return None;
            }
        }
    }

    async fn happened(&mut self) -> Happened {
        let thread_due = self.thread.as_ref().and_then(|thread| thread.due(Instant::now()));
        let due = [self.list_due, thread_due].into_iter().flatten().fold(self.look_again, Instant::min);
        let closing = self.dashboard.closing.clone();
        let thread = async {
            match &mut self.thread {
                Some(thread) => thread.hints.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = closing.cancelled() => Happened::Closing,
            hint = thread => hint.map_or(Happened::Closing, Happened::Actor),
            hint = self.lists.recv() => hint.map_or(Happened::Closing, |_| Happened::Record),
            () = tokio::time::sleep_until(due) => Happened::Due,
        }
    }

    /// Looks at what is due, and queues what changed.
    async fn look(&mut self) -> Result<(), PageError> {
        let now = Instant::now();
        if self.thread.as_ref().is_some_and(|thread| thread.lost) {
            self.thread = None;
            self.queue.push_back(Event::default().event("reload").data("gone"));
            return Ok(());
        }
        if self.look_again <= now {
            self.look_again = now + LOOK_AGAIN;
            self.list_due = Some(now);
            let session = self.dashboard.record.session(&self.operator.token, self.dashboard.clock.now()).await?;
            if session.is_none() {
                self.queue.push_back(Event::default().event("reload").data("signed-out"));
                self.ending = true;
                return Ok(());
            }
            if let Some(thread) = &mut self.thread {
                thread.stale = true;
                thread.greets = true;
            }
        }
        if self.list_due.is_some_and(|due| due <= now) {
            self.list_due = None;
            self.send_list().await?;
            self.send_hand().await?;
        }
        if self.thread.as_ref().is_some_and(|thread| thread.stale) {
            self.send_entries().await?;
        }
        self.send_presence(now).await?;
        self.send_words(now)
    }

    /// What the page shows beside a conversation, where it changed.
    async fn send_list(&mut self) -> Result<(), PageError> {
        let (template, values) = match self.kind {
            Kind::Inbox => {
                let current = self.thread.as_ref().map(|thread| thread.summary.id);
                let list = self.dashboard.list(&self.operator, &self.which, current).await?;
                ("_list_live.html", json!({ "list": list, "needs": list.get("needs") }))
            }
            Kind::Flow => {
                let flow = self.dashboard.flow(self.window).await?;
                let needs = self.dashboard.needs(&self.operator).await?;
                ("_flow_live.html", json!({ "flow": flow, "needs": needs }))
            }
            Kind::Event => {
                let mut values = match self.event {
                    Some(event) => self.dashboard.became(event).await?,
                    None => json!({}),
                };
                if let Some(object) = values.as_object_mut() {
                    object.insert("needs".to_owned(), self.dashboard.needs(&self.operator).await?.into());
                }
                ("_event_live.html", values)
            }
            Kind::Events => {
                let mut values = self.dashboard.looked_up(&self.lookup.wanted(), None).await?;
                if let Some(object) = values.as_object_mut() {
                    object.insert("needs".to_owned(), json!(self.dashboard.needs(&self.operator).await?));
                }
                ("_events_live.html", values)
            }
            Kind::Other => ("_needs_live.html", json!({ "needs": self.dashboard.needs(&self.operator).await? })),
        };
        let html = self.dashboard.pages.render(template, &values)?;
        if html != self.list_shown {
            self.queue.push_back(message(&html));
            self.list_shown = html;
        }
        Ok(())
    }

    /// Who holds the conversation and what can be done, where something beside its log changed: it was put off, or a note
    /// names the operator.
    async fn send_hand(&mut self) -> Result<(), PageError> {
        let Some(thread) = &mut self.thread else { return Ok(()) };
        let aside = self.dashboard.aside(&self.operator, thread.summary.id).await?;
        if aside.mark() == thread.aside {
            return Ok(());
        }
        thread.aside = aside.mark();
        let teams = self.dashboard.record.teams().await?;
        let (summary, standing) = (&thread.summary, &thread.standing);
        let hand = self.dashboard.hand(&self.operator, &self.which, summary, standing, &aside, &json!(teams));
        let html = self.dashboard.pages.render("_hand_live.html", &json!({ "hand": hand }))?;
        self.queue.push_back(message(&html));
        Ok(())
    }

    /// New entries, with the number that the browser comes back with.
    async fn send_entries(&mut self) -> Result<(), PageError> {
        let Some(thread) = &mut self.thread else { return Ok(()) };
        thread.stale = false;
        let entries = self.dashboard.log(thread.summary.id, thread.cursor).await?;
        let fresh: Vec<_> = entries.into_iter().filter(|entry| entry.n > thread.cursor.n).collect();
        let Some(last) = fresh.last() else { return Ok(()) };
        thread.cursor = LogCursor { seq: last.seq, n: last.n };
        let before = thread.standing.clone();
        for entry in &fresh {
            thread.standing.add(entry);
            let attempt = entry.attempt.unwrap_or(u64::MAX);
            if thread.growing.as_ref().is_some_and(|g| entry.turn_id == Some(g.turn) && g.attempt <= attempt) {
                thread.growing = None;
            }
        }
        let rows = spine::rows(&fresh, &thread.standing.unknown, &thread.customer);
        let mut values = json!({
            "rows": rows, "id": thread.summary.id.to_string(), "query": self.which.query(),
            "growing": thread.growing.as_ref().map(|growing| growing.text.clone()).unwrap_or_default(),
            "csrf": self.operator.csrf, "hand": Value::Null, "composer": Value::Null, "view": self.which.query(),
            "triage": Value::Null,
            "outcome": thread.standing.outcome,
        });
        if thread.standing != before
            && let Some(object) = values.as_object_mut()
        {
            if let Some(summary) = self.dashboard.record.summary(thread.summary.id).await? {
                thread.summary = summary;
            }
            let aside = self.dashboard.aside(&self.operator, thread.summary.id).await?;
            thread.aside = aside.mark();
            let teams = self.dashboard.record.teams().await?;
            let (summary, standing) = (&thread.summary, &thread.standing);
            let hand = self.dashboard.hand(&self.operator, &self.which, summary, standing, &aside, &json!(teams));
            object.insert("hand".to_owned(), hand);
            let judged = |standing: &Standing| (standing.priority, standing.labels.clone(), standing.closed);
            if judged(&before) != judged(&thread.standing) {
                let form =
                    self.dashboard.triage(&self.operator, &self.which, summary, standing, Undone::default()).await?;
                object.insert("triage".to_owned(), form);
            }
            let hands = (before.holder_n, before.closed) != (thread.standing.holder_n, thread.standing.closed);
            if hands {
                let said = Said::default();
                let form =
                    self.dashboard.composer(&self.operator, &thread.summary, &thread.standing, &thread.customer, said);
                object.insert("composer".to_owned(), form);
            }
        }
        let html = self.dashboard.pages.render("_entries_live.html", &values)?;
        let id = format!("{}-{}", thread.cursor.seq, thread.cursor.n);
        self.queue.push_back(message(&html).id(id));
        Ok(())
    }

    /// Who else is here, where that changed; and to those who came, that we are.
    async fn send_presence(&mut self, now: Instant) -> Result<(), PageError> {
        let Some(thread) = &mut self.thread else { return Ok(()) };
        let gone = thread.others.expire(now);
        if std::mem::take(&mut thread.presence_due) || gone {
            let present = thread.others.present(&thread.customer);
            let html = self.dashboard.pages.render("_presence_live.html", &json!({ "present": present }))?;
            self.queue.push_back(message(&html));
        }
        if std::mem::take(&mut thread.greets) {
            let (summary, operator) = (&thread.summary, self.operator.operator());
            self.dashboard.attend(&summary.customer, summary.id, &operator, Attention::Looks).await;
        }
        Ok(())
    }

    fn send_words(&mut self, now: Instant) -> Result<(), PageError> {
        let Some(thread) = &mut self.thread else { return Ok(()) };
        if thread.words_due.is_none_or(|due| due > now) {
            return Ok(());
        }
        thread.words_due = None;
        let text = thread.growing.as_ref().map(|growing| growing.text.as_str()).unwrap_or_default();
        let html = self.dashboard.pages.render("_growing_live.html", &json!({ "growing": text }))?;
        self.queue.push_back(message(&html));
        Ok(())
    }
}

/// A page that closes tells the others; one that cannot is forgotten by them after a while.
impl Drop for Page {
    fn drop(&mut self) {
        let (Some(thread), Ok(runtime)) = (self.thread.take(), tokio::runtime::Handle::try_current()) else { return };
        let (dashboard, operator) = (self.dashboard.clone(), self.operator.operator());
        runtime.spawn(async move {
            dashboard.attend(&thread.summary.customer, thread.summary.id, &operator, Attention::Left).await;
        });
    }
}

fn message(html: &str) -> Event {
    Event::default().data(html)
}
