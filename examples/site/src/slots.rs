//! The next times that can be booked, as people say them: `Tuesday 1 December, 10:00`.

use jiff::civil::Weekday;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// The next `days` working days, each at these times, from tomorrow on. What is said is also how it is named in an API:
/// what a customer confirms is what is booked.
#[must_use]
pub fn coming(days: usize, times: &[&str]) -> Vec<String> {
    let mut day = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let mut slots = Vec::new();
    let mut found = 0;
    while found < days {
        let Ok(next) = day.checked_add(1.day()) else { break };
        day = next;
        if matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            continue;
        }
        found += 1;
        slots.extend(times.iter().map(|time| format!("{}, {time}", day.strftime("%A %-d %B"))));
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_working_days_are_offered_from_tomorrow_on() {
        let slots = coming(3, &["10:00", "15:30"]);
        assert_eq!(slots.len(), 6);
        assert!(
            slots.iter().all(|slot| !slot.starts_with('S') && slot.ends_with(":00") | slot.ends_with(":30")),
            "{slots:?}"
        );
    }
}
