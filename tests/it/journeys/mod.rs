//! Journeys: people and companies acting on a running server, over its real doors, on both stores.

pub(crate) mod api;
mod attachments;
mod away;
mod charges;
pub(crate) mod chat;
mod checkout;
mod company;
mod cuts;
mod endings;
mod forgotten;
mod handoffs;
mod hostile;
mod ids;
mod matching;
pub(crate) mod model;
mod models;
mod notices;
mod outages;
mod pauses;
mod preferences;
mod probes;
mod restarts;
mod sockets;
pub(crate) mod topics;
pub(crate) mod world;

/// Makes of each journey one for each store.
macro_rules! journeys {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::journeys::world::World::start($crate::store::Place::embedded()).await).await
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::journeys::world::World::start($crate::store::Place::redis()).await).await
            })*
        }
    };
}
pub(crate) use journeys;
