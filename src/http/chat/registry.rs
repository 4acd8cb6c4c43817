//! The sockets that are open on this node: bounded, counted, and told to come back when the node goes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::model::ids::ActorId;

/// All sessions of this node. The server does not wait for upgraded connections at shutdown; [`Registry::drain`] does.
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sockets: usize,
    sockets_a_customer: usize,
    going: CancellationToken,
    tasks: TaskTracker,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    customers: HashMap<ActorId, usize>,
}

/// Why a socket is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSeat {
    /// The node is going.
    Draining,
    /// The bound on sockets of this node is reached.
    Full,
}

/// The place of one socket; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    registry: Registry,
    customer: Option<ActorId>,
    _task: TaskTrackerToken,
}

impl Registry {
    /// A registry that lets in so many sockets, and so many of one customer.
    pub fn new(sockets: usize, sockets_a_customer: usize) -> Registry {
        let (going, tasks) = (CancellationToken::new(), TaskTracker::new());
        let open = Mutex::new(Open::default());
        Registry { inner: Arc::new(Inner { sockets, sockets_a_customer, going, tasks, open }) }
    }

    /// How many sockets are open.
    pub fn open(&self) -> usize {
        self.with(|open| open.total)
    }

    /// Takes a place for one socket.
    ///
    /// # Errors
    /// [`NoSeat`].
    pub fn enter(&self) -> Result<Seat, NoSeat> {
        if self.inner.going.is_cancelled() {
            return Err(NoSeat::Draining);
        }
        let task = self.inner.tasks.token();
        let entered = self.with(|open| {
            let room = open.total < self.inner.sockets;
            open.total += usize::from(room);
            crate::telemetry::sockets(open.total);
            room
        });
        if !entered {
            return Err(NoSeat::Full);
        }
        Ok(Seat { registry: self.clone(), customer: None, _task: task })
    }

    /// Resolves when the node goes.
    pub fn going(&self) -> WaitForCancellationFutureOwned {
        self.inner.going.clone().cancelled_owned()
    }

    /// Tells every session to come back elsewhere, lets in no more, and waits until all are gone, at most `patience`.
    /// Answers how many are left.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.inner.going.cancel();
        self.inner.tasks.close();
        // What is left is answered, so the result says nothing more.
        let _ = tokio::time::timeout(patience, self.inner.tasks.wait()).await;
        self.open()
    }

    fn with<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        // Counting cannot leave the counts half changed, so a panic elsewhere does not spoil them.
        change(&mut self.inner.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Seat {
    /// Says whose socket it is; false: this customer has too many.
    pub fn belongs_to(&mut self, customer: &ActorId) -> bool {
        let most = self.registry.inner.sockets_a_customer;
        let room = self.registry.with(|open| {
            let count = open.customers.entry(customer.clone()).or_default();
            let room = *count < most;
            *count += usize::from(room);
            room
        });
        if room {
            self.customer = Some(customer.clone());
        }
        room
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let customer = self.customer.take();
        self.registry.with(|open| {
            open.total = open.total.saturating_sub(1);
            crate::telemetry::sockets(open.total);
            if let Some(customer) = customer
                && let Some(count) = open.customers.get_mut(&customer)
            {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    open.customers.remove(&customer);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_bounded_in_total_and_a_customer() {
        let registry = Registry::new(3, 2);
        let me = ActorId::user("1");
        let mut seats: Vec<Seat> = (0..3).map(|_| registry.enter().unwrap()).collect();
        assert_eq!(registry.enter().unwrap_err(), NoSeat::Full);
        let taken: Vec<bool> = seats.iter_mut().map(|seat| seat.belongs_to(&me)).collect();
        assert_eq!(taken, [true, true, false]);
        seats.clear();
        assert_eq!(registry.open(), 0);
        assert!(registry.enter().unwrap().belongs_to(&me));
    }
}
