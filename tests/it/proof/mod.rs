//! Proof before launch: scenarios of a workspace in virtual time, and recorded days run again.

mod mistakes;
mod replays;
mod scenarios;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use beckon::catalog::scenario::{Suite, compile_scenarios};
use beckon::catalog::{Mistake, compile, read_workspace};
use beckon::model::catalog::{Catalog, Files};
use beckon::rehearsal::scenario::{Played, Theatre};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn checkout() -> Arc<Catalog> {
    Arc::new(compile(&read_workspace(&folder("tests/workspaces/checkout")).unwrap(), None).unwrap())
}

fn read(catalog: &Catalog, text: &str) -> Result<Vec<Suite>, Vec<Mistake>> {
    let files: Files = [("tests/a.yaml".to_owned(), text.as_bytes().to_vec())].into_iter().collect();
    compile_scenarios(&files, catalog)
}

/// Plays one scenario of these steps on the checkout workspace.
fn play(steps: &str) -> Played {
    let catalog = checkout();
    let indented: String = steps.lines().map(|line| format!("      {line}\n")).collect();
    let text = format!("scenarios:\n  - scenario: It is played\n    steps:\n{indented}");
    let suites = match read(&catalog, &text) {
        Ok(suites) => suites,
        Err(mistakes) => panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    Theatre { catalog, first: Some("help".to_owned()) }.play(&suites[0], &suites[0].scenarios[0])
}

/// What did not hold, in one text.
fn wrong(played: &Played) -> String {
    played.wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
