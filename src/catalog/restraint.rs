//! Reads what holds playbooks back: of one playbook, and `contact.yaml` for all of them.

use jiff::civil::Time;

use super::expression::{Scope, condition};
use super::playbook::{LIMIT, LOOKED_AT, Reader, limit};
use super::read::{MAX_SPAN, Reading, Table};
use super::shape::names;
use super::yaml::Node;
use crate::model::restraint::{
    Audience, Class, Consent, Contact, Cooldown, Debounce, Joining, QuietHours, Restraint, WhenOpen,
};
use crate::model::time::Millis;

/// The file for all playbooks.
pub const CONTACT_FILE: &str = "contact.yaml";

/// Keys of `contact.yaml`.
pub const CONTACT: &[&str] = &["budget", "zone"];
/// Keys of `budget`.
pub const BUDGET: &[&str] = &["all", "service", "offer"];
/// Keys of `audience`.
pub const AUDIENCE: &[&str] = &["where", "rollout", "holdout"];
/// Keys of `consent`.
pub const CONSENT: &[&str] = &["topic", "required"];
/// Keys of `cooldown`.
pub const COOLDOWN: &[&str] = &["after", "for"];
/// Keys of `quiet_hours`.
pub const QUIET: &[&str] = &["from", "to", "then"];
/// Keys of `debounce`.
pub const DEBOUNCE: &[&str] = &["for", "at_most"];
/// Words of `class`.
pub const CLASS: [(&str, Class); 3] =
    [("service", Class::Service), ("offer", Class::Offer), ("critical", Class::Critical)];
/// Words of `quiet_hours.then`.
pub const THEN_QUIET: [(&str, bool); 2] = [("hold", true), ("drop", false)];
/// Words of `when_open`.
pub const WHEN_OPEN: [(&str, WhenOpen); 4] =
    [("join", WhenOpen::Join), ("new", WhenOpen::New), ("replace", WhenOpen::Replace), ("drop", WhenOpen::Drop)];
/// Words of `joining`.
pub const JOINING: [(&str, Joining); 3] =
    [("now", Joining::Now), ("next_turn", Joining::NextTurn), ("silently", Joining::Silently)];

impl Reader<'_, '_, '_, '_> {
    /// What holds the playbook back.
    pub(super) fn restraint(&mut self, table: &Table<'_>) -> Restraint {
        let audience = table.get("audience").and_then(|node| self.audience(node)).unwrap_or_default();
        let consent = table.get("consent").and_then(|node| self.consent(node));
        let class = table.get("class").and_then(|node| self.reading.choice(node, &CLASS)).unwrap_or_default();
        self.because(table, class);
        let cooldown = table.get("cooldown").and_then(|node| self.cooldown(node));
        let quiet = table.get("quiet_hours").and_then(|node| self.quiet_hours(node));
        let debounce = table.get("debounce").and_then(|node| self.debounce(node));
        let when_open = table.get("when_open").and_then(|node| self.reading.choice(node, &WHEN_OPEN));
        let joining = table.get("joining").and_then(|node| self.reading.choice(node, &JOINING)).unwrap_or_default();
        let priority = table.get("priority").and_then(|node| self.reading.number(node, 0, 1_000));
        let priority = priority.and_then(|priority| i64::try_from(priority).ok());
        Restraint { audience, consent, class, cooldown, quiet, debounce, when_open, joining, priority }
    }

    fn audience(&mut self, node: &Node) -> Option<Audience> {
        let table = self.reading.table(node, AUDIENCE)?;
        let condition =
            table.get("where").and_then(|node| condition(&mut self.reading, node, Scope::Only(&names(LOOKED_AT))));
        let rollout = table.get("rollout");
        let shadow = rollout.and_then(Node::scalar).is_some_and(|scalar| scalar.text == "shadow");
        let share = match rollout {
            Some(node) if !shadow => self.percent(node, 100.0).unwrap_or(100.0),
            _ => 100.0,
        };
        let holdout = table.get("holdout").and_then(|node| self.percent(node, 50.0)).unwrap_or(0.0);
        if let (Some(node), true) = (rollout, share == 0.0) {
            self.reading.at_with(
                node.spot,
                "this can never hold: nobody is in",
                Some("`shadow` only watches".to_owned()),
            );
        }
        Some(Audience { condition, rollout: of_ten_thousand(share), holdout: of_ten_thousand(holdout), shadow })
    }

    fn consent(&mut self, node: &Node) -> Option<Consent> {
        let table = self.reading.table(node, CONSENT)?;
        let topic = self.reading.required(&table, "topic", node.spot).and_then(|node| self.reading.name(node));
        let required = table.get("required").and_then(|node| self.reading.flag(node)).unwrap_or_default();
        Some(Consent { topic: topic?, required })
    }

