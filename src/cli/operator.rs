//! `beckon operator`: accounts of those who may sign in to the dashboard.

use std::io::Read;

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use comfy_table::{Table, presets};

use super::serve::Overrides;
use crate::clock::{Clock, SystemClock};
use crate::config::Secrets;
use crate::ingest::fields::name;
use crate::record::{NewAccount, Record, Role};
use crate::secret::Secret;

/// What an operator may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleName {
    /// Talk to customers
    Operator,
    /// Also pause playbooks
    Admin,
}

/// What to do with accounts.
#[derive(Debug, Clone, Subcommand)]
pub enum Act {
    /// Add an operator; prints a password where none is given
    Add {
        /// The e-mail address to sign in with
        email: String,
        /// What customers see
        #[arg(long)]
        name: Option<String>,
        /// What they may do
        #[arg(long, value_enum, default_value = "operator")]
        role: RoleName,
        /// The team they work in, as playbooks name it in `handoff.team`
        #[arg(long, value_parser = team)]
        team: Option<String>,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Put an operator into a team, or out of any where none is named
    Team {
        /// The e-mail address
        email: String,
        /// The team, as playbooks name it in `handoff.team`
        #[arg(value_parser = team)]
        team: Option<String>,
    },
    /// List operators
    List,
    /// Give an operator a new password and end their sessions
    Reset {
        /// The e-mail address
        email: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove an operator
    Remove {
        /// The e-mail address
        email: String,
    },
}

/// Does it, directly in the record: a server need not run.
///
/// # Errors
/// Where the record cannot be opened, or refuses.
pub async fn run(act: &Act, overrides: &Overrides) -> anyhow::Result<bool> {
    let config = overrides.config(Secrets::Leave)?;
    let data = overrides.base().join(&config.engine.data);
    std::fs::create_dir_all(&data).with_context(|| format!("the data folder {} cannot be made", data.display()))?;
    let record = Record::open(&Overrides::record_url(&config)?, &data).await?;
    match act {
        Act::Add { email, name, role, team, password_stdin } => {
            let (password, shown) = password(*password_stdin)?;
            let role = match role {
                RoleName::Operator => Role::Operator,
                RoleName::Admin => Role::Admin,
            };
            let name = name.clone().unwrap_or_else(|| email.split('@').next().unwrap_or(email).to_owned());
            let new = NewAccount { email: email.clone(), name, role, team: team.clone(), password };
            let account = record.add_operator(new, SystemClock.now()).await?;
            println!("{} may sign in at /operator/", account.email);
            tell(shown);
        }
        Act::List => {
            let mut table = Table::new();
            table.load_style(presets::UTF8_HORIZONTAL_ONLY);
            table.set_header(["e-mail", "name", "role", "team", "since"]);
            for account in record.operators().await? {
                let since = account.created_at.to_string();
                let role = account.role.name().to_owned();
                table.add_row([account.email, account.name, role, account.team.unwrap_or_default(), since]);
            }
            println!("{table}");
        }
        Act::Team { email, team } => {
            if !record.set_team(email, team.as_deref()).await? {
                bail!("there is no operator {email}");
            }
            match team {
                Some(team) => println!("{email} is in {team}"),
                None => println!("{email} is in no team"),
            }
        }
        Act::Reset { email, password_stdin } => {
            let (password, shown) = password(*password_stdin)?;
            if !record.reset_password(email, password).await? {
                bail!("there is no operator {email}");
            }
            println!("{email} has a new password");
            tell(shown);
        }
        Act::Remove { email } => {
            if !record.remove_operator(email).await? {
                bail!("there is no operator {email}");
            }
            println!("{email} is removed");
        }
    }
    record.close().await;
    Ok(true)
}

/// A team's name, as playbooks may have it.
fn team(text: &str) -> Result<String, String> {
    name("team", text.trim()).map_err(|refused| refused.detail)
}

/// A password from standard input, or one made here, which is then shown once.
fn password(stdin: bool) -> anyhow::Result<(Secret, Option<String>)> {
    if !stdin {
        let made = fresh_secret();
        return Ok((Secret::new(made.clone()), Some(made)));
    }
    let mut text = String::new();
    std::io::stdin().take(1_024).read_to_string(&mut text).context("no password came on standard input")?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.chars().count() < 8 {
        bail!("a password has at least 8 characters");
    }
    Ok((Secret::new(text), None))
}

fn tell(shown: Option<String>) {
    if let Some(password) = shown {
        println!("password: {password}");
    }
}

/// 120 bits, in letters and digits that are not mistaken for each other.
pub fn fresh_secret() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";
    (0..24).map(|_| char::from(*LETTERS.get(usize::from(rand::random::<u8>() % 32)).unwrap_or(&b'a'))).collect()
}
