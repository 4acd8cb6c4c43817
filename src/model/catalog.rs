//! The catalog: all playbooks, adapters and sources of a workspace, checked and compiled. Read-only once made.
//!
//! Not here: reading files and finding mistakes (`catalog`), evaluating conditions (`trigger`, `dialogue`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::event::Trust;
use super::index::Index;
use super::input::InForce;
pub use super::pattern::Trigger;
use super::restraint::{Contact, Restraint};
use super::time::Millis;

/// The files of a workspace: path (with `/`) to content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A workspace, checked and compiled; named by the hash of its files.
#[derive(Default)]
pub struct Catalog {
    /// SHA-256 of paths and contents, in hex.
    pub hash: String,
    /// Playbooks by name.
    pub playbooks: BTreeMap<String, Arc<Playbook>>,
    /// Which playbooks hear a type of event: sorted by name, each once.
    pub listeners: BTreeMap<String, Vec<Arc<Playbook>>>,
    /// Which triggers an event may fire, without asking each.
    pub index: Index,
    /// Types of events that are some playbook's goal.
    pub goals: BTreeSet<String>,
    /// Operations by full name, such as `shop.get_order`.
    pub operations: BTreeMap<String, Arc<Operation>>,
    /// Sources by name: the workspace's own, and shipped profiles.
    pub sources: BTreeMap<String, Arc<Source>>,
    /// What holds for all playbooks.
    pub contact: Contact,
    /// Every template of the workspace: words and prompts, by name.
    pub templates: tera::Tera,
}

