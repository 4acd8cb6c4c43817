//! Replays recorded inputs through `decide`, in virtual time and without touching anybody.
//!
//! Events come as they came. What customers, operators, models and APIs did comes too, wherever the conversation that it
//! was about opens again; so the workspace that was live gives what happened live. An opening that the record does not
//! know meets nobody: its calls fail, it counts as seen at once and keeps its place in the limits, and nobody answers.
//!
//! Timers: where the recorded catalog is the one that is replayed, and a customer's openings are those of the record,
//! the recorded ticks fire them, so that every position is the live one. Else each is fired at its own time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::actors::Actors;
use super::tally::{Opening, Tally, TokensSpent};
use crate::model::catalog::{Catalog, Catalogs};
use crate::model::decision::{Decision, Effect, Judged, SummaryState};
use crate::model::entry::Verdict;
use crate::model::ids::{ActorId, ConversationId, EventId, Partition, Pos};
use crate::model::input::{Body, CallOutcome, InForce, Input, To};
use crate::model::time::Ms;
use crate::record::{Named, Recorded};

/// Virtual inputs count from here within their millisecond: no recorded position is theirs.
const VIRTUAL: u32 = 1 << 31;

/// What is counted: from the first on, before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What comes before only warms up.
    pub from: Ms,
    /// Nothing is run from here on.
    pub to: Ms,
}

impl Window {
    fn holds(self, at: Ms) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// What the record says of a partition's conversations.
#[derive(Debug, Default)]
pub struct Known {
    by_id: HashMap<ConversationId, Ident>,
    ids: HashMap<Ident, ConversationId>,
}

/// A conversation by what does not depend on how ids were counted.
type Ident = (ActorId, String, String, Ms);

impl Known {
    /// Of these inputs.
    pub fn of(inputs: &[Recorded]) -> Known {
        let mut known = Known::default();
        for named in inputs.iter().flat_map(|input| &input.conversations) {
            let Named { id, customer, playbook, key, created_at } = named;
            if !known.by_id.contains_key(id) {
                let ident = (customer.clone(), playbook.clone(), key.clone(), *created_at);
                known.ids.entry(ident.clone()).or_insert(*id);
                known.by_id.insert(*id, ident);
            }
        }
        known
    }

    /// Adds what the recorded conversations of these inputs used.
    pub fn tokens(&self, inputs: &[Recorded], spent: &mut TokensSpent) {
        let mut seen = HashSet::new();
        for input in inputs {
            match &input.input.body {
                Body::Generated { conversation, outcome: Ok(generation), .. } => {
                    if let Some((_, playbook, _, _)) = self.by_id.get(conversation) {
                        spent.by_playbook.entry(playbook.clone()).or_default().0 += generation.tokens;
                    }
                }
                Body::Seen { conversation, .. } | Body::Said { conversation: Some(conversation), .. }
                    if seen.insert(*conversation) =>
                {
                    if let Some((_, playbook, _, _)) = self.by_id.get(conversation) {
                        spent.by_playbook.entry(playbook.clone()).or_default().1 += 1;
                    }
                }
                _ => {}
            }
        }
    }
}

/// A workspace that recorded days are run through.
#[derive(Debug)]
pub struct Replay {
    catalogs: Catalogs,
    hash: String,
    window: Window,
    tally: Tally,
    /// Events whose verdicts are kept, for examples.
    pub watched: HashSet<EventId>,
    /// The last verdict of each watched event, by playbook.
    pub verdicts: BTreeMap<(EventId, String), Judged>,
    /// Every verdict of the window in the order decided, where somebody wants to compare them.
    pub trace: Option<Vec<Judged>>,
}

/// One partition while it is run.
struct Run<'r> {
    replay: &'r mut Replay,
    known: &'r Known,
    partition: Partition,
    actors: Actors,
    /// What the record calls a conversation, to what this run calls it.
    mapped: HashMap<ConversationId, ConversationId>,
    /// Conversations that the record does not know, until they were taken as seen.
    unknown: HashSet<ConversationId>,
    /// Customers whose conversations are no longer those of the record.
    strange: HashSet<ActorId>,
    /// Conversations of this run that are counted, with their place among the openings; and their playbook.
    opened: HashMap<ConversationId, Option<usize>>,
    pairs: HashMap<(EventId, String), Verdict>,
    /// Whether what was live is what is replayed.
    live: bool,
    minted: u32,
}

