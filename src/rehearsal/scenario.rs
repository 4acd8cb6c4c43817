//! Plays a scenario: its steps in virtual time, and what is expected after them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::check::{View, check};
use super::stage::Stage;
use super::timeline::{Happened, Moment, listed};
use crate::catalog::scenario::{Act, Expect, Given, Scenario, Step, Suite};
use crate::catalog::{Mistake, Spot};
use crate::model::catalog::Catalog;
use crate::model::conversation::{CallPhase, Holder};
use crate::model::customer::{State, Trait};
use crate::model::decision::{Summary, SummaryState};
use crate::model::event::{Event, OPEN, Trust};
use crate::model::ids::{ActorId, CallId, ConversationId};
use crate::model::input::{Body, Operator};

/// What became of a scenario.
#[derive(Debug)]
pub struct Played {
    /// What did not hold, each at its place in the file; empty: it passed.
    pub wrong: Vec<Mistake>,
    /// What happened up to there.
    pub timeline: Vec<Moment>,
    customer: ActorId,
}

impl Played {
    /// What happened, a line each.
    pub fn lines(&self) -> Vec<String> {
        listed(&self.timeline, &self.customer)
    }
}

/// What all scenarios are played on.
#[derive(Debug, Clone)]
pub struct Theatre {
    /// The catalog under test.
    pub catalog: Arc<Catalog>,
    /// The playbook that answers who speaks first, from the configuration.
    pub first: Option<String>,
}

impl Theatre {
    /// Plays a scenario up to its end, or to the first step that does not hold.
    pub fn play(&self, suite: &Suite, scenario: &Scenario) -> Played {
        let mut stage = Stage::new(Arc::clone(&self.catalog), scenario.start);
        let known = |value: &Value| Trait { value: value.clone(), trust: Trust::Server };
        let traits = scenario.traits.iter().map(|(name, value)| (name.clone(), known(value))).collect();
        stage.know(scenario.customer.clone(), State { traits, ..State::default() });
        stage.answers.apis.clone_from(&scenario.apis);
        let mut player =
            Player { theatre: self, scenario, stage, since: BTreeMap::new(), given: BTreeMap::new(), acts: 0 };
        let wrong = player.all();
        let wrong =
            wrong.into_iter().map(|(spot, problem)| Mistake::at(&suite.file, &suite.text, spot, problem)).collect();
        Played { wrong, timeline: player.stage.timeline, customer: scenario.customer.clone() }
    }
}

/// A scenario being played.
struct Player<'a> {
    theatre: &'a Theatre,
    scenario: &'a Scenario,
    stage: Stage,
    /// By customer: what happened from here on was not yet asked for.
    since: BTreeMap<ActorId, usize>,
    /// Events that came, by the sender's id.
    given: BTreeMap<String, Event>,
    /// Counts acts, for ids.
    acts: usize,
}

/// Why a step could not be taken, or what did not hold.
type Wrong = (Spot, String);

