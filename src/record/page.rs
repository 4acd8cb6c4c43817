//! Pages of lists: items and an opaque cursor to what follows.

/// The most items of one page.
pub(super) const MOST: u32 = 500;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the rest begins; none where this is the end.
    pub cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of `limit` from up to one more than that, naming the last item shown by `at`.
    pub(super) fn cut(mut items: Vec<T>, limit: u32, at: impl Fn(&T) -> (i64, String)) -> Page<T> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let cursor = items.last().filter(|_| more).map(|last| {
            let (number, id) = at(last);
            format!("{number}_{id}")
        });
        Page { items, cursor }
    }
}

/// Reads a cursor; a text that is none begins at the start.
pub(super) fn after(cursor: Option<&str>) -> Option<(i64, String)> {
    let (number, id) = cursor?.split_once('_')?;
    Some((number.parse().ok()?, id.to_owned()))
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
        assert_eq!((page.items, page.cursor.as_deref()), (vec![3, 2], Some("2_id-2")));
        assert_eq!(after(Some("2_id-2")), Some((2, "id-2".to_owned())));
        assert_eq!(after(Some("nonsense")), None);
        assert_eq!(Page::cut(vec![1_i64], 2, |n| (*n, String::new())).cursor, None);
    }
}
