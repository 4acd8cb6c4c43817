//! Satisfaction: what a customer's rating of 1 to 5 says. Four and five count as satisfied, as is usual for CSAT.

use serde::{Deserialize, Serialize};

/// What conversations are looked for by, the least satisfied first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Satisfaction {
    /// Rated 1 or 2.
    Unhappy,
    /// Rated 3.
    Neutral,
    /// Rated 4 or 5.
    Happy,
}

impl Satisfaction {
    /// All, the least satisfied first.
    pub const ALL: [Satisfaction; 3] = [Satisfaction::Unhappy, Satisfaction::Neutral, Satisfaction::Happy];

    /// What a rating says.
    pub fn of(score: u8) -> Satisfaction {
        match score {
            0..=2 => Satisfaction::Unhappy,
            3 => Satisfaction::Neutral,
            4.. => Satisfaction::Happy,
        }
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Satisfaction::Unhappy => "unhappy",
            Satisfaction::Neutral => "neutral",
            Satisfaction::Happy => "happy",
        }
    }

    /// What has this name on the wire.
    pub fn named(text: &str) -> Option<Satisfaction> {
        Satisfaction::ALL.into_iter().find(|satisfaction| satisfaction.name() == text)
    }

    /// The lowest and the highest rating that say so.
    pub fn scores(self) -> (u8, u8) {
        match self {
            Satisfaction::Unhappy => (1, 2),
            Satisfaction::Neutral => (3, 3),
            Satisfaction::Happy => (4, 5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rating_says_one_thing_and_is_found_by_it() {
        for score in 1..=5 {
            let (lowest, highest) = Satisfaction::of(score).scores();
            assert!((lowest..=highest).contains(&score), "{score}");
        }
        for satisfaction in Satisfaction::ALL {
            assert_eq!(Satisfaction::named(satisfaction.name()), Some(satisfaction));
        }
        assert_eq!(Satisfaction::named("content"), None);
    }
}
