//! `beckon test`: plays the scenarios of a workspace (`tests/*.yaml`) in virtual time, without network and waiting.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::given::folder;
use crate::app::workspace::listed;
use crate::catalog::{self, Mistake, scenario};
use crate::config::{self, Input, Secrets};
use crate::rehearsal::scenario::{Played, Theatre};

/// Which workspace, and what to write.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Test {
    /// The workspace
    #[arg(long, default_value = ".", value_parser = folder)]
    pub workspace: PathBuf,
    /// Write what became of each scenario to this file, as JUnit XML
    #[arg(long)]
    pub junit: Option<PathBuf>,
    /// Play only scenarios with this text in their file or name
    #[arg(long)]
    pub only: Option<String>,
    /// Show what happened in every scenario, not only in those that fail
    #[arg(long)]
    pub timeline: bool,
}

/// A scenario that was played.
struct Line {
    file: String,
    name: String,
    took: Duration,
    played: Played,
}

/// Plays them; answers whether all passed. A workspace without scenarios, or with mistakes, did not.
///
/// # Errors
/// Where the report cannot be written.
pub fn run(test: &Test) -> anyhow::Result<bool> {
    let (theatre, suites) = match read(&test.workspace) {
        Ok(read) => read,
        Err(mistakes) => {
            println!("{mistakes}");
            return Ok(false);
        }
    };
    let begun = Instant::now();
    let mut lines = Vec::new();
    for suite in &suites {
        for scenario in &suite.scenarios {
            let wanted = |text: &String| suite.file.contains(text.as_str()) || scenario.name.contains(text.as_str());
            if test.only.as_ref().is_none_or(wanted) {
                let started = Instant::now();
                let played = theatre.play(suite, scenario);
                let (file, name) = (suite.file.clone(), scenario.name.clone());
                lines.push(Line { file, name, took: started.elapsed(), played });
            }
        }
    }
    let took = begun.elapsed();
    print!("{}", report(&lines, test.timeline));
    if let Some(file) = &test.junit {
        std::fs::write(file, junit(&lines, took)).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let failed = lines.iter().filter(|line| !line.played.wrong.is_empty()).count();
    if lines.is_empty() {
        match &test.only {
            Some(text) => println!("no scenario has `{text}` in its file or name"),
            None => println!("there are no scenarios: write some in {}", test.workspace.join("tests").display()),
        }
        return Ok(false);
    }
    let count = if lines.len() == 1 { "1 scenario".to_owned() } else { format!("{} scenarios", lines.len()) };
    println!("{count}, {} passed, {failed} failed, in {} ms", lines.len() - failed, took.as_millis());
    Ok(failed == 0)
}

/// The catalog and its scenarios; else every mistake, as `beckon check` tells them.
fn read(workspace: &Path) -> Result<(Theatre, Vec<scenario::Suite>), String> {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let config = Input::of_workspace(workspace, env, Vec::new())
        .map_err(|mistake| vec![mistake])
        .and_then(|input| config::load(&input, Secrets::Leave))
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))?;
    let told = |mistakes: Vec<Mistake>| listed(&mistakes);
    let catalog = catalog::read_workspace(workspace).and_then(|files| catalog::compile(&files, None)).map_err(told)?;
    let files = catalog::read_scenarios(workspace).map_err(told)?;
    let suites = scenario::compile_scenarios(&files, &catalog).map_err(told)?;
    Ok((Theatre { catalog: Arc::new(catalog), first: config.chat.playbook }, suites))
}

/// The scenarios that failed, each with what happened up to the line that differs; with `all` the others too.
fn report(lines: &[Line], all: bool) -> String {
    let mut text = String::new();
    for line in lines {
        let failed = !line.played.wrong.is_empty();
        if !failed && !all {
            continue;
        }
        let _ = writeln!(text, "{} {}: {}", if failed { "FAILED" } else { "passed" }, line.file, line.name);
        text.push_str(&story(&line.played));
        text.push('\n');
    }
    text
}

fn story(played: &Played) -> String {
    let mut text = String::new();
    for moment in played.lines() {
        let _ = writeln!(text, "  {moment}");
    }
    for mistake in &played.wrong {
        let _ = writeln!(text, "{mistake}");
    }
    text
}

/// What became of the scenarios as JUnit XML: a suite a file.
fn junit(lines: &[Line], took: Duration) -> String {
    let mut files: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        files.entry(&line.file).or_default().push(line);
    }
    let failures = |lines: &[&Line]| lines.iter().filter(|line| !line.played.wrong.is_empty()).count();
    let all: Vec<&Line> = lines.iter().collect();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{}\" failures=\"{}\" time=\"{:.3}\">\n",
        all.len(),
        failures(&all),
        took.as_secs_f64()
    );
    for (file, lines) in files {
        let time: Duration = lines.iter().map(|line| line.took).sum();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" time=\"{:.3}\">",
            escaped(file),
            lines.len(),
            failures(&lines),
            time.as_secs_f64()
        );
        for line in lines {
            let (name, time) = (escaped(&line.name), line.took.as_secs_f64());
            let _ = write!(xml, "    <testcase classname=\"{}\" name=\"{name}\" time=\"{time:.3}\"", escaped(file));
            match line.played.wrong.first() {
                None => xml.push_str("/>\n"),
                Some(first) => {
                    let _ = writeln!(
                        xml,
                        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                        escaped(&format!("{}:{}: {}", first.file, first.line, first.message)),
                        escaped(&story(&line.played))
                    );
                }
            }
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Text as XML holds it; characters that XML has no place for become U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => escaped.push('\u{FFFD}'),
            c => escaped.push(c),
        }
    }
    escaped
}
