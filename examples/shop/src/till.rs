//! Carts, wishes, stock and payments: each change first reserves the place for telling of it, then is made.

use beckon_example_site::{Event, Outbox};
use jiff::Timestamp;
use tokio::sync::mpsc::Permit;

use crate::goods::Product;
use crate::order::{Answer, Attempt, Order};
use crate::{Shop, events, goods};

/// A payment that was asked for, and the order as it stands now.
pub struct Tried {
    /// What came of it.
    pub answer: Answer,
    /// The order afterwards.
    pub order: Order,
}

/// Why something was not even tried.
pub enum Untried {
    /// The order, the card or the cart is not this customer's.
    NotTheirs,
    /// None of it is left.
    SoldOut,
    /// Too much is waiting to be told to Beckon; try again in a moment.
    Busy,
}

/// How many of a product are to be in a cart.
#[derive(Debug, Clone, Copy)]
pub enum Quantity {
    /// So many.
    Of(u32),
    /// One more than there are.
    OneMore,
    /// As many as there are, and one where there is none: asking twice changes nothing.
    AtLeastOne,
}

/// What is wished.
#[derive(Debug, Clone, Copy)]
pub enum Wish {
    /// To have it, once it is there.
    For,
    /// Not any more.
    NoMore,
}

fn place(outbox: &Outbox) -> Result<Permit<'_, Event>, Untried> {
    outbox.try_reserve().map_err(|_| Untried::Busy)
}

/// Tries to pay, and hands the events about it to the outbox while the books are still held: events leave in the
/// order in which things happened.
///
/// # Errors
/// [`Untried`], with nothing charged.
pub fn pay(shop: &Shop, customer: &str, order: &str, card: &str, key: Option<&str>) -> Result<Tried, Untried> {
    let (paid, ended) = (place(&shop.outbox)?, place(&shop.outbox)?);
    let mut books = shop.ledger.books();
    let (answer, order) = books.pay(customer, order, card, key).ok_or(Untried::NotTheirs)?;
    let order = order.clone();
    let empty = books.people.get(customer).is_none_or(|customer| customer.cart.is_empty());
    match answer.attempt {
        Attempt::Paid { .. } if answer.news => {
            paid.send(events::completed(customer, &order));
            if empty {
                ended.send(events::cart_ended(customer, "paid"));
            }
        }
        Attempt::Declined { attempt } if answer.news => paid.send(events::payment_failed(customer, &order, attempt)),
        _ => {}
    }
    Ok(Tried { order, answer })
}

/// Changes how many of a product are in a customer's cart, and tells of it.
///
/// # Errors
/// [`Untried`], with nothing changed.
pub fn put(shop: &Shop, customer: &str, product: &'static Product, quantity: Quantity) -> Result<(), Untried> {
    let told = place(&shop.outbox)?;
    let mut books = shop.ledger.books();
    let left = !books.sold_out.contains(product.slug);
    let customer = books.people.get_mut(customer).ok_or(Untried::NotTheirs)?;
    let before = customer.cart.get(product.slug).copied().unwrap_or_default();
    let wanted = match quantity {
        Quantity::Of(number) => number,
        Quantity::OneMore => before.saturating_add(1),
        Quantity::AtLeastOne => before.max(1),
    };
    if wanted > before && !left {
        return Err(Untried::SoldOut);
    }
    customer.put(product.slug, wanted);
    let now = customer.cart.get(product.slug).copied().unwrap_or_default();
    if now == before {
        return Ok(());
    }
    told.send(if customer.cart.is_empty() {
        events::cart_ended(&customer.id, "emptied")
    } else {
        events::cart_updated(customer, Timestamp::now())
    });
    Ok(())
}

/// Whether a customer wishes for a product from now on; tells of it where that is new.
///
/// # Errors
/// [`Untried`], with nothing changed.
pub fn wish(shop: &Shop, customer: &str, product: &'static Product, wished: Wish) -> Result<(), Untried> {
    let told = place(&shop.outbox)?;
    let mut books = shop.ledger.books();
    let customer = books.people.get_mut(customer).ok_or(Untried::NotTheirs)?;
    match wished {
        Wish::For if customer.wishes.insert(product.slug) => told.send(events::wished(&customer.id, product)),
        Wish::NoMore if customer.wishes.remove(product.slug) => {
            told.send(events::wished_no_more(&customer.id, product));
        }
        Wish::For | Wish::NoMore => {}
    }
    Ok(())
}

/// What runs out comes back, or is sold out again; tells of it.
///
/// # Errors
/// [`Untried::Busy`], with nothing changed.
pub fn restock(shop: &Shop) -> Result<(), Untried> {
    let told = place(&shop.outbox)?;
    let Some(product) = goods::find(goods::SCARCE) else { return Ok(()) };
    let mut books = shop.ledger.books();
    if books.sold_out.remove(product.slug) {
        told.send(events::returned(product));
    } else {
        books.sold_out.insert(product.slug);
        told.send(events::gone(product));
    }
    Ok(())
}
