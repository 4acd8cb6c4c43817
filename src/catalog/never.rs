//! What can never hold, or never be reached, though each of its pieces could: told by `check`, and no mistake, for a
//! workspace can be served with it.

use super::Written;
use super::logic::{Part, contradiction, implies, parts, parts_of, written as spelled};
use super::mistake::{File, Mistake};
use super::yaml::{Kind, Node};
use crate::model::catalog::Condition;
use crate::model::pattern::{Measure, Moment, Picks, Trigger, What, Whom};

/// Names of `handoff.when` that count.
const COUNTED: &[&str] = &["failures", "turns", "tokens"];

/// What of a playbook can never hold.
pub(super) fn never(playbook: &Written, file: File<'_>) -> Vec<Mistake> {
    let mut never = Never { file, found: Vec::new() };
    for (item, trigger) in playbook.triggers() {
        never.trigger(item, trigger);
    }
    let (root, compiled) = (&playbook.root, &playbook.playbook);
    let audience = compiled.restraint.audience.condition.as_ref();
    let where_node = root.get("audience").and_then(|node| node.get("where"));
    never.condition(where_node, audience, Vec::new());
    if let Some(goal) = &compiled.goal {
        let when = root.get("goal").and_then(|node| node.get("when"));
        never.condition(when, goal.when.as_ref(), of_types(&[&goal.event]));
    }
    let counted = COUNTED.iter().copied().map(Part::counted).collect();
    let when = root.get("handoff").and_then(|node| node.get("when"));
    never.condition(when, compiled.handoff.when.as_ref(), counted);
    never.with_audience(playbook, audience);
    never.script(playbook);
    never.found
}

/// What is known of events of these types.
fn of_types(types: &[&str]) -> Vec<Part> {
    vec![Part::known("event.type", types)]
}

struct Never<'f> {
    file: File<'f>,
    found: Vec<Mistake>,
}

