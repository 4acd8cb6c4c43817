//! Chaos: the binary as a process of its own, killed at bad moments and started again, on both stores.

mod bounds;
mod charges;
mod greedy;
mod kills;
mod metrics;
pub(crate) mod nodes;
mod pauses;
pub(crate) mod poison;
pub(crate) mod process;
mod reloads;
mod restore;
mod schemas;
mod secrets;
mod shutdown;
mod topics;
mod turns;
mod waits;
mod went_back;

/// Makes of each test one for each store.
macro_rules! chaos {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::store::Place::embedded()).await })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::store::Place::redis()).await })*
        }
    };
}
pub(crate) use chaos;
