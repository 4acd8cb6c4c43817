//! What another workspace would have done differently with the same days: openings added, gone and moved.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::tally::{Opening, Report};
use crate::model::ids::ActorId;
use crate::model::time::Ms;

/// The difference between two replays of the same inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Openings that only the workspace has.
    pub added: Vec<Opening>,
    /// Openings that only the other one has.
    pub gone: Vec<Opening>,
    /// Openings of the same customer, playbook and key at another time.
    pub moved: Vec<Moved>,
    /// Openings that both have.
    pub same: u64,
}

/// An opening at another time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// When the other workspace opens it.
    pub from: Ms,
    /// When this one does.
    pub opening: Opening,
}

/// What an opening is about, whenever it opens.
type About<'a> = (&'a ActorId, &'a str, &'a str);

fn about(opening: &Opening) -> About<'_> {
    (&opening.customer, &opening.playbook, &opening.key)
}

impl Difference {
    /// Of `report` against `other`. Those at the same time are the same; of the rest, the earliest are each other's.
    pub fn between(report: &Report, other: &Report) -> Difference {
        let mut there: BTreeMap<(About<'_>, Ms), VecDeque<&Opening>> = BTreeMap::new();
        for opening in &other.openings {
            there.entry((about(opening), opening.at)).or_default().push_back(opening);
        }
        let mut same = 0;
        let mut left: Vec<&Opening> = Vec::new();
        for opening in &report.openings {
            match there.get_mut(&(about(opening), opening.at)).and_then(VecDeque::pop_front) {
                Some(_) => same += 1,
                None => left.push(opening),
            }
        }
        let mut rest: BTreeMap<About<'_>, VecDeque<&Opening>> = BTreeMap::new();
        for ((about, _), openings) in there {
            rest.entry(about).or_default().extend(openings);
        }
        let mut difference = Difference { added: Vec::new(), gone: Vec::new(), moved: Vec::new(), same };
        for opening in left {
            match rest.get_mut(&about(opening)).and_then(VecDeque::pop_front) {
                Some(before) => difference.moved.push(Moved { from: before.at, opening: opening.clone() }),
                None => difference.added.push(opening.clone()),
            }
        }
        difference.gone = rest.into_values().flatten().cloned().collect();
        difference.gone.sort();
        difference
    }
}
