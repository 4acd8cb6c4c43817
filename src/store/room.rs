//! When there is room again: what who meets a bound is told. It is true as far as it can be known: too early is asked for
//! nothing, too late leaves a sender waiting beside an empty queue.

use std::time::Duration;

use crate::model::time::Ms;

/// Nobody is told to come back earlier.
const LEAST: Duration = Duration::from_secs(1);

/// A queue is never said to take longer: what holds it up may end at any time.
const MOST: Duration = Duration::from_secs(60);

/// What only a person makes room in: a disk, the memory of a server.
pub(super) const A_PERSON: Duration = Duration::from_secs(60);

/// Effects are calls: some of many end within the time that one may take.
pub(super) const A_CALL: Duration = Duration::from_secs(5);

/// A queue whose oldest has waited since `oldest`. What goes through a queue in that time is as much as stands in it, so a
/// tenth of it goes in a tenth of the time: room for more than the first one to come back.
pub(super) fn in_queue(oldest: Ms, now: Ms) -> Duration {
    (now.since(oldest).duration() / 10).clamp(LEAST, MOST)
}

/// A memory whose oldest is forgotten at `at`, and not earlier.
pub(super) fn when_forgotten(at: Ms, now: Ms) -> Duration {
    at.since(now).duration().max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_left_alone_for_a_tenth_of_the_time_that_its_oldest_waited() {
        for (waited, seconds) in [(0, 1), (10_000, 1), (50_000, 5), (600_000, 60), (86_400_000, 60)] {
            assert_eq!(in_queue(Ms(1_000), Ms(1_000 + waited)), Duration::from_secs(seconds), "{waited} ms");
        }
        assert_eq!(in_queue(Ms(2_000), Ms(1_000)), LEAST, "a clock that went back");
    }

    #[test]
    fn a_memory_is_left_alone_until_its_oldest_is_forgotten() {
        for (at, seconds) in [(86_401_000, 86_400), (1_500, 1), (500, 1)] {
            assert_eq!(when_forgotten(Ms(at), Ms(1_000)), Duration::from_secs(seconds), "{at}");
        }
    }
}
