//! Emoji sequences: which user-perceived characters are one emoji, however many code points.

use unicode_properties::{EmojiStatus, UnicodeEmoji as _};

const JOINER: char = '\u{200d}';
const AS_EMOJI: char = '\u{fe0f}';
pub(super) const BLACK_FLAG: char = '\u{1f3f4}';
const KEYCAP: char = '\u{20e3}';

/// Whether a grapheme cluster of several code points is one emoji, by the shapes of Unicode
/// Technical Standard 51 (read 2026-11-21): flag, keycap, or elements joined by U+200D, each with
/// a presentation selector, a skin tone or tags.
///
/// The standard's list of sequences in use grows every year; the shapes do not, so a sequence that
/// is newer than this program is still counted as one.
pub(super) fn is_sequence(cluster: &str) -> bool {
    let mut marks = cluster.chars();
    match (marks.next(), marks.next(), marks.next(), marks.next()) {
        (Some(_), None, _, _) | (None, ..) => false,
        (Some(a), Some(b), None, _) if is_region(a) => is_region(b),
        (Some(a), Some(KEYCAP), None, _) | (Some(a), Some(AS_EMOJI), Some(KEYCAP), None) => {
            is_key(a)
        }
        _ => cluster.split(JOINER).all(is_element),
    }
}

/// One emoji with what may follow it.
fn is_element(text: &str) -> bool {
    let mut marks = text.chars();
    let Some(base) = marks.next() else { return false };
    if !base.is_emoji_char() || is_key(base) || is_region(base) {
        return false;
    }
    let mut rest = marks.peekable();
    if rest.peek().is_some_and(|next| is_skin_tone(*next)) {
        if !takes_skin_tone(base) {
            return false;
        }
        rest.next();
    }
    rest.next_if_eq(&AS_EMOJI);
    rest.all(|tag| matches!(tag, '\u{e0020}'..='\u{e007f}'))
}

fn is_key(c: char) -> bool {
    matches!(c, '0'..='9' | '#' | '*')
}

fn is_region(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

fn takes_skin_tone(c: char) -> bool {
    matches!(
        c.emoji_status(),
        EmojiStatus::EmojiModifierBase | EmojiStatus::EmojiPresentationAndModifierBase
    )
}

#[cfg(test)]
mod tests {
    use super::is_sequence;

    #[test]
    fn flags_keys_families_and_skins_are_one_emoji() {
        for cluster in ["🇻🇳", "1️⃣", "#⃣", "👨‍👩‍👧‍👦", "👍🏽", "🏳️‍🌈", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "❤️", "🧑🏽‍🚀", "❤️‍🔥"]
        {
            assert!(is_sequence(cluster), "{cluster}");
        }
    }

    #[test]
    fn letters_with_marks_single_characters_and_half_sequences_are_none() {
        for cluster in
            ["e\u{301}", "1", "1\u{fe0f}", "☀\u{fe0e}", "🇻", "❤🏽", "👍", "क्षि", "👍\u{200d}"]
        {
            assert!(!is_sequence(cluster), "{cluster}");
        }
    }
}
