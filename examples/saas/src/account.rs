//! A customer of Halyard: how much the crew used it week by week, what they said, and the call they booked.

use beckon_example_site::api::Answers;
use beckon_example_site::{Person, coming};
use serde::Serialize;

/// The most weeks that are kept.
pub const WEEKS: usize = 26;

/// What a crew did in a week.
#[derive(Debug, Clone, Copy)]
pub struct Week {
    /// How often somebody logged in.
    pub logins: u32,
    /// How often somebody opened a report.
    pub reports: u32,
}

/// Somebody who pays for Halyard.
#[derive(Debug)]
pub struct Account {
    id: String,
    name: &'static str,
    /// Oldest first.
    pub weeks: Vec<Week>,
    /// Whether weeks are going by right now.
    pub playing: bool,
    /// Why they use it less, in their words or by a choice.
    pub reason: Option<String>,
    /// When a call is booked.
    pub call: Option<String>,
    /// What was answered to writes.
    pub answers: Answers,
}

impl Person for Account {
    fn new(id: String, name: &'static str) -> Self {
        let answers = Answers::default();
        Self { id, name, weeks: Vec::new(), playing: false, reason: None, call: None, answers }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

/// A week as a picture shows it: bars of at most 100.
#[derive(Debug, Serialize)]
pub struct Bar {
    number: usize,
    x: usize,
    logins: u32,
    reports: u32,
    logins_high: u32,
    reports_high: u32,
}

impl Account {
    /// Another week has gone by.
    pub fn add(&mut self, week: Week) {
        if self.weeks.len() >= WEEKS {
            self.weeks.remove(0);
        }
        self.weeks.push(week);
    }

    /// The latest weeks as bars.
    #[must_use]
    pub fn bars(&self) -> Vec<Bar> {
        let shown = self.weeks.len().saturating_sub(7);
        let high = |value: u32| value.saturating_mul(12).min(100);
        let bar = |(n, week): (usize, &Week)| Bar {
            number: n + 1,
            x: n * 60 + 20,
            logins: week.logins,
            reports: week.reports,
            logins_high: high(week.logins),
            reports_high: high(week.reports),
        };
        self.weeks.iter().skip(shown).enumerate().map(bar).collect()
    }

    /// What was usual before the last three weeks, and the last week: of logins or of reports.
    #[must_use]
    pub fn usual_and_last(&self, of: impl Fn(&Week) -> u32) -> Option<(u32, u32)> {
        let (before, _) = self.weeks.split_at_checked(self.weeks.len().checked_sub(3)?)?;
        let mut values: Vec<u32> = before.iter().map(&of).collect();
        values.sort_unstable();
        Some((*values.get(values.len() / 2)?, of(self.weeks.last()?)))
    }
}

/// When somebody of Halyard has time for a call.
#[must_use]
pub fn slots() -> Vec<String> {
    coming(2, &["10:00", "15:30"])
}
