//! The assistant's answer: models in order of preference, then the script. Always ends before the deadline.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::words::Words;
use crate::dialogue::prompt::{ROOM, request, suggestion};
use crate::dialogue::reading;
use crate::dialogue::script::{self, Situation};
use crate::llm::{Completion, Llm, LlmError, Request};
use crate::model::input::Generation;
use crate::model::live::attempt_number;

/// A model that failed so often in a row is left out for [`REST`].
const MANY_FAILURES: u32 = 3;

/// How long a failing model is left out.
const REST: Duration = Duration::from_secs(10);

/// What is kept of the time for the script's answer.
const RESERVE: Duration = Duration::from_millis(1_500);

/// The longest wait for a busy model that says when to come back.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// One model and how it has been doing.
struct Model {
    llm: Arc<dyn Llm>,
    max_tokens: u32,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
}

/// All models, in order of preference, and the script behind them.
#[derive(Clone)]
pub struct Assistant {
    models: Arc<Vec<Model>>,
    /// How long the script takes for a word, so that it reads like speech; zero in tests.
    script_pace: Duration,
}

/// What asking came to.
#[derive(Debug)]
pub struct Asked {
    /// The answer, or why there is none.
    pub outcome: Result<Generation, String>,
    /// The last `try` whose deltas were sent.
    pub attempt: u64,
    /// Models that were asked and failed.
    pub failures: u32,
}

/// One step of a turn, named by its epoch and number: what `try` grows by.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The owner's epoch.
    pub epoch: u64,
    /// The step.
    pub step: u32,
}

impl Assistant {
    /// An assistant on these models, each with the most tokens of one answer.
    pub fn new(models: Vec<(Arc<dyn Llm>, u32)>, script_pace: Duration) -> Assistant {
        let models =
            models.into_iter().map(|(llm, max_tokens)| Model { llm, max_tokens, health: Mutex::default() }).collect();
        Assistant { models: Arc::new(models), script_pace }
    }

    /// Asks the models in turn, then the script, within `time`.
    pub async fn answer(&self, situation: &Situation<'_>, words: &Words, step: Step, time: Duration) -> Asked {
        let ends = Instant::now() + time.saturating_sub(RESERVE);
        let mut attempts = 0;
        let mut failures = 0;
        for model in self.models.iter() {
            // A model that rests, or that there is no time for, was not asked: that is no failure.
            if Instant::now() >= ends || model.is_resting() {
                continue;
            }
            let asked = attempts;
            if let Some(generation) = self.ask_model(model, situation, words, step, &mut attempts, ends).await {
                let attempt = attempt_number(step.epoch, step.step, attempts);
                return Asked { outcome: Ok(generation), attempt, failures };
            }
            failures += u32::from(attempts > asked);
        }
        attempts += 1;
        let attempt = attempt_number(step.epoch, step.step, attempts);
        let outcome = script::answer(situation);
        if let Ok(generation) = &outcome {
            self.speak(&generation.text, words, attempt).await;
        }
        Asked { outcome, attempt, failures }
    }

    /// Asks one model, again where that may help; none: it failed.
    async fn ask_model(
        &self,
        model: &Model,
        situation: &Situation<'_>,
        words: &Words,
        step: Step,
        attempts: &mut u32,
        ends: Instant,
    ) -> Option<Generation> {
        let mut room = ROOM;
        for again in [true, false] {
            let asked = match request(situation, model.max_tokens, room) {
                Ok(asked) => asked,
                Err(problem) => {
                    tracing::error!(problem, "a prompt cannot be filled");
                    return None;
                }
            };
            *attempts += 1;
            let attempt = attempt_number(step.epoch, step.step, *attempts);
            let answer = one_try(model, &asked, ends, |pieces| words.pass_on(attempt, pieces)).await;
            // What cannot be read is no answer, however well it arrived.
            let read = |completion| reading::read(&completion, model.llm.name()).map_err(LlmError::Broken);
            let problem = match answer.and_then(read) {
                Ok(generation) => {
                    crate::telemetry::model_try(model.llm.name(), "answered");
                    model.succeeded();
                    return Some(generation);
                }
                Err(problem) => problem,
            };
            crate::telemetry::model_try(model.llm.name(), ended(&problem));
            tracing::warn!(model.name = model.llm.name(), error = %problem, "a model gave no answer");
            match problem {
                LlmError::TooLong if again => room /= 4,
                LlmError::Busy { retry_after } if again => {
                    let wait = retry_after.unwrap_or(Duration::from_millis(500));
                    if wait > MAX_WAIT || Instant::now() + wait >= ends {
                        break;
                    }
                    tokio::time::sleep(wait).await;
                }
                LlmError::Away(_) | LlmError::Broken(_) if again && Instant::now() < ends => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                _ => break,
            }
        }
        model.failed();
        None
    }

