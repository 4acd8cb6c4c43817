//! A decision in the making: the customer's state and what has been decided so far.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::handoff;
use crate::model::catalog::{Catalog, Catalogs, Playbook};
use crate::model::conversation::{Author, Conversation, Holder, Phase, client_id_hash};
use crate::model::customer::{MAX_CONTACTS, MAX_REFUSALS, RefusalCode, State, Timer};
use crate::model::decision::{Answer, Change, Decision, Effect, Judged, Reply, Summary, SummaryState};
use crate::model::entry::{By, Entry, Kind, Logged, Verdict};
use crate::model::ids::{ActorId, CallId, ConversationId, EntryId, Partition, Pos};
use crate::model::restraint::Class;
use crate::model::time::Ms;

/// A decision in the making.
pub struct Draft<'a> {
    /// The catalogs.
    pub catalogs: &'a Catalogs,
    /// The customer.
    pub actor: ActorId,
    /// The input's partition.
    pub partition: Partition,
    /// The input's position.
    pub pos: Pos,
    /// The time of what is being decided: the input's, or the due time of a timer.
    pub now: Ms,
    /// The time of the input: effects leave no earlier, however long ago something was due.
    pub found: Ms,
    /// The state as changed so far.
    pub state: State,
    /// What has been decided so far.
    pub out: Decision,
    minted: u32,
    touched: BTreeSet<ConversationId>,
    gone: Vec<Summary>,
}

