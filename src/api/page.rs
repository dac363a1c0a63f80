//! Pages of lists: the envelope, the opaque cursor, the limit.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::service::{MOST, Page, Told, USUAL, Window};

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Items<T> {
    /// The items.
    items: Vec<T>,
    /// Give it as `cursor` for the next page; `null` after the last.
    next_cursor: Option<String>,
}

impl<T> From<Page<T>> for Items<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next_cursor: page.next.map(|key| encode(&key)) }
    }
}

/// Which page a query asks for.
pub(super) fn window(limit: Option<u32>, cursor: Option<&str>) -> Result<Window, Problem> {
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let told = Told::new("bad_limit", format!("limit must lie between 1 and {MOST}"));
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, told.with("max", MOST)));
    }
    let after = cursor.map(|cursor| decode(cursor).ok_or_else(bad_cursor)).transpose()?;
    Ok(Window { limit, after })
}

fn bad_cursor() -> Problem {
    let told = Told::new("bad_cursor", "not a cursor of this list; begin again without one");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, told)
}

fn encode(key: &[String]) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

fn decode(cursor: &str) -> Option<Vec<String>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_another_text_is_none() {
        let key = vec!["2026-09-02T02:00:00Z".to_owned(), "dlv_1".to_owned()];
        assert_eq!(decode(&encode(&key)), Some(key));
        assert!(window(None, Some("nonsense")).is_err());
        assert!(window(None, Some("")).is_err());
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!(window(None, None).unwrap().limit, USUAL);
        assert!(window(Some(0), None).is_err());
        assert!(window(Some(201), None).is_err());
    }
}