impl Never<'_> {
    fn at(&mut self, node: Option<&Node>, message: String, help: Option<&str>) {
        if let Some(node) = node {
            let hint = Mistake::at(self.file.path, self.file.text, node.spot, message);
            self.found.push(hint.suggest(help.map(str::to_owned)));
        }
    }

    /// Asks a condition, with what is known beforehand.
    fn condition(&mut self, node: Option<&Node>, condition: Option<&Condition>, known: Vec<Part>) {
        self.parts(node, [parts(condition), known].concat());
    }

    fn parts(&mut self, node: Option<&Node>, parts: Vec<Part>) {
        let message = match contradiction(&parts).as_deref() {
            None => return,
            Some([one]) => format!("this can never hold: {one} is in it"),
            Some(several) => format!("this can never hold: {} exclude each other", several.join(" and ")),
        };
        self.at(node, message, Some("where one of them is enough, write `||`"));
    }

    fn trigger(&mut self, item: &Node, trigger: &Trigger) {
        for measure in &trigger.measures {
            self.measure(item, trigger, measure);
        }
        let at = |section: &str, key: &str| item.get(section).and_then(|node| node.get(key));
        let types = match &trigger.moment {
            Moment::Event(event) => vec![event.as_str()],
            Moment::Measured => trigger.measures.iter().map(|measure| measure.of.event.as_str()).collect(),
            // A late step completes it as well.
            Moment::Sequence(sequence) => sequence.events.iter().map(String::as_str).collect(),
            Moment::Absence(absence) => {
                self.condition(at("absence", "unless"), absence.unless.as_ref(), of_types(&[&absence.of]));
                self.picks(item.get("absence"), &absence.after);
                vec![absence.after.event.as_str()]
            }
            Moment::Change(change) => {
                self.picks(item.get("change"), &change.of);
                vec![change.of.event.as_str()]
            }
            Moment::Topic(many) => {
                let node = item.get("topic");
                self.picks(node, &many.begins);
                for (name, further) in [("updates", &many.updates), ("ends", &many.ends)] {
                    if let Some(further) = further {
                        self.picks(node.and_then(|node| node.get(name)), &further.of);
                    }
                }
                let to = node.and_then(|node| node.get("to"));
                match &many.to {
                    Whom::Where(condition) => {
                        let known = of_types(&[&many.begins.event]);
                        self.condition(to.and_then(|to| to.get("where")), Some(condition), known);
                    }
                    Whom::Followers(followers) => self.picks(to.and_then(|to| to.get("followers")), &followers.of),
                    Whom::List(_) | Whom::Call(_) => {}
                }
                vec![many.begins.event.as_str()]
            }
        };
        self.condition(item.get("when"), trigger.when.as_ref(), of_types(&types));
    }

    /// The condition of a piece that names its type.
    fn picks(&mut self, node: Option<&Node>, picks: &Picks) {
        self.condition(node.and_then(|node| node.get("when")), picks.when.as_ref(), of_types(&[&picks.event]));
    }

    fn measure(&mut self, item: &Node, trigger: &Trigger, measure: &Measure) {
        let name = measure.id.rsplit('/').next().unwrap_or_default();
        let node = item.get(name);
        self.picks(node, &measure.of);
        if let (What::Distinct(value), Some(key)) = (&measure.what, &measure.of.key)
            && measure.at_least.is_some_and(|least| least > 1.0)
            && spelled(value).is_some_and(|value| spelled(key) == Some(value))
        {
            let message = "this can never hold: of one `key` there is one `distinct` value, for they are the same";
            self.at(node.and_then(|node| node.get("at_least")), message.to_owned(), Some("leave `key` out"));
        }
        // Without a condition of its own that is a mistake.
        if let (Moment::Event(event), What::Count) = (&trigger.moment, &measure.what)
            && *event == measure.of.event
            && measure.of.when.is_some()
            && measure.at_most.is_some_and(|most| most < 1.0)
            && implies(&[parts(trigger.when.as_ref()), of_types(&[event])].concat(), &parts(measure.of.when.as_ref()))
        {
            let message = "this can never hold: the event that asks is one already, for its `when` makes this one hold";
            self.at(node.and_then(|node| node.get("at_most")), message.to_owned(), Some("1 or more is possible"));
        }
    }

    /// An event that `when` lets through and of which `audience.where` cannot hold.
    fn with_audience(&mut self, playbook: &Written, audience: Option<&Condition>) {
        // What is known of a customer may change; an event is what it is.
        let about_event =
            |parts: Vec<Part>| -> Vec<Part> { parts.into_iter().filter(|part| part.is_about("event")).collect() };
        let audience = about_event(parts(audience));
        if audience.is_empty() || contradiction(&audience).is_some() {
            return;
        }
        for (item, trigger) in playbook.triggers() {
            let Moment::Event(event) = &trigger.moment else { continue };
            let when = [about_event(parts(trigger.when.as_ref())), of_types(&[event])].concat();
            if contradiction(&when).is_none()
                && let Some(several) = contradiction(&[when, audience.clone()].concat())
            {
                let message =
                    format!("this can never open: with `audience.where`, {} exclude each other", several.join(" and "));
                self.at(item.get("when").or_else(|| item.get("event")), message, None);
            }
        }
    }

    /// Steps of a script that cannot be taken, for their own `on` or for a step before.
    fn script(&mut self, playbook: &Written) {
        let path = ["talk", "script", "steps"];
        let nodes = match path.iter().try_fold(&playbook.root, |node, key| node.get(key)).map(|node| &node.kind) {
            Some(Kind::List(nodes)) => nodes.as_slice(),
            _ => return,
        };
        let mut before: Vec<Vec<Part>> = Vec::new();
        for (node, step) in nodes.iter().zip(&playbook.playbook.talk.script.steps) {
            let parts = parts_of(&step.on);
            let taken = before.iter().position(|earlier| implies(&parts, earlier));
            if contradiction(&parts).is_some() {
                self.parts(node.get("on"), parts.clone());
            } else if let Some(earlier) = taken {
                let message =
                    format!("this step is never taken: where this holds, step {} does, and comes before", earlier + 1);
                self.at(node.get("on"), message, Some("put it before that step"));
            }
            before.push(parts);
        }
    }
}
