//! Length of a text on X: weighted code points, a link 23, an emoji sequence 2.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

use super::{emoji, links};

/// What one link counts, however long it is: it is replaced by a short one of this length.
pub const LINK_WEIGHT: u32 = 23;

const EMOJI_WEIGHT: u32 = 2;

/// Code points that count 1; all others count 2. Vietnamese letters with two marks (U+1EA0 to
/// U+1EF9) lie outside, so "tiếng Việt" counts 12.
///
/// twitter-text, configuration version 3 (github.com/twitter/twitter-text), read 2026-11-21.
const LIGHT: [(char, char); 4] = [
    ('\u{0}', '\u{10ff}'),
    ('\u{2000}', '\u{200d}'),
    ('\u{2010}', '\u{201f}'),
    ('\u{2032}', '\u{2037}'),
];

/// What a text counts on X.
///
/// Differs from the published library on purpose in one point: that one knows the emoji sequences
/// of 2019, this one every sequence of the right shape.
pub fn weighted_length(text: &str) -> u32 {
    let text: String = text.nfc().collect();
    let mut total = 0_u32;
    let mut from = 0;
    for link in links(&text) {
        total = total.saturating_add(plain(text.get(from..link.start).unwrap_or_default()));
        total = total.saturating_add(LINK_WEIGHT);
        from = link.end;
    }
    total.saturating_add(plain(text.get(from..).unwrap_or_default()))
}

fn plain(text: &str) -> u32 {
    text.graphemes(true)
        .map(|cluster| {
            if emoji::is_sequence(cluster) {
                EMOJI_WEIGHT
            } else {
                cluster.chars().map(weight).sum()
            }
        })
        .fold(0, u32::saturating_add)
}

fn weight(c: char) -> u32 {
    if LIGHT.iter().any(|(first, last)| (*first..=*last).contains(&c)) { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vietnamese_letters_with_two_marks_weigh_two() {
        assert_eq!(weighted_length("tiếng Việt"), 12);
        assert_eq!(weighted_length("Chúc mừng Quốc khánh Việt Nam "), 33);
        assert_eq!(weighted_length("ă â đ ê ô ơ ư"), 13);
    }

    #[test]
    fn decomposed_text_counts_as_it_is_sent() {
        let composed = "Chúc mừng Quốc khánh Việt Nam ";
        let decomposed: String =
            unicode_normalization::UnicodeNormalization::nfd(composed).collect();
        assert_eq!(weighted_length(&decomposed), 33);
    }

    /// Every row of the file was counted by the published library, not by this program.
    #[test]
    fn every_golden_text_counts_as_the_published_library_counts_it() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/x/counting.json");
        let file: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).expect("the fixture is there"))
                .expect("the fixture is JSON");
        let rows = file["rows"].as_array().expect("rows");
        assert!(rows.len() >= 60, "{} rows", rows.len());
        let wrong: Vec<String> = rows
            .iter()
            .filter_map(|row| {
                let text = row["text"].as_str().expect("text");
                let expected = row["weight"].as_u64().expect("weight");
                let counted = weighted_length(text);
                (u64::from(counted) != expected)
                    .then(|| format!("{text:?}: counted {counted}, should be {expected}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn emoji_newer_than_the_published_library_count_two() {
        for emoji in ["❤️‍🔥", "🧑🏽‍🚀", "🐦‍🔥"] {
            assert_eq!(weighted_length(emoji), 2, "{emoji}");
        }
    }
}
