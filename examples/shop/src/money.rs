//! Amounts: whole euro cents inside, a number in JSON, words on pages.

/// The only currency of this shop.
pub const CURRENCY: &str = "EUR";

/// The amount as JSON carries it, in euros: `89.5`.
#[must_use]
pub fn euros(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}

/// The amount as pages show it: `€89.50`.
#[must_use]
pub fn words(cents: u32) -> String {
    format!("€{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_the_same_in_words_and_in_json() {
        assert_eq!(words(8950), "€89.50");
        assert_eq!(words(1205), "€12.05");
        assert!((euros(8950) - 89.5).abs() < f64::EPSILON);
    }
}
