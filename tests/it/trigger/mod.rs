//! Conditions over time and restraint: tables in virtual time, properties against slow and obvious models, journeys.

mod absences;
mod bursts;
mod changes;
mod counts;
mod crowd;
mod index;
mod journeys;
mod lateness;
mod open;
mod pending;
pub mod play;
mod properties;
mod quiet;
mod restraint;
mod revoking;
mod sequences;
mod topics;
mod written;

/// Cases that a property is tried with: `BECKON_TIMES` as many where it is set.
fn cases(few: u32) -> proptest::test_runner::Config {
    let times = std::env::var("BECKON_TIMES").map_or(1, |times| times.parse().expect("BECKON_TIMES is a number"));
    proptest::test_runner::Config::with_cases(few * times)
}
