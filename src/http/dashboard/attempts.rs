//! Wrong passwords, counted per e-mail and per network address. Bounded: when it is full, the oldest is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::model::time::{Millis, Ms};

/// Wrong passwords for one e-mail within the window; the next is refused unheard.
pub(super) const PER_EMAIL: u32 = 20;

/// The same from one network address, which many people may share.
pub(super) const PER_ADDRESS: u32 = 60;

/// How long they count.
pub(super) const WINDOW: Millis = Millis::minutes(15);

/// Keys remembered.
const MOST: usize = 20_000;

/// An e-mail or address that has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocked {
    /// Until when.
    pub(super) until: Ms,
    /// Whether it is told for the first time; the audit keeps that one, or a flood would fill the disk.
    pub(super) is_first: bool,
}

/// Counts wrong passwords.
#[derive(Default)]
pub(super) struct Attempts {
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    by_key: HashMap<String, (u32, Ms)>,
    oldest: VecDeque<(String, Ms)>,
}

impl Attempts {
    /// Counts one more, unless this e-mail or address has to wait. Counted before the password is checked, so that many
    /// at once do not slip through.
    pub(super) fn begin(&self, email: &str, address: &str, now: Ms) -> Result<(), Blocked> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = [(email_key(email), PER_EMAIL), (address_key(address), PER_ADDRESS)];
        for (key, most) in &keys {
            let Some((count, since)) = counted.by_key.get_mut(key) else { continue };
            let until = since.plus(WINDOW);
            if *count >= *most && until > now {
                let is_first = *count == *most;
                *count = most.saturating_add(1);
                return Err(Blocked { until, is_first });
            }
        }
        counted.forget(now);
        for (key, _) in keys {
            if let Some((count, _)) = counted.by_key.get_mut(&key) {
                *count = count.saturating_add(1);
            } else {
                counted.oldest.push_back((key.clone(), now));
                counted.by_key.insert(key, (1, now));
            }
        }
        Ok(())
    }

    /// The password was right: it was no wrong one after all.
    pub(super) fn succeeded(&self, email: &str, address: &str) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [email_key(email), address_key(address)] {
            if let Some((count, _)) = counted.by_key.get_mut(&key) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

impl Counted {
    fn forget(&mut self, now: Ms) {
        while let Some((key, since)) = self.oldest.front() {
            if since.plus(WINDOW) > now && self.oldest.len() < MOST {
                break;
            }
            self.by_key.remove(key);
            self.oldest.pop_front();
        }
    }
}

fn email_key(email: &str) -> String {
    format!("e:{}", email.trim().to_lowercase().chars().take(254).collect::<String>())
}

fn address_key(address: &str) -> String {
    format!("a:{}", address.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twenty_first_wrong_password_waits_and_others_do_not() {
        let attempts = Attempts::default();
        for _ in 0..PER_EMAIL {
            assert_eq!(attempts.begin("Rui@x", "1.1.1.1", Ms(5)), Ok(()));
        }
        assert_eq!(
            attempts.begin(" RUI@x", "2.2.2.2", Ms(6)),
            Err(Blocked { until: Ms(5).plus(WINDOW), is_first: true })
        );
        assert_eq!(
            attempts.begin(" RUI@x", "2.2.2.2", Ms(6)),
            Err(Blocked { until: Ms(5).plus(WINDOW), is_first: false })
        );
        assert_eq!(attempts.begin("ana@x", "1.1.1.1", Ms(6)), Ok(()));
        assert_eq!(attempts.begin("rui@x", "1.1.1.1", Ms(5).plus(WINDOW)), Ok(()));
    }

    #[test]
    fn a_right_password_was_no_attempt() {
        let attempts = Attempts::default();
        for _ in 0..100 {
            assert_eq!(attempts.begin("rui@x", "1.1.1.1", Ms(5)), Ok(()));
            attempts.succeeded("rui@x", "1.1.1.1");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for n in 0..30_000 {
            let _ = attempts.begin(&format!("{n}@x"), &n.to_string(), Ms(1));
        }
        let counted = attempts.counted.lock().unwrap();
        assert!(counted.by_key.len() <= MOST + 2 && counted.oldest.len() == counted.by_key.len());
    }
}
