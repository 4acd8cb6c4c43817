//! Runs the pure engine in virtual time: scenario tests (`scenario`) and replays of recorded days (`replay`).
//!
//! The same `decide`, the same partitions, positions and order as the live engine; what is missing is the world: no
//! store, no network, no clock, and nobody sleeps. Not here: reading scenarios (`catalog::scenario`) and recorded
//! inputs (`record`), printing and exit codes (`cli`).

mod actors;
mod answers;
mod check;
pub mod difference;
mod many;
pub mod replay;
pub mod scenario;
mod stage;
pub mod tally;
pub mod timeline;
