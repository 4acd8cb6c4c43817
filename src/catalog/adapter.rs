//! Reads an adapter: operations of a company's API, which the model sees as tools.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::catalog::Operation;

use super::mistake::did_you_mean;
use super::operation::operation;
use super::read::{Reading, short};
use super::words::Words;
use super::yaml::Node;

/// Keys of an adapter.
pub const ADAPTER: &[&str] = &["adapter", "operations"];

/// All operations of a workspace, and what is known of broken ones, so that one mistake is told once.
#[derive(Default)]
pub struct Adapters {
    /// Operations by full name.
    pub operations: BTreeMap<String, Arc<Operation>>,
    /// Names of adapters.
    pub names: BTreeSet<String>,
    /// Full names of operations that have mistakes.
    pub broken: BTreeSet<String>,
    /// Adapters of which not even the operations are known.
    pub unreadable: BTreeSet<String>,
    /// Whether a file of an adapter could not even be read: then any adapter may be in it.
    pub missed: bool,
}

impl Adapters {
    /// The operation that a playbook names, where it may be used in a conversation.
    pub fn usable(&self, reading: &mut Reading<'_, '_>, node: &Node) -> Option<Arc<Operation>> {
        let operation = self.find(reading, node)?;
        if !operation.bound && !operation.public {
            let message = format!("`{}` neither binds `{{customer.id}}` nor says `public: true`", operation.name);
            let help = "bind it in the request's path or json, or say that it is the same for every customer";
            reading.at_with(node.spot, message, Some(help.to_owned()));
            return None;
        }
        Some(operation)
    }

    /// The operation that a playbook names.
    pub fn find(&self, reading: &mut Reading<'_, '_>, node: &Node) -> Option<Arc<Operation>> {
        let name = reading.text(node)?;
        if let Some(operation) = self.operations.get(&name) {
            return Some(Arc::clone(operation));
        }
        if self.broken.contains(&name) {
            return None;
        }
        let Some((adapter, operation)) = name.split_once('.') else {
            let message = format!("`{}` is no operation: it is written `adapter.operation`", short(&name));
            reading.at_with(node.spot, message, did_you_mean(&name, self.all()));
            return None;
        };
        if self.missed || self.unreadable.contains(adapter) {
            return None;
        }
        if self.names.contains(adapter) {
            let suggestion = did_you_mean(&name, self.all());
            reading.at_with(node.spot, format!("`{adapter}` has no operation `{}`", short(operation)), suggestion);
        } else {
            let suggestion = did_you_mean(adapter, self.names.iter().map(String::as_str));
            reading.at_with(node.spot, format!("there is no adapter `{}`", short(adapter)), suggestion);
        }
        None
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().chain(&self.broken).map(String::as_str)
    }

    /// Reads one file.
    pub fn read(
        &mut self,
        reading: &mut Reading<'_, '_>,
        root: &Node,
        words: &mut Words<'_>,
        known: Option<&BTreeSet<String>>,
    ) {
        let stem = reading.file.path.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
        let Some(table) = reading.table(root, ADAPTER) else {
            self.unreadable.insert(stem.to_owned());
            return;
        };
        let named = reading.required(&table, "adapter", root.spot);
        let name = named.and_then(|node| identifier(reading, node));
        let operations = reading.required(&table, "operations", root.spot);
        let (Some(node), Some(name)) = (named, name) else {
            self.unreadable.insert(stem.to_owned());
            return;
        };
        if !self.names.insert(name.clone()) {
            reading.at(node.spot, format!("another file is the adapter `{name}` already"));
            return;
        }
        if let Some(known) = known
            && !known.contains(&name)
        {
            let suggestion = did_you_mean(&name, known.iter().map(String::as_str))
                .or_else(|| Some(format!("add `[adapter.{name}]` with its `url`")));
            reading.at_with(node.spot, format!("`{name}` has no address in beckon.toml"), suggestion);
        }
        let Some(operations) = operations else {
            self.unreadable.insert(name);
            return;
        };
        for (key, node) in reading.entries(operations) {
            let full = format!("{name}.{}", key.name);
            self.broken.insert(full.clone());
            if !is_name(&key.name) {
                reading.at(key.spot, "an operation's name has small letters, digits and single `_`");
                continue;
            }
            let before = reading.mistakes.len();
            if let Some(operation) = operation(reading, node, &name, &full, words)
                && reading.mistakes.len() == before
            {
                self.broken.remove(&full);
                self.operations.insert(full, Arc::new(operation));
            }
        }
    }
}

/// Names of adapters and operations: models see `shop__get_order`, so `__` joins them and is in neither.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 48
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !text.contains("__")
        && !text.starts_with('_')
        && !text.ends_with('_')
}

fn identifier(reading: &mut Reading<'_, '_>, node: &Node) -> Option<String> {
    let name = reading.text(node)?;
    if !is_name(&name) {
        reading.at(node.spot, "an adapter's name has small letters, digits and single `_`");
        return None;
    }
    Some(name)
}