    /// No budget holds back what is critical, so it says why it is.
    fn because(&mut self, table: &Table<'_>, class: Class) {
        let because = table.get("because").and_then(|node| self.reading.name(node));
        match (class, because) {
            (Class::Critical, None) => {
                if let Some(spot) = table.key_spot("class") {
                    let help = "add `because:` with the reason, for those who review it".to_owned();
                    self.reading.at_with(spot, "`critical` is exempt from the contact budget and says why", Some(help));
                }
            }
            (Class::Service | Class::Offer, Some(_)) => {
                if let Some(spot) = table.key_spot("because") {
                    self.reading.at(spot, "`because` is the reason of `class: critical`");
                }
            }
            _ => {}
        }
    }

    fn cooldown(&mut self, node: &Node) -> Option<Cooldown> {
        let table = self.reading.table(node, COOLDOWN)?;
        let after = self.reading.required(&table, "after", node.spot)?;
        let after = match after.scalar() {
            Some(_) => self.reading.name(after).into_iter().collect(),
            None => self.reading.items(after, 1, 20).iter().filter_map(|item| self.reading.name(item)).collect(),
        };
        let length = self.reading.required(&table, "for", node.spot);
        let length = length.and_then(|node| self.reading.span(node, Millis::seconds(1), MAX_SPAN));
        Some(Cooldown { after, length: length? })
    }

    fn quiet_hours(&mut self, node: &Node) -> Option<QuietHours> {
        let table = self.reading.table(node, QUIET)?;
        let from = self.reading.required(&table, "from", node.spot).and_then(|node| self.time(node));
        let to = self.reading.required(&table, "to", node.spot).and_then(|node| self.time(node));
        let hold = table.get("then").and_then(|node| self.reading.choice(node, &THEN_QUIET)).unwrap_or(true);
        let (from, to) = (from?, to?);
        if from == to {
            self.reading.at(node.spot, "these are no hours: they end when they begin");
        }
        Some(QuietHours { from, to, hold })
    }

    fn time(&mut self, node: &Node) -> Option<Time> {
        let text = self.reading.text(node)?;
        let time = match text.split_once(':') {
            Some((hour, minute)) if hour.len() == 2 && minute.len() == 2 => {
                hour.parse().ok().zip(minute.parse().ok()).and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok())
            }
            _ => None,
        };
        if time.is_none() {
            let help = "in quotes, such as \"21:00\"".to_owned();
            self.reading.at_with(node.spot, "a time of the day is expected here", Some(help));
        }
        time
    }

    fn debounce(&mut self, node: &Node) -> Option<Debounce> {
        let table = self.reading.table(node, DEBOUNCE)?;
        let (least, most) = (Millis::seconds(1), Millis::hours(24));
        let quiet = self.reading.required(&table, "for", node.spot);
        let quiet = quiet.and_then(|node| self.reading.span(node, least, most))?;
        let at_most = table.get("at_most").and_then(|node| self.reading.span(node, least, most));
        let at_most = at_most.unwrap_or(Millis(quiet.0.saturating_mul(10)));
        if at_most < quiet {
            self.reading.at(node.spot, "`at_most` is shorter than `for`");
        }
        Some(Debounce { quiet, at_most })
    }
}

/// Reads `contact.yaml`.
pub fn contact(reading: &mut Reading<'_, '_>, root: &Node) -> Option<Contact> {
    let table = reading.table(root, CONTACT)?;
    let mut contact = Contact::default();
    if let Some(node) = table.get("budget") {
        let budget = reading.table(node, BUDGET)?;
        for (key, class) in [("all", None), ("service", Some(Class::Service)), ("offer", Some(Class::Offer))] {
            let Some(node) = budget.get(key) else { continue };
            let Some(text) = reading.text(node) else { continue };
            match limit(&text) {
                Some(limit) => contact.budgets.push((class, limit)),
                None if text == "none" => {}
                None => reading.at_with(node.spot, "this is no limit", Some(LIMIT.to_owned())),
            }
        }
    }
    contact.zone = table.get("zone").and_then(|node| {
        let name = reading.name(node)?;
        let known = jiff::tz::TimeZoneDatabase::bundled().get(&name).is_ok();
        if !known {
            let help = "a name of the IANA database, such as `Europe/Berlin`".to_owned();
            reading.at_with(node.spot, "there is no such time zone", Some(help));
        }
        known.then_some(name)
    });
    Some(contact)
}

/// A share as so many of 10,000. `5%` is 500.
fn of_ten_thousand(percent: f64) -> u16 {
    let whole = format!("{:.0}", percent * 100.0);
    whole.parse::<u16>().unwrap_or(10_000).min(10_000)
}