    /// What a model would say next, for a person to change and send: no tool is called, nobody hears it, nothing is kept.
    ///
    /// # Errors
    /// Why there is nothing, in a sentence for that person.
    pub async fn suggest(&self, situation: &Situation<'_>, time: Duration) -> Result<String, String> {
        if self.models.is_empty() {
            return Err("No model is set up, so there is nobody to write a draft.".to_owned());
        }
        let ends = Instant::now() + time;
        for model in self.models.iter().filter(|model| !model.is_resting()) {
            let asked = suggestion(situation, model.max_tokens, ROOM)?;
            let answer = one_try(model, &asked, ends, unheard).await;
            let read = |completion| reading::read(&completion, model.llm.name()).map_err(LlmError::Broken);
            match answer.and_then(read) {
                Ok(generation) if !generation.text.is_empty() => {
                    crate::telemetry::model_try(model.llm.name(), "answered");
                    model.succeeded();
                    return Ok(generation.text);
                }
                Ok(_) => crate::telemetry::model_try(model.llm.name(), "broken"),
                Err(problem) => {
                    crate::telemetry::model_try(model.llm.name(), ended(&problem));
                    tracing::warn!(model.name = model.llm.name(), error = %problem, "a model wrote no draft");
                    model.failed();
                }
            }
        }
        Err("No model wrote a draft just now.".to_owned())
    }

    /// Streams the script's words like a model would.
    async fn speak(&self, text: &str, words: &Words, attempt: u64) {
        if text.is_empty() || self.script_pace.is_zero() {
            return;
        }
        let (sender, pieces) = mpsc::channel(16);
        let speaking = async {
            for piece in text.split_inclusive(' ') {
                if sender.send(piece.to_owned()).await.is_err() {
                    return;
                }
                tokio::time::sleep(self.script_pace).await;
            }
            drop(sender);
        };
        let passing = words.pass_on(attempt, pieces);
        // Words that take longer are simply there when the entry comes.
        let _ = timeout(RESERVE / 2, async { tokio::join!(speaking, passing) }).await;
    }
}

/// Asks once; what comes in pieces goes to `pass_on`.
async fn one_try<F: Future>(
    model: &Model,
    asked: &Request,
    ends: Instant,
    pass_on: impl FnOnce(mpsc::Receiver<String>) -> F,
) -> Result<Completion, LlmError> {
    let (sender, pieces) = mpsc::channel(64);
    let asking = async {
        let answer = timeout_at(ends, model.llm.ask(asked, &sender)).await;
        drop(sender);
        answer.unwrap_or_else(|_| Err(LlmError::Away("it did not finish in time".to_owned())))
    };
    let (completion, _) = tokio::join!(asking, pass_on(pieces));
    completion
}

/// Words on their way that are for nobody.
async fn unheard(mut pieces: mpsc::Receiver<String>) {
    while pieces.recv().await.is_some() {}
}

fn ended(problem: &LlmError) -> &'static str {
    match problem {
        LlmError::Away(_) => "away",
        LlmError::Busy { .. } => "busy",
        LlmError::Refused(_) => "refused",
        LlmError::TooLong => "too_long",
        LlmError::Broken(_) => "broken",
    }
}

impl Model {
    fn is_resting(&self) -> bool {
        self.health().rests_until.is_some_and(|until| Instant::now() < until)
    }

    fn succeeded(&self) {
        *self.health() = Health::default();
    }

    fn failed(&self) {
        let mut health = self.health();
        health.failures += 1;
        if health.failures >= MANY_FAILURES {
            health.rests_until = Some(Instant::now() + REST);
        }
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
