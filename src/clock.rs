//! What time it is, for the rim. Deciding never asks: its time comes in with the input.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::time::Ms;

/// Tells the time; tests and the simulation bring their own.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Ms;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Ms {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
