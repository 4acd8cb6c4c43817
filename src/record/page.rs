//! Pages of lists: items and an opaque cursor to what follows.

use std::fmt;
use std::str::FromStr;

/// The most items of one page.
pub(super) const MOST: u32 = 500;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the rest begins; none where this is the end.
    pub cursor: Option<Cursor>,
}

/// Where a page ended: opaque to who goes on from it, and read back before anything is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What the list is sorted by, of the last item shown.
    pub(super) at: i64,
    /// The last item's id.
    pub(super) id: String,
}

/// A text that no page gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is the cursor of no page")]
pub struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at, self.id)
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Cursor, NoCursor> {
        let (at, id) = text.split_once('_').filter(|(_, id)| !id.is_empty()).ok_or(NoCursor)?;
        Ok(Cursor { at: at.parse().map_err(|_| NoCursor)?, id: id.to_owned() })
    }
}

impl<T> Page<T> {
    /// Makes a page of `limit` from up to one more than that, naming the last item shown by `at`.
    pub(super) fn cut(mut items: Vec<T>, limit: u32, at: impl Fn(&T) -> (i64, String)) -> Page<T> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let cursor = items.last().filter(|_| more).map(|last| {
            let (at, id) = at(last);
            Cursor { at, id }
        });
        Page { items, cursor }
    }
}

/// A pattern for `like … escape '!'` that finds `text` anywhere, wildcards taken as they are; bounded.
pub(super) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.trim().to_lowercase().chars().take(200) {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_taken_as_they_are() {
        assert_eq!(containing(" 50%_Off! "), "%50!%!_off!!%");
        assert_eq!(containing(&"x".repeat(100_000)).len(), 202);
    }

    #[test]
    fn a_page_names_where_the_rest_begins() {
        let page = Page::cut(vec![3_i64, 2, 1], 2, |n| (*n, format!("id-{n}")));
        let cursor = page.cursor.unwrap();
        assert_eq!((page.items, cursor.to_string().as_str()), (vec![3, 2], "2_id-2"));
        assert_eq!("2_id-2".parse(), Ok(cursor));
        for text in ["", "nonsense", "2", "2_", "x_id-2", "_id-2"] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
        assert_eq!(Page::cut(vec![1_i64], 2, |n| (*n, String::new())).cursor, None);
    }
}
