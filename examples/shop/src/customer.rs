//! A customer of the shop: name, cards on file, cart and orders.

use std::collections::{BTreeMap, BTreeSet};

use beckon_example_site::Person;

use crate::goods;
use crate::order::{Line, Order, Status};

/// The most of one product in a cart.
pub const QUANTITY: u32 = 9;
/// The most orders a customer may place, so that nobody fills the memory of the shop.
pub const ORDERS: usize = 100;

/// A card on file. The numbers are made up.
#[derive(Debug, Clone)]
pub struct Card {
    /// Its id in forms and in the API: `visa-4242`.
    pub id: String,
    /// Who issued it.
    pub brand: &'static str,
    /// The last digits of its number.
    pub last: &'static str,
    /// Month and year.
    pub expires: &'static str,
    /// Whether the bank ever says yes.
    pub works: bool,
    /// Whether the bank has said no to this customer.
    pub declined: bool,
}

impl Card {
    /// The card as people say it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} ending {}", self.brand, self.last)
    }
}

/// The cards every new customer has: one that is always declined, first, and two that work.
#[must_use]
pub fn wallet() -> Vec<Card> {
    let card = |brand: &'static str, last: &'static str, expires, works| Card {
        id: format!("{}-{last}", brand.to_lowercase()),
        brand,
        last,
        expires,
        works,
        declined: false,
    };
    vec![
        card("Visa", "0002", "09/27", false),
        card("Visa", "4242", "04/29", true),
        card("Mastercard", "5100", "11/28", true),
    ]
}

/// Somebody who visits the shop.
#[derive(Debug)]
pub struct Customer {
    /// The plain user id, which Beckon knows as `user:<id>`.
    pub id: String,
    /// A friendly name.
    pub name: &'static str,
    /// Cards on file, the default first.
    pub cards: Vec<Card>,
    /// Product to quantity, from 1 to [`QUANTITY`].
    pub cart: BTreeMap<&'static str, u32>,
    /// Products that they wish for.
    pub wishes: BTreeSet<&'static str>,
    /// Oldest first.
    pub orders: Vec<Order>,
}

impl Customer {
    /// How many things are in the cart.
    #[must_use]
    pub fn in_cart(&self) -> u32 {
        self.cart.values().sum()
    }

    /// Sets how many of a product are in the cart; 0 takes it out, more than [`QUANTITY`] is that many.
    pub fn put(&mut self, slug: &'static str, quantity: u32) {
        if quantity == 0 {
            self.cart.remove(slug);
        } else {
            self.cart.insert(slug, quantity.min(QUANTITY));
        }
    }

    /// The cart as lines of an order, in the order of the shelf.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let line = |product: &'static goods::Product| {
            let quantity = *self.cart.get(product.slug)?;
            Some(Line { slug: product.slug, title: product.title, quantity, cents: product.cents })
        };
        goods::SHELF.iter().filter_map(line).collect()
    }

    /// The order of this id, if it is this customer's.
    #[must_use]
    pub fn order(&self, id: &str) -> Option<&Order> {
        self.orders.iter().find(|order| order.id == id)
    }

    /// The unpaid order that was made of exactly this cart, so that going back and forth places no second one.
    #[must_use]
    pub fn open_order(&self, lines: &[Line]) -> Option<&Order> {
        self.orders.iter().rev().find(|order| order.status != Status::Paid && order.lines == lines)
    }
}

impl Person for Customer {
    fn new(id: String, name: &'static str) -> Self {
        Self { id, name, cards: wallet(), cart: BTreeMap::new(), wishes: BTreeSet::new(), orders: Vec::new() }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &'static str {
        self.name
    }
}
