//! What a visitor can make happen at the bank: each time the account changes first, and Beckon is told as the bank's
//! card system would.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use beckon_example_site::{Event, Play, Site, Visitor, random};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::account::{Account, Deposit, LINES, Payment, Status, euros};

/// The country of the bank's customers.
const HOME: &str = "NL";

/// What can be played.
pub const PLAYS: [Play; 3] = [
    Play { name: "abroad", label: "Pay abroad", note: "One payment of €742, in another country." },
    Play { name: "burst", label: "Pay four times", note: "Four shops in four minutes, by the same card." },
    Play { name: "deposit", label: "Receive a large sum", note: "€18,500 arrive from the sale of a boat." },
];

/// Payments: card, merchant, country, euro cents, minutes ago.
const ABROAD: &[(&str, &str, &str, u32, i64)] = &[("visa-7710", "Joalharia Sereia", "PT", 74_200, 0)];
const BURST: &[(&str, &str, &str, u32, i64)] = &[
    ("mastercard-2094", "Kade Electronics", HOME, 21_900, 3),
    ("mastercard-2094", "Fonoteek", HOME, 18_950, 2),
    ("mastercard-2094", "Havenkiosk", HOME, 9_900, 1),
    ("mastercard-2094", "Loods Zes", HOME, 24_500, 0),
];

/// Plays one of [`PLAYS`].
pub async fn play(State(site): State<Arc<Site<Account>>>, visitor: Visitor, Path(play): Path<String>) -> Response {
    let payments = match play.as_str() {
        "abroad" => ABROAD,
        "burst" => BURST,
        "deposit" => &[],
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let Ok(mut told) = site.outbox.try_reserve_many(payments.len().max(1)) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut people = site.people();
    let Some(account) = people.get_mut(&visitor.0) else {
        return Redirect::to("/").into_response();
    };
    if account.payments.len() >= LINES || account.deposits.len() >= LINES {
        return (StatusCode::TOO_MANY_REQUESTS, "Enough was paid. Start over as somebody new.").into_response();
    }
    for (card, merchant, country, cents, minutes) in payments {
        if account.cards.iter().any(|known| known.id == *card && known.blocked) {
            continue;
        }
        let at = Timestamp::now() - SignedDuration::from_mins(*minutes);
        let id = format!("P-{}", random(6).to_uppercase());
        // Of what was paid the event tells only what the trigger asks: merchants and places stay in the bank.
        let data = json!({
            "payment_id": id, "card_id": card, "amount": euros(*cents), "currency": "EUR",
            "abroad": *country != HOME,
        });
        account.payments.push(Payment { id, card, merchant, country, cents: *cents, at, status: Status::Booked });
        if let Some(told) = told.next() {
            told.send(Event::at(at, "bank", "card.payment", &visitor.0, data));
        }
    }
    if play == "deposit"
        && let Some(told) = told.next()
    {
        let (id, cents) = (format!("D-{}", random(6).to_uppercase()), 1_850_000);
        let data = json!({ "deposit_id": id, "amount": euros(cents), "currency": "EUR" });
        account.deposits.push(Deposit { id, from: "Sale of the boat Aurora", cents });
        told.send(Event::now("bank", "account.deposit", &visitor.0, data));
    }
    Redirect::to("/").into_response()
}
