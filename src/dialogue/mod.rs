//! What a conversation does next: opening, turn, calls, handoff, goal, end. Pure.
//!
//! All of it works on a [`draft::Draft`]: the state and the decision that is being made of it.

pub mod calls;
pub mod closing;
pub mod customer_acts;
pub mod draft;
pub mod goal;
pub mod handoff;
pub mod opening;
pub mod operator_acts;
pub mod prompt;
pub mod reading;
pub mod room;
pub mod script;
pub mod timers;
pub mod turn;
pub mod words;
