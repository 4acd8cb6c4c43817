//! Who waits for parcels, and where those are.

use beckon_example_site::api::Answers;
use beckon_example_site::{Person, coming, random};
use serde::Serialize;

/// Where a parcel can be fetched instead.
pub const POINTS: [&str; 3] = ["Kiosk at the harbour", "Locker wall, Dyke Street 4", "Bakery Noor"];

/// Where a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As planned.
    OnItsWay,
    /// Later than planned.
    Late,
    /// It is agreed when or where it comes.
    Agreed,
}

/// A parcel on its way.
#[derive(Debug, Clone, Serialize)]
pub struct Parcel {
    /// Its number, by which people and the API call it.
    pub id: String,
    /// What is in it.
    pub what: &'static str,
    /// Where it is.
    pub status: Status,
    /// When or where it comes, as people say it.
    pub comes: String,
}

/// Somebody who waits for parcels.
#[derive(Debug)]
pub struct Receiver {
    id: String,
    name: &'static str,
    /// What they wait for.
    pub parcels: Vec<Parcel>,
    /// What was answered to writes.
    pub answers: Answers,
}

impl Person for Receiver {
    fn new(id: String, name: &'static str) -> Self {
        let parcel = |what, comes: &str| Parcel {
            id: format!("GN-{}", random(6).to_uppercase()),
            what,
            status: Status::OnItsWay,
            comes: comes.to_owned(),
        };
        let parcels = vec![
            parcel("A storm lantern", "today, 14:00 to 16:00"),
            parcel("Two harbour chairs", "today, 9:00 to 12:00"),
            parcel("A box of books", "tomorrow, 10:00 to 12:00"),
        ];
        Self { id, name, parcels, answers: Answers::default() }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

impl Receiver {
    /// The parcel of this number.
    #[must_use]
    pub fn parcel(&self, id: &str) -> Option<&Parcel> {
        self.parcels.iter().find(|parcel| parcel.id == id)
    }

    /// It is agreed when or where a parcel comes; as planned where nothing else is said.
    pub fn agree(&mut self, id: &str, comes: Option<String>) {
        if let Some(parcel) = self.parcels.iter_mut().find(|parcel| parcel.id == id) {
            parcel.status = Status::Agreed;
            parcel.comes = comes.unwrap_or_else(|| parcel.comes.clone());
        }
    }
}

/// When the van could come instead.
#[must_use]
pub fn slots() -> Vec<String> {
    coming(2, &["9:00 to 12:00", "17:00 to 20:00"])
}
