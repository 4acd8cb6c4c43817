//! A vendor's webhook becomes events, by the profile of its source.
//!
//! Where the profile does not say it, the id is the delivery's, and the type is the source's name.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::profile::Profile;
use super::{Headers, Item, Items, Received, Refused, fields};
use crate::model::catalog::Source;
use crate::model::event::Event;
use crate::model::json;

/// Headers that name a delivery, in the order they are asked.
const DELIVERY: [&str; 4] = ["webhook-id", "svix-id", "x-github-delivery", "x-shopify-webhook-id"];

/// The events of a verified webhook.
///
/// # Errors
/// The body is no JSON, or `each` finds no items in it, or too many.
pub fn events_of(source: &Source, headers: &Headers, body: &[u8], received: &Received) -> Items {
    let whole = json::read(body)?;
    let profile = Profile::new(source, &whole, headers);
    let items = profile.items(&whole)?;
    received.check_count(items.len())?;
    let many = source.each.is_some();
    let read = |(index, item): (usize, &Value)| {
        if let Err(refused) = received.check_size(item.to_string().len()) {
            return Item::refused(None, if many { refused.under(&format!("/{index}")) } else { refused });
        }
        let delivery = || delivery(headers, body, many.then_some(index));
        match event(source, &profile, item, received, delivery) {
            Ok(event) => Item::taken(event),
            Err(refused) if many => Item::refused(None, refused.under(&format!("/{index}"))),
            Err(refused) => Item::refused(None, refused),
        }
    };
    Ok(items.iter().enumerate().map(read).collect())
}

fn event(
    source: &Source,
    profile: &Profile<'_>,
    item: &Value,
    received: &Received,
    delivery: impl FnOnce() -> Result<String, Refused>,
) -> Result<Event, Refused> {
    let said = profile.read(item)?;
    let id = match said.id {
        Some(id) => id,
        None => delivery()?,
    };
    let kind = match said.kind {
        Some(kind) => kind,
        None => fields::kind("/type", &source.name)?,
    };
    let data = said.data.unwrap_or_else(|| item.clone());
    let mut event = Event::new(&source.name, &id, &kind, said.customer.flatten(), data);
    event.time = said.time.map(|time| fields::within(time, received.at));
    event.trust = received.trust;
    Ok(event)
}

/// The id of a delivery, and of the item within it; without a header, of its bytes: the same sent again is the same.
fn delivery(headers: &Headers, body: &[u8], index: Option<usize>) -> Result<String, Refused> {
    let id = match DELIVERY.iter().find_map(|name| headers.get(name).map(|id| (name, id))) {
        Some((name, id)) => fields::name(&format!("header {name}"), id)?,
        None => Sha256::digest(body).iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
    };
    Ok(match index {
        Some(index) => format!("{id}.{index}"),
        None => id,
    })
}