impl Replay {
    /// Nothing run yet.
    pub fn new(catalog: Arc<Catalog>, window: Window) -> Replay {
        let hash = catalog.hash.clone();
        let in_force = InForce { revision: 1, hash: hash.clone(), paused: Vec::new() };
        Replay {
            catalogs: Catalogs { in_force, by_hash: BTreeMap::from([(hash.clone(), catalog)]) },
            hash,
            window,
            tally: Tally::default(),
            watched: HashSet::new(),
            verdicts: BTreeMap::new(),
            trace: None,
        }
    }

    /// Runs the inputs of a partition, in the order in which they were decided.
    pub fn partition(&mut self, partition: Partition, inputs: impl Iterator<Item = Recorded>, known: &Known) {
        self.catalogs.in_force = InForce { revision: 1, hash: self.hash.clone(), paused: Vec::new() };
        let to = self.window.to;
        let mut run = Run {
            replay: self,
            known,
            partition,
            actors: Actors::default(),
            mapped: HashMap::new(),
            unknown: HashSet::new(),
            strange: HashSet::new(),
            opened: HashMap::new(),
            pairs: HashMap::new(),
            live: false,
            minted: 0,
        };
        let mut customers: HashSet<ActorId> = HashSet::new();
        for input in inputs {
            if run.replay.window.holds(input.pos.time())
                && let To::Actor(actor) = &input.input.to
                && !actor.is_topic()
                && !customers.contains(actor)
            {
                customers.insert(actor.clone());
            }
            run.recorded(input);
        }
        run.until(to);
        self.tally.customers += u64::try_from(customers.len()).unwrap_or(u64::MAX);
    }

    /// What it all came to.
    pub fn finish(self) -> Tally {
        self.tally
    }

    /// Openings so far, in no order.
    pub fn openings(&self) -> &[Opening] {
        &self.tally.openings
    }
}

