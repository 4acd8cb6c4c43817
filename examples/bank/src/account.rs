//! A customer of the bank: cards, payments, deposits, and until when it is proved who they are.

use beckon_example_site::api::Answers;
use beckon_example_site::{Person, coming};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// How long a proof of identity is good for.
const PROOF: SignedDuration = SignedDuration::from_mins(5);
/// The most payments and deposits that are kept each, so that nobody fills the memory of the bank.
pub const LINES: usize = 50;

/// A card. The numbers are made up.
#[derive(Debug, Clone, Serialize)]
pub struct Card {
    /// Its id in the API: `visa-7710`.
    pub id: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// Whether it can never be used again.
    pub blocked: bool,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It went through like any other.
    Booked,
    /// The customer said that it was theirs.
    Confirmed,
    /// The customer said that it was not.
    Disputed,
}

/// Money that went out by a card.
#[derive(Debug, Clone)]
pub struct Payment {
    /// Its number, by which people and the API call it.
    pub id: String,
    /// By which card.
    pub card: &'static str,
    /// To whom.
    pub merchant: &'static str,
    /// In which country.
    pub country: &'static str,
    /// Euro cents.
    pub cents: u32,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub status: Status,
}

/// Money that came in.
#[derive(Debug, Clone)]
pub struct Deposit {
    /// Its number.
    pub id: String,
    /// From whom.
    pub from: &'static str,
    /// Euro cents.
    pub cents: u32,
}

/// Somebody with an account.
#[derive(Debug)]
pub struct Account {
    id: String,
    name: &'static str,
    proved_until: Option<Timestamp>,
    /// Cards on the account.
    pub cards: Vec<Card>,
    /// Oldest first.
    pub payments: Vec<Payment>,
    /// Oldest first.
    pub deposits: Vec<Deposit>,
    /// When an adviser is met.
    pub appointment: Option<String>,
    /// What was answered to writes.
    pub answers: Answers,
}

impl Person for Account {
    fn new(id: String, name: &'static str) -> Self {
        let card = |id, label| Card { id, label, blocked: false };
        Self {
            id,
            name,
            proved_until: None,
            cards: vec![card("visa-7710", "Visa ending 7710"), card("mastercard-2094", "Mastercard ending 2094")],
            payments: Vec::new(),
            deposits: Vec::new(),
            appointment: None,
            answers: Answers::default(),
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

/// A line of the account page.
#[derive(Debug, Serialize)]
pub struct Line {
    what: String,
    amount: String,
    tag: &'static str,
}

impl Account {
    /// The customer has just proved who they are.
    pub fn prove(&mut self) {
        self.proved_until = Some(Timestamp::now() + PROOF);
    }

    /// Whether it is proved who they are, and was lately.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.proved_until.is_some_and(|until| Timestamp::now() < until)
    }

    /// What is on the account, in euro cents.
    #[must_use]
    pub fn balance(&self) -> i64 {
        let came: i64 = self.deposits.iter().map(|deposit| i64::from(deposit.cents)).sum();
        let went: i64 = self.payments.iter().map(|payment| i64::from(payment.cents)).sum();
        412_050 + came - went
    }

    /// The payment of this number.
    #[must_use]
    pub fn payment(&self, id: &str) -> Option<&Payment> {
        self.payments.iter().find(|payment| payment.id == id)
    }

    /// The latest lines, newest first.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let payment = |payment: &Payment| Line {
            what: format!("{}, {}", payment.merchant, payment.country),
            amount: words(-i64::from(payment.cents)),
            tag: match payment.status {
                Status::Booked => "",
                Status::Confirmed => "yours",
                Status::Disputed => "not yours",
            },
        };
        let deposit = |deposit: &Deposit| Line {
            what: deposit.from.to_owned(),
            amount: words(i64::from(deposit.cents)),
            tag: "",
        };
        let payments = self.payments.iter().rev().take(6).map(payment);
        self.deposits.iter().rev().take(2).map(deposit).chain(payments).collect()
    }

    /// The customer made this payment.
    pub fn confirm(&mut self, id: &str) {
        if let Some(payment) = self.payments.iter_mut().find(|payment| payment.id == id) {
            payment.status = Status::Confirmed;
        }
    }

    /// Blocks a card; what it paid abroad or in a row and nobody confirmed was not the customer.
    pub fn block(&mut self, id: &str) {
        if let Some(card) = self.cards.iter_mut().find(|card| card.id == id) {
            card.blocked = true;
        }
        for payment in self.payments.iter_mut().filter(|payment| payment.card == id && payment.status == Status::Booked)
        {
            payment.status = Status::Disputed;
        }
    }
}

/// An amount in euros, as JSON carries it.
#[must_use]
pub fn euros(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}

/// An amount as people read it: `€742.00`.
#[must_use]
pub fn words(cents: i64) -> String {
    let sign = if cents < 0 { "−" } else { "" };
    let (euros, cents) = (cents.abs() / 100, cents.abs() % 100);
    match (euros / 1_000, euros % 1_000) {
        (0, euros) => format!("{sign}€{euros}.{cents:02}"),
        (thousands, euros) => format!("{sign}€{thousands},{euros:03}.{cents:02}"),
    }
}

/// When an adviser has time.
#[must_use]
pub fn slots() -> Vec<String> {
    coming(2, &["9:30", "14:00"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_of_identity_is_asked_for_and_a_blocked_card_disputes_what_nobody_confirmed() {
        let mut account = Account::new("c-1".into(), "Ana");
        assert!(!account.is_proved());
        account.prove();
        assert!(account.is_proved());
        for (id, card) in [("P-1", "visa-7710"), ("P-2", "visa-7710"), ("P-3", "mastercard-2094")] {
            let (merchant, country, at, status) = ("Shop", "PT", Timestamp::now(), Status::Booked);
            account.payments.push(Payment { id: id.into(), card, merchant, country, cents: 100, at, status });
        }
        account.confirm("P-1");
        account.block("visa-7710");
        let became: Vec<Status> = account.payments.iter().map(|payment| payment.status).collect();
        assert_eq!(became, [Status::Confirmed, Status::Disputed, Status::Booked]);
        assert_eq!(words(-74_205), "−€742.05");
        assert_eq!(words(2_262_050), "€22,620.50");
    }
}
