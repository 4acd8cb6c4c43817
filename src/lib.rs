//! Beckon turns business events into conversations. `ARCHITECTURE.md` walks through these folders in the order of the data.

pub mod adapter;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dialogue;
pub mod engine;
pub mod http;
pub mod ingest;
pub mod llm;
pub mod model;
pub mod record;
pub mod rehearsal;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod trigger;
