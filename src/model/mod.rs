//! The values of Beckon: what goes in, what is decided, what is kept. Pure: no I/O, no clock, no chance.
//!
//! Not here: how values are stored (`store`), what is decided from them (`trigger`, `dialogue`, `engine::decide`).

pub mod attachment;
pub mod catalog;
pub mod cel_value;
pub mod conversation;
pub mod customer;
pub mod decision;
pub mod entry;
pub mod event;
pub mod ids;
pub mod index;
pub mod inert;
pub mod input;
pub mod json;
pub mod live;
pub mod lossy;
pub mod memory;
pub mod part;
pub mod pattern;
pub mod restraint;
pub mod retry_after;
pub mod satisfaction;
pub mod scope;
pub mod time;
pub mod topic;
pub mod triage;
