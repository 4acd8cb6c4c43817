//! What was measured, as a table and as JSON.

use std::time::Duration;

use comfy_table::{Table, presets};
use hdrhistogram::Histogram;
use serde::Serialize;

/// Everything measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The flood of events that nothing hears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flood: Option<Flood>,
    /// The openings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openings: Option<Openings>,
    /// Dead letters that came up meanwhile.
    pub dead: u64,
}

/// What the flood came to.
#[derive(Debug, Serialize)]
pub struct Flood {
    /// Events accepted.
    pub accepted: u64,
    /// Answered as duplicates though new, or rejected: none should be.
    pub refused: u64,
    /// Of those looked up afterwards, events that the server does not know as decided: none should be.
    pub lost: u64,
    /// How many were looked up.
    pub looked_up: u64,
    /// Requests answered 429 or 503 and sent again.
    pub pushed_back: u64,
    /// Events accepted a second, while sending.
    pub accepted_per_second: f64,
    /// Events decided and archived a second, from the first request to the last line.
    pub sustained_per_second: f64,
    /// How long a request took.
    pub request: Percentiles,
}

/// What the openings came to.
#[derive(Debug, Serialize)]
pub struct Openings {
    /// Sockets connected.
    pub sockets: usize,
    /// Openings wanted.
    pub wanted: usize,
    /// Openings that came.
    pub opened: usize,
    /// Openings that came twice: none should.
    pub doubled: usize,
    /// Holes or repeats in the numbers of entries: none should be.
    pub misnumbered: usize,
    /// Customers whose words got no answer, where they wrote.
    pub unanswered: usize,
    /// Customers of whom the server has no conversation afterwards: none should be.
    pub unrecorded: usize,
    /// How long an event took to be accepted.
    pub accept: Percentiles,
    /// From sending the event to `opened` on the socket.
    pub opened_after: Percentiles,
    /// From sending words to the first delta.
    pub first_word_after: Percentiles,
    /// From sending the event to the same.
    pub event_to_word: Percentiles,
}

/// Percentiles of a length of time, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// Half were faster.
    pub p50: f64,
    /// 90 of 100 were faster.
    pub p90: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// Lengths of time, as they are measured.
pub struct Times(Histogram<u64>);

impl Times {
    /// Nothing measured yet.
    ///
    /// # Errors
    /// Never: the bounds are fixed and valid.
    pub fn new() -> anyhow::Result<Times> {
        Ok(Times(Histogram::new_with_bounds(1, 600_000_000, 3)?))
    }

    /// One more.
    pub fn add(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// The percentiles so far.
    pub fn percentiles(&self) -> Percentiles {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        if self.0.is_empty() {
            return Percentiles::default();
        }
        Percentiles {
            count: self.0.len(),
            p50: ms(self.0.value_at_quantile(0.5)),
            p90: ms(self.0.value_at_quantile(0.9)),
            p99: ms(self.0.value_at_quantile(0.99)),
            max: ms(self.0.max()),
        }
    }
}

impl Report {
    /// Whether nothing was lost, doubled or misnumbered.
    pub fn is_clean(&self) -> bool {
        let flood = self.flood.as_ref().is_none_or(|flood| flood.refused == 0 && flood.lost == 0);
        let openings = self.openings.as_ref().is_none_or(|openings| {
            openings.opened == openings.wanted
                && openings.doubled == 0
                && openings.misnumbered == 0
                && openings.unanswered == 0
                && openings.unrecorded == 0
        });
        flood && openings && self.dead == 0
    }

    /// As tables.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut times = Table::new();
        times.load_style(presets::UTF8_HORIZONTAL_ONLY);
        times.set_header(["milliseconds", "count", "p50", "p90", "p99", "max"]);
        let mut row = |name: &str, p: &Percentiles| {
            let ms = |value: f64| format!("{value:.2}");
            times.add_row([name.to_owned(), p.count.to_string(), ms(p.p50), ms(p.p90), ms(p.p99), ms(p.max)]);
        };
        if let Some(flood) = &self.flood {
            row("flood: request", &flood.request);
            text.push_str(&format!(
                "flood: {} events accepted, {:.0} a second; decided and archived {:.0} a second; {} requests pushed back; \
                 {} of {} looked up were lost\n",
                flood.accepted,
                flood.accepted_per_second,
                flood.sustained_per_second,
                flood.pushed_back,
                flood.lost,
                flood.looked_up
            ));
        }
        if let Some(openings) = &self.openings {
            row("event: accepted", &openings.accept);
            row("event: opened", &openings.opened_after);
            if openings.first_word_after.count > 0 {
                row("words: first delta", &openings.first_word_after);
                row("event: first word", &openings.event_to_word);
            }
            text.push_str(&format!(
                "openings: {} sockets, {} of {} opened, {} doubled, {} misnumbered, {} unanswered, {} unrecorded\n",
                openings.sockets,
                openings.opened,
                openings.wanted,
                openings.doubled,
                openings.misnumbered,
                openings.unanswered,
                openings.unrecorded
            ));
        }
        text.push_str(&format!("{times}\n"));
        let verdict =
            if self.is_clean() { "nothing was lost, nothing came twice" } else { "SOMETHING IS WRONG, see above" };
        text.push_str(&format!("dead letters: {}; {verdict}", self.dead));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood() -> Flood {
        Flood {
            accepted: 10,
            refused: 0,
            lost: 0,
            looked_up: 10,
            pushed_back: 3,
            accepted_per_second: 1.0,
            sustained_per_second: 1.0,
            request: Percentiles::default(),
        }
    }

    fn openings() -> Openings {
        Openings {
            sockets: 2,
            wanted: 1,
            opened: 1,
            doubled: 0,
            misnumbered: 0,
            unanswered: 0,
            unrecorded: 0,
            accept: Percentiles::default(),
            opened_after: Percentiles::default(),
            first_word_after: Percentiles::default(),
            event_to_word: Percentiles::default(),
        }
    }

    fn report(flood: Flood, openings: Openings) -> Report {
        Report { flood: Some(flood), openings: Some(openings), dead: 0 }
    }

    #[test]
    fn whatever_is_lost_or_doubled_spoils_the_verdict() {
        assert!(report(flood(), openings()).is_clean());
        let spoiled = [
            report(Flood { refused: 1, ..flood() }, openings()),
            report(Flood { lost: 1, ..flood() }, openings()),
            report(flood(), Openings { opened: 0, ..openings() }),
            report(flood(), Openings { doubled: 1, ..openings() }),
            report(flood(), Openings { misnumbered: 1, ..openings() }),
            report(flood(), Openings { unanswered: 1, ..openings() }),
            report(flood(), Openings { unrecorded: 1, ..openings() }),
            Report { dead: 1, ..report(flood(), openings()) },
        ];
        for report in spoiled {
            assert!(!report.is_clean() && report.text().contains("SOMETHING IS WRONG"), "{report:?}");
        }
    }
}
