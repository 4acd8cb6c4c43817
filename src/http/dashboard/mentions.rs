//! Mentions: a note that names a colleague with `@` brings the conversation to them, until they are done with it.

use axum::extract::{Path, State};
use axum::response::{Html, Response};
use serde_json::json;

use super::access::{Posted, SignedIn};
use super::acts::{back, conversation};
use super::pages::PageError;
use super::{Dashboard, words};
use crate::model::ids::ConversationId;
use crate::record::{Account, Mention};
use crate::store::Channel;

/// Names of nobody that are said again.
const MOST_UNKNOWN: usize = 3;

/// The colleagues that a note can name, for the picker.
pub(super) async fn pick(State(dashboard): State<Dashboard>, operator: SignedIn) -> Result<Html<String>, PageError> {
    let accounts = dashboard.record.operators().await?;
    let rows: Vec<_> = accounts
        .iter()
        .filter(|account| account.id != operator.account.id && !account.name.is_empty())
        .map(|account| {
            let team = account.team.as_deref().map(words::plain).unwrap_or_default();
            json!({ "id": account.id, "name": account.name, "team": team })
        })
        .collect();
    dashboard.pages.render("_colleagues.html", &json!({ "rows": rows })).map(Html)
}

/// The operator is done with the note that names them.
pub(super) async fn done(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    dashboard.record.forget_mention(conversation(&id)?, &posted.operator.account.id).await?;
    dashboard.lists_changed().await;
    Ok(back(&posted, &id))
}

impl Dashboard {
    /// Tells whom a note names, and takes its author's own mention away: who writes has looked. Says what became of it
    /// where a name is nobody's; empty where there is nothing to say.
    pub(super) async fn mention(&self, posted: &Posted, id: ConversationId, text: &str) -> Result<String, PageError> {
        let me = &posted.operator.account;
        let accounts = self.record.operators().await?;
        let Named { known, unknown } = named(text, &accounts);
        let others: Vec<&str> = known.iter().map(|account| account.id.as_str()).filter(|id| *id != me.id).collect();
        let mention = Mention { by: me.name.clone(), at: self.clock.now() };
        self.record.mention(id, &others, &mention).await?;
        self.record.forget_mention(id, &me.id).await?;
        self.lists_changed().await;
        let unknown: Vec<String> = unknown.iter().map(|name| format!("@{}", words::plain(name))).collect();
        if unknown.is_empty() {
            return Ok(String::new());
        }
        Ok(format!("The note is left. No colleague is called {}, so nobody was told by that.", unknown.join(" or ")))
    }

    /// Tells the lists of colleagues to look again; one that does not hear it does so soon by itself.
    pub(super) async fn lists_changed(&self) {
        if let Err(error) = self.store.publish(Channel::Record, Vec::new()).await {
            tracing::debug!(%error, "a change of lists was not told");
        }
    }
}

/// Whom a text names.
#[derive(Debug, PartialEq, Eq)]
struct Named<'a> {
    known: Vec<&'a Account>,
    /// The first word of what is nobody's name, the first [`MOST_UNKNOWN`].
    unknown: Vec<&'a str>,
}

/// Whom a text names: `@` at the beginning of a word, then the whole name of a colleague, in any case. Where one name begins
/// like another the longer one is meant; those of the same name are all meant. An e-mail address names nobody.
fn named<'a>(text: &'a str, accounts: &'a [Account]) -> Named<'a> {
    let names: Vec<(String, &Account)> = accounts
        .iter()
        .map(|account| (lower(account.name.chars()), account))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let longest_name = accounts.iter().map(|account| account.name.chars().count()).max().unwrap_or_default();
    let mut found = Named { known: Vec::new(), unknown: Vec::new() };
    for (place, _) in text.match_indices('@') {
        let (before, after) = text.split_at(place);
        let after = after.strip_prefix('@').unwrap_or(after);
        if before.chars().next_back().is_some_and(is_of_a_word) || !after.starts_with(is_of_a_word) {
            continue;
        }
        // A name, and what comes after it: a long text costs no more for each that it names.
        let said = lower(after.chars().take(longest_name + 1));
        let fits = |name: &str| said.strip_prefix(name).is_some_and(|rest| !rest.starts_with(is_of_a_word));
        let longest = names.iter().map(|(name, _)| name).filter(|name| fits(name)).max_by_key(|name| name.len());
        for (_, account) in names.iter().filter(|(name, _)| Some(name) == longest) {
            if !found.known.contains(account) {
                found.known.push(account);
            }
        }
        let end = after.find(|sign| !is_of_a_word(sign)).unwrap_or(after.len());
        let (word, _) = after.split_at(end);
        if longest.is_none() && found.unknown.len() < MOST_UNKNOWN && !found.unknown.contains(&word) {
            found.unknown.push(word);
        }
    }
    found
}

fn lower(text: impl Iterator<Item = char>) -> String {
    text.flat_map(char::to_lowercase).collect()
}

/// Whether a name may go on with it.
fn is_of_a_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Ms;
    use crate::record::Role;

    fn account(id: &str, name: &str) -> Account {
        Account {
            id: id.to_owned(),
            email: format!("{id}@shop.example"),
            name: name.to_owned(),
            role: Role::Operator,
            team: None,
            created_at: Ms(0),
        }
    }

    #[test]
    fn a_name_after_an_at_sign_is_a_colleague() {
        let team = [
            account("1", "Rui"),
            account("2", "Ana"),
            account("3", "Ana Duarte"),
            account("4", "rui"),
            account("5", "مريم"),
            account("6", ""),
        ];
        for (text, known, unknown) in [
            ("nothing", vec![], vec![]),
            ("@Ana, please look", vec!["2"], vec![]),
            ("ask @ana duarte.", vec!["3"], vec![]),
            ("@ana Duartes", vec!["2"], vec![]),
            ("(@RUI) and @rui", vec!["1", "4"], vec![]),
            ("@Ruix or @ruix", vec![], vec!["Ruix", "ruix"]),
            ("write to help@rui.example", vec![], vec![]),
            ("@ nobody, @@rui", vec!["1", "4"], vec![]),
            ("اسأل @مريم", vec!["5"], vec![]),
            ("at the end @", vec![], vec![]),
            ("@a @b @a @c @d @rui", vec!["1", "4"], vec!["a", "b", "c"]),
        ] {
            let named = named(text, &team);
            let ids: Vec<&str> = named.known.iter().map(|account| account.id.as_str()).collect();
            assert_eq!((ids, named.unknown), (known, unknown), "{text}");
        }
    }
}
