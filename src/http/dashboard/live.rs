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

use super::access::SignedIn;
use super::conversation::{Said, composer};
use super::inbox::Which;
use super::pages::PageError;
use super::spine::{self, Standing};
use super::{Dashboard, words};
use crate::model::decision::Summary;
use crate::model::ids::{ConversationId, Pos};
use crate::model::live::Live;
use crate::store::{Channel, Hint, Hints, LogCursor};

/// At most four looks at a list a second.
const LIST_PAUSE: Duration = Duration::from_millis(250);
/// Words on their way are shown at most ten times a second.
const WORDS_PAUSE: Duration = Duration::from_millis(100);
/// How often to look without a hint, and whether the session still lasts.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Words on their way that are kept, in bytes.
const MOST_GROWING: usize = 64 * 1024;

/// What a page shows, and up to where.
#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    conversation: Option<ConversationId>,
    after: Option<String>,
}

/// Opens the stream of a page.
pub(super) async fn stream(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Query(which): Query<Which>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let permit = dashboard.live.clone().try_acquire_owned().map_err(|_| {
        PageError::new(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are live just now. Load this one to see news.")
    })?;
    let lists = dashboard.store.subscribe(Channel::Record, 16).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let thread = match shown.conversation {
        Some(id) => Some(dashboard.thread(id, last.or(shown.after).as_deref()).await?),
        None => None,
    };
    let now = Instant::now();
    let page = Page {
        dashboard,
        operator,
        which,
        lists,
        thread,
        list_due: None,
        list_shown: String::new(),
        words_due: None,
        look_again: now,
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
    lists: Hints,
    thread: Option<Thread>,
    /// When the list is to be looked at; none: nothing changed.
    list_due: Option<Instant>,
    list_shown: String,
    words_due: Option<Instant>,
    look_again: Instant,
    queue: VecDeque<Event>,
    /// Nothing follows what is queued.
    ending: bool,
    _permit: OwnedSemaphorePermit,
}

/// The conversation on the page.
struct Thread {
    summary: Summary,
    customer: String,
    hints: Hints,
    cursor: LogCursor,
    standing: Standing,
    growing: Option<Growing>,
    /// Something may have been added.
    stale: bool,
    /// The page shows what is no longer there.
    lost: bool,
}

/// Words on their way.
struct Growing {
    turn: Pos,
    attempt: u64,
    next: u32,
    text: String,
}

enum Happened {
    Record,
    Actor(Hint),
    Due,
    Closing,
}

impl Dashboard {
    async fn thread(&self, id: ConversationId, after: Option<&str>) -> Result<Thread, PageError> {
        let summary = self.record.summary(id).await?.ok_or_else(|| PageError::not_found("conversation"))?;
        // Listen first, then read: nothing falls between.
        let hints = self.store.subscribe(Channel::Actor(summary.customer.clone()), 256).await?;
        let entries = self.log(id, LogCursor::default()).await?;
        let known = self.record.known(&summary.customer).await?;
        let customer = words::customer(&summary.customer, known.as_ref().and_then(|known| known.name.as_deref()));
        let last = entries.last().map(|entry| LogCursor { seq: entry.seq, n: entry.n }).unwrap_or_default();
        let cursor = after.and_then(cursor_of).unwrap_or(last);
        let seen = entries.iter().filter(|entry| entry.n <= cursor.n).count();
        let standing = Standing::of(entries.get(..seen).unwrap_or_default());
        Ok(Thread { summary, customer, hints, cursor, standing, growing: None, stale: true, lost: cursor.n > last.n })
    }
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
                    self.list_due.get_or_insert_with(|| Instant::now() + LIST_PAUSE);
                }
                Happened::Actor(hint) => self.take_hint(&hint),
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
        let mut due = self.look_again;
        for other in [self.list_due, self.words_due].into_iter().flatten() {
            due = due.min(other);
        }
        if self.thread.as_ref().is_some_and(|thread| thread.stale || thread.lost) {
            due = Instant::now();
        }
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

    fn take_hint(&mut self, hint: &Hint) {
        let Some(thread) = &mut self.thread else { return };
        let Hint::Payload(payload) = hint else {
            thread.stale = true;
            return;
        };
        match serde_json::from_slice::<Live>(payload) {
            Ok(Live::Committed { entries, .. }) => {
                thread.stale |= entries.iter().any(|entry| entry.conversation == thread.summary.id);
            }
            Ok(Live::Delta { conversation, turn, attempt, index, text }) if conversation == thread.summary.id => {
                if thread.grow(turn, attempt, index, &text) {
                    self.words_due.get_or_insert_with(|| Instant::now() + WORDS_PAUSE);
                }
            }
            Ok(Live::Dropped { conversation, .. }) if conversation == thread.summary.id => {
                thread.growing = None;
                self.words_due = Some(Instant::now());
            }
            Ok(Live::Erased) => thread.lost = true,
            Ok(_) => {}
            Err(_) => thread.stale = true,
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
            }
        }
        if self.list_due.is_some_and(|due| due <= now) {
            self.list_due = None;
            self.send_list().await?;
        }
        if self.thread.as_ref().is_some_and(|thread| thread.stale) {
            self.send_entries().await?;
        }
        if self.words_due.is_some_and(|due| due <= now) {
            self.words_due = None;
            self.send_words()?;
        }
        Ok(())
    }

    async fn send_list(&mut self) -> Result<(), PageError> {
        let current = self.thread.as_ref().map(|thread| thread.summary.id);
        let list = self.dashboard.list(&self.operator, &self.which, current).await?;
        let html = self.dashboard.pages.render("_list_live.html", &json!({ "list": list }))?;
        if html != self.list_shown {
            self.queue.push_back(message(&html));
            self.list_shown = html;
        }
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
            "csrf": self.operator.csrf, "hand": Value::Null, "composer": Value::Null, "view": self.which.name(),
            "outcome": thread.standing.outcome,
        });
        if thread.standing != before
            && let Some(object) = values.as_object_mut()
        {
            if let Some(summary) = self.dashboard.record.summary(thread.summary.id).await? {
                thread.summary = summary;
            }
            let hand = self.dashboard.hand(&self.operator, &self.which, &thread.summary, &thread.standing);
            object.insert("hand".to_owned(), hand);
            let hands = (before.holder_n, before.closed) != (thread.standing.holder_n, thread.standing.closed);
            if hands {
                let form = composer(&self.operator, &thread.summary, &thread.standing, Said::default());
                object.insert("composer".to_owned(), form);
            }
        }
        let html = self.dashboard.pages.render("_entries_live.html", &values)?;
        let id = format!("{}-{}", thread.cursor.seq, thread.cursor.n);
        self.queue.push_back(message(&html).id(id));
        Ok(())
    }

    fn send_words(&mut self) -> Result<(), PageError> {
        let Some(thread) = &self.thread else { return Ok(()) };
        let text = thread.growing.as_ref().map(|growing| growing.text.as_str()).unwrap_or_default();
        let html = self.dashboard.pages.render("_growing_live.html", &json!({ "growing": text }))?;
        self.queue.push_back(message(&html));
        Ok(())
    }
}

impl Thread {
    /// Adds words on their way; false: they change nothing that is shown.
    fn grow(&mut self, turn: Pos, attempt: u64, index: u32, text: &str) -> bool {
        let starts = match &self.growing {
            None => index == 0,
            Some(growing) => index == 0 && (turn, attempt) > (growing.turn, growing.attempt),
        };
        if starts {
            self.growing = Some(Growing { turn, attempt, next: 1, text: text.to_owned() });
            return true;
        }
        match &mut self.growing {
            Some(growing) if growing.turn == turn && growing.attempt == attempt && growing.next == index => {
                growing.next += 1;
                if growing.text.len() + text.len() <= MOST_GROWING {
                    growing.text.push_str(text);
                }
                true
            }
            _ => false,
        }
    }
}

fn message(html: &str) -> Event {
    Event::default().data(html)
}

/// Reads `seq-n`.
fn cursor_of(text: &str) -> Option<LogCursor> {
    let (seq, n) = text.split_once('-')?;
    Some(LogCursor { seq: seq.parse().ok()?, n: n.parse().ok()? })
}
