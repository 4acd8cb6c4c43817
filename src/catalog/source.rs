//! Reads a source: whom an event concerns, what it is called here, and how a webhook is verified.

use crate::model::catalog::{Expression, Scheme, Source, SourceClock, Verify};
use crate::model::time::Millis;

use super::expression::{Scope, expression};
use super::read::{Reading, Table};
use super::shape::names;
use super::yaml::Node;

/// Keys of a source.
pub const SOURCE: &[&str] = &["source", "verify", "each", "id", "type", "time", "customer", "data", "clock"];
/// Keys of `clock`.
pub const CLOCK: &[&str] = &["ahead", "behind", "lateness"];
/// Keys of `verify`.
pub const VERIFY: &[&str] = &["scheme", "secrets", "tolerance"];
/// Schemes of `verify`.
pub const SCHEMES: [(&str, Scheme); 5] = [
    ("standard-webhooks", Scheme::StandardWebhooks),
    ("stripe", Scheme::Stripe),
    ("github", Scheme::Github),
    ("bearer", Scheme::Bearer),
    ("segment", Scheme::Segment),
];

/// Profiles that come with Beckon; a workspace's own file of the same name stands for them.
pub const SHIPPED: &[(&str, &str)] = &[
    ("alertmanager", include_str!("../../sources/alertmanager.yaml")),
    ("github", include_str!("../../sources/github.yaml")),
    ("standard-webhooks", include_str!("../../sources/standard-webhooks.yaml")),
    ("stripe", include_str!("../../sources/stripe.yaml")),
    ("svix", include_str!("../../sources/svix.yaml")),
];

/// How old a signed timestamp may be where the source does not say.
const TOLERANCE: Millis = Millis::minutes(5);

/// Reads one file.
pub fn read(reading: &mut Reading<'_, '_>, root: &Node) -> Option<Source> {
    let table = reading.table(root, SOURCE)?;
    let name = reading.required(&table, "source", root.spot).and_then(|node| {
        let name = reading.name(node)?;
        if !super::playbook::is_slug(&name) {
            reading.at(node.spot, "a source's name has letters, digits, `-`, `_` and `.`");
            return None;
        }
        Some(name)
    });
    let verify = table.get("verify").and_then(|node| verify(reading, node));
    let each = table.get("each").and_then(|node| expression(reading, node, Scope::Only(&names(&["body", "headers"]))));
    let id = value(reading, &table, "id");
    let kind = value(reading, &table, "type");
    let time = value(reading, &table, "time");
    let customer = value(reading, &table, "customer");
    let data = value(reading, &table, "data");
    let clock = table.get("clock").and_then(|node| clock(reading, node)).unwrap_or_default();
    Some(Source { name: name?, verify, each, id, kind, time, customer, data, clock })
}

fn value(reading: &mut Reading<'_, '_>, table: &Table<'_>, name: &str) -> Option<Expression> {
    table.get(name).and_then(|node| expression(reading, node, Scope::Only(&names(&["body", "headers", "item"]))))
}

/// What is known of the source's clock.
fn clock(reading: &mut Reading<'_, '_>, node: &Node) -> Option<SourceClock> {
    let table = reading.table(node, CLOCK)?;
    let mut span = |key: &str, most: Millis| table.get(key).and_then(|node| reading.span(node, Millis(0), most));
    let (ahead, behind) = (span("ahead", Millis::hours(24)), span("behind", Millis::hours(24)));
    let lateness = span("lateness", Millis::hours(7 * 24));
    Some(SourceClock { ahead: ahead.unwrap_or_default(), behind: behind.unwrap_or_default(), lateness })
}

fn verify(reading: &mut Reading<'_, '_>, node: &Node) -> Option<Verify> {
    let table = reading.table(node, VERIFY)?;
    let scheme = reading.required(&table, "scheme", node.spot).and_then(|node| reading.choice(node, &SCHEMES));
    let mut secrets = Vec::new();
    if let Some(list) = reading.required(&table, "secrets", node.spot) {
        for item in reading.items(list, 1, 10) {
            let Some(secret) = reading.name(item) else { continue };
            // The catalog is stored and shown, so it holds names of secrets and never one itself.
            let named = secret.strip_prefix("env:").or_else(|| secret.strip_prefix("file:"));
            if named.is_none_or(str::is_empty) {
                reading.at(item.spot, "a secret is named here, not written: `env:NAME` or `file:PATH`");
            } else {
                secrets.push(secret);
            }
        }
    }
    let tolerance = table.get("tolerance").and_then(|node| reading.span(node, Millis::seconds(1), Millis::hours(1)));
    Some(Verify { scheme: scheme?, secrets, tolerance: tolerance.unwrap_or(TOLERANCE) })
}
