//! Posts on our accounts that did not come from here: how they stand, and how much of them is kept.

use super::words;

words! {
    /// How a post stands that did not come from here.
    ForeignStatus {
        /// Nobody has said yet what it is.
        New = "new",
        /// A person has said what it is.
        Explained = "explained",
    }
}

/// So much of what a post says is kept, in code points: enough to know it again.
const EXCERPT: usize = 500;

/// The longest note of whoever explains one, in code points.
pub const LONGEST_NOTE: usize = 500;

/// The beginning of what a post says, without what no list should show.
pub fn excerpt(text: &str) -> String {
    let plain = |it: char| if it.is_control() { ' ' } else { it };
    text.chars().take(EXCERPT).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_plain() {
        assert_eq!(excerpt("Quốc khánh\n2/9\0"), "Quốc khánh 2/9 ");
        assert_eq!(excerpt(&"ạ".repeat(2_000)).chars().count(), EXCERPT);
    }
}
