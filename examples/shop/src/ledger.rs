//! All the shop remembers, in memory: who visits, what they ordered, what was charged. One lock around it,
//! never held across a wait, so that two payments of one order cannot pass each other.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::customer::{Customer, ORDERS, random};
use crate::order::{Answer, Order, Status};

/// How many customers the shop remembers; the oldest is forgotten first.
const CUSTOMERS: usize = 5_000;
/// The number of the first order.
const FIRST_NUMBER: u32 = 1_042;

/// The shop's memory, shared by all requests.
#[derive(Debug)]
pub struct Ledger(Mutex<Books>);

/// What is behind the lock.
#[derive(Debug)]
pub struct Books {
    customers: HashMap<String, Customer>,
    sessions: HashMap<String, String>,
    arrivals: VecDeque<(String, String)>,
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
        Self(Mutex::new(Books {
            customers: HashMap::new(),
            sessions: HashMap::new(),
            arrivals: VecDeque::new(),
            next_number: FIRST_NUMBER,
        }))
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
    /// Welcomes somebody new; returns their session, which only their browser may know.
    pub fn welcome(&mut self) -> (String, &Customer) {
        if self.arrivals.len() >= CUSTOMERS
            && let Some((session, id)) = self.arrivals.pop_front()
        {
            self.sessions.remove(&session);
            self.customers.remove(&id);
        }
        let session = random(32);
        let customer = Customer::new();
        let id = customer.id.clone();
        self.arrivals.push_back((session.clone(), id.clone()));
        self.sessions.insert(session.clone(), id.clone());
        (session, self.customers.entry(id).or_insert(customer))
    }

    /// Whose session this is: their user id.
    #[must_use]
    pub fn visitor(&self, session: &str) -> Option<&str> {
        self.sessions.get(session).map(String::as_str)
    }

    /// The customer of this user id.
    #[must_use]
    pub fn customer(&self, id: &str) -> Option<&Customer> {
        self.customers.get(id)
    }

    /// The same, to change.
    pub fn customer_mut(&mut self, id: &str) -> Option<&mut Customer> {
        self.customers.get_mut(id)
    }

    /// Makes an order of the customer's cart, or finds the unpaid one already made of it. The cart stays.
    ///
    /// # Errors
    /// With an empty cart, or after too many orders.
    pub fn place(&mut self, customer: &str) -> Result<String, Unplaced> {
        let customer = self.customers.get_mut(customer).ok_or(Unplaced::EmptyCart)?;
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
        let customer = self.customers.get_mut(customer)?;
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
        let orders = self.customers.values().flat_map(|customer| &customer.orders);
        orders.map(|order| (order.id.as_str(), order.charges)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_forgets_its_oldest_customers_and_never_more() {
        let ledger = Ledger::new();
        let mut books = ledger.books();
        let first = books.welcome().0;
        let second = books.welcome().0;
        for _ in 2..=CUSTOMERS {
            books.welcome();
        }
        assert_eq!(books.visitor(&first), None);
        assert!(books.visitor(&second).is_some());
        assert_eq!((books.customers.len(), books.sessions.len()), (CUSTOMERS, CUSTOMERS));
    }

    #[test]
    fn going_back_to_the_cart_places_no_second_order() {
        let ledger = Ledger::new();
        let mut books = ledger.books();
        let id = books.welcome().1.id.clone();
        assert_eq!(books.place(&id), Err(Unplaced::EmptyCart));
        books.customer_mut(&id).unwrap().put("deck-mug", 1);
        let first = books.place(&id).unwrap();
        assert_eq!(books.place(&id).unwrap(), first);
        books.customer_mut(&id).unwrap().put("deck-mug", 2);
        assert_ne!(books.place(&id).unwrap(), first);
    }

    #[test]
    fn a_charge_empties_the_cart_and_another_customers_card_or_order_pays_nothing() {
        let ledger = Ledger::new();
        let mut books = ledger.books();
        let (mine, theirs) = (books.welcome().1.id.clone(), books.welcome().1.id.clone());
        books.customer_mut(&mine).unwrap().put("beach-kite", 1);
        let order = books.place(&mine).unwrap();
        assert!(books.pay(&theirs, &order, "visa-4242", None).is_none());
        assert!(books.pay(&mine, &order, "visa-9999", None).is_none());
        assert!(books.pay(&mine, &order, "visa-4242", None).unwrap().0.news);
        assert_eq!(books.customer(&mine).unwrap().in_cart(), 0);
        assert_eq!(books.charges().get(order.as_str()), Some(&1));
    }
}
