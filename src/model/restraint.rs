//! What holds a playbook back: audience, consent, class, cooldown, quiet hours, bursts, what is open already, priority.

use jiff::civil::Time;

use super::catalog::{Condition, Limit};
use super::time::Millis;
use serde::{Deserialize, Serialize};

/// What holds a playbook back.
#[derive(Debug, Default)]
pub struct Restraint {
    /// Who is meant.
    pub audience: Audience,
    /// What the customer may have refused.
    pub consent: Option<Consent>,
    /// Which share of the contact budget it uses.
    pub class: Class,
    /// After which choice it is silent, and how long.
    pub cooldown: Option<Cooldown>,
    /// When it is silent.
    pub quiet: Option<QuietHours>,
    /// How a burst becomes one.
    pub debounce: Option<Debounce>,
    /// What it does where a conversation is there; none: others do not matter to it.
    pub when_open: Option<WhenOpen>,
    /// When the assistant is told of an event that joins a conversation.
    pub joining: Joining,
    /// Whom it gives way to where several would speak; none: to nobody.
    pub priority: Option<i64>,
}

/// Who is meant.
#[derive(Debug)]
pub struct Audience {
    /// What must hold of the customer.
    pub condition: Option<Condition>,
    /// How many of 10,000 customers are in.
    pub rollout: u16,
    /// How many of 10,000 customers of those are left out to compare with.
    pub holdout: u16,
    /// Whether it only says what it would have done.
    pub shadow: bool,
}

impl Default for Audience {
    fn default() -> Self {
        Audience { condition: None, rollout: 10_000, holdout: 0, shadow: false }
    }
}

/// What a customer may have refused, by the trait `consent`.
#[derive(Debug)]
pub struct Consent {
    /// The topic.
    pub topic: String,
    /// Whether the customer must have agreed; else only not refused.
    pub required: bool,
}

/// Which share of the contact budget a playbook uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Something of the customer's own goes wrong.
    #[default]
    Service,
    /// Something that the company wants.
    Offer,
    /// What must be told: no budget holds it back.
    Critical,
}

impl Class {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Class::Service => "service",
            Class::Offer => "offer",
            Class::Critical => "critical",
        }
    }
}

/// Silence after a choice such as "Not now".
#[derive(Debug)]
pub struct Cooldown {
    /// The choices.
    pub after: Vec<String>,
    /// How long.
    pub length: Millis,
}

/// When a playbook is silent, by the customer's clock.
#[derive(Debug, Clone, Copy)]
pub struct QuietHours {
    /// From then.
    pub from: Time,
    /// Until then, on the next day where it is not after `from`.
    pub to: Time,
    /// Whether what would have opened waits; else it is dropped.
    pub hold: bool,
}

/// How a burst of matches becomes one.
#[derive(Debug, Clone, Copy)]
pub struct Debounce {
    /// It ends when so long none came.
    pub quiet: Millis,
    /// It ends this long after the first at the latest.
    pub at_most: Millis,
}

/// What a playbook does where a conversation of the customer is waiting or open already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenOpen {
    /// The event joins it.
    Join,
    /// Another one is opened; under the same key the event joins.
    New,
    /// The playbook's own ends, and a new one is opened.
    Replace,
    /// Nothing happens.
    Drop,
}

/// When the assistant is told of an event that joins a conversation. It is in the log at once, whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Joining {
    /// At once, where it holds an open conversation: it may say something, or close.
    Now,
    /// When it next has a reason to speak.
    #[default]
    NextTurn,
    /// Never: operators and the record see it.
    Silently,
}

/// What holds for all playbooks: how often a customer is spoken to, and where the clock stands.
#[derive(Debug, Default)]
pub struct Contact {
    /// How many openings in how long: of a class, or of all that are not critical.
    pub budgets: Vec<(Option<Class>, Limit)>,
    /// The zone of customers who have none, by its IANA name.
    pub zone: Option<String>,
}
