//! A page of a list: how much, from where on, and where the next one begins.

use serde::{Deserialize, Serialize};

/// The most items in a page.
pub const MOST: u32 = 200;

/// How many items a page has when nobody says.
pub const USUAL: u32 = 50;

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The most items.
    pub limit: u32,
    /// The sort key of the last item before the page, as [`Page::next`] gave it.
    pub after: Option<Vec<String>>,
}

/// Some items of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The sort key from which the next page goes on; none after the last.
    pub next: Option<Vec<String>>,
}

impl Window {
    /// How many rows to read: one more than the page has, to know whether there is a next.
    pub fn rows(&self) -> u32 {
        self.limit + 1
    }

    /// The id after which a list in the order of its ids goes on; `None` at the beginning and for
    /// a cursor that is not of this list.
    pub fn after_id<I: std::str::FromStr>(&self) -> Option<I> {
        match self.after.as_deref() {
            Some([id]) => id.parse().ok(),
            Some(_) | None => None,
        }
    }

    /// Makes a page of the rows that were read.
    pub fn page<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> Vec<String>) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Page { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_next() {
        let window = Window { limit: 2, after: None };
        let key = |it: &u32| vec![it.to_string()];
        assert_eq!(window.page(vec![1, 2, 3], key).next, Some(vec!["2".to_owned()]));
        assert_eq!(window.page(vec![1, 2], key).next, None);
    }
}