impl Catalog {
    /// Notes which playbooks hear which types, from the playbooks.
    pub fn listen(&mut self) {
        self.listeners.clear();
        self.goals = self.playbooks.values().filter_map(|p| p.goal.as_ref()).map(|goal| goal.event.clone()).collect();
        for playbook in self.playbooks.values() {
            for event in playbook.hears() {
                self.listeners.entry(event.to_owned()).or_default().push(Arc::clone(playbook));
            }
        }
        self.index = Index::new(&self.listeners);
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// The catalogs that deciding may need: the one in force and those that conversations were opened under.
#[derive(Debug, Clone, Default)]
pub struct Catalogs {
    /// What holds for new conversations.
    pub in_force: InForce,
    /// Compiled catalogs by hash.
    pub by_hash: BTreeMap<String, Arc<Catalog>>,
}

impl Catalogs {
    /// The catalog in force, where it could be compiled.
    pub fn current(&self) -> Option<&Arc<Catalog>> {
        self.by_hash.get(&self.in_force.hash)
    }

    /// A conversation's playbook: of its own catalog, else the one of the same name in force.
    pub fn playbook(&self, catalog: &str, name: &str) -> Option<(&Arc<Catalog>, &Arc<Playbook>)> {
        [self.by_hash.get(catalog), self.current()]
            .into_iter()
            .flatten()
            .find_map(|catalog| catalog.playbooks.get(name).map(|playbook| (catalog, playbook)))
    }

    /// Whether a playbook opens nothing for now.
    pub fn is_paused(&self, playbook: &str) -> bool {
        self.in_force.paused.iter().any(|name| name == playbook)
    }
}

/// One file: when to talk, to whom, how, and what counts as success.
#[derive(Debug)]
pub struct Playbook {
    /// Its name.
    pub name: String,
    /// The language of its own words, as a BCP 47 tag; none: not told.
    pub locale: Option<String>,
    /// What fires it; any of them.
    pub on: Vec<Trigger>,
    /// How often it may open for one customer.
    pub limit: Option<Limit>,
    /// What else holds it back.
    pub restraint: Restraint,
    /// Calls whose results are facts, by name.
    pub context: Vec<ContextCall>,
    /// How it opens.
    pub open: Open,
    /// How it talks.
    pub talk: Talk,
    /// When and how a person takes over.
    pub handoff: Handoff,
    /// What it wants to happen.
    pub goal: Option<Goal>,
    /// What the customer is told when neither a model nor the script has an answer.
    pub fallback: Template,
}

impl Playbook {
    /// The types of events that it hears.
    pub fn hears(&self) -> BTreeSet<&str> {
        self.on.iter().flat_map(Trigger::hears).collect()
    }
}

/// At most so many openings in so long.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// How many.
    pub count: usize,
    /// In how long.
    pub per: Millis,
}

/// A call whose result is a fact.
#[derive(Debug)]
pub struct ContextCall {
    /// The fact's name.
    pub name: String,
    /// The operation, in full.
    pub operation: String,
    /// Its arguments.
    pub with: BTreeMap<String, Expression>,
}

/// How a playbook opens.
#[derive(Debug)]
pub struct Open {
    /// While one with this key is waiting or open, a further match joins it; none: the playbook's name.
    pub key: Option<Expression>,
    /// How long the opening waits to be seen.
    pub within: Millis,
    /// Why the customer hears of it, in a sentence; may be empty.
    pub why: String,
    /// The first whose variables exist is said.
    pub say: Vec<Template>,
    /// What can be chosen in answer.
    pub choices: Vec<String>,
}

/// How a playbook talks.
#[derive(Debug)]
pub struct Talk {
    /// The prompt's template; none: the shared prompt alone.
    pub prompt: Option<Template>,
    /// Operations that a model may call, in full.
    pub tools: Vec<String>,
    /// Turns until a person is asked for.
    pub max_turns: u32,
    /// Tokens until a person is asked for.
    pub max_tokens: u64,
    /// Closed as abandoned after this silence.
    pub idle: Millis,
    /// The assistant without a model, and when every model is down.
    pub script: Script,
}

/// The assistant without a model.
#[derive(Debug, Default)]
pub struct Script {
    /// Patterns on the customer's words, in the order written; the first that matches is `intent`.
    pub intents: Vec<(String, regex::Regex)>,
    /// The first whose `on` holds is taken.
    pub steps: Vec<ScriptStep>,
}

/// What the script does where `on` holds.
#[derive(Debug)]
pub struct ScriptStep {
    /// What must hold.
    pub on: Expression,
    /// Calls to make first, in order: the result's name, the operation, its arguments.
    pub calls: Vec<ScriptCall>,
    /// What is said, after the calls.
    pub say: Option<Template>,
    /// What can be chosen in answer.
    pub choices: ScriptChoices,
    /// Said instead where a call failed.
    pub failed: Option<Template>,
    /// Said instead where the customer declined a call.
    pub declined: Option<Template>,
    /// Asks for a person.
    pub handoff: bool,
    /// Closes the conversation.
    pub close: bool,
}

/// A call of the script.
#[derive(Debug)]
pub struct ScriptCall {
    /// The name of the result.
    pub bind: String,
    /// The operation, in full.
    pub tool: String,
    /// Its arguments.
    pub with: BTreeMap<String, Expression>,
}

/// What the script offers to choose.
#[derive(Debug, Default)]
#[expect(clippy::large_enum_variant, reason = "there are few steps, each compiled once")]
pub enum ScriptChoices {
    /// Nothing.
    #[default]
    None,
    /// These.
    Fixed(Vec<String>),
    /// One for each item of a list; `item` in label and value.
    Each {
        /// The list.
        each: Expression,
        /// What the customer reads.
        label: Template,
        /// What `choose` sends back.
        value: Expression,
    },
}

/// When and how a person takes over.
#[derive(Debug)]
pub struct Handoff {
    /// Asked after each input while the assistant holds; none: only when asked for.
    pub when: Option<Condition>,
    /// Who should come; none: anybody.
    pub team: Option<String>,
    /// How long the queue waits for a person.
    pub within: Millis,
    /// What the customer is told when nobody came.
    pub away: Template,
}

/// What a playbook wants to happen.
#[derive(Debug)]
pub struct Goal {
    /// The type of the event.
    pub event: String,
    /// What must hold; `event` and `trigger`.
    pub when: Option<Condition>,
    /// How long after the trigger it still counts.
    pub within: Millis,
    /// What it was worth.
    pub value: Option<Expression>,
    /// Which events count.
    pub trust: Trust,
    /// Paths of `trigger` that `when` and `value` name, without `trigger`: what state keeps.
    pub trigger_paths: Vec<Vec<String>>,
}

/// A CEL condition: parts joined by `&&`, asked in order, so that the first that fails can be named.
#[derive(Debug)]
pub struct Condition {
    /// As written.
    pub source: String,
    /// The parts, in order; at least one.
    pub parts: Vec<Expression>,
}

/// A compiled CEL expression.
pub struct Expression {
    /// As written.
    pub source: String,
    /// Compiled.
    pub program: cel::Program,
    /// Names of variables that it reads (`event`, `order`), sorted.
    pub names: Vec<String>,
    /// Paths that it reads, such as `event.data.attempt`: what explanations show.
    pub paths: Vec<Vec<String>>,
    /// How deep `exists`, `map` and their like stand in one another: bounds the lists that it may go through.
    pub loops: usize,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

/// A template of the catalog's `templates`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its name there.
    pub name: String,
    /// As written.
    pub source: String,
    /// How deep its loops stand in one another, those of what it includes counted.
    pub loops: usize,
}

/// A sentence that Beckon says by itself, without anything to fill in.
#[derive(Debug, Clone, Copy)]
pub struct Sentence {
    /// Its name among the templates.
    pub name: &'static str,
    /// What is said.
    pub text: &'static str,
}

impl Sentence {
    /// The sentence as words of a playbook.
    pub fn template(self) -> Template {
        Template { name: self.name.to_owned(), source: self.text.to_owned(), loops: 0 }
    }
}

/// Said where the playbook has no `fallback`, or its words cannot be filled.
pub const FALLBACK: Sentence =
    Sentence { name: "beckon#fallback", text: "I cannot answer right now. I am asking a colleague to join us." };

/// Said where the playbook has no `handoff.away`, or its words cannot be filled.
pub const AWAY: Sentence =
    Sentence { name: "beckon#away", text: "None of my colleagues is free at the moment. I stay with you." };

/// One operation of a company's API, which the model sees as a tool.
#[derive(Debug)]
pub struct Operation {
    /// The adapter, which has its address in the configuration.
    pub adapter: String,
    /// In full, such as `shop.get_order`.
    pub name: String,
    /// What it is for, for the model.
    pub describe: String,
    /// The method.
    pub method: Method,
    /// The path, with `{name}` for arguments and `{customer.id}` for the bound customer.
    pub path: String,
    /// The JSON body with `{name}` in its strings; none: no body.
    pub json: Option<Value>,
    /// JSON Schema of the arguments, for the model.
    pub args: Value,
    /// The same, compiled.
    pub schema: jsonschema::Validator,
    /// Fields that are kept of the answer; empty: none.
    pub returns: Vec<String>,
    /// Whether it changes something in the world.
    pub writes: bool,
    /// Whether the customer is asked before.
    pub ask: bool,
    /// Whether it is the same for every customer; else it binds `{customer.id}`.
    pub public: bool,
    /// Whether `{customer.id}` is in it.
    pub bound: bool,
    /// Arguments that say what the write is about; empty: every call of it.
    pub once: Vec<String>,
    /// The header that carries the idempotency key, where the other side honours one.
    pub idempotency_header: Option<String>,
    /// What the customer is asked before a write; `args` in it.
    pub confirm: Option<Template>,
    /// How long one try may take.
    pub timeout: Millis,
}

/// HTTP methods that adapters may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// Where events come from: whom they concern and what they are called here.
#[derive(Debug)]
pub struct Source {
    /// Its name; `/hooks/{name}` for webhooks.
    pub name: String,
    /// How a webhook is verified; none: only by API key.
    pub verify: Option<Verify>,
    /// The events in a body; none: the body is one.
    pub each: Option<Expression>,
    /// The event's id.
    pub id: Option<Expression>,
    /// The event's type.
    pub kind: Option<Expression>,
    /// The event's time.
    pub time: Option<Expression>,
    /// Whom it concerns: `user:<id>`, `anon:<id>` or null.
    pub customer: Option<Expression>,
    /// The event's data.
    pub data: Option<Expression>,
    /// What is known of its clock.
    pub clock: SourceClock,
}

/// What is known of a source's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceClock {
    /// So much is it ahead.
    pub ahead: Millis,
    /// So much is it behind.
    pub behind: Millis,
    /// How late its events may be; none: the default.
    pub lateness: Option<Millis>,
}

/// How a webhook is verified.
#[derive(Debug, Clone)]
pub struct Verify {
    /// The scheme.
    pub scheme: Scheme,
    /// Names of secrets (`env:NAME`, `file:PATH`), any of which may have signed.
    pub secrets: Vec<String>,
    /// How old a signed timestamp may be.
    pub tolerance: Millis,
}

/// Signature schemes of webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Standard Webhooks: `webhook-*` or `svix-*` headers.
    StandardWebhooks,
    /// `Stripe-Signature`.
    Stripe,
    /// `X-Hub-Signature-256`.
    Github,
    /// `Authorization: Bearer`.
    Bearer,
    /// `x-signature`: hex HMAC-SHA1 of the body, as Segment's webhook destination sends.
    Segment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Catalog>();
    }
}
