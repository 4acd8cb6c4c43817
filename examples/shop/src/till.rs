//! Taking a payment: charge first, then tell, with the place for telling reserved before the charge.

use crate::order::{Attempt, Order};
use crate::outbox::Event;
use crate::{Shop, order::Answer};

/// A payment that was asked for, and the order as it stands now.
pub struct Tried {
    /// What came of it.
    pub answer: Answer,
    /// The order afterwards.
    pub order: Order,
}

/// Why a payment was not even tried.
pub enum Untried {
    /// The order or the card is not this customer's.
    NotTheirs,
    /// Too much is waiting to be told to Beckon; try again in a moment.
    Busy,
}

/// Tries to pay, and hands the event about it to the outbox while the books are still held: events leave in the
/// order in which things happened.
///
/// # Errors
/// [`Untried`], with nothing charged.
pub fn pay(shop: &Shop, customer: &str, order: &str, card: &str, key: Option<&str>) -> Result<Tried, Untried> {
    let place = shop.outbox.try_reserve().map_err(|_| Untried::Busy)?;
    let mut books = shop.ledger.books();
    let (answer, order) = books.pay(customer, order, card, key).ok_or(Untried::NotTheirs)?;
    match answer.attempt {
        Attempt::Paid { .. } if answer.news => place.send(Event::completed(customer, order)),
        Attempt::Declined { attempt } if answer.news => place.send(Event::payment_failed(customer, order, attempt)),
        _ => {}
    }
    Ok(Tried { order: order.clone(), answer })
}
