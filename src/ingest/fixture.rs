//! Tries a source's profile on a recorded request: what `beckon source verify` prints.
//!
//! A fixture is the text of an HTTP request, or a recording as JSON (`{method, path, headers, body}`, or `requests`
//! with several of which the first that has a body counts). A recorded body that is JSON was written anew by the
//! recorder: its signature is tried over the usual ways to write it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::hooks::events_of;
use super::signature::{VerifyError, signed_at, verify};
use super::{Headers, Received};
use crate::model::catalog::Source;
use crate::model::event::{Event, Trust};
use crate::model::time::Ms;
use crate::secret::Secret;

/// What a profile makes of a recorded request.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Why it is not believed; none: it is.
    pub unverified: Option<String>,
    /// What a reader of the report should know.
    pub notes: Vec<String>,
    /// What it becomes: events, or why not.
    pub events: Vec<Result<Event, String>>,
}

impl Report {
    /// Whether everything in it is fine.
    pub fn is_good(&self) -> bool {
        self.unverified.is_none() && self.events.iter().all(Result::is_ok)
    }
}

/// A request as recorded: bodies that it may have had.
struct Recorded {
    headers: Headers,
    bodies: Vec<Vec<u8>>,
}

/// Verifies a recorded request and shows its events. The signed time is checked against the recording's own.
pub fn verify_fixture(source: &Source, fixture: &str, secrets: &[Secret]) -> Report {
    let mut report = Report { unverified: None, notes: Vec::new(), events: Vec::new() };
    let recorded = match read(fixture) {
        Ok(recorded) => recorded,
        Err(why) => {
            report.unverified = Some(why);
            return report;
        }
    };
    let scheme = source.verify.as_ref().map(|verify| verify.scheme);
    let at = scheme.and_then(|scheme| signed_at(scheme, &recorded.headers));
    if let Some(at) = at {
        report.notes.push(format!("the signed time was taken for now: {at}; a server holds it against its own clock"));
    }
    let now = at.unwrap_or(Ms::MAX);
    let mut body = recorded.bodies.first().cloned().unwrap_or_default();
    match &source.verify {
        None => report.notes.push("this source verifies nothing; its events come with an API key".to_owned()),
        Some(how) => {
            let tried = |body: &Vec<u8>| verify(how, secrets, &recorded.headers, body, now);
            match recorded.bodies.iter().find(|body| tried(body).is_ok()) {
                Some(found) => body.clone_from(found),
                None => report.unverified = tried(&body).err().as_ref().map(VerifyError::to_string),
            }
        }
    }
    let any = usize::MAX;
    let received = Received { at: now, trust: Trust::Server, max_item: any, max_items: any, max_body: any };
    report.events = match events_of(source, &recorded.headers, &body, &received) {
        Ok(items) => items.into_iter().map(|item| item.event.map_err(|refused| refused.to_string())).collect(),
        Err(refused) => vec![Err(refused.to_string())],
    };
    report
}

/// A recorded request; its body stays as it was written.
#[derive(Deserialize)]
struct Recording<'f> {
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(borrow)]
    body: Option<&'f RawValue>,
    #[serde(default)]
    requests: Vec<Recording<'f>>,
}

fn read(fixture: &str) -> Result<Recorded, String> {
    if !fixture.trim_start().starts_with('{') {
        return plain(fixture);
    }
    let recording: Recording<'_> = serde_json::from_str(fixture).map_err(|e| format!("no recording: {e}"))?;
    let request = match recording.body {
        Some(_) => &recording,
        None => recording.requests.iter().find(|request| request.body.is_some()).ok_or("no request has a body")?,
    };
    let headers = request.headers.iter().filter_map(|(name, value)| Some((name, value.as_str()?))).collect();
    let body = request.body.map(RawValue::get).unwrap_or_default();
    let bodies = match serde_json::from_str::<String>(body) {
        Ok(text) => vec![text.into_bytes()],
        Err(_) => written(body),
    };
    Ok(Recorded { headers, bodies })
}

/// The text of a request: its line, headers, an empty line, the body.
fn plain(text: &str) -> Result<Recorded, String> {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .or_else(|| text.split_once("\n\n"))
        .ok_or("the request has no empty line between headers and body")?;
    let headers: Headers = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':').map(|(name, value)| (name.trim(), value.trim())))
        .collect();
    let mut bodies = vec![body.as_bytes().to_vec()];
    // Editors end a file with a new line that no client sent.
    if let Some(cut) = body.strip_suffix('\n') {
        bodies.push(cut.strip_suffix('\r').unwrap_or(cut).as_bytes().to_vec());
    }
    Ok(Recorded { headers, bodies })
}

/// The usual ways to write JSON: compact, and indented by two. Names stay in their order, texts as they are written.
fn written(recorded: &str) -> Vec<Vec<u8>> {
    let mut compact = String::with_capacity(recorded.len());
    let mut pretty = String::with_capacity(recorded.len());
    let (mut within_text, mut escaped, mut depth) = (false, false, 0usize);
    let mut opened = false;
    for c in recorded.chars() {
        if !within_text && c.is_ascii_whitespace() {
            continue;
        }
        compact.push(c);
        if within_text {
            pretty.push(c);
            within_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        let line = |pretty: &mut String, depth: usize| {
            pretty.push('\n');
            pretty.push_str(&"  ".repeat(depth));
        };
        if matches!(c, '}' | ']') {
            depth = depth.saturating_sub(1);
            if !opened {
                line(&mut pretty, depth);
            }
        } else if opened {
            line(&mut pretty, depth);
        }
        opened = matches!(c, '{' | '[');
        within_text = c == '"';
        pretty.push(c);
        match c {
            '{' | '[' => depth += 1,
            ',' => line(&mut pretty, depth),
            ':' => pretty.push(' '),
            _ => {}
        }
    }
    vec![compact.into_bytes(), pretty.into_bytes()]
}
