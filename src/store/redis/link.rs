//! The way to the server: bounded waits, scripts that are loaded again where they were lost, and errors in our words.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Script, ServerErrorKind, Value};

use crate::store::{StoreError, room};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long replicas may take, in milliseconds; less than [`ANSWER`].
const REPLICAS: u32 = 3_000;
/// Connections for writes that wait for replicas: the server answers nothing else on one while it waits.
const WAITING: usize = 4;

/// Connections to one server, each of which comes back by itself.
pub(super) struct Link {
    manager: ConnectionManager,
    waiting: Vec<ConnectionManager>,
    turn: AtomicUsize,
    /// How many replicas must have an append.
    pub(super) replicas: u32,
}

impl Link {
    pub(super) async fn connect(client: &redis::Client, replicas: u32) -> Result<Link, StoreError> {
        // One retry: who calls has a deadline of its own, and the next call tries again.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500))
            .set_pipeline_buffer_size(1_024);
        let open = || client.get_connection_manager_with_config(config.clone());
        let manager = open().await.map_err(explain)?;
        let mut waiting = Vec::new();
        for _ in 0..if replicas > 0 { WAITING } else { 0 } {
            waiting.push(open().await.map_err(explain)?);
        }
        Ok(Link { manager, waiting, turn: AtomicUsize::new(0), replicas })
    }

    /// One command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        command.query_async(&mut self.manager.clone()).await.map_err(explain)
    }

    /// Several commands in one go, not atomically.
    pub(super) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, StoreError> {
        if commands.is_empty() {
            return redis::from_redis_value(Value::Array(Vec::new())).map_err(|e| explain(e.into()));
        }
        commands.query_async(&mut self.manager.clone()).await.map_err(explain)
    }

    /// A script, loaded first where the server has lost it.
    pub(super) async fn run<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, StoreError> {
        let mut link = self.manager.clone();
        match call.command.query_async(&mut link).await {
            Err(error) if is_lost(&error) => {
                load(call.script, &mut link).await?;
                call.command.query_async(&mut link).await.map_err(explain)
            }
            other => other.map_err(explain),
        }
    }

    /// A script whose writes must be on replicas when this returns.
    ///
    /// `WAIT` goes in the same pipeline and so over the same connection, which this call has for itself as long as there
    /// are enough: nobody else's writes are waited for.
    pub(super) async fn run_held<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, StoreError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.waiting.len().max(1);
        let Some(link) = self.waiting.get(turn).filter(|_| self.replicas > 0) else {
            return self.run(call).await;
        };
        let mut link = link.clone();
        let mut both = Pipeline::with_capacity(2);
        both.add_command(call.command.clone()).cmd("WAIT").arg(self.replicas).arg(REPLICAS).ignore_errors();
        let (mut answer, mut held) = pair(&both, &mut link).await?;
        if matches!(&answer, Err(error) if is_lost(error)) {
            load(call.script, &mut link).await?;
            (answer, held) = pair(&both, &mut link).await?;
        }
        let answer = answer.map_err(explain)?;
        let held: u32 = held.and_then(|value| Ok(redis::from_redis_value(value)?)).map_err(explain)?;
        if held < self.replicas {
            return Err(StoreError::Away(format!("{held} of {} replicas have it", self.replicas)));
        }
        redis::from_redis_value(answer).map_err(|e| explain(e.into()))
    }
}

type Answer = Result<Value, RedisError>;

async fn pair(both: &Pipeline, link: &mut impl ConnectionLike) -> Result<(Answer, Answer), StoreError> {
    let mut answers: Vec<Answer> = both.query_async(link).await.map_err(explain)?;
    match (answers.pop(), answers.pop()) {
        (Some(held), Some(answer)) => Ok((answer, held)),
        _ => Err(StoreError::Away("the server did not answer all that was asked".to_owned())),
    }
}

async fn load(script: &Script, link: &mut impl ConnectionLike) -> Result<(), StoreError> {
    script.load_async(link).await.map(drop).map_err(explain)
}

fn is_lost(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// A call of a script: its keys first, then its arguments.
pub(super) struct Call<'a> {
    script: &'a Script,
    command: Cmd,
}

impl<'a> Call<'a> {
    pub(super) fn new<K: AsRef<str>>(script: &'a Script, keys: &[K]) -> Call<'a> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len());
        for key in keys {
            command.arg(key.as_ref());
        }
        Call { script, command }
    }

    pub(super) fn arg(mut self, arg: impl redis::ToRedisArgs) -> Self {
        self.command.arg(arg);
        self
    }

    pub(super) fn push(&mut self, arg: impl redis::ToRedisArgs) {
        self.command.arg(arg);
    }
}

/// What a server's error means for who asked.
pub(super) fn explain(error: RedisError) -> StoreError {
    match error.code() {
        Some("OOM") => {
            return StoreError::Full { what: "the memory of the Redis server", retry_after: room::A_PERSON };
        }
        Some("WRONGTYPE") => return StoreError::Corrupt(format!("a key holds something else: {error}")),
        _ => {}
    }
    match error.kind() {
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => {
            StoreError::Corrupt(format!("not what we wrote: {error}"))
        }
        ErrorKind::InvalidClientConfig | ErrorKind::AuthenticationFailed | ErrorKind::RESP3NotSupported => {
            StoreError::Unusable(error.to_string())
        }
        _ => StoreError::Away(error.to_string()),
    }
}
