//! The command line. What touches live state speaks HTTP to `--url` with `--key`; only `serve`, `demo` and
//! `record rebuild` open the store.

pub mod check;
pub mod client;
pub mod dead_letters;
pub mod demo;
pub mod explain;
pub mod given;
pub mod operator;
pub mod playbook;
pub mod record;
pub mod replay;
pub mod revoke;
pub mod send;
pub mod serve;
pub mod simulate;
pub mod source;
pub mod test;

use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use client::Client;

/// Beckon turns business events into conversations.
#[derive(Debug, Parser)]
#[command(name = "beckon", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// How to reach a running server.
#[derive(Debug, Clone, Args)]
pub struct Remote {
    /// Where the server is
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "BECKON_URL", global = true, value_parser = given::server)]
    pub url: String,
    /// An API key of the server
    #[arg(long, env = "BECKON_API_KEY", hide_env_values = true, global = true)]
    pub key: Option<String>,
}

impl Remote {
    fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.url, self.key.clone())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a workspace
    Serve(Box<serve::Serve>),
    /// Try it: an example company, a server and a dashboard in one process, on data that is thrown away
    Demo(Box<demo::Demo>),
    /// Check a workspace: every mistake with its file, line and column
    Check(check::Check),
    /// Play the scenarios of a workspace in virtual time, without network and waiting
    Test(test::Test),
    /// Run recorded days through a workspace without touching anybody: what would open, and what would not
    Replay(Box<replay::Replay>),
    /// Look after the accounts of operators
    Operator {
        #[command(subcommand)]
        act: operator::Act,
        #[command(flatten)]
        overrides: serve::Overrides,
    },
    /// Look after the record
    Record {
        #[command(subcommand)]
        act: record::Act,
        #[command(flatten)]
        overrides: serve::Overrides,
    },
    /// Try a source's profile
    Source {
        #[command(subcommand)]
        act: source::Act,
    },
    /// Send an event to a running server
    Send {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        send: send::Send,
    },
    /// Say what became of an event: every playbook's verdict and why
    Explain {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        explain: explain::Explain,
    },
    /// Take back an event that concerns many: nobody else is told, and what nobody has seen is withdrawn
    Revoke {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        revoke: revoke::Revoke,
    },
    /// List playbooks, pause and resume them
    Playbook {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        act: playbook::Act,
    },
    /// Look after inputs that could not be processed
    DeadLetters {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        act: dead_letters::Act,
    },
    /// Drive a running server with customers, sockets and events, and measure it
    Simulate {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        simulate: Box<simulate::Simulate>,
    },
}

/// Reads the arguments and does what they say. Exit codes: 0 done, 1 found something, 2 wrong use.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("beckon: {problem:#}");
            ExitCode::from(1)
        }
    }
}

/// Runs a future to its end on a runtime of its own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

/// Answers false where the command found something.
fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Serve(serve) => block_on(serve::run(&serve)),
        Command::Demo(demo) => block_on(demo::run(&demo)),
        Command::Check(check) => check::run(&check),
        Command::Test(test) => test::run(&test),
        Command::Replay(replay) => {
            if replay.against.is_none()
                && let Some(gate) = replay.fail_if.iter().find(|gate| gate.is_relative())
            {
                let message = format!("`--fail-if \"{gate}\"` compares with another workspace: name it with --against");
                Cli::command().error(clap::error::ErrorKind::MissingRequiredArgument, message).exit();
            }
            block_on(replay::run(&replay))
        }
        Command::Operator { act, overrides } => block_on(operator::run(&act, &overrides)),
        Command::Record { act, overrides } => block_on(record::run(&act, &overrides)),
        Command::Source { act } => source::run(&act),
        Command::Send { remote, send } => block_on(send::run(&send, &remote.client()?)),
        Command::Explain { remote, explain } => block_on(explain::run(&explain, &remote.client()?)),
        Command::Revoke { remote, revoke } => block_on(revoke::run(&revoke, &remote.client()?)),
        Command::Playbook { remote, act } => block_on(playbook::run(&act, &remote.client()?)),
        Command::DeadLetters { remote, act } => block_on(dead_letters::run(&act, &remote.client()?)),
        Command::Simulate { remote, simulate } => {
            let client = remote.client()?;
            block_on(simulate::run(&simulate, client))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_is_built_as_the_library_wants_it() {
        super::Cli::command().debug_assert();
    }
}
