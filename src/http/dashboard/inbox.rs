//! The inbox: who needs a person, and all other conversations.

use axum::extract::{Query, State};
use axum::response::Html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Dashboard;
use super::access::SignedIn;
use super::pages::PageError;
use super::{spine, triage, words};
use crate::ingest::fields::name;
use crate::model::decision::{Summary, SummaryState};
use crate::model::entry::HolderKind;
use crate::model::ids::ConversationId;
use crate::model::satisfaction::Satisfaction;
use crate::model::time::Ms;
use crate::model::triage::{Label, Priority};
use crate::record::{ConversationFilter, Listed, Role, View};

/// Rows of a list.
const ROWS: u32 = 50;

/// Which list, as it stands in the address.
#[derive(Debug, Clone, Deserialize, Default)]
pub(super) struct Which {
    view: Option<String>,
    q: Option<String>,
    label: Option<String>,
    team: Option<String>,
    priority: Option<String>,
    rated: Option<String>,
    cursor: Option<String>,
}

impl Which {
    /// The list of a query that [`Which::query`] gave, as forms and saved filters keep it.
    pub(super) fn kept(query: &str) -> Which {
        let mut which = Which::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let field = match &*name {
                "view" => &mut which.view,
                "q" => &mut which.q,
                "label" => &mut which.label,
                "team" => &mut which.team,
                "priority" => &mut which.priority,
                "rated" => &mut which.rated,
                _ => continue,
            };
            *field = Some(value.into_owned());
        }
        which
    }

    /// The view's name; the first where it is none of ours.
    pub(super) fn name(&self) -> &'static str {
        let asked = self.view.as_deref().unwrap_or_default();
        VIEWS.iter().map(|(name, _)| *name).find(|name| *name == asked).unwrap_or("needs")
    }

    /// The label that is looked for; none where it is none.
    fn label(&self) -> Option<Label> {
        self.label.as_deref().and_then(|text| text.parse().ok())
    }

    /// The team that is looked for; none where it is none.
    fn team(&self) -> Option<&str> {
        self.team.as_deref().filter(|team| name("team", team).is_ok())
    }

    fn priority(&self) -> Option<Priority> {
        self.priority.as_deref().and_then(|text| text.parse().ok())
    }

    fn rated(&self) -> Option<Satisfaction> {
        self.rated.as_deref().and_then(Satisfaction::named)
    }

    /// Whether it is less than a whole view.
    fn is_narrow(&self) -> bool {
        !self.narrowed().is_empty() || !self.search().is_empty()
    }

    /// What is looked for, for people.
    pub(super) fn in_words(&self) -> String {
        let view = VIEWS.iter().find(|(name, _)| *name == self.name()).map_or("", |(_, label)| label);
        let mut parts = vec![view.to_owned()];
        parts.extend(self.label().map(|label| format!("label {label}")));
        parts.extend(self.team().map(|team| format!("team {}", words::plain(team))));
        parts.extend(self.priority().map(|priority| format!("priority {}", priority.name())));
        parts.extend(self.rated().map(|rated| rated_words(rated).to_owned()));
        parts.extend(Some(self.search()).filter(|words| !words.is_empty()).map(|words| format!("words {words}")));
        parts.join(", ")
    }

    pub(super) fn search(&self) -> String {
        self.q.as_deref().unwrap_or_default().trim().chars().take(200).collect()
    }

    /// The same as part of an address.
    pub(super) fn query(&self) -> String {
        let search = Some(self.search()).filter(|search| !search.is_empty());
        let q = search.map(|search| format!("&q={}", encoded(&search))).unwrap_or_default();
        format!("view={}{q}{}", self.name(), self.narrowed())
    }

    /// Label, team, priority and rating as the rest of an address.
    fn narrowed(&self) -> String {
        let label = self.label().map(|label| format!("&label={}", encoded(label.as_str()))).unwrap_or_default();
        let team = self.team().map(|team| format!("&team={}", encoded(team))).unwrap_or_default();
        let priority = self.priority().map(|priority| format!("&priority={}", priority.name())).unwrap_or_default();
        let rated = self.rated().map(|rated| format!("&rated={}", rated.name())).unwrap_or_default();
        format!("{label}{team}{priority}{rated}")
    }

    pub(super) fn filter(&self, operator: &SignedIn, now: Ms) -> ConversationFilter {
        let view = match self.name() {
            "assistant" => View::Assistant,
            "waiting" => View::Waiting,
            "snoozed" => View::Snoozed { now },
            "closed" => View::Closed,
            "all" => View::All,
            _ => View::NeedsPerson { operator: operator.account.id.clone(), now },
        };
        ConversationFilter {
            view,
            search: Some(self.search()),
            label: self.label(),
            team: self.team().map(str::to_owned),
            priority: self.priority(),
            rated: self.rated(),
            ..ConversationFilter::default()
        }
    }
}

