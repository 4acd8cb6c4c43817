//! The live bus within a process: hints to subscribers and wakes to owners, both stores' last yard.
//!
//! Nothing here ever waits for a reader: a slow one is told [`Hint::Missed`], and wakes of one partition melt together.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::{Channel, Hint, Hints};
use crate::model::ids::Partition;

/// Who listens in this process.
#[derive(Debug, Default)]
pub(super) struct Bus {
    hints: Mutex<HashMap<Channel, Vec<mpsc::Sender<Hint>>>>,
    wakes: Mutex<Vec<Arc<Waking>>>,
}

/// Wakes that one receiver has not taken yet; none: the bus is gone.
#[derive(Debug)]
struct Waking {
    pending: Mutex<Option<BTreeSet<Partition>>>,
    more: Notify,
}

/// A panic elsewhere leaves these collections whole: each change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bus {
    /// A new subscriber. The sender given back closes when the receiver is dropped; tell [`Bus::forget`] then.
    pub(super) fn subscribe(&self, channel: Channel, capacity: usize) -> (Hints, mpsc::Sender<Hint>) {
        // One place more than asked for: it is kept for `Missed`.
        let (tx, rx) = mpsc::channel(capacity.clamp(1, 65_536) + 1);
        lock(&self.hints).entry(channel).or_default().push(tx.clone());
        (rx, tx)
    }

    /// Drops the subscribers of a channel that are gone; whether any is left.
    pub(super) fn forget(&self, channel: &Channel) -> bool {
        let mut hints = lock(&self.hints);
        let Some(list) = hints.get_mut(channel) else { return false };
        list.retain(|tx| !tx.is_closed());
        let some = !list.is_empty();
        if !some {
            hints.remove(channel);
        }
        some
    }

    /// Tells all subscribers of a channel.
    pub(super) fn publish(&self, channel: &Channel, payload: Vec<u8>) {
        let hints = lock(&self.hints);
        let Some(list) = hints.get(channel) else { return };
        let payload = Arc::new(payload);
        for tx in list {
            tell(tx, Hint::Payload(Arc::clone(&payload)));
        }
    }

    /// Tells everybody that hints may be lost.
    pub(super) fn missed(&self) {
        for tx in lock(&self.hints).values().flatten() {
            tell(tx, Hint::Missed);
        }
    }

    /// A receiver of wakes. Ends when it is dropped, or the bus is.
    pub(super) fn wakes(&self) -> mpsc::Receiver<Partition> {
        let (tx, rx) = mpsc::channel(16);
        let waking = Arc::new(Waking { pending: Mutex::new(Some(BTreeSet::new())), more: Notify::new() });
        lock(&self.wakes).push(Arc::clone(&waking));
        tokio::spawn(async move {
            loop {
                let Some(taken) = lock(&waking.pending).as_mut().map(std::mem::take) else { return };
                for partition in &taken {
                    if tx.send(*partition).await.is_err() {
                        return;
                    }
                }
                if taken.is_empty() {
                    tokio::select! {
                        () = waking.more.notified() => {}
                        () = tx.closed() => return,
                    }
                }
            }
        });
        rx
    }

    /// Tells all receivers that something was appended.
    pub(super) fn wake(&self, partition: Partition) {
        let mut wakes = lock(&self.wakes);
        // Held by this list alone: its task has ended with its receiver.
        wakes.retain(|waking| Arc::strong_count(waking) > 1);
        for waking in wakes.iter() {
            if lock(&waking.pending).as_mut().is_some_and(|pending| pending.insert(partition)) {
                waking.more.notify_one();
            }
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        for waking in lock(&self.wakes).drain(..) {
            *lock(&waking.pending) = None;
            waking.more.notify_one();
        }
    }
}

/// The last free place is for `Missed`; what comes while it waits there unread is covered by it.
fn tell(tx: &mpsc::Sender<Hint>, hint: Hint) {
    // Whether it is sent does not matter: it is full of older news with `Missed` last, or its reader is gone.
    let _ = match tx.capacity() {
        0 => return,
        1 => tx.try_send(Hint::Missed),
        _ => tx.try_send(hint),
    };
}