impl Run<'_> {
    fn recorded(&mut self, recorded: Recorded) {
        let Recorded { pos, input, .. } = recorded;
        let (to, mut body) = (input.to, input.body);
        if let Body::Catalog(in_force) = body {
            self.live = in_force.hash == self.replay.hash;
            self.replay.catalogs.in_force.revision = in_force.revision;
            self.replay.catalogs.in_force.paused = in_force.paused;
            return;
        }
        if let To::Actor(actor) = &to
            && (!self.live || self.strange.contains(actor))
        {
            self.step(actor, pos.time());
        }
        let counts = self.replay.window.holds(pos.time());
        if let Some(about) = conversation_of(&mut body) {
            match self.mapped.get(about) {
                Some(ours) => *about = *ours,
                None => {
                    self.replay.tally.set_aside += u64::from(counts);
                    return;
                }
            }
        }
        if counts {
            self.replay.tally.inputs += 1;
            self.replay.tally.events += u64::from(matches!(body, Body::Event(_)));
        }
        self.decide(pos, to, body);
    }

    /// Fires what a customer has due before a time, each at its own.
    fn step(&mut self, actor: &ActorId, before: Ms) {
        while let Some(due) = self.actors.state(actor).and_then(crate::model::customer::State::due)
            && due < before
        {
            let pos = self.mint(due);
            self.decide(pos, To::Actor(actor.clone()), Body::Tick);
        }
    }

    /// Fires what anybody has due before a time.
    fn until(&mut self, before: Ms) {
        while let Some((due, actor)) = self.actors.next_due()
            && due < before
        {
            let pos = self.mint(due);
            self.decide(pos, To::Actor(actor), Body::Tick);
        }
    }

    fn mint(&mut self, at: Ms) -> Pos {
        self.minted += 1;
        Pos { ms: at.0, n: VIRTUAL.saturating_add(self.minted) }
    }

    fn decide(&mut self, pos: Pos, to: To, body: Body) {
        let input = Input { partition: self.partition, pos, to, body };
        let decision = self.actors.decide(&input, &self.replay.catalogs);
        let To::Actor(actor) = input.to else {
            self.verdicts(&decision.verdicts);
            return;
        };
        self.gather(&actor, pos.time(), decision);
    }

    fn gather(&mut self, actor: &ActorId, now: Ms, decision: Decision) {
        self.verdicts(&decision.verdicts);
        let mut next = Vec::new();
        for summary in &decision.conversations {
            let id = summary.id;
            if !self.opened.contains_key(&id) {
                let ident = (actor.clone(), summary.playbook.clone(), summary.key.clone(), summary.created_at);
                match self.known.ids.get(&ident) {
                    Some(recorded) => drop(self.mapped.insert(*recorded, id)),
                    None => {
                        self.unknown.insert(id);
                        self.strange.insert(actor.clone());
                    }
                }
                let counted = summary.event.filter(|_| self.replay.window.holds(summary.created_at));
                let place = counted.map(|event| {
                    let (_, playbook, key, at) = ident;
                    let openings = &mut self.replay.tally.openings;
                    openings.push(Opening { at, customer: actor.clone(), playbook, key, event, seen: false });
                    openings.len() - 1
                });
                self.opened.insert(id, place);
            }
            if summary.opened_at.is_some()
                && let Some(Some(place)) = self.opened.get(&id)
                && let Some(opening) = self.replay.tally.openings.get_mut(*place)
            {
                opening.seen = true;
            }
            if self.unknown.contains(&id) && summary.listed && summary.state == SummaryState::Waiting {
                self.unknown.remove(&id);
                next.push(Body::Seen { conversation: id, seq: summary.seq });
            }
        }
        for effect in decision.effects {
            if let Effect::Call { conversation, call, .. } = effect
                && self.unknown.contains(&conversation)
            {
                let outcome = CallOutcome::Failed("nobody answers in a replay".to_owned());
                next.push(Body::Called { conversation, call, outcome });
            }
        }
        for reached in &decision.goals {
            let playbook = decision.conversations.iter().find(|c| c.id == reached.conversation).map(|c| &c.playbook);
            if let Some(playbook) = playbook.filter(|_| self.replay.window.holds(now)) {
                self.replay.tally.goal(playbook);
            }
        }
        for id in &decision.retired {
            self.opened.remove(id);
        }
        for body in next {
            let pos = self.mint(now);
            self.decide(pos, To::Actor(actor.clone()), body);
        }
    }

    fn verdicts(&mut self, verdicts: &[Judged]) {
        for judged in verdicts {
            if !self.replay.window.holds(judged.event.pos.time()) {
                continue;
            }
            if let Some(trace) = &mut self.replay.trace {
                trace.push(judged.clone());
            }
            // Only what became a conversation may come to something else later.
            let before = match judged.conversation {
                Some(_) => self.pairs.insert((judged.event, judged.playbook.clone()), judged.verdict),
                None => None,
            };
            // What is on its way to its topic is judged there.
            if judged.verdict != Verdict::Forwarded {
                self.replay.tally.judged(judged, before);
            }
            if self.replay.watched.contains(&judged.event) {
                self.replay.verdicts.insert((judged.event, judged.playbook.clone()), judged.clone());
            }
        }
    }
}

/// The conversation that an input is about, where it is about one. Everything a new kind of input names is told here.
fn conversation_of(body: &mut Body) -> Option<&mut ConversationId> {
    match body {
        Body::Said { conversation, .. } => conversation.as_mut(),
        Body::Chose { conversation, .. }
        | Body::Confirmed { conversation, .. }
        | Body::Seen { conversation, .. }
        | Body::Rated { conversation, .. }
        | Body::Helped { conversation, .. }
        | Body::Stopped { conversation, .. }
        | Body::Noted { conversation, .. }
        | Body::Triaged { conversation, .. }
        | Body::Closed { conversation, .. }
        | Body::Claim { conversation, .. }
        | Body::Release { conversation, .. }
        | Body::Pass { conversation, .. }
        | Body::OperatorSaid { conversation, .. }
        | Body::OperatorClosed { conversation, .. }
        | Body::Settle { conversation, .. }
        | Body::Generated { conversation, .. }
        | Body::Called { conversation, .. } => Some(conversation),
        Body::Event(_)
        | Body::Heard(_)
        | Body::Selected { .. }
        | Body::Told { .. }
        | Body::Forwarded { .. }
        | Body::Identify { .. }
        | Body::Notified { .. }
        | Body::Tick
        | Body::Withdraw { .. }
        | Body::Erase
        | Body::Catalog(_) => None,
    }
}