const VIEWS: [(&str, &str); 6] = [
    ("needs", "Needs me"),
    ("assistant", "Assistant"),
    ("waiting", "Waiting"),
    ("snoozed", "Snoozed"),
    ("closed", "Closed"),
    ("all", "All"),
];

/// The list alone.
pub(super) async fn page(
    State(dashboard): State<Dashboard>,
    operator: SignedIn,
    Query(which): Query<Which>,
) -> Result<Html<String>, PageError> {
    let list = dashboard.whole_list(&operator, &which, None).await?;
    let live = format!("/operator/live?{}", which.query());
    dashboard.page(&operator, "inbox.html", "inbox", json!({ "list": list, "live": live })).await
}

impl Dashboard {
    /// What the list of a page shows, with all that can be looked for.
    pub(super) async fn whole_list(
        &self,
        operator: &SignedIn,
        which: &Which,
        current: Option<ConversationId>,
    ) -> Result<Value, PageError> {
        let mut list = self.list(operator, which, current).await?;
        let mut labels = self.record.labels_in_use().await?;
        // One that nothing has any more can still be in the address.
        labels.extend(which.label().map(|label| label.to_string()).filter(|label| !labels.contains(label)));
        let mut teams = self.record.teams().await?;
        teams.extend(which.team().map(str::to_owned).filter(|team| !teams.contains(team)));
        if let Some(list) = list.as_object_mut() {
            list.insert("labels".to_owned(), json!(labels));
            list.insert("teams".to_owned(), json!(teams));
            list.insert("my_team".to_owned(), json!(operator.account.team));
            list.insert("priorities".to_owned(), json!(Priority::ALL.map(Priority::name)));
            let ratings = Satisfaction::ALL.map(|it| json!({ "name": it.name(), "words": rated_words(it) }));
            list.insert("ratings".to_owned(), json!(ratings));
        }
        Ok(list)
    }

    /// What the list of a page shows and keeps up to date.
    pub(super) async fn list(
        &self,
        operator: &SignedIn,
        which: &Which,
        current: Option<ConversationId>,
    ) -> Result<Value, PageError> {
        let now = self.clock.now();
        let filter = which.filter(operator, now);
        // A link that somebody kept or mistyped shows the first page.
        let after = which.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
        let page = self.record.conversations(&filter, after.as_ref(), ROWS).await?;
        let me = &operator.account.id;
        // The search is left out: its words would be looked for six times more.
        let narrow = ConversationFilter { search: None, ..filter.clone() };
        let counts = self.record.counts_within(&narrow, me, now).await?;
        let counted =
            [counts.needs_person, counts.assistant, counts.waiting, counts.snoozed, counts.closed, counts.all];
        let tabs: Vec<Value> = VIEWS
            .iter()
            .zip(counted)
            .map(|((name, label), number)| {
                json!({
                    "query": format!("view={name}{}", which.narrowed()), "label": label, "count": count(number),
                    "current": *name == which.name(),
                })
            })
            .collect();
        let rows: Vec<Value> = page.items.iter().map(|row| self.row(row, operator, which, current, now)).collect();
        let more =
            page.cursor.map(|cursor| format!("/operator/?{}&cursor={}", which.query(), encoded(&cursor.to_string())));
        // Every page's count of those that need a person is the whole one.
        let needs = if which.narrowed().is_empty() { count(counts.needs_person) } else { self.needs(operator).await? };
        Ok(json!({
            "needs": needs, "tabs": tabs, "rows": rows, "more": more.unwrap_or_default(),
            "view": which.name(), "q": which.search(), "query": which.query(), "narrow": which.is_narrow(),
            "label": which.label(), "team": which.team(), "priority": which.priority(), "rated": which.rated(), "csrf": operator.csrf,
            "filters": self.filters(operator, which, now).await?, "may_share": operator.account.role == Role::Admin,
            "empty": match (which.search().is_empty(), which.narrowed().is_empty()) {
                (true, true) => empty(which.name()),
                (true, false) => "Nothing here has all that is looked for.",
                (false, _) => "Nothing has these words.",
            },
        }))
    }

