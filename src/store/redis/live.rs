//! The live bus over sharded pub/sub: one connection of its own, which subscribes again when it comes back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, PushKind, Value};
use tokio::sync::{Notify, RwLock};

use super::keys::Keys;
use super::link::explain;
use crate::model::ids::Partition;
use crate::store::bus::Bus;
use crate::store::{Channel, Hints, StoreError};

/// How long the server may take to confirm a subscription, or a sign of life.
const ANSWER: Duration = Duration::from_secs(3);
/// How often it is asked for a sign of life.
const PING: Duration = Duration::from_secs(5);
/// How long to wait before the next try to connect.
const AGAIN: Duration = Duration::from_millis(100);

/// Subscriptions of this process. Its task ends when it is dropped.
pub(super) struct Live {
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    client: redis::Client,
    keys: Keys,
    bus: Bus,
    /// What a name of a channel on the server stands for.
    names: Mutex<HashMap<String, Name>>,
    /// Who subscribes holds it for reading, who ends a subscription for writing: the two must not cross on their way.
    link: RwLock<Option<MultiplexedConnection>>,
    broken: Notify,
    /// Counts connections, so that the end of an old one is not taken for the end of the one there is.
    connection: AtomicU64,
}

#[derive(Clone)]
enum Name {
    Hints(Channel),
    Wake(Partition),
}

impl Live {
    pub(super) async fn connect(client: &redis::Client, keys: &Keys) -> Result<Live, StoreError> {
        let settings = client.get_connection_info().redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client =
            redis::Client::open(client.get_connection_info().clone().set_redis_settings(settings)).map_err(explain)?;
        let names = keys.all().map(|partition| (keys.of(partition, "wake"), Name::Wake(partition))).collect();
        let shared = Arc::new(Shared {
            client,
            keys: keys.clone(),
            bus: Bus::default(),
            names: Mutex::new(names),
            link: RwLock::new(None),
            broken: Notify::new(),
            connection: AtomicU64::new(0),
        });
        let first = shared.open().await?;
        *shared.link.write().await = Some(first);
        let task = tokio::spawn(keep(Arc::clone(&shared)));
        Ok(Live { shared, task })
    }

    pub(super) fn wakes(&self) -> tokio::sync::mpsc::Receiver<Partition> {
        self.shared.bus.wakes()
    }

    /// Returns when the server has confirmed it.
    pub(super) async fn subscribe(&self, channel: Channel, capacity: usize) -> Result<Hints, StoreError> {
        let shared = &self.shared;
        let names = shared.keys.channels(&channel);
        let guard = shared.link.read().await;
        let mut link = guard.clone().ok_or_else(away)?;
        let (hints, tx) = shared.bus.subscribe(channel.clone(), capacity);
        for name in &names {
            shared.names().insert(name.clone(), Name::Hints(channel.clone()));
        }
        let confirmed = subscribe(&mut link, &names).await;
        drop(guard);
        let weak = Arc::downgrade(shared);
        tokio::spawn(async move {
            tx.closed().await;
            if let Some(shared) = weak.upgrade() {
                shared.forget(&channel).await;
            }
        });
        confirmed.map(|()| hints)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn names(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        // Each change is one call, so a panic elsewhere leaves it whole.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that is subscribed to everything that somebody listens to.
    async fn open(self: &Arc<Self>) -> Result<MultiplexedConnection, StoreError> {
        let number = self.connection.fetch_add(1, Ordering::Relaxed) + 1;
        let weak = Arc::downgrade(self);
        let hear = move |push: PushInfo| {
            if let Some(shared) = weak.upgrade()
                && shared.connection.load(Ordering::Relaxed) == number
            {
                shared.hear(push);
            }
            Ok::<(), redis::aio::SendError>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER))
            .set_pipeline_buffer_size(1_024)
            .set_push_sender(hear);
        let mut link = self.client.get_multiplexed_async_connection_with_config(&config).await.map_err(explain)?;
        let names: Vec<String> = self.names().keys().cloned().collect();
        subscribe(&mut link, &names).await?;
        Ok(link)
    }

    fn hear(&self, push: PushInfo) {
        match push.kind {
            PushKind::SMessage => {
                let mut data = push.data.into_iter();
                let (Some(name), Some(payload)) = (data.next().and_then(bytes), data.next().and_then(bytes)) else {
                    return;
                };
                let Ok(name) = String::from_utf8(name) else { return };
                let meant = self.names().get(&name).cloned();
                match meant {
                    Some(Name::Hints(channel)) => self.bus.publish(&channel, payload),
                    Some(Name::Wake(partition)) => self.bus.wake(partition),
                    None => {}
                }
            }
            PushKind::Disconnection => self.broken.notify_one(),
            _ => {}
        }
    }

    /// Ends the subscription, if nobody is left.
    async fn forget(&self, channel: &Channel) {
        let mut guard = self.link.write().await;
        if self.bus.forget(channel) {
            return;
        }
        let names = self.keys.channels(channel);
        for name in &names {
            self.names().remove(name);
        }
        if let Some(link) = guard.as_mut() {
            for name in &names {
                // Where it fails the connection is gone, and with it the subscription.
                let ended: redis::RedisResult<Value> = redis::cmd("SUNSUBSCRIBE").arg(name).query_async(link).await;
                if let Err(error) = ended {
                    tracing::debug!(%error, "a subscription could not be ended");
                }
            }
        }
    }
}

/// Keeps the connection: asks for signs of life, and connects again when it breaks.
async fn keep(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.broken.notified() => {}
            () = tokio::time::sleep(PING) => {
                let Some(mut link) = shared.link.read().await.clone() else { continue };
                let alive: redis::RedisResult<Value> = redis::cmd("PING").query_async(&mut link).await;
                if alive.is_ok() {
                    continue;
                }
            }
        }
        tracing::warn!("the live bus lost its connection");
        // Nobody subscribes on the broken one, nor between what `open` finds and the new one.
        let mut guard = shared.link.write().await;
        *guard = None;
        drop(guard);
        loop {
            guard = shared.link.write().await;
            match shared.open().await {
                Ok(link) => {
                    *guard = Some(link);
                    break;
                }
                Err(error) => tracing::debug!(%error, "the live bus cannot connect yet"),
            }
            drop(guard);
            tokio::time::sleep(AGAIN).await;
        }
        drop(guard);
        tracing::info!("the live bus is connected again");
        // Whatever came meanwhile is lost.
        shared.bus.missed();
        shared.keys.all().for_each(|partition| shared.bus.wake(partition));
    }
}

async fn subscribe(link: &mut MultiplexedConnection, names: &[String]) -> Result<(), StoreError> {
    // One name a command: each is confirmed for itself. In steps, so that a pipeline stays within its time.
    for some in names.chunks(500) {
        let mut all = redis::pipe();
        for name in some {
            all.cmd("SSUBSCRIBE").arg(name);
        }
        all.query_async::<Vec<Value>>(link).await.map_err(explain)?;
    }
    Ok(())
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

fn away() -> StoreError {
    StoreError::Away("the live bus has no connection".to_owned())
}
