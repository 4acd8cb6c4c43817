//! How an event comes to a topic: the playbook's own events are put into the outbox; a customer's make the customer follow.

use serde_json::json;

use super::super::sense::{No, Sensing, ask, key};
use super::unmatched;
use crate::model::catalog::Playbook;
use crate::model::entry::Verdict;
use crate::model::event::{Event, Trust};
use crate::model::ids::ActorId;
use crate::model::pattern::{Followers, Moment, Picks, ToMany, Trigger, Whom};
use crate::model::time::Ms;
use crate::model::topic::{Follow, Heard, Stage};

/// Whether the playbook has a topic that hears this type.
pub fn hears(playbook: &Playbook, kind: &str) -> bool {
    let topics = playbook.on.iter().filter(|trigger| matches!(trigger.moment, Moment::Topic(_)));
    topics.into_iter().any(|trigger| trigger.hears().contains(kind))
}

/// Whose events count: a browser may say that its customer follows, where the playbook takes it.
pub fn trust_of(trigger: &Trigger, event: &Event) -> Trust {
    match &trigger.moment {
        Moment::Topic(many) => match followers(many) {
            Some(followers) if is_following(followers, &event.kind) => followers.trust,
            _ => Trust::Server,
        },
        _ => trigger.trust,
    }
}

/// What a playbook says of an event that its topic is given.
pub fn forwarded_to(topic: &ActorId) -> No {
    No::with(Verdict::Forwarded, "it concerns many: it is on its way to its topic", json!({ "topic": topic }))
}

fn followers(many: &ToMany) -> Option<&Followers> {
    match &many.to {
        Whom::Followers(followers) => Some(followers),
        Whom::List(_) | Whom::Where(_) | Whom::Call(_) => None,
    }
}

fn is_following(followers: &Followers, kind: &str) -> bool {
    followers.of.event == kind || followers.until.as_ref().is_some_and(|until| until.event == kind)
}

impl Sensing<'_> {
    /// What the event is to a topic. Of several things the first whose condition holds.
    pub(in crate::trigger) fn topic(&mut self, trigger: &Trigger, many: &ToMany, at: Ms) -> No {
        let mut first: Option<No> = None;
        let stages = [
            (Some(&many.begins), Stage::Begun),
            (many.updates.as_ref().map(|updates| &updates.of), Stage::Updated),
            (many.ends.as_ref().map(|ends| &ends.of), Stage::Ended),
        ];
        let stages = stages.into_iter().filter_map(|(picks, stage)| Some((picks?, stage)));
        for (picks, stage) in stages.filter(|(picks, _)| picks.event == self.event.kind) {
            match self.about(picks, trigger.when.as_ref().filter(|_| stage == Stage::Begun)) {
                Ok((topic, key)) => return self.forward(topic, key, stage, at),
                Err(no) => drop(first.get_or_insert(no)),
            }
        }
        if let Some(followers) = followers(many).filter(|followers| is_following(followers, &self.event.kind)) {
            match self.follow(followers) {
                Ok(no) => return no,
                Err(no) => drop(first.get_or_insert(no)),
            }
        }
        first.unwrap_or_else(|| unmatched("its topic does not hear this type"))
    }

    /// The topic that the event is about, where it is one of these.
    fn about(&self, picks: &Picks, when: Option<&crate::model::catalog::Condition>) -> Result<(ActorId, String), No> {
        ask(self.scope, picks.when.as_ref())?;
        ask(self.scope, when)?;
        let key = key(self.scope, picks.key.as_ref())?;
        match ActorId::topic(&self.playbook.name, &key) {
            Ok(topic) => Ok((topic, key)),
            Err(problem) => Err(unmatched(&problem.to_string())),
        }
    }

    fn forward(&mut self, topic: ActorId, key: String, stage: Stage, at: Ms) -> No {
        let no = forwarded_to(&topic);
        let (id, playbook) = (self.id, self.playbook.name.clone());
        let event = Box::new(Event { customer: None, ..self.event.clone() });
        self.findings.forwards.push((topic, Heard { id, at, playbook, key, stage, event }));
        no
    }

    fn follow(&mut self, followers: &Followers) -> Result<No, No> {
        if self.event.customer.is_none() {
            return Err(unmatched("no customer"));
        }
        let mut ended = None;
        if let Some(until) = followers.until.as_ref().filter(|until| until.event == self.event.kind) {
            match self.about(until, None) {
                Ok((topic, key)) => {
                    self.findings.follows.push(Follow { topic, until: None });
                    return Ok(unmatched(&format!("the customer no longer follows {key}")));
                }
                Err(no) => ended = Some(no),
            }
        }
        if followers.of.event != self.event.kind {
            return Err(ended.unwrap_or_else(|| unmatched("its topic does not hear this type")));
        }
        let (topic, key) = self.about(&followers.of, None)?;
        let until = self.now.plus(followers.lasts);
        self.findings.follows.push(Follow { topic, until: Some(until) });
        let reason = format!("the customer follows {key} from now on");
        Ok(No::with(Verdict::NotMatched, reason, json!({ "until": until.to_string() })))
    }
}
