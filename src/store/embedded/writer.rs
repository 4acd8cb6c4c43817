//! The one writer: takes all requests that wait, puts them into one transaction, and answers them after one fsync.
//!
//! Each request runs in a savepoint of its own, so that one that fails takes nothing of the others with it.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::file::explain;
use super::partition::State;
use crate::store::StoreError;
use crate::store::bus::Bus;

/// Requests that may wait for the writer; who comes later waits for a place.
const QUEUE: usize = 1_024;
/// Requests in one transaction.
const GROUP: usize = 256;

/// Why a request is not done.
pub(super) enum Fail {
    /// It found so before it wrote.
    Refused(StoreError),
    /// SQLite did.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Fail {
        Fail::Sql(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Fail {
        Fail::Refused(error)
    }
}

/// What a request may use.
pub(super) struct Desk<'a> {
    /// The connection, in a transaction.
    pub(super) db: &'a Connection,
    /// What the writer remembers of every partition.
    pub(super) state: &'a mut State,
}

trait Request: Send {
    fn run(&mut self, desk: &mut Desk<'_>) -> Result<(), Fail>;
    fn answer(self: Box<Self>, end: Result<(), StoreError>);
}

struct Call<T, F> {
    work: Option<F>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&mut Desk<'_>) -> Result<T, Fail> + Send> Request for Call<T, F> {
    fn run(&mut self, desk: &mut Desk<'_>) -> Result<(), Fail> {
        if let Some(work) = self.work.take() {
            self.done = Some(work(desk)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, end: Result<(), StoreError>) {
        let answer = match (end, self.done) {
            (Ok(()), Some(done)) => Ok(done),
            (Ok(()), None) => Err(gone()),
            (Err(error), _) => Err(error),
        };
        // Who asked may have gone.
        let _ = self.reply.send(answer);
    }
}

/// The way to the writer.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Request>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the writer. `guard` is dropped with its connection.
    pub(super) fn start(
        db: Connection,
        state: State,
        bus: Arc<Bus>,
        guard: impl Send + 'static,
    ) -> Result<Writer, StoreError> {
        let (tx, rx) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                work(&db, state, rx, &bus);
                drop(db);
                drop(guard);
            })
            .map_err(|e| StoreError::Unusable(format!("cannot start the writer's thread: {e}")))?;
        Ok(Writer { queue: Some(tx), thread: Some(thread) })
    }

    /// Has something done in a transaction, and waits until it is on the disk.
    pub(super) async fn ask<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk<'_>) -> Result<T, Fail> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Box::new(Call { work: Some(work), done: None, reply })).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends once the queue is closed and empty; the folder is free when this returns.
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer had panicked");
        }
    }
}

fn gone() -> StoreError {
    StoreError::Away("the writer has stopped".to_owned())
}

fn work(db: &Connection, mut state: State, mut queue: mpsc::Receiver<Box<dyn Request>>, bus: &Bus) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        let (done, failed) = transact(db, &mut state, group);
        match done {
            Ok(requests) => {
                state.publish(bus);
                requests.into_iter().for_each(|request| request.answer(Ok(())));
            }
            Err((error, requests)) => {
                tracing::warn!(%error, "a transaction of the store failed");
                if !db.is_autocommit()
                    && let Err(error) = run(db, "rollback")
                {
                    tracing::error!(%error, "and it could not be rolled back");
                }
                state.back_to_start();
                requests.into_iter().for_each(|request| request.answer(Err(explain(&error))));
            }
        }
        failed.into_iter().for_each(|(request, error)| request.answer(Err(error)));
    }
}

type Requests = Vec<Box<dyn Request>>;
type Failed = Vec<(Box<dyn Request>, StoreError)>;

/// The requests that are on the disk, or what kept all from it; and those that failed on their own.
fn transact(
    db: &Connection,
    state: &mut State,
    group: Requests,
) -> (Result<Requests, (rusqlite::Error, Requests)>, Failed) {
    let mut failed = Vec::new();
    let mut done = Vec::with_capacity(group.len());
    state.begin();
    if let Err(error) = run(db, "begin immediate") {
        return (Err((error, group)), failed);
    }
    let mut group = group.into_iter();
    while let Some(mut request) = group.next() {
        let mark = state.mark();
        let ended = match run(db, "savepoint request") {
            Ok(()) => request.run(&mut Desk { db, state }),
            Err(error) => Err(Fail::Sql(error)),
        };
        let fail = match ended {
            Ok(()) => {
                done.push(request);
                run(db, "release request").err()
            }
            Err(fail) => {
                state.back_to(mark);
                let why = match fail {
                    Fail::Refused(error) => error,
                    Fail::Sql(error) => {
                        tracing::warn!(%error, "the store could not do a request");
                        explain(&error)
                    }
                };
                failed.push((request, why));
                run(db, "rollback to request").and_then(|()| run(db, "release request")).err()
            }
        };
        if let Some(error) = fail {
            // Without its savepoint SQLite has rolled back everything.
            done.extend(group);
            return (Err((error, done)), failed);
        }
    }
    match state.end(db).and_then(|()| run(db, "commit")) {
        Ok(()) => (Ok(done), failed),
        Err(error) => (Err((error, done)), failed),
    }
}

fn run(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}
