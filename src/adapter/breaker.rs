//! Leaves an API alone that fails: after five failures in a row nothing is sent for ten seconds, then one call to see.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many failures in a row open it.
pub const FAILURES: u32 = 5;

/// How long it stays open before one call is let through.
pub const REST: Duration = Duration::from_secs(10);

/// Counts failures in a row, over all operations of one API.
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// When it opened last, or when the last trial began.
    since: Option<Instant>,
    trying: bool,
}

/// Leave to send one call; says how it went, or gives the place back when dropped.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    trial: bool,
    told: bool,
}

impl Breaker {
    /// Leave to send a call now; none while it is open, or while another call tries whether the API is back.
    pub fn pass(&self, now: Instant) -> Option<Pass<'_>> {
        let mut state = self.state();
        let trial = state.failures >= FAILURES;
        if trial {
            let rested = state.since.is_none_or(|since| now.saturating_duration_since(since) >= REST);
            if state.trying || !rested {
                return None;
            }
            state.trying = true;
        }
        Some(Pass { breaker: self, trial, told: false })
    }

    /// Whether the API is left alone.
    pub fn is_open(&self) -> bool {
        self.state().failures >= FAILURES
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says how the call went.
    pub fn went(mut self, well: bool, now: Instant) {
        self.told = true;
        let mut state = self.breaker.state();
        if self.trial {
            state.trying = false;
        }
        if well {
            state.failures = 0;
            state.since = None;
        } else {
            let was_open = state.failures >= FAILURES;
            state.failures = state.failures.saturating_add(1);
            // Calls that were under way when it opened do not make the rest longer.
            if self.trial || !was_open {
                state.since = Some(now);
            }
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.trial && !self.told {
            self.breaker.state().trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.pass(now).unwrap().went(false, now);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.pass(now).unwrap().went(false, now);
            }
            breaker.pass(now).unwrap().went(true, now);
        }
        for _ in 0..FAILURES {
            breaker.pass(now).unwrap().went(false, now);
        }
        assert!(breaker.pass(now).is_none());
        assert!(breaker.pass(now + REST - Duration::from_millis(1)).is_none());
    }

    #[test]
    fn after_its_rest_one_call_tries() {
        let now = Instant::now();
        let later = now + REST;
        let breaker = opened(now);
        let trial = breaker.pass(later).unwrap();
        assert!(breaker.pass(later).is_none());
        trial.went(false, later);
        assert!(breaker.pass(later + REST - Duration::from_millis(1)).is_none());
        breaker.pass(later + REST).unwrap().went(true, later + REST);
        let (one, two) = (breaker.pass(later + REST), breaker.pass(later + REST));
        assert!(one.is_some() && two.is_some());
    }

    #[test]
    fn a_trial_that_is_given_up_leaves_its_place() {
        let now = Instant::now();
        let breaker = opened(now);
        drop(breaker.pass(now + REST).unwrap());
        assert!(breaker.pass(now + REST).is_some());
    }

    #[test]
    fn calls_that_were_under_way_do_not_make_the_rest_longer() {
        let now = Instant::now();
        let breaker = Breaker::default();
        let late = breaker.pass(now).unwrap();
        for _ in 0..FAILURES {
            breaker.pass(now).unwrap().went(false, now);
        }
        late.went(false, now + REST / 2);
        assert!(breaker.pass(now + REST).is_some());
    }
}
