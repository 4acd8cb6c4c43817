//! What a replay comes to: verdicts with their reasons, openings, contacts, what they may cost. The same inputs give the
//! same tally, byte for byte.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::timeline::word;
use crate::model::decision::Judged;
use crate::model::entry::Verdict;
use crate::model::ids::{ActorId, EventId};
use crate::model::time::Ms;

/// An opening: a match that became a conversation, whether or not somebody saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Opening {
    /// When it was decided.
    pub at: Ms,
    /// The customer.
    #[serde(serialize_with = "masked")]
    pub customer: ActorId,
    /// The playbook.
    pub playbook: String,
    /// `open.key`.
    pub key: String,
    /// The event that opened it.
    pub event: EventId,
    /// Whether it was seen: a contact.
    pub seen: bool,
}

/// Reports lie about in CI, and anonymous ids are secrets.
fn masked<S: serde::Serializer>(customer: &ActorId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&customer.masked())
}

/// What a replay counts while it runs.
#[derive(Debug, Default)]
pub struct Tally {
    /// Inputs run within the window.
    pub inputs: u64,
    /// Events among them.
    pub events: u64,
    /// Customers whom they concern.
    pub customers: u64,
    /// Inputs that no conversation of this run is there for.
    pub set_aside: u64,
    /// Openings, in order of time once the run is over.
    pub openings: Vec<Opening>,
    /// How many (event, playbook) pairs ended in each verdict.
    pub verdicts: HashMap<String, HashMap<Verdict, u64>>,
    /// Of those that opened nothing: why.
    pub reasons: HashMap<String, HashMap<Verdict, HashMap<String, u64>>>,
    /// Goals reached.
    pub goals: HashMap<String, u64>,
}

impl Tally {
    /// Counts a verdict. `before` is what the same pair came to until now.
    pub fn judged(&mut self, judged: &Judged, before: Option<Verdict>) {
        with(&mut self.verdicts, &judged.playbook, |counts| {
            if let Some(count) = before.and_then(|before| counts.get_mut(&before)) {
                *count = count.saturating_sub(1);
            }
            *counts.entry(judged.verdict).or_default() += 1;
        });
        let reason = judged.condition.as_ref().or(judged.reason.as_ref());
        if judged.conversation.is_none()
            && let Some(reason) = reason
        {
            with(&mut self.reasons, &judged.playbook, |verdicts| {
                with(verdicts.entry(judged.verdict).or_default(), reason, |count| *count += 1);
            });
        }
    }

    /// Counts a goal of a playbook.
    pub fn goal(&mut self, playbook: &str) {
        with(&mut self.goals, playbook, |goals| *goals += 1);
    }

    /// The tally in order, ready to be shown and compared.
    pub fn report(mut self, tokens: &TokensSpent) -> Report {
        self.openings.sort();
        let mut playbooks: BTreeMap<String, OfPlaybook> = BTreeMap::new();
        for (playbook, counts) in self.verdicts {
            let of = playbooks.entry(playbook).or_default();
            of.verdicts = counts.into_iter().filter(|(_, n)| *n > 0).map(|(verdict, n)| (word(&verdict), n)).collect();
        }
        for (playbook, verdicts) in self.reasons {
            let of = playbooks.entry(playbook).or_default();
            for (verdict, reasons) in verdicts {
                of.refused.extend(reasons.into_iter().map(|(reason, count)| Refused {
                    verdict: word(&verdict),
                    reason,
                    count,
                }));
            }
            // The most frequent first; what is equally frequent by its words.
            of.refused.sort_by(|a, b| (b.count, &a.verdict, &a.reason).cmp(&(a.count, &b.verdict, &b.reason)));
        }
        for (playbook, goals) in self.goals {
            playbooks.entry(playbook).or_default().goals = goals;
        }
        let mut by_customer: BTreeMap<&ActorId, u64> = BTreeMap::new();
        for opening in &self.openings {
            let of = playbooks.entry(opening.playbook.clone()).or_default();
            of.openings += 1;
            if opening.seen {
                of.contacts += 1;
                *by_customer.entry(&opening.customer).or_default() += 1;
            }
        }
        let mut spread: BTreeMap<u64, u64> = BTreeMap::new();
        for contacts in by_customer.values() {
            *spread.entry(*contacts).or_default() += 1;
        }
        let most = by_customer.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        let most = most.map(|(customer, contacts)| Most { customer: (*customer).clone(), contacts: *contacts });
        let contacts: u64 = by_customer.values().sum();
        for (name, of) in &mut playbooks {
            of.tokens = tokens.of(name).saturating_mul(of.contacts);
        }
        Report {
            inputs: self.inputs,
            events: self.events,
            customers: self.customers,
            set_aside: self.set_aside,
            tokens: playbooks.values().map(|of| of.tokens).sum(),
            contacted: spread.values().sum(),
            contacts,
            contacts_per_customer: spread,
            most,
            playbooks,
            openings: self.openings,
        }
    }
}

/// Changes the value of a key, made where it is not there; the key is copied only then.
fn with<V: Default>(map: &mut HashMap<String, V>, key: &str, change: impl FnOnce(&mut V)) {
    match map.get_mut(key) {
        Some(value) => change(value),
        None => change(map.entry(key.to_owned()).or_default()),
    }
}

/// What conversations of the record used, for an estimate of what others would.
#[derive(Debug, Clone, Default)]
pub struct TokensSpent {
    /// By playbook: tokens, and conversations that were seen.
    pub by_playbook: BTreeMap<String, (u64, u64)>,
}

impl TokensSpent {
    /// Tokens of a contact of a playbook: what those recorded used on average; those of all where it has none.
    pub fn of(&self, playbook: &str) -> u64 {
        let all = self.by_playbook.values().fold((0, 0), |sum, (tokens, seen)| (sum.0 + tokens, sum.1 + seen));
        let (tokens, seen) = self.by_playbook.get(playbook).copied().filter(|(_, seen)| *seen > 0).unwrap_or(all);
        tokens.checked_div(seen).unwrap_or_default()
    }
}

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Inputs run within the window.
    pub inputs: u64,
    /// Events among them.
    pub events: u64,
    /// Customers whom they concern.
    pub customers: u64,
    /// Inputs left out: what they were about is not there in this run.
    pub set_aside: u64,
    /// Openings that were seen.
    pub contacts: u64,
    /// Customers with a contact.
    pub contacted: u64,
    /// How many customers had how many contacts.
    pub contacts_per_customer: BTreeMap<u64, u64>,
    /// Who had the most.
    pub most: Option<Most>,
    /// Tokens that the contacts may use, by what those of the record used.
    pub tokens: u64,
    /// By playbook.
    pub playbooks: BTreeMap<String, OfPlaybook>,
    /// All openings, in order of time.
    pub openings: Vec<Opening>,
}

/// Who had the most contacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Most {
    /// The customer.
    #[serde(serialize_with = "masked")]
    pub customer: ActorId,
    /// How many.
    pub contacts: u64,
}

/// What a replay came to, of one playbook.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct OfPlaybook {
    /// Matches that became conversations.
    pub openings: u64,
    /// Those that were seen.
    pub contacts: u64,
    /// Goals reached.
    pub goals: u64,
    /// Tokens that the contacts may use.
    pub tokens: u64,
    /// How many events ended in which verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Why events opened nothing, the most frequent reason first.
    pub refused: Vec<Refused>,
}

/// Why events opened nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The verdict.
    pub verdict: String,
    /// The condition that failed, or the reason.
    pub reason: String,
    /// How many.
    pub count: u64,
}
