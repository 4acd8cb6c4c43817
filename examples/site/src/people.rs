//! Who visits: a session that only their browser knows, and a customer of their own behind it. Bounded: the oldest is
//! forgotten first.

use std::collections::{HashMap, VecDeque};

use rand::{RngExt, distr::Alphanumeric};

/// How many customers a company remembers.
const CUSTOMERS: usize = 5_000;

const NAMES: [&str; 12] = [
    "Ana Duarte",
    "Jonas Weber",
    "Nora Haugen",
    "Elif Kaya",
    "Tom Okafor",
    "Mia Lindqvist",
    "Rui Santos",
    "Ida Nowak",
    "Liam Byrne",
    "Aiko Mori",
    "Omar Haddad",
    "Clara Rossi",
];

/// A customer of some company.
pub trait Person: Send + 'static {
    /// Somebody new, with this id, which nobody can guess, and this friendly name.
    fn new(id: String, name: &'static str) -> Self;
    /// The plain user id, which Beckon knows as `user:<id>`.
    fn id(&self) -> &str;
    /// The name.
    fn name(&self) -> &'static str;
}

/// All customers of a company, and their sessions.
#[derive(Debug)]
pub struct People<P> {
    customers: HashMap<String, P>,
    sessions: HashMap<String, String>,
    arrivals: VecDeque<(String, String)>,
}

impl<P> Default for People<P> {
    fn default() -> Self {
        Self { customers: HashMap::new(), sessions: HashMap::new(), arrivals: VecDeque::new() }
    }
}

impl<P: Person> People<P> {
    /// Welcomes somebody new; returns their session, which only their browser may know, and their id.
    pub fn welcome(&mut self) -> (String, String) {
        if self.arrivals.len() >= CUSTOMERS
            && let Some((session, id)) = self.arrivals.pop_front()
        {
            self.sessions.remove(&session);
            self.customers.remove(&id);
        }
        let session = random(32);
        let id = format!("c-{}", random(14).to_ascii_lowercase());
        let name = NAMES.get(rand::rng().random_range(0..NAMES.len())).copied().unwrap_or("Ana Duarte");
        self.arrivals.push_back((session.clone(), id.clone()));
        self.sessions.insert(session.clone(), id.clone());
        self.customers.insert(id.clone(), P::new(id.clone(), name));
        (session, id)
    }

    /// Whose session this is: their user id.
    #[must_use]
    pub fn visitor(&self, session: &str) -> Option<&str> {
        self.sessions.get(session).map(String::as_str)
    }

    /// The customer of this user id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&P> {
        self.customers.get(id)
    }

    /// The same, to change.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut P> {
        self.customers.get_mut(id)
    }

    /// Everybody, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &P> {
        self.customers.values()
    }
}

/// Random letters and digits, for ids and sessions.
#[must_use]
pub fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Guest(String);

    impl Person for Guest {
        fn new(id: String, _: &'static str) -> Self {
            Self(id)
        }
        fn id(&self) -> &str {
            &self.0
        }
        fn name(&self) -> &'static str {
            "Guest"
        }
    }

    #[test]
    fn a_company_forgets_its_oldest_customers_and_never_more() {
        let mut people = People::<Guest>::default();
        let first = people.welcome().0;
        let second = people.welcome().0;
        for _ in 2..=CUSTOMERS {
            people.welcome();
        }
        assert_eq!(people.visitor(&first), None);
        assert!(people.visitor(&second).is_some());
        assert_eq!((people.customers.len(), people.sessions.len()), (CUSTOMERS, CUSTOMERS));
    }
}
