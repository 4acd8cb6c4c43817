//! A vendor's webhook becomes events, by the profile of its source.
//!
//! Where the profile does not say it, the id is the delivery's, and the type is the source's name.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::profile::Profile;
use super::{Headers, Item, Items, Received, Refused, fields, size_of};
use crate::model::catalog::Source;
use crate::model::event::Event;
use crate::model::json;

/// Headers that name a delivery, in the order they are asked.
const DELIVERY: [&str; 4] = ["webhook-id", "svix-id", "x-github-delivery", "x-shopify-webhook-id"];

/// The events of a verified webhook.
///
/// # Errors
/// The body is no JSON, or `each` finds no items in it, or too many; or the profile makes more of it than is taken.
pub fn events_of(source: &Source, headers: &Headers, body: &[u8], received: &Received) -> Items {
    let parsed = json::read(body)?;
    let profile = Profile::new(source, &parsed, headers);
    let items = profile.items(&parsed)?;
    received.check_count(items.len())?;
    let many = source.each.is_some();
    let mut whole = 0usize;
    let read = |(index, item): (usize, &Value)| {
        let delivery = || delivery(headers, body, many.then_some(index));
        match event(source, &profile, item, received, delivery) {
            Ok((event, bytes)) => {
                whole = whole.saturating_add(bytes);
                received.check_whole(whole)?;
                Ok(Item::taken(event))
            }
            Err(refused) if many => Ok(Item::refused(None, refused.under(&format!("/{index}")))),
            Err(refused) => Ok(Item::refused(None, refused)),
        }
    };
    items.iter().enumerate().map(read).collect()
}

/// The event of an item, and the bytes of its data: `data` may say the whole body for each item.
fn event(
    source: &Source,
    profile: &Profile<'_>,
    item: &Value,
    received: &Received,
    delivery: impl FnOnce() -> Result<String, Refused>,
) -> Result<(Event, usize), Refused> {
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
    let bytes = size_of(&data);
    received.check_size(bytes).map_err(|refused| refused.under("/data"))?;
    let mut event = Event::new(&source.name, &id, &kind, said.customer.flatten(), data);
    event.time = said.time.map(|time| fields::within(time, received.at));
    event.trust = received.trust;
    Ok((event, bytes))
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
