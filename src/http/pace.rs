//! How often one key may call: so many requests a second, a second's worth of them at once.
//!
//! One instant a key (the generic cell rate algorithm): when its next request would be due if all kept the pace. So the
//! time to wait is known exactly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A second's worth may come at once.
const AHEAD: Duration = Duration::from_secs(1);

/// The pace of one key.
#[derive(Debug)]
pub struct Pace {
    /// Between two requests that keep the pace.
    step: Duration,
    due: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most `rate` requests a second; 0 counts as 1.
    pub fn new(rate: u32) -> Pace {
        Pace { step: AHEAD / rate.max(1), due: Mutex::default() }
    }

    /// Counts a request at `now`, unless there were too many.
    ///
    /// # Errors
    /// How long to wait: a request after that is taken, if no other comes first. One that is refused does not count.
    pub fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let next = due.map_or(now, |due| due.max(now)) + self.step;
        let wait = next.duration_since(now).saturating_sub(AHEAD);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        *due = Some(next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_comes_at_once_and_then_one_a_step() {
        let (pace, start) = (Pace::new(4), Instant::now());
        for _ in 0..4 {
            assert_eq!(pace.take(start), Ok(()));
        }
        let wait = Duration::from_millis(250);
        assert_eq!(pace.take(start), Err(wait));
        assert_eq!(pace.take(start), Err(wait), "who is refused does not wait longer for it");
        assert_eq!(pace.take(start + wait), Ok(()), "the time to wait is true");
        assert_eq!(pace.take(start + wait), Err(wait));
        let rested = start + Duration::from_secs(60);
        for _ in 0..4 {
            assert_eq!(pace.take(rested), Ok(()), "who was silent has a second's worth, not more");
        }
        assert_eq!(pace.take(rested), Err(wait));
    }
}