impl Player<'_> {
    fn all(&mut self) -> Vec<Wrong> {
        for (at, step) in self.scenario.steps.iter().enumerate() {
            self.stage.pass(step.after);
            if let Act::Expect(expect) = &step.act {
                let wrong = self.expected(step, expect);
                if !wrong.is_empty() {
                    return wrong;
                }
                continue;
            }
            let before = self.stage.timeline.len();
            if let Err(problem) = self.act(step) {
                return vec![(step.spot, problem)];
            }
            let asked = self
                .scenario
                .steps
                .get(at + 1)
                .is_some_and(|next| matches!(&next.act, Act::Expect(expect) if expect.refused.is_some()));
            let new = self.stage.timeline.get(before..).unwrap_or_default();
            let refused = new.iter().find_map(|moment| match moment.what {
                Happened::Refused(code) => Some(code),
                _ => None,
            });
            if let Some(code) = refused.filter(|_| !asked) {
                return vec![(step.spot, format!("this was refused: {} {}", code.code(), code.message()))];
            }
            if self.stage.is_endless() {
                return vec![(step.spot, "what this began does not come to an end".to_owned())];
            }
        }
        match self.stage.answers.model.len() {
            0 => Vec::new(),
            left => vec![(self.scenario.spot, format!("the model was not asked for {left} of its answers"))],
        }
    }

    fn expected(&mut self, step: &Step, expect: &Expect) -> Vec<Wrong> {
        self.stage.rest();
        let customer = self.customer(step);
        let conversation = self.conversation(step);
        let since = self.since.get(&customer).copied().unwrap_or_default();
        let view = View { stage: &self.stage, since, customer: &customer, conversation };
        let wrong = check(view, expect);
        self.since.insert(customer, self.stage.timeline.len());
        wrong
    }

    fn customer(&self, step: &Step) -> ActorId {
        step.customer.clone().unwrap_or_else(|| self.scenario.customer.clone())
    }

    /// The customer's latest conversation that is not over, else the latest; of a playbook where the step names one.
    fn conversation(&self, step: &Step) -> Option<&Summary> {
        let customer = self.customer(step);
        let all = self.stage.conversations.values();
        all.filter(|c| c.customer == customer && step.playbook.as_ref().is_none_or(|name| c.playbook == *name))
            .max_by_key(|c| (c.state != SummaryState::Closed, c.created_at, c.id))
    }

    fn told(&mut self, customer: &ActorId, words: String) {
        self.stage.note(Some(customer.clone()), Happened::Step(words));
    }

    fn act(&mut self, step: &Step) -> Result<(), String> {
        let customer = self.customer(step);
        self.acts += 1;
        let client_id = format!("scenario-act-{:08}", self.acts);
        let there = self.conversation(step).map(|c| c.id);
        let conversation = there.ok_or_else(|| format!("{customer} has no conversation here"));
        let body = match &step.act {
            Act::Event(given) => {
                let event = self.event(given, &customer);
                let words = format!("event {} {}", event.kind, event.data);
                self.stage.note(event.customer.clone(), Happened::Step(words));
                self.given.insert(event.id.clone(), event.clone());
                self.stage.event(event);
                return Ok(());
            }
            Act::Revoke(id) => {
                self.told(&customer, format!("take {id} back"));
                let given = self.given.get(id).ok_or_else(|| format!("no event `{id}` came before"))?;
                let by = Operator { id: "operator:Operator".to_owned(), name: "Operator".to_owned() };
                return self.stage.revoke(given, by);
            }
            Act::Open(playbook, facts) => {
                let mut event = Event::new("test", &client_id, OPEN, Some(customer.clone()), facts.clone());
                event.only = Some(playbook.clone());
                self.told(&customer, format!("open {playbook} {facts}"));
                self.stage.event(event);
                return Ok(());
            }
            Act::Wait => {
                self.told(&customer, format!("{} passed", step.after));
                return Ok(());
            }
            Act::Model(answer) => {
                self.stage.answers.model.push_back(answer.clone());
                return Ok(());
            }
            Act::Api(answer) => {
                self.stage.answers.apis.push(answer.clone());
                return Ok(());
            }
            Act::Pause(playbook) => {
                self.pause(playbook, true);
                return Ok(());
            }
            Act::Resume(playbook) => {
                self.pause(playbook, false);
                return Ok(());
            }
            Act::Expect(_) => return Ok(()),
            Act::Say(text) => {
                self.told(&customer, format!("say \"{text}\""));
                let over = self.conversation(step).is_none_or(|c| c.state == SummaryState::Closed);
                let playbook = step.playbook.clone().or_else(|| self.theatre.first.clone());
                // Who speaks where nothing is open begins; where nobody answers that, the closed one says so.
                let conversation = there.filter(|_| !over || playbook.is_none());
                Body::Said { conversation, playbook, client_id, text: text.clone(), attachments: Vec::new() }
            }
            Act::Seen => {
                self.told(&customer, "seen".to_owned());
                Body::Seen { conversation: conversation?, seq: u32::MAX }
            }
            Act::Choose(choice) => {
                let conversation = conversation?;
                self.told(&customer, format!("choose \"{choice}\""));
                let value = self.live(&customer, conversation, |c| {
                    c.offered.iter().find(|o| o.label == *choice).map(|o| o.value.clone())
                });
                Body::Chose { conversation, client_id, choice: value.unwrap_or_else(|| choice.clone()) }
            }
            Act::Confirm(approve) => {
                let conversation = conversation?;
                self.told(&customer, (if *approve { "confirm" } else { "decline" }).to_owned());
                let call = self.live(&customer, conversation, |c| c.confirming).unwrap_or(CallId(0));
                Body::Confirmed { conversation, client_id, call, approve: *approve }
            }
            Act::Rate(score) => {
                self.told(&customer, format!("rate {score}"));
                Body::Rated { conversation: conversation?, client_id, score: *score, comment: None }
            }
            Act::Close => {
                self.told(&customer, "close".to_owned());
                Body::Closed { conversation: conversation?, client_id }
            }
            Act::Claim(name) => {
                self.told(&customer, format!("{name} claims"));
                let n = self.conversation(step).map_or(0, |c| c.holder_n);
                let operator = Operator { id: format!("operator:{name}"), name: name.clone() };
                Body::Claim { conversation: conversation?, operator, n }
            }
            Act::OperatorSays(text) => {
                let conversation = conversation?;
                self.told(&customer, format!("operator says \"{text}\""));
                let operator = self.holder(&customer, conversation);
                Body::OperatorSaid { conversation, operator, client_id, text: text.clone() }
            }
            Act::Release(note) => {
                let conversation = conversation?;
                self.told(&customer, "operator hands back".to_owned());
                Body::Release { conversation, operator: self.holder(&customer, conversation), note: note.clone() }
            }
            Act::OperatorCloses => {
                let conversation = conversation?;
                self.told(&customer, "operator closes".to_owned());
                Body::OperatorClosed { conversation, operator: self.holder(&customer, conversation) }
            }
            Act::Settle(state) => {
                let conversation = conversation?;
                self.told(&customer, "operator settles".to_owned());
                let call = self.live(&customer, conversation, |c| {
                    c.calls.iter().find(|(_, call)| call.phase == CallPhase::Unknown).map(|(id, _)| *id)
                });
                let operator = self.holder(&customer, conversation);
                Body::Settle { conversation, call: call.unwrap_or(CallId(0)), operator, state: *state }
            }
        };
        self.stage.act(&customer, body);
        Ok(())
    }

    fn event(&self, given: &Given, customer: &ActorId) -> Event {
        let now = self.stage.now();
        let id = given.id.clone().unwrap_or_else(|| format!("e{}", self.acts));
        let concerned = (!given.nobody).then(|| customer.clone());
        let mut event = Event::new(&given.source, &id, &given.kind, concerned, given.data.clone());
        event.traits.clone_from(&given.traits);
        event.trust = given.trust;
        event.time = Some(crate::model::time::Ms(now.0.saturating_sub(given.late.unwrap_or_default().0)));
        event.expires = given.expires.map(|length| now.plus(length));
        event
    }

    fn live<T>(
        &self,
        customer: &ActorId,
        id: ConversationId,
        ask: impl FnOnce(&crate::model::conversation::Conversation) -> Option<T>,
    ) -> Option<T> {
        self.stage.state(customer)?.conversations.get(&id).and_then(ask)
    }

    /// The operator who holds the conversation; one who does not, where nobody does.
    fn holder(&self, customer: &ActorId, id: ConversationId) -> Operator {
        let holder = self.live(customer, id, |c| match &c.holder {
            Holder::Operator(operator) => Some(operator.clone()),
            Holder::Assistant | Holder::Queue => None,
        });
        holder.unwrap_or_else(|| Operator { id: "operator:none".to_owned(), name: "Operator".to_owned() })
    }

    /// As `beckon playbook pause` does: openings not yet seen are withdrawn.
    fn pause(&mut self, playbook: &str, pause: bool) {
        let words = format!("{} {playbook}", if pause { "pause" } else { "resume" });
        self.told(&self.scenario.customer.clone(), words);
        let in_force = &mut self.stage.catalogs.in_force;
        in_force.revision += 1;
        in_force.paused.retain(|name| name != playbook);
        if !pause {
            return;
        }
        in_force.paused.push(playbook.to_owned());
        in_force.paused.sort();
        let playbooks = in_force.paused.clone();
        let waiting = self.stage.conversations.values();
        let waiting: Vec<ActorId> = waiting
            .filter(|c| c.state == SummaryState::Waiting && playbooks.contains(&c.playbook))
            .map(|c| c.customer.clone())
            .collect();
        for customer in waiting {
            self.stage.act(&customer, Body::Withdraw { playbooks: playbooks.clone() });
        }
    }
}
