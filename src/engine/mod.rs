//! Decides, and does what was decided: inbox, owner, effects, leases, projector.

pub mod assistant;
pub mod decide;
pub mod effects;
pub mod inbox;
mod matching;
mod news;
pub mod node;
pub mod notify;
pub mod outbox;
pub mod owner;
pub mod pause;
pub mod projector;
pub mod revoke;
pub mod shelf;
pub mod suggest;
pub mod words;