impl<'a> Draft<'a> {
    /// Nothing decided yet.
    pub fn new(catalogs: &'a Catalogs, actor: ActorId, partition: Partition, pos: Pos, state: State) -> Draft<'a> {
        Draft {
            catalogs,
            actor,
            partition,
            pos,
            now: pos.time(),
            found: pos.time(),
            state,
            out: Decision::default(),
            minted: 0,
            touched: BTreeSet::new(),
            gone: Vec::new(),
        }
    }

    /// A new id: the input's position and a counter.
    pub fn mint(&mut self) -> ConversationId {
        let id = ConversationId { partition: self.partition, pos: self.pos, k: self.minted };
        self.minted += 1;
        id
    }

    /// Something of the state changed that has no entry.
    pub fn changed(&mut self) {
        self.out.change = Change::Put;
    }

    /// A conversation, to read.
    pub fn conversation(&self, id: ConversationId) -> Option<&Conversation> {
        self.state.conversations.get(&id)
    }

    /// A conversation, to change.
    pub fn edit(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        self.out.change = Change::Put;
        self.touched.insert(id);
        self.state.conversations.get_mut(&id)
    }

    /// The catalog and playbook that a conversation runs on.
    pub fn playbook(&self, id: ConversationId) -> Option<(Arc<Catalog>, Arc<Playbook>)> {
        let conversation = self.conversation(id)?;
        let (catalog, playbook) = self.catalogs.playbook(&conversation.catalog, &conversation.playbook)?;
        Some((Arc::clone(catalog), Arc::clone(playbook)))
    }

    /// Appends an entry to the log; answers its `seq`.
    pub fn entry(&mut self, id: ConversationId, by: By, kind: Kind) -> u32 {
        let visible = is_visible(&kind);
        self.log(id, by, kind, visible, None)
    }

    /// Appends an entry that the customer does not see, whatever its kind.
    pub fn inner_entry(&mut self, id: ConversationId, by: By, kind: Kind) -> u32 {
        self.log(id, by, kind, false, None)
    }

    /// Appends an entry made by a turn; `attempt` is the `try` whose deltas it replaces.
    pub fn turn_entry(&mut self, id: ConversationId, kind: Kind, turn: Pos, attempt: u64) -> u32 {
        let visible = is_visible(&kind);
        self.log(id, By::Assistant, kind, visible, Some((turn, attempt)))
    }

    fn log(&mut self, id: ConversationId, by: By, kind: Kind, visible: bool, turn: Option<(Pos, u64)>) -> u32 {
        let entry_id = EntryId(self.mint());
        let at = self.now;
        let holder = matches!(kind, Kind::Holder { .. });
        let Some(conversation) = self.edit(id) else { return 0 };
        conversation.n += 1;
        conversation.seq += u32::from(visible);
        if holder {
            conversation.holder_n = conversation.n;
        }
        match (&kind, by) {
            (Kind::Message { .. } | Kind::Confirmed { .. }, By::Customer) => conversation.wordless = true,
            (Kind::Message { .. } | Kind::Confirm { .. }, _) => conversation.wordless = false,
            _ => {}
        }
        let (n, seq) = (conversation.n, conversation.seq);
        let entry = Entry {
            n,
            seq,
            visible,
            id: entry_id,
            at,
            by,
            turn_id: turn.map(|(id, _)| id),
            attempt: turn.map(|(_, attempt)| attempt),
            kind,
        };
        self.out.entries.push(Logged { conversation: id, entry });
        seq
    }

    /// Sets a timer of a conversation, in place of one of the same kind.
    pub fn set_timer(&mut self, id: ConversationId, timer: Timer, at: Ms) {
        self.clear_timer(id, timer);
        self.state.timers.insert((at, id, timer));
        self.changed();
    }

    /// Takes a timer of a conversation away.
    pub fn clear_timer(&mut self, id: ConversationId, timer: Timer) {
        let before = self.state.timers.len();
        self.state.timers.retain(|(_, conversation, kind)| !(*conversation == id && *kind == timer));
        if self.state.timers.len() != before {
            self.changed();
        }
    }

    /// When a timer of a conversation is due.
    pub fn timer(&self, id: ConversationId, timer: Timer) -> Option<Ms> {
        self.state.timers.iter().find(|(_, c, kind)| *c == id && *kind == timer).map(|(at, _, _)| *at)
    }

    /// Adds an effect, in place of one of its key. Overdue timers may begin a turn and end it before their input begins
    /// one, and a turn is named by its input: the later one is wanted.
    pub fn effect(&mut self, effect: Effect) {
        let key = effect.key();
        self.out.effects.retain(|other| other.key() != key);
        self.out.cancelled.retain(|cancelled| *cancelled != key);
        self.out.effects.push(effect);
    }

    /// Answers who appended this input.
    pub fn answer(&mut self, client_id: Option<&str>, conversation: Option<ConversationId>, reply: Reply) {
        let client_id = client_id.map(str::to_owned);
        self.out.answers.push(Answer { pos: self.pos, client_id, conversation, reply });
    }

    /// Refuses this input. A frame sent again gets the same refusal: the last few are remembered.
    pub fn refuse(&mut self, client_id: Option<&str>, conversation: Option<ConversationId>, code: RefusalCode) {
        if let Some(client_id) = client_id {
            self.state.refusals.push_back((client_id_hash(Author::Customer, client_id), code));
            while self.state.refusals.len() > MAX_REFUSALS {
                self.state.refusals.pop_front();
            }
            self.changed();
        }
        self.answer(client_id, conversation, Reply::Refused(code));
    }

    /// Whether a frame with this id was decided before; then it gets the same answer again.
    pub fn answered_before(&mut self, author: Author<'_>, client_id: &str) -> bool {
        let hash = client_id_hash(author, client_id);
        let entry = self.state.conversations.iter().find_map(|(id, c)| c.client_ids.get(&hash).map(|seq| (*id, *seq)));
        if let Some((id, seq)) = entry {
            self.answer(Some(client_id), Some(id), Reply::Done { seq });
            return true;
        }
        let refusal = self.state.refusals.iter().find(|(known, _)| *known == hash).map(|(_, code)| *code);
        if let Some(code) = refusal {
            self.answer(Some(client_id), None, Reply::Refused(code));
            return true;
        }
        false
    }

    /// Remembers a frame's answer and gives it.
    pub fn done(&mut self, author: Author<'_>, client_id: &str, id: ConversationId, seq: u32) {
        if let Some(conversation) = self.edit(id) {
            conversation.client_ids.insert(client_id_hash(author, client_id), seq);
        }
        self.answer(Some(client_id), Some(id), Reply::Done { seq });
    }

    /// Says what a playbook made of the event that opened a conversation, now that it moved on.
    pub fn verdict_now(&mut self, id: ConversationId, verdict: Verdict, reason: Option<&str>) {
        let Some(conversation) = self.conversation(id) else { return };
        let Some(event) = conversation.event else { return };
        self.out.verdicts.push(Judged {
            event,
            playbook: conversation.playbook.clone(),
            verdict,
            reason: reason.map(str::to_owned),
            condition: None,
            values: serde_json::Map::new(),
            conversation: Some(id),
        });
    }

    /// The customer or the assistant or an operator did something: the silence begins anew.
    pub fn stir(&mut self, id: ConversationId) {
        let Some((_, playbook)) = self.playbook(id) else { return };
        if self.conversation(id).is_some_and(|c| matches!(c.phase, Phase::Open)) {
            self.set_timer(id, Timer::Idle, self.now.plus(playbook.talk.idle));
        }
    }

    /// The customer is spoken to: it counts in contact budgets, as long as one of them looks back.
    pub fn spoken_to(&mut self, catalog: &Catalog, class: Class, id: ConversationId) {
        let Some(longest) = catalog.contact.budgets.iter().map(|(_, limit)| limit.per).max() else { return };
        let now = self.now;
        self.state.contacts.retain(|(at, _, _)| now.since(*at) < longest);
        self.state.contacts.push_back((now, class, id));
        while self.state.contacts.len() > MAX_CONTACTS {
            self.state.contacts.pop_front();
        }
    }

    /// A conversation leaves the state; its log goes once archived.
    pub fn retire(&mut self, id: ConversationId) {
        self.state.timers.retain(|(_, conversation, _)| *conversation != id);
        if let Some(summary) = self.summary(id) {
            self.gone.push(summary);
        }
        self.state.conversations.remove(&id);
        self.touched.remove(&id);
        self.out.retired.push(id);
        self.changed();
    }

    /// Whether a write of this conversation is under way, which a message has to wait for.
    pub fn write_pending(&self, id: ConversationId) -> bool {
        use crate::model::conversation::CallPhase;
        self.conversation(id)
            .is_some_and(|c| c.calls.values().any(|call| call.write && call.phase == CallPhase::Pending))
    }

    /// The conversations that this decision is about so far.
    pub fn touched(&self) -> Vec<ConversationId> {
        self.touched.iter().copied().collect()
    }

    /// The call that the customer is being asked to confirm.
    pub fn confirming(&self, id: ConversationId) -> Option<CallId> {
        self.conversation(id)?.confirming
    }

    /// The decision, made.
    pub fn finish(mut self) -> Decision {
        let summaries: Vec<Summary> = self.touched().into_iter().filter_map(|id| self.summary(id)).collect();
        self.out.conversations = self.gone;
        self.out.conversations.extend(summaries);
        // What was begun and given up within one decision never leaves.
        let cancelled = std::mem::take(&mut self.out.cancelled);
        let (given_up, cancelled) =
            cancelled.into_iter().partition::<Vec<String>, _>(|key| self.out.effects.iter().any(|e| e.key() == *key));
        self.out.effects.retain(|effect| !given_up.contains(&effect.key()));
        self.out.cancelled = cancelled;
        self.out.crowded_out = self.state.memories.take_crowded_out();
        self.out.state = self.state;
        self.out
    }

    fn summary(&self, id: ConversationId) -> Option<Summary> {
        let conversation = self.conversation(id)?;
        let playbook = self.playbook(id).map(|(_, playbook)| playbook);
        Some(Summary {
            id,
            customer: self.actor.clone(),
            playbook: conversation.playbook.clone(),
            catalog: conversation.catalog.clone(),
            key: conversation.key.clone(),
            event: conversation.event,
            listed: conversation.seq > 0,
            state: match conversation.phase {
                Phase::Preparing(_) | Phase::Waiting => SummaryState::Waiting,
                Phase::Open => SummaryState::Open,
                Phase::Closed => SummaryState::Closed,
            },
            holder: conversation.holder.kind(),
            operator: match &conversation.holder {
                Holder::Operator(operator) => Some(operator.clone()),
                Holder::Assistant | Holder::Queue => None,
            },
            holder_n: conversation.holder_n,
            why: playbook.as_ref().map(|p| p.open.why.clone()).unwrap_or_default(),
            team: handoff::team(conversation, playbook.as_deref()),
            outcome: conversation.outcome.clone(),
            created_at: conversation.created,
            opened_at: conversation.opened_at,
            queued_at: conversation.queued_at,
            answer_by: match (&conversation.holder, conversation.queued_at, &playbook) {
                (Holder::Queue, Some(since), Some(playbook)) => Some(since.plus(playbook.handoff.within)),
                _ => None,
            },
            unattended: conversation.unattended,
            unknown_call: conversation
                .calls
                .values()
                .any(|call| call.phase == crate::model::conversation::CallPhase::Unknown),
            priority: conversation.priority,
            labels: conversation.labels.clone(),
            rating: conversation.rating,
            n: conversation.n,
            seq: conversation.seq,
            updated_at: self.now,
        })
    }
}

/// Kinds that a customer sees.
fn is_visible(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Message { .. }
            | Kind::Confirm { .. }
            | Kind::Confirmed { .. }
            | Kind::Call { .. }
            | Kind::Holder { .. }
            | Kind::Closed { .. }
    )
}
