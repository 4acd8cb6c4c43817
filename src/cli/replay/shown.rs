//! A replay for people: what it came to, and what differs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Against, Outcome};
use crate::model::decision::Judged;
use crate::model::ids::EventId;
use crate::rehearsal::tally::{OfPlaybook, Opening, Report};
use crate::rehearsal::timeline::{clock, verdict};

/// How many reasons and examples are shown of each kind.
const EXAMPLES: usize = 5;

/// The whole report.
pub fn text(outcome: &Outcome, price: Option<f64>) -> String {
    let report = &outcome.report;
    let mut text = String::new();
    let _ = writeln!(text, "from {} until {}, catalog {}", day(outcome.from), day(outcome.to), short(&outcome.catalog));
    let _ = writeln!(text, "{} events, {} inputs, {} customers", report.events, report.inputs, report.customers);
    if report.set_aside > 0 {
        let _ = writeln!(text, "{} inputs were left out: what they were about is not there", report.set_aside);
    }
    for (name, of) in &report.playbooks {
        playbook(&mut text, name, of);
    }
    contacts(&mut text, report);
    cost(&mut text, report, price);
    if let Some(against) = &outcome.against {
        difference(&mut text, report, against);
    }
    text
}

fn day(at: crate::model::time::Ms) -> String {
    if at.0 == 0 { "the beginning".to_owned() } else { clock(at) }
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn playbook(text: &mut String, name: &str, of: &OfPlaybook) {
    let _ = writeln!(text, "\n{name}: {} openings, {} contacts, {} goals", of.openings, of.contacts, of.goals);
    let verdicts: Vec<String> = of.verdicts.iter().map(|(verdict, count)| format!("{verdict} {count}")).collect();
    let _ = writeln!(text, "  {}", verdicts.join(", "));
    for refused in of.refused.iter().take(EXAMPLES) {
        let _ = writeln!(text, "  {} times {}: {}", refused.count, refused.verdict, refused.reason);
    }
    if of.refused.len() > EXAMPLES {
        let _ = writeln!(text, "  and {} other reasons: see --json", of.refused.len() - EXAMPLES);
    }
}

fn contacts(text: &mut String, report: &Report) {
    let _ = writeln!(text, "\n{} contacts of {} customers", report.contacts, report.contacted);
    for (contacts, customers) in &report.contacts_per_customer {
        let _ = writeln!(text, "  {customers} customers had {contacts}");
    }
    if let Some(most) = &report.most {
        let _ = writeln!(text, "  the most had {}: {}", most.customer.masked(), most.contacts);
    }
}

fn cost(text: &mut String, report: &Report, price: Option<f64>) {
    if report.tokens == 0 {
        let _ = writeln!(text, "\nno estimate of tokens: no model spoke in what is recorded");
        return;
    }
    let _ = write!(text, "\nabout {} tokens, by what recorded conversations used", report.tokens);
    // A number for reading: what is lost beyond 2^53 is less than the estimate's own error.
    if let Some((price, tokens)) = price.zip(report.tokens.to_string().parse::<f64>().ok()) {
        let _ = write!(text, ": {:.2}", tokens / 1_000_000.0 * price);
    }
    text.push('\n');
}

fn difference(text: &mut String, report: &Report, against: &Against) {
    let there = &against.report;
    let difference = &against.difference;
    let _ = writeln!(
        text,
        "\nagainst catalog {}: {} openings there, {} here; {} contacts there, {} here",
        short(&against.catalog),
        there.openings.len(),
        report.openings.len(),
        there.contacts,
        report.contacts
    );
    let _ = writeln!(text, "  {} are the same", difference.same);
    let reasons: BTreeMap<(EventId, &str), &Judged> =
        against.reasons.iter().map(|judged| ((judged.event, judged.playbook.as_str()), judged)).collect();
    examples(text, "added", &difference.added, |_| None);
    examples(text, "gone", &difference.gone, |gone| {
        let judged = reasons.get(&(gone.event, gone.playbook.as_str()))?;
        Some(verdict(judged))
    });
    let _ = writeln!(text, "  {} moved", difference.moved.len());
    for moved in difference.moved.iter().take(EXAMPLES) {
        let _ = writeln!(text, "    {}, there at {}", line(&moved.opening), clock(moved.from));
    }
}

fn examples(text: &mut String, what: &str, openings: &[Opening], why: impl Fn(&Opening) -> Option<String>) {
    let _ = writeln!(text, "  {} {what}", openings.len());
    for opening in openings.iter().take(EXAMPLES) {
        let why = why(opening).map(|why| format!("; now {why}")).unwrap_or_default();
        let _ = writeln!(text, "    {}{why}", line(opening));
    }
}

fn line(opening: &Opening) -> String {
    format!(
        "{} {} {} (key {}, event {})",
        clock(opening.at),
        opening.customer.masked(),
        opening.playbook,
        opening.key,
        opening.event
    )
}
