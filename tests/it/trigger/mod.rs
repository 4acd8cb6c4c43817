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