    /// How many need a person, as every page shows it.
    pub(super) async fn needs(&self, operator: &SignedIn) -> Result<String, PageError> {
        let view = View::NeedsPerson { operator: operator.account.id.clone(), now: self.clock.now() };
        Ok(count(self.record.count(&ConversationFilter { view, ..ConversationFilter::default() }).await?))
    }

    fn row(
        &self,
        listed: &Listed,
        operator: &SignedIn,
        which: &Which,
        current: Option<ConversationId>,
        now: Ms,
    ) -> Value {
        let summary = &listed.summary;
        let (glyph, mark, why) = match &listed.mentioned_by {
            Some(by) => ("\u{270e}", "op", format!("{} names you in a note", words::plain(by))),
            None => why(summary, operator, now),
        };
        let since = listed.needs_since.unwrap_or(summary.updated_at);
        let last = listed.last.as_ref().map(|last| last.text.clone());
        json!({
            "href": format!("/operator/conversations/{}?{}", summary.id, which.query()),
            "id": summary.id.to_string(),
            "current": current == Some(summary.id),
            "name": words::customer(&summary.customer, listed.name.as_deref()),
            "wait": words::ago(since, now),
            "urgent": listed.needs_since.is_some(),
            "last": last.unwrap_or_else(|| summary.why.clone()),
            "rating": summary.rating.map(|score| json!({ "score": score, "name": Satisfaction::of(score).name() })),
            "tags": triage::shown(summary.priority, &summary.labels, 3),
            "glyph": glyph, "mark": mark, "why": why,
            "playbook": words::plain(&summary.playbook),
        })
    }
}

/// Why a row is where it is: a shape, its colour, words.
fn why(summary: &Summary, operator: &SignedIn, now: Ms) -> (&'static str, &'static str, String) {
    let holder = summary.operator.as_ref();
    let team = summary.team.as_deref().map(|team| format!(" \u{b7} {}", words::plain(team))).unwrap_or_default();
    if summary.unknown_call {
        return ("\u{25b2}", "bad", "nobody knows whether a call was done".to_owned());
    }
    match (summary.state, summary.holder) {
        (SummaryState::Closed, _) => {
            let outcome = summary.outcome.as_ref().map_or("closed", |outcome| spine::outcome_words(outcome.kind));
            ("\u{2500}", "sys", outcome.to_owned())
        }
        (_, HolderKind::Operator) if holder.is_some_and(|holder| holder.id == operator.account.id) => {
            ("\u{25a0}", "op", "you answer".to_owned())
        }
        (_, HolderKind::Operator) => {
            let name = holder.map_or("an operator", |holder| holder.name.as_str());
            ("\u{25a0}", "op", format!("{} answers", words::plain(name)))
        }
        (_, HolderKind::Queue) => {
            let left = summary.answer_by.map(|by| format!(" \u{b7} {}", words::left(by, now))).unwrap_or_default();
            ("\u{25a0}", "op", format!("waits for a person{left}{team}"))
        }
        (_, HolderKind::Assistant) if summary.unattended => {
            ("\u{25b2}", "bad", format!("a person was asked for, nobody came{team}"))
        }
        (SummaryState::Waiting, _) => ("\u{25c6}", "ev", "not seen yet".to_owned()),
        (SummaryState::Open, _) => ("\u{25cf}", "ai", "the assistant answers".to_owned()),
    }
}

/// What customers said of a conversation, for people.
fn rated_words(satisfaction: Satisfaction) -> &'static str {
    match satisfaction {
        Satisfaction::Unhappy => "rated 1 or 2",
        Satisfaction::Neutral => "rated 3",
        Satisfaction::Happy => "rated 4 or 5",
    }
}

fn empty(view: &str) -> &'static str {
    match view {
        "needs" => "Nobody needs you now.",
        "assistant" => "The assistant talks with nobody now.",
        "waiting" => "No opening waits to be seen.",
        "snoozed" => "Nothing is put off.",
        "closed" => "No conversation has ended yet.",
        _ => "No conversation yet. Send an event that a playbook hears: beckon send",
    }
}

/// A text as a part of an address.
fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

/// A number in a tab; more than can be counted cheaply is said so.
pub(super) fn count(number: Option<u32>) -> String {
    number.map_or_else(|| "999+".to_owned(), |number| number.to_string())
}
