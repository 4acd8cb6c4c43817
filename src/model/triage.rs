//! Triage: the labels and the priority that operators give a conversation. Customers and the assistant never see them.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most labels of a conversation.
pub const MAX_LABELS: usize = 10;

/// The longest label, in characters.
pub const MAX_LABEL: usize = 40;

/// How soon a conversation should be answered, the least first. `Normal` is what nobody has judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// After all others.
    Low,
    /// In its turn.
    #[default]
    Normal,
    /// Before its turn.
    High,
    /// Before all others.
    Urgent,
}

impl Priority {
    /// All, the least first.
    pub const ALL: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Urgent];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
            Priority::Urgent => "urgent",
        }
    }

    /// Its place among all, from 0.
    pub fn rank(self) -> u8 {
        match self {
            Priority::Low => 0,
            Priority::Normal => 1,
            Priority::High => 2,
            Priority::Urgent => 3,
        }
    }

    /// Whether it is what nobody has judged; such a field is not written.
    pub fn is_normal(&self) -> bool {
        *self == Priority::Normal
    }
}

impl FromStr for Priority {
    type Err = WrongPriority;

    fn from_str(text: &str) -> Result<Priority, WrongPriority> {
        Priority::ALL.into_iter().find(|priority| priority.name() == text).ok_or(WrongPriority)
    }
}

/// No priority has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a priority is `low`, `normal`, `high` or `urgent`")]
pub struct WrongPriority;

/// A word or a few that conversations are found by: lower case, single spaces, no comma.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(String);

impl Label {
    /// The label as it is shown and compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Label {
    type Err = WrongLabel;

    /// Reads what somebody typed: case and spaces do not make another label.
    fn from_str(text: &str) -> Result<Label, WrongLabel> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let label = words.join(" ").to_lowercase();
        if label.is_empty() {
            return Err(WrongLabel::Empty);
        }
        if label.chars().count() > MAX_LABEL {
            return Err(WrongLabel::Long);
        }
        // What cannot be seen would make two labels of one; a comma parts those that are typed together.
        match label.chars().find(|c| *c == ',' || c.is_control() || super::inert::is_hidden(*c)) {
            Some(',') => Err(WrongLabel::Comma),
            Some(hidden) => Err(WrongLabel::Hidden(hidden)),
            None => Ok(Label(label)),
        }
    }
}

/// Why a text is no label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongLabel {
    /// Nothing but spaces.
    #[error("a label has at least one character")]
    Empty,
    /// More than [`MAX_LABEL`] characters.
    #[error("a label has at most {MAX_LABEL} characters")]
    Long,
    /// Labels that are typed together are parted by commas.
    #[error("a label has no comma")]
    Comma,
    /// Nobody would see it.
    #[error("a label has no invisible character (U+{:04X})", u32::from(*.0))]
    Hidden(char),
}

/// What an operator changes. A label in both lists is put on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Triage {
    /// Another priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Labels to put on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub add: BTreeSet<Label>,
    /// Labels to take off.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove: BTreeSet<Label>,
}

impl Triage {
    /// What of it changes a conversation that stands so: the rest is as wanted already.
    pub fn against(&self, priority: Priority, labels: &BTreeSet<Label>) -> Triage {
        Triage {
            priority: self.priority.filter(|wanted| *wanted != priority),
            add: self.add.difference(labels).cloned().collect(),
            remove: self.remove.difference(&self.add).filter(|label| labels.contains(*label)).cloned().collect(),
        }
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.priority.is_none() && self.add.is_empty() && self.remove.is_empty()
    }

    /// Changes the labels.
    pub fn apply(&self, labels: &mut BTreeSet<Label>) {
        labels.retain(|label| !self.remove.contains(label));
        labels.extend(self.add.iter().cloned());
    }
}

impl std::fmt::Display for Triage {
    /// What was done, in words: `priority high; labels put on: refund, vip`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = |labels: &BTreeSet<Label>| labels.iter().map(Label::as_str).collect::<Vec<_>>().join(", ");
        let mut parts: Vec<String> =
            self.priority.iter().map(|priority| format!("priority {}", priority.name())).collect();
        for (labels, done) in [(&self.add, "put on"), (&self.remove, "taken off")] {
            if !labels.is_empty() {
                let noun = if labels.len() == 1 { "label" } else { "labels" };
                parts.push(format!("{noun} {done}: {}", named(labels)));
            }
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_spaces_make_no_other_label_and_what_nobody_sees_is_refused() {
        let label = |text: &str| text.parse::<Label>().map(|label| label.0);
        assert_eq!(label("  Big   Customer "), Ok("big customer".to_owned()));
        assert_eq!(label("ÄRGER/рефунд: 退款"), Ok("ärger/рефунд: 退款".to_owned()));
        assert_eq!(label(" \t"), Err(WrongLabel::Empty));
        assert_eq!(label("a,b"), Err(WrongLabel::Comma));
        assert_eq!(label("vip\u{202e}"), Err(WrongLabel::Hidden('\u{202e}')));
        assert_eq!(label("vip\0"), Err(WrongLabel::Hidden('\0')));
        assert_eq!(label(&"ü".repeat(MAX_LABEL)), Ok("ü".repeat(MAX_LABEL)));
        assert_eq!(label(&"x".repeat(MAX_LABEL + 1)), Err(WrongLabel::Long));
    }

    #[test]
    fn the_greater_priority_has_the_greater_rank() {
        assert!(Priority::ALL.is_sorted_by(|a, b| a < b && a.rank() < b.rank()));
        for priority in Priority::ALL {
            assert_eq!(priority.name().parse(), Ok(priority));
            assert_eq!(serde_json::to_value(priority).unwrap(), priority.name());
        }
    }
}
