//! All the shop remembers, in memory: who visits, what they ordered, what was charged. One lock around it,
//! never held across a wait, so that two payments of one order cannot pass each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use beckon_example_site::{People, random};

use crate::customer::{Customer, ORDERS};
use crate::goods;
use crate::order::{Answer, Order, Status};

/// The number of the first order.
const FIRST_NUMBER: u32 = 1_042;

/// The shop's memory, shared by all requests.
#[derive(Debug)]
pub struct Ledger(Mutex<Books>);

/// What is behind the lock.
#[derive(Debug)]
pub struct Books {
    /// Who visits.
    pub people: People<Customer>,
    /// Products of which none is left.
    pub sold_out: BTreeSet<&'static str>,
    next_number: u32,
}

/// Why an order could not be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unplaced {
    /// Nothing is in the cart.
    EmptyCart,
    /// This customer has placed as many orders as the shop remembers.
    TooMany,
}

impl Ledger {
    /// A shop on its first day.
    #[must_use]
    pub fn new() -> Self {
        let sold_out = BTreeSet::from([goods::SCARCE]);
        Self(Mutex::new(Books { people: People::default(), sold_out, next_number: FIRST_NUMBER }))
    }

    /// The books, for as long as the guard lives.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        // A panic elsewhere leaves no half-written order: each change below is one assignment after its checks.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Books {
    /// Makes an order of the customer's cart, or finds the unpaid one already made of it. The cart stays.
    ///
    /// # Errors
    /// With an empty cart, or after too many orders.
    pub fn place(&mut self, customer: &str) -> Result<String, Unplaced> {
        let customer = self.people.get_mut(customer).ok_or(Unplaced::EmptyCart)?;
        let lines = customer.lines();
        if lines.is_empty() {
            return Err(Unplaced::EmptyCart);
        }
        if let Some(order) = customer.open_order(&lines) {
            return Ok(order.id.clone());
        }
        if customer.orders.len() >= ORDERS {
            return Err(Unplaced::TooMany);
        }
        let order = Order::new(self.next_number, lines);
        let id = order.id.clone();
        self.next_number += 1;
        customer.orders.push(order);
        Ok(id)
    }

    /// Tries to pay a customer's order with one of that customer's cards. `None` where either is not theirs.
    /// A paid order empties the cart it was made of.
    pub fn pay(&mut self, customer: &str, order: &str, card: &str, key: Option<&str>) -> Option<(Answer, &Order)> {
        let customer = self.people.get_mut(customer)?;
        let in_cart = customer.lines();
        let card = customer.cards.iter_mut().find(|kept| kept.id == card)?;
        let order = customer.orders.iter_mut().find(|kept| kept.id == order)?;
        let answer = order.pay(card, key, format!("p-{}", random(16)));
        if answer.news && order.status == Status::Paid && order.lines == in_cart {
            customer.cart.clear();
        }
        Some((answer, order))
    }

    /// How often each order was charged, those never charged included.
    #[must_use]
    pub fn charges(&self) -> BTreeMap<&str, u32> {
        let orders = self.people.iter().flat_map(|customer| &customer.orders);
        orders.map(|order| (order.id.as_str(), order.charges)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_to_the_cart_places_no_second_order() {
        let ledger = Ledger::new();
        let mut books = ledger.books();
        let id = books.people.welcome().1;
        assert_eq!(books.place(&id), Err(Unplaced::EmptyCart));
        books.people.get_mut(&id).unwrap().put("deck-mug", 1);
        let first = books.place(&id).unwrap();
        assert_eq!(books.place(&id).unwrap(), first);
        books.people.get_mut(&id).unwrap().put("deck-mug", 2);
        assert_ne!(books.place(&id).unwrap(), first);
    }

    #[test]
    fn a_charge_empties_the_cart_and_another_customers_card_or_order_pays_nothing() {
        let ledger = Ledger::new();
        let mut books = ledger.books();
        let (mine, theirs) = (books.people.welcome().1, books.people.welcome().1);
        books.people.get_mut(&mine).unwrap().put("beach-kite", 1);
        let order = books.place(&mine).unwrap();
        assert!(books.pay(&theirs, &order, "visa-4242", None).is_none());
        assert!(books.pay(&mine, &order, "visa-9999", None).is_none());
        assert!(books.pay(&mine, &order, "visa-4242", None).unwrap().0.news);
        assert_eq!(books.people.get(&mine).unwrap().in_cart(), 0);
        assert_eq!(books.charges().get(order.as_str()), Some(&1));
    }
}
