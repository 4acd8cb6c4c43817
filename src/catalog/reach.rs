//! How far a playbook looks back, or how long it waits, against how long the record keeps what is over.

use super::Written;
use super::mistake::{File, Mistake};
use super::yaml::Node;
use crate::model::pattern::Moment;
use crate::model::time::Millis;

/// What of a playbook reaches further than is kept.
pub(super) fn beyond(playbook: &Written, keep: Millis, file: File<'_>) -> Vec<Mistake> {
    let mut found = Vec::new();
    let mut reaches = |node: Option<&Node>, key: &str, span: Millis| {
        let Some(node) = node.filter(|_| span > keep) else { return };
        let spot = node.get(key).unwrap_or(node).spot;
        let message = format!("a replay cannot see this whole: it reaches {span}, and the record keeps {keep}");
        let help = format!("set `record.keep` to {span} or more, or make this shorter");
        found.push(Mistake::at(file.path, file.text, spot, message).suggest(Some(help)));
    };
    for (item, trigger) in playbook.triggers() {
        for measure in &trigger.measures {
            let name = measure.id.rsplit('/').next().unwrap_or_default();
            reaches(item.get(name), "within", measure.window.span);
        }
        match &trigger.moment {
            Moment::Sequence(sequence) => reaches(item.get("sequence"), "within", sequence.within),
            Moment::Absence(absence) => reaches(item.get("absence"), "within", absence.within),
            Moment::Change(change) => {
                let periods = change.per.0.saturating_mul(u64::from(change.periods));
                reaches(item.get("change"), "of", Millis(change.usual.0.saturating_add(periods)));
            }
            Moment::Event(_) | Moment::Measured | Moment::Topic(_) => {}
        }
    }
    let (root, playbook) = (&playbook.root, &playbook.playbook);
    reaches(root.get("open"), "within", playbook.open.within);
    if let Some(goal) = &playbook.goal {
        reaches(root.get("goal"), "within", goal.within);
    }
    found
}
