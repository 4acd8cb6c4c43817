//! Whose line it is, and what was agreed about it.

use beckon_example_site::api::Answers;
use beckon_example_site::{Person, coming, random};
use serde::Serialize;

use crate::network::{AREAS, Area};

/// What Lumen credits for one outage.
pub const CREDIT: &str = "4.00 EUR";

/// A ticket about one outage.
#[derive(Debug, Clone, Serialize)]
pub struct Ticket {
    /// Its number.
    pub number: String,
    /// The outage's id.
    pub outage: String,
}

/// A customer and their line.
#[derive(Debug)]
pub struct Line {
    id: String,
    name: &'static str,
    /// Where it is.
    pub area: &'static Area,
    /// The latest ticket.
    pub ticket: Option<Ticket>,
    /// When they are called.
    pub callback: Option<String>,
    /// The outage that was credited last.
    pub credited: Option<String>,
    /// What was answered to writes.
    pub answers: Answers,
}

impl Person for Line {
    fn new(id: String, name: &'static str) -> Self {
        const ELSEWHERE: &Area = &AREAS[0];
        // An id decides, so that visitors are spread over the areas without being counted.
        let place = id.bytes().map(usize::from).sum::<usize>() % AREAS.len();
        let area = AREAS.get(place).unwrap_or(ELSEWHERE);
        Self { id, name, area, ticket: None, callback: None, credited: None, answers: Answers::default() }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

impl Line {
    /// The ticket about an outage; another one only where there is none yet.
    pub fn ticket(&mut self, outage: &str) -> &Ticket {
        if self.ticket.as_ref().is_some_and(|ticket| ticket.outage != outage) {
            self.ticket = None;
        }
        self.ticket.get_or_insert_with(|| Ticket {
            number: format!("T-{}", random(6).to_uppercase()),
            outage: outage.to_owned(),
        })
    }
}

/// When somebody of the network can call.
#[must_use]
pub fn times() -> Vec<String> {
    coming(2, &["9:00", "17:30"])
}
