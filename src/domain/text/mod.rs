//! Text: one normal form, what counts as the same text, and how long a text is.
//!
//! Everything here works on code points after NFC, because the same visible Vietnamese word may
//! arrive composed or decomposed and must be stored, counted and found again as one.

mod alike;
mod emoji;
mod graphemes;
pub mod language;
mod links;
mod lookalike;
mod marks;
mod named;
mod parts;
mod weighted;
mod words;

use unicode_normalization::UnicodeNormalization as _;

pub use alike::alike;
pub use graphemes::{graphemes, short_linked_length};
pub use language::{Direction, Language, NotALanguage};
pub use links::{Link, links};
pub use lookalike::{disguised_words, has_drawn_letters, passes_for};
pub use marks::{Mark, MarkKind, marks};
pub use named::{NAMED, Named};
pub use parts::parts;
pub use weighted::{LINK_WEIGHT, weighted_length};
pub use words::{Phrase, Search, unmarked, words};

/// The form in which text is saved and sent.
pub fn nfc(text: &str) -> String {
    text.nfc().collect()
}

/// How many code points a text has in the form in which it is sent.
pub fn code_points(text: &str) -> usize {
    text.nfc().count()
}

/// What two texts share when a person would call them the same: NFC, every run of white space one
/// space, none at the ends.
///
/// Platforms trim, turn CRLF into LF and collapse blanks, so a post that is read back must be
/// compared in this form, and "the same text again" is judged by it too.
pub fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in nfc(text).split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decomposed_word_is_saved_and_counted_as_the_composed_one() {
        assert_eq!(nfc("Vie\u{323}\u{302}t"), "Việt");
        assert_eq!(code_points("Vie\u{323}\u{302}t"), 4);
    }

    #[test]
    fn the_same_text_with_other_blanks_and_forms_is_the_same() {
        let sent = "Chúc mừng\r\nQuốc khánh  ";
        let read = "Chu\u{301}c mừng\nQuốc\u{a0}khánh";
        assert_eq!(normalised(sent), normalised(read));
        assert_eq!(normalised(sent), "Chúc mừng Quốc khánh");
    }

    #[test]
    fn another_letter_or_another_line_is_another_text() {
        assert_ne!(normalised("Viet"), normalised("Việt"));
        assert_ne!(normalised("a b"), normalised("ab"));
    }
}
