//! A page of a list: how much, from where on, and where the next one begins.

use serde::{Deserialize, Serialize};

use super::Error;

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

    /// The id after which a list in the order of its ids goes on; `None` at the beginning.
    pub fn after_id<I: std::str::FromStr>(&self) -> Result<Option<I>, Error> {
        match self.after.as_deref() {
            None => Ok(None),
            Some([id]) => id.parse().map(Some).map_err(|_other| Self::foreign_cursor()),
            Some(_) => Err(Self::foreign_cursor()),
        }
    }

    /// A cursor that another list gave, or none did.
    pub fn foreign_cursor() -> Error {
        let detail = "not a cursor of this list; begin again without one";
        Error::fault("/cursor", "bad_cursor", detail)
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
    fn the_cursor_of_another_list_is_refused() {
        use crate::domain::id::{PostId, UnitId};
        let post = PostId::new(jiff::Timestamp::UNIX_EPOCH, 1);
        let at = |after: &[&str]| Window {
            limit: 2,
            after: Some(after.iter().map(ToString::to_string).collect()),
        };
        assert_eq!(at(&[post.as_str()]).after_id::<PostId>().unwrap(), Some(post.clone()));
        assert!(at(&[post.as_str()]).after_id::<UnitId>().is_err());
        assert!(at(&[]).after_id::<PostId>().is_err());
        assert!(at(&[post.as_str(), "1"]).after_id::<PostId>().is_err());
        assert_eq!(Window { limit: 2, after: None }.after_id::<PostId>().unwrap(), None);
    }

    #[test]
    fn the_last_page_has_no_next() {
        let window = Window { limit: 2, after: None };
        let key = |it: &u32| vec![it.to_string()];
        assert_eq!(window.page(vec![1, 2, 3], key).next, Some(vec!["2".to_owned()]));
        assert_eq!(window.page(vec![1, 2], key).next, None);
    }
}
