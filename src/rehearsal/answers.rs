//! What the world answers on a stage: the model as the scenario says, else the script; APIs as the scenario says.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::adapter::returns::{Amount, keep};
use crate::catalog::scenario::{Answer, ApiAnswer, ModelAnswer};
use crate::dialogue::script::{self, Situation};
use crate::model::catalog::Catalogs;
use crate::model::entry::Entry;
use crate::model::ids::ActorId;
use crate::model::input::{CallOutcome, Choice, Generation, HandoffRequest, Proposal};
use crate::model::time::Millis;

/// The name of a scenario's model where a model's name stands.
const MODEL: &str = "model";

/// The model and the APIs of a scenario.
#[derive(Debug, Default)]
pub struct Answers {
    /// What the model says next; empty: the script speaks.
    pub model: VecDeque<ModelAnswer>,
    /// What APIs answer; the last that fits counts.
    pub apis: Vec<ApiAnswer>,
}

/// An answer of the assistant.
#[derive(Debug)]
pub struct Generated {
    /// The answer, or why there is none.
    pub outcome: Result<Generation, String>,
    /// Models that failed on the way.
    pub failures: u32,
    /// How long it takes.
    pub after: Millis,
}

/// Who asks for words.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The catalogs.
    pub catalogs: &'a Catalogs,
    /// The catalog that the conversation runs on.
    pub catalog: &'a str,
    /// Its playbook.
    pub playbook: &'a str,
    /// The customer.
    pub actor: &'a ActorId,
    /// What is known of the customer.
    pub traits: &'a Map<String, Value>,
    /// The log up to the entry that is to be answered.
    pub log: &'a [Entry],
}

impl Answers {
    /// The assistant's next step.
    pub fn generate(&mut self, asked: Asked<'_>) -> Generated {
        let next = self.model.pop_front();
        let failures = u32::from(next.as_ref().is_some_and(|answer| answer.down));
        match next {
            Some(answer) if !answer.down => {
                Generated { after: answer.after, outcome: Ok(generation(answer)), failures: 0 }
            }
            _ => Generated { outcome: speak(asked), failures, after: Millis(0) },
        }
    }

    /// What an API answers to a call, and after which time; none: it never comes back.
    pub fn call(
        &self,
        operation: &str,
        returns: &[String],
        args: &Map<String, Value>,
        amount: Amount,
    ) -> Option<(CallOutcome, Millis)> {
        let fits = |answer: &&ApiAnswer| {
            answer.operation == operation && answer.args.iter().all(|(name, value)| args.get(name) == Some(value))
        };
        let Some(found) = self.apis.iter().rev().find(fits) else {
            return Some((CallOutcome::Failed("the scenario gives no answer to this call".to_owned()), Millis(0)));
        };
        let outcome = match &found.answer {
            Answer::Returns(body) => CallOutcome::Done(keep(body.clone(), returns, amount)),
            Answer::Fails(problem) => CallOutcome::Failed(problem.clone()),
            Answer::Unknown(problem) => CallOutcome::Unknown(problem.clone()),
            Answer::Hangs => return None,
        };
        Some((outcome, found.after))
    }
}

fn generation(answer: ModelAnswer) -> Generation {
    let proposal =
        |(operation, args)| Proposal { operation, args, bind: None, model_id: Some("call".to_owned()), problem: None };
    Generation {
        text: answer.says,
        choices: answer.offers.into_iter().map(|label| Choice { value: label.clone(), label }).collect(),
        calls: answer.calls.into_iter().map(proposal).collect(),
        handoff: answer.handoff.map(|reason| HandoffRequest { reason, summary: String::new() }),
        close: answer.close,
        tokens: answer.tokens,
        model: MODEL.to_owned(),
        ..Generation::default()
    }
}

fn speak(asked: Asked<'_>) -> Result<Generation, String> {
    let (catalog, playbook) = asked.catalogs.playbook(asked.catalog, asked.playbook).ok_or("the playbook is gone")?;
    script::answer(&Situation { catalog, playbook, actor: asked.actor, traits: asked.traits, log: asked.log })
}
