//! `--fail-if`: a number of the replay, compared with a bound or with what the other workspace came to.

use super::Against;
use crate::rehearsal::tally::Report;

/// What can be compared.
const METRICS: &[&str] = &["openings", "contacts", "contacted", "most", "goals", "tokens", "added", "gone", "moved"];

/// A condition under which a replay is a failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    text: String,
    metric: &'static str,
    over: bool,
    equal: bool,
    bound: Bound,
}

/// What a number is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    /// This.
    Number(f64),
    /// So much more than the other workspace's; negative: less.
    More(f64),
    /// So many hundredths more than the other workspace's.
    Percent(f64),
}

/// As it was written.
impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Gate {
    /// Reads `contacts > +5%`, `openings >= +10`, `contacts > 1000`, `goals < -5%`.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn parse(text: &str) -> Result<Gate, String> {
        let at = text.find(['<', '>']).ok_or("a comparison such as `contacts > +5%` is expected")?;
        let (name, rest) = text.split_at(at);
        let name = name.trim();
        let metric = METRICS.iter().find(|metric| **metric == name);
        let metric = metric.ok_or_else(|| format!("`{name}` is none of {}", METRICS.join(", ")))?;
        let over = rest.starts_with('>');
        let rest = rest.get(1..).unwrap_or_default();
        let (equal, rest) = rest.strip_prefix('=').map_or((false, rest), |rest| (true, rest));
        let number = rest.trim();
        let relative = number.starts_with(['+', '-']);
        let (digits, percent) = number.strip_suffix('%').map_or((number, false), |digits| (digits, true));
        let value: f64 = digits.trim().parse().map_err(|_| format!("`{number}` is no number"))?;
        if !value.is_finite() {
            return Err(format!("`{number}` is no number"));
        }
        let bound = match (percent, relative) {
            (true, true) => Bound::Percent(value),
            (true, false) => return Err(format!("write `+{number}` or `-{number}`: hundredths are of the other's")),
            (false, true) => Bound::More(value),
            (false, false) => Bound::Number(value),
        };
        Ok(Gate { text: text.to_owned(), metric, over, equal, bound })
    }

    /// Whether it needs another workspace to compare with.
    pub fn is_relative(&self) -> bool {
        !matches!(self.bound, Bound::Number(_)) || ["added", "gone", "moved"].contains(&self.metric)
    }

    /// Why the replay is a failure; none: it is not.
    pub fn holds(&self, report: &Report, against: Option<&Against>) -> Option<String> {
        let value = self.value(report, against)?;
        let other = against.and_then(|against| self.value(&against.report, Some(against)));
        let bound = match self.bound {
            Bound::Number(bound) => bound,
            Bound::More(more) => other? + more,
            Bound::Percent(percent) => other? * (1.0 + percent / 100.0),
        };
        let beyond = match (self.over, self.equal) {
            (true, false) => value > bound,
            (true, true) => value >= bound,
            (false, false) => value < bound,
            (false, true) => value <= bound,
        };
        beyond.then(|| match other.filter(|_| !matches!(self.bound, Bound::Number(_))) {
            Some(other) => format!("{} ({value} against {other})", self.text),
            None => format!("{} ({value})", self.text),
        })
    }

    fn value(&self, report: &Report, against: Option<&Against>) -> Option<f64> {
        let difference = against.map(|against| &against.difference);
        let count = |list: usize| u64::try_from(list).unwrap_or(u64::MAX);
        let number = match self.metric {
            "openings" => count(report.openings.len()),
            "contacts" => report.contacts,
            "contacted" => report.contacted,
            "most" => report.most.as_ref().map_or(0, |most| most.contacts),
            "goals" => report.playbooks.values().map(|of| of.goals).sum(),
            "tokens" => report.tokens,
            "added" => count(difference?.added.len()),
            "gone" => count(difference?.gone.len()),
            _ => count(difference?.moved.len()),
        };
        // Beyond 2^53 a gate would be off by one in a thousand million million.
        number.to_string().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_a_number_an_increase_or_a_share() {
        assert_eq!(Gate::parse("contacts > +5%").unwrap().bound, Bound::Percent(5.0));
        assert_eq!(Gate::parse("goals < -2.5%").unwrap().bound, Bound::Percent(-2.5));
        assert_eq!(Gate::parse("openings>=+10").unwrap().bound, Bound::More(10.0));
        assert_eq!(Gate::parse("most > 3").unwrap().bound, Bound::Number(3.0));
        assert!(Gate::parse("most > 3").is_ok_and(|gate| !gate.is_relative()));
        assert!(Gate::parse("added > 3").is_ok_and(|gate| gate.is_relative()));
        for wrong in ["contacts", "contacts > x", "contacts > 5%", "contcats > 5", "contacts = 5", "contacts > NaN"] {
            assert!(Gate::parse(wrong).is_err(), "{wrong}");
        }
    }
}
