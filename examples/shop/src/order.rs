//! An order and what paying for it does. Values only: who may ask and who is told is decided elsewhere.

use std::collections::HashMap;

use serde::Serialize;

use crate::customer::Card;

/// How often one order may be tried, so that nobody fills the memory of the shop with attempts.
pub const ATTEMPTS: u32 = 50;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Placed, never tried.
    AwaitingPayment,
    /// Tried, and declined each time.
    PaymentFailed,
    /// Charged once, and never again.
    Paid,
}

impl Status {
    /// The status as the API and the pages' data attributes spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::PaymentFailed => "payment_failed",
            Self::Paid => "paid",
        }
    }

    /// The status as a person reads it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "Waiting for payment",
            Self::PaymentFailed => "Payment declined",
            Self::Paid => "Paid",
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which product.
    pub slug: &'static str,
    /// Its name when it was ordered.
    pub title: &'static str,
    /// How many.
    pub quantity: u32,
    /// Price of one, in euro cents.
    pub cents: u32,
}

/// What an attempt to pay came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The card was charged.
    Paid {
        /// The payment's own id.
        payment_id: String,
    },
    /// The bank said no; nothing was charged.
    Declined {
        /// Which attempt for this order it was, from 1.
        attempt: u32,
    },
    /// The order had been paid before; nothing was charged now.
    AlreadyPaid,
    /// Too many attempts; the card was not even tried.
    TooMany,
    /// The idempotency key was used with another card before; nothing was charged.
    KeyReused,
}

/// The answer to a request for payment, and whether it is news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the attempt came to.
    pub attempt: Attempt,
    /// False where this repeats an earlier answer under the same idempotency key, or nothing was tried.
    pub news: bool,
}

/// What a customer ordered.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its id in the API and in addresses: `o-1042`.
    pub id: String,
    /// Its number as people say it: `NW-1042`.
    pub number: String,
    /// What was ordered, never empty.
    pub lines: Vec<Line>,
    /// Where it stands.
    pub status: Status,
    /// Attempts so far that were declined.
    pub declined: u32,
    /// How often a card was charged for it: 0 or 1.
    pub charges: u32,
    /// The card tried last.
    pub last_card: Option<String>,
    answers: HashMap<String, (String, Attempt)>,
}

impl Order {
    /// A new order that nobody has tried to pay.
    #[must_use]
    pub fn new(number: u32, lines: Vec<Line>) -> Self {
        Self {
            id: format!("o-{number}"),
            number: format!("NW-{number}"),
            lines,
            status: Status::AwaitingPayment,
            declined: 0,
            charges: 0,
            last_card: None,
            answers: HashMap::new(),
        }
    }

    /// What it costs, in euro cents.
    #[must_use]
    pub fn cents(&self) -> u32 {
        self.lines.iter().map(|line| line.cents * line.quantity).sum()
    }

    /// Tries to charge `card`. The same `key` gets the answer it got before, whatever happened since.
    /// `payment_id` is taken where the charge goes through.
    pub fn pay(&mut self, card: &mut Card, key: Option<&str>, payment_id: String) -> Answer {
        if let Some((before, attempt)) = key.and_then(|key| self.answers.get(key)) {
            let attempt = if *before == card.id { attempt.clone() } else { Attempt::KeyReused };
            return Answer { attempt, news: false };
        }
        if self.status == Status::Paid {
            return Answer { attempt: Attempt::AlreadyPaid, news: false };
        }
        if self.declined >= ATTEMPTS {
            return Answer { attempt: Attempt::TooMany, news: false };
        }
        let attempt = if card.works {
            self.status = Status::Paid;
            self.charges += 1;
            Attempt::Paid { payment_id }
        } else {
            self.status = Status::PaymentFailed;
            self.declined += 1;
            card.declined = true;
            Attempt::Declined { attempt: self.declined }
        };
        self.last_card = Some(card.id.clone());
        if let Some(key) = key {
            self.answers.insert(key.to_owned(), (card.id.clone(), attempt.clone()));
        }
        Answer { attempt, news: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::wallet;

    fn order() -> Order {
        let line = Line { slug: "deck-mug", title: "Deck mug", quantity: 2, cents: 1800 };
        Order::new(1042, vec![line])
    }

    #[test]
    fn the_same_key_gets_the_same_answer_and_charges_once() {
        let (mut order, mut cards) = (order(), wallet());
        let card = &mut cards[1];
        let first = order.pay(card, Some("k"), "p-1".into());
        let again = order.pay(card, Some("k"), "p-2".into());
        assert_eq!(first.attempt, Attempt::Paid { payment_id: "p-1".into() });
        assert_eq!(again, Answer { attempt: first.attempt, news: false });
        assert_eq!(order.charges, 1);
    }

    #[test]
    fn a_key_that_comes_back_with_another_card_charges_nothing() {
        let (mut order, mut cards) = (order(), wallet());
        order.pay(&mut cards[0], Some("k"), "p-1".into());
        let other = order.pay(&mut cards[1], Some("k"), "p-2".into());
        assert_eq!(other.attempt, Attempt::KeyReused);
        assert_eq!(order.charges, 0);
    }

    #[test]
    fn a_paid_order_is_not_charged_again() {
        let (mut order, mut cards) = (order(), wallet());
        order.pay(&mut cards[1], None, "p-1".into());
        assert_eq!(order.pay(&mut cards[2], None, "p-2".into()).attempt, Attempt::AlreadyPaid);
        assert_eq!(order.charges, 1);
        assert_eq!(order.cents(), 3600);
    }

    #[test]
    fn attempts_come_to_an_end() {
        let (mut order, mut cards) = (order(), wallet());
        for attempt in 1..=ATTEMPTS {
            assert_eq!(order.pay(&mut cards[0], None, "p".into()).attempt, Attempt::Declined { attempt });
        }
        assert_eq!(order.pay(&mut cards[0], None, "p".into()).attempt, Attempt::TooMany);
    }
}
