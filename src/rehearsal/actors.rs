//! The customers of a virtual partition: their states, and which of them is due next.

use std::collections::{BTreeSet, HashMap};

use crate::engine::decide::decide;
use crate::model::catalog::Catalogs;
use crate::model::customer::State;
use crate::model::decision::{Change, Decision};
use crate::model::ids::ActorId;
use crate::model::input::{Input, To};
use crate::model::time::Ms;

/// States by customer, as the owner of a partition holds them.
#[derive(Debug, Default)]
pub struct Actors {
    states: HashMap<ActorId, State>,
    due: BTreeSet<(Ms, ActorId)>,
}

impl Actors {
    /// Decides an input and keeps the state that it leaves. The decision's own state is left empty.
    pub fn decide(&mut self, input: &Input, catalogs: &Catalogs) -> Decision {
        let To::Actor(actor) = &input.to else { return decide(State::default(), input, catalogs) };
        let state = self.states.remove(actor).unwrap_or_default();
        let before = state.due();
        let mut decision = decide(state, input, catalogs);
        let state = std::mem::take(&mut decision.state);
        let after = if decision.change == Change::Erase { None } else { state.due() };
        if before != after {
            if let Some(at) = before {
                self.due.remove(&(at, actor.clone()));
            }
            if let Some(at) = after {
                self.due.insert((at, actor.clone()));
            }
        }
        // Who never changed anything leaves no trace, as in the store.
        if decision.change != Change::Erase && state != State::default() {
            self.states.insert(actor.clone(), state);
        }
        decision
    }

    /// A customer's state, where there is one.
    pub fn state(&self, actor: &ActorId) -> Option<&State> {
        self.states.get(actor)
    }

    /// Customers of whom traits are known, in order.
    pub fn with_traits(&self) -> Vec<(&ActorId, &State)> {
        let mut known: Vec<_> = self.states.iter().filter(|(_, state)| !state.traits.is_empty()).collect();
        known.sort_by_key(|(customer, _)| *customer);
        known
    }

    /// A customer of whom this is known before the first input.
    pub fn know(&mut self, actor: ActorId, state: State) {
        self.states.insert(actor, state);
    }

    /// Who is due first, and when.
    pub fn next_due(&self) -> Option<(Ms, ActorId)> {
        self.due.first().cloned()
    }
}
