//! The one integration test binary: journeys, the store contract, pages, the shape of the code.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test that cannot go on fails"
)]

mod adapter;
mod attachments;
mod bounds;
mod captures;
mod catalog;
mod chaos;
mod chat;
mod check;
mod cli;
mod config;
mod dashboard;
mod dashboard_pages;
mod dashboard_record;
mod decide;
mod demo;
mod described;
mod door;
mod examples;
mod hooks;
mod injection;
mod intake;
mod journeys;
mod known_fields;
mod llm;
mod nodes;
mod notify;
mod proof;
mod record;
mod rest;
mod retention;
mod segment;
mod shape;
mod simulation;
mod store;
mod trigger;
