//! What the example companies share. Each of them knows Beckon only from outside: it posts events to its HTTP API, puts
//! one script tag on its pages, and signs a token for each customer. What a company sells, knows and does is its own.
//! Everything is in memory, so a restart is a first day.

pub mod api;
pub mod assets;
mod example;
mod guard;
mod outbox;
mod people;
mod session;
mod site;
mod slots;
pub mod token;
mod views;

pub use example::{Beside, Example, Settings};
pub use outbox::{Event, Outbox};
pub use people::{People, Person, random};
pub use session::{Doors, Visitor, forget, own_forms_only, remember, welcome};
pub use site::{Play, Site, doors};
pub use slots::coming;
pub use views::{Brand, Frame, Views};
