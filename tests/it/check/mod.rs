//! What `beckon check` finds beyond mistakes: what nobody sends, what can never hold, what always loses.

mod collide;
mod never;
mod reach;
mod recorded;

use beckon::catalog::{Draft, Found, Mistake};
use beckon::model::catalog::Files;

/// What is told of these playbooks, which have no mistakes.
fn hints(playbooks: &[&str]) -> Vec<Mistake> {
    let name = |text: &str| text.lines().next().unwrap().trim_start_matches("playbook: ").to_owned();
    workspace(playbooks.iter().map(|text| (format!("playbooks/{}.yaml", name(text)), (*text).to_owned())))
}

/// What is told of these files, which have no mistakes.
fn workspace(files: impl IntoIterator<Item = (String, String)>) -> Vec<Mistake> {
    let files: Files = files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    let draft = Draft::of(&Found { files: files.clone(), mistakes: Vec::new() }, None);
    assert!(draft.mistakes.is_empty(), "{}", shown(&draft.mistakes));
    draft.hints(&files)
}

fn shown(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
