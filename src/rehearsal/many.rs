//! What lies beside the states of topics on a stage: pages of customers, and who follows what.

use std::collections::BTreeMap;

use crate::model::decision::Decision;
use crate::model::ids::{ActorId, Pos};
use crate::model::time::Ms;
use crate::model::topic::Mark;

/// Pages and followers of topics.
#[derive(Debug, Default)]
pub struct Many {
    pages: BTreeMap<ActorId, Vec<ActorId>>,
    follows: BTreeMap<(ActorId, ActorId), Ms>,
}

impl Many {
    /// Keeps what a decision says of pages and followers.
    pub fn gather(&mut self, actor: &ActorId, decision: &Decision) {
        for page in &decision.pages {
            let key = ActorId::page_of(actor, page.begun, page.number);
            match &page.customers {
                Some(customers) => self.pages.insert(key, customers.clone()),
                None => self.pages.remove(&key),
            };
        }
        for follow in &decision.follows {
            let key = (follow.topic.clone(), actor.clone());
            match follow.until {
                Some(until) => self.follows.insert(key, until),
                None => self.follows.remove(&key),
            };
        }
    }

    /// Who follows a topic at a time.
    pub fn followers(&self, topic: &ActorId, now: Ms) -> Vec<ActorId> {
        let all = self.follows.iter().filter(|((other, _), until)| other == topic && **until > now);
        all.map(|((_, customer), _)| customer.clone()).collect()
    }

    /// So many customers of a page from a place on, and whether it has more.
    pub fn page(&self, topic: &ActorId, begun: Pos, from: Mark, most: u32) -> (Vec<ActorId>, bool) {
        let page = self.pages.get(&ActorId::page_of(topic, begun, from.page)).map(Vec::as_slice).unwrap_or_default();
        let place = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let left = page.get(place(from.within)..).unwrap_or_default();
        let now = left.get(..place(most)).unwrap_or(left);
        (now.to_vec(), now.len() < left.len())
    }
}
