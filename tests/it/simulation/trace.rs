//! What happened in a run, in order: a hash of all of it, and the last of it in words.

use std::collections::VecDeque;
use std::fmt::Write;
use std::hash::Hasher;
use std::sync::Mutex;

use beckon::model::time::Ms;

/// How many steps are kept in words.
const KEPT: usize = 400;

/// The trace of a run.
pub struct Trace {
    inner: Mutex<Inner>,
}

struct Inner {
    hash: siphasher::sip::SipHasher13,
    last: VecDeque<String>,
    wrong: Vec<String>,
    count: usize,
    kept: usize,
}

impl Default for Trace {
    fn default() -> Trace {
        let kept = std::env::var("BECKON_STEPS").ok().and_then(|n| n.parse().ok()).unwrap_or(KEPT);
        let inner = Inner {
            hash: siphasher::sip::SipHasher13::new(),
            last: VecDeque::new(),
            wrong: Vec::new(),
            count: 0,
            kept,
        };
        Trace { inner: Mutex::new(inner) }
    }
}

impl Trace {
    /// Adds a step.
    pub fn add(&self, at: Ms, step: impl FnOnce() -> String) {
        let text = format!("{at} {}", step());
        let mut inner = self.inner.lock().unwrap();
        inner.hash.write(text.as_bytes());
        inner.count += 1;
        inner.last.push_back(text);
        if inner.last.len() > inner.kept {
            inner.last.pop_front();
        }
    }

    /// Notes what must never be, seen on the way.
    pub fn wrong(&self, what: String) {
        self.inner.lock().unwrap().wrong.push(what);
    }

    /// What must never be and was.
    pub fn wrongs(&self) -> Vec<String> {
        self.inner.lock().unwrap().wrong.clone()
    }

    /// The hash of all steps.
    pub fn hash(&self) -> u64 {
        self.inner.lock().unwrap().hash.finish()
    }

    /// The last steps, readable.
    pub fn story(&self) -> String {
        let inner = self.inner.lock().unwrap();
        let mut text = format!("the last {} of {} steps:\n", inner.last.len(), inner.count);
        for step in &inner.last {
            let _ = writeln!(text, "  {step}");
        }
        text
    }
}

/// A payload in a line.
pub fn short(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    match std::env::var_os("BECKON_LONG") {
        Some(_) => text.into_owned(),
        None => text.chars().take(240).collect(),
    }
}
