//! Which events open what: conditions over time, restraint, keys, limits. Pure.
//!
//! An event is sensed by every playbook that hears its type (`sense`); `kinds` hands it to the file of each kind of
//! condition: `measure`, `sequence`, `absence`, `change`. What matches is held back or let through by `restrain`. What waits
//! for its time lies in the customer's state and comes back by `wake`.
//!
//! What concerns many customers goes to a `topic`, which selects and tells them.
//!
//! Not here: how an opening is prepared and said (`dialogue::opening`).

pub mod absence;
pub mod burst;
pub mod change;
mod kinds;
pub mod measure;
pub mod pending;
pub mod quiet;
pub mod restrain;
pub mod sense;
pub mod sequence;
pub mod topic;
pub mod wake;
