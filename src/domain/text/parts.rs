//! Splits a text that is too long for one post into parts for a thread, where a reader would pause.
//!
//! Cuts between paragraphs and sentences; only a sentence that is too long by itself is cut between
//! words, and only a word that is too long between its visible characters. An address is never cut.

use unicode_segmentation::UnicodeSegmentation as _;

use super::links;

/// The longest word before a full stop that is taken for an abbreviation: `TP.`, `GS.`, `Mr.`.
const ABBREVIATION: usize = 3;

/// A piece of the text that holds together, with the border after it.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    /// True when a paragraph ends with it.
    ends_paragraph: bool,
}

/// The parts of a text, each of which counts at most `max`; one part when it fits as it is.
///
/// Nothing is left out but blanks at the borders. A part counts more than `max` only when it is an
/// address or a single visible character that does.
pub fn parts(text: &str, max: u32, count: impl Fn(&str) -> u32) -> Vec<String> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    if count(text) <= max {
        return vec![text.to_owned()];
    }
    let mut pieces = Vec::new();
    for sentence in sentences(text) {
        if count(sentence.text.trim()) <= max {
            pieces.push(sentence);
            continue;
        }
        for word in words(sentence.text) {
            let whole = count(word.trim()) <= max;
            let atoms = if whole { vec![word] } else { atoms(word) };
            pieces.extend(atoms.into_iter().map(|text| Piece { text, ends_paragraph: false }));
        }
        if let Some(last) = pieces.last_mut() {
            last.ends_paragraph = sentence.ends_paragraph;
        }
    }
    gathered(&pieces, max, count)
}

/// Puts pieces together as far as they fit. Rather than begin a paragraph at the end of a part that
/// is at least half full, the part ends before it.
fn gathered(pieces: &[Piece<'_>], max: u32, count: impl Fn(&str) -> u32) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    // Where the last paragraph of the part ended, and with which piece.
    let mut paragraph: Option<(usize, usize)> = None;
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let longer = format!("{part}{}", piece.text);
        if part.trim().is_empty() || count(longer.trim()) <= max {
            part = longer;
            if piece.ends_paragraph {
                paragraph = Some((part.len(), at));
            }
            at += 1;
            continue;
        }
        if let Some((end, last)) = paragraph
            && let Some(head) = part.get(..end)
            && count(head.trim()).saturating_mul(2) >= max
        {
            part.truncate(end);
            at = last + 1;
        }
        parts.push(part.trim().to_owned());
        part.clear();
        paragraph = None;
    }
    if !part.trim().is_empty() {
        parts.push(part.trim().to_owned());
    }
    parts
}

/// The sentences of a text with the blanks behind them. Lines end sentences too.
fn sentences(text: &str) -> Vec<Piece<'_>> {
    let links = links(text);
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for bound in text.split_sentence_bounds() {
        at += bound.len();
        let inside_link = links.iter().any(|link| link.start < at && at < link.end);
        let so_far = text.get(start..at).unwrap_or_default();
        if inside_link || (at < text.len() && is_abbreviation(so_far)) {
            continue;
        }
        found.push(Piece { text: so_far, ends_paragraph: ends_paragraph(so_far) });
        start = at;
    }
    if let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        found.push(Piece { text: rest, ends_paragraph: true });
    }
    // A line break is a sentence of its own when another stands before it.
    merged_breaks(text, found)
}

/// Blank pieces belong to what stands before them.
fn merged_breaks<'a>(text: &'a str, pieces: Vec<Piece<'a>>) -> Vec<Piece<'a>> {
    let mut merged: Vec<Piece<'a>> = Vec::with_capacity(pieces.len());
    let mut start = 0;
    let mut at = 0;
    for piece in pieces {
        at += piece.text.len();
        let whole = text.get(start..at).unwrap_or(piece.text);
        if piece.text.trim().is_empty()
            && let Some(last) = merged.last_mut()
        {
            *last = Piece { text: whole, ends_paragraph: ends_paragraph(whole) };
            continue;
        }
        start = at - piece.text.len();
        merged.push(piece);
    }
    merged
}

fn ends_paragraph(text: &str) -> bool {
    text.get(text.trim_end().len()..).is_some_and(|blanks| blanks.matches('\n').count() >= 2)
}

/// Whether a border after `text` is only that of an abbreviation: a short word that begins with a
/// capital letter, and a full stop.
fn is_abbreviation(text: &str) -> bool {
    if text.contains('\n') && text.trim_end().len() < text.rfind('\n').unwrap_or(0) {
        return false;
    }
    let Some(word) = text.trim_end().strip_suffix('.') else { return false };
    let word = word.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    word.chars().next().is_some_and(char::is_uppercase)
        && word.graphemes(true).count() <= ABBREVIATION
}

/// The words of a sentence with the blanks behind them; an address is one word.
fn words(text: &str) -> Vec<&str> {
    let links = links(text);
    let mut found: Vec<&str> = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for bound in text.split_word_bounds() {
        let before = at;
        at += bound.len();
        let inside_link = links.iter().any(|link| link.start < at && at < link.end);
        let next = text.get(at..).unwrap_or_default();
        // Blanks and signs stay with the word before them; an opening sign goes with the next.
        let sticks = next.chars().next().is_some_and(|c| {
            c.is_whitespace() || (!c.is_alphanumeric() && !is_opening(c) && !is_ideograph(c))
        });
        let opens = text.get(before..at).and_then(|it| it.chars().last()).is_some_and(is_opening);
        if inside_link || sticks || opens {
            continue;
        }
        found.push(text.get(start..at).unwrap_or_default());
        start = at;
    }
    found.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    found
}

/// The visible characters of a word; an address in it is one.
fn atoms(word: &str) -> Vec<&str> {
    let links = links(word);
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for cluster in word.graphemes(true) {
        at += cluster.len();
        if !links.iter().any(|link| link.start < at && at < link.end) {
            found.extend(word.get(start..at));
            start = at;
        }
    }
    found
}

fn is_opening(c: char) -> bool {
    matches!(
        c,
        '(' | '['
            | '{'
            | '«'
            | '“'
            | '‘'
            | '"'
            | '#'
            | '@'
            | '$'
            | '¿'
            | '¡'
            | '「'
            | '『'
            | '《'
            | '（'
    )
}

/// Emoji and the like are words of their own.
fn is_ideograph(c: char) -> bool {
    use unicode_properties::UnicodeEmoji as _;
    !c.is_ascii() && c.is_emoji_char()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::text::{code_points, weighted_length};

    fn points(text: &str) -> u32 {
        u32::try_from(code_points(text)).expect("small")
    }

    #[test]
    fn what_fits_is_one_part() {
        assert_eq!(parts("  Xin chào. Tạm biệt.  ", 280, weighted_length), ["Xin chào. Tạm biệt."]);
        assert_eq!(parts(" \n ", 280, weighted_length), Vec::<String>::new());
    }

    #[test]
    fn sentences_stay_whole_and_abbreviations_end_none() {
        let text = "Bộ trưởng thăm TP. Hồ Chí Minh hôm nay. GS. Nguyễn Văn An cùng đi. Hết.";
        assert_eq!(
            parts(text, 45, points),
            ["Bộ trưởng thăm TP. Hồ Chí Minh hôm nay.", "GS. Nguyễn Văn An cùng đi. Hết."]
        );
    }

    #[test]
    fn a_paragraph_rather_begins_the_next_part() {
        let text = "Câu một dài vừa đủ.\n\nCâu hai. Câu ba cũng khá dài.";
        assert_eq!(
            parts(text, 35, points),
            ["Câu một dài vừa đủ.", "Câu hai. Câu ba cũng khá dài."]
        );
    }

    #[test]
    fn a_long_sentence_is_cut_between_words_and_never_in_an_address() {
        let text = "Xem thông cáo báo chí tại https://mofa.gov.vn/tin-tuc/2026/11?trang=1&ban=vi ngay hôm nay nhé";
        let split = parts(text, 40, weighted_length);
        assert!(split.iter().all(|part| weighted_length(part) <= 40), "{split:?}");
        assert!(
            split
                .iter()
                .any(|part| part.contains("https://mofa.gov.vn/tin-tuc/2026/11?trang=1&ban=vi")),
            "{split:?}"
        );
        assert_eq!(split.join(" "), text);
    }

    #[test]
    fn a_text_without_blanks_is_cut_between_visible_characters() {
        let family = "👨\u{200d}👩\u{200d}👧".repeat(9);
        let split = parts(&family, 5, weighted_length);
        assert_eq!(split.concat(), family);
        assert_eq!(split.first().map(String::as_str), Some(&*"👨\u{200d}👩\u{200d}👧".repeat(2)));
        let hindi = "क्षत्रिय".repeat(8);
        let split = parts(&hindi, 10, points);
        let bounds: Vec<&str> = hindi.graphemes(true).collect();
        for part in &split {
            assert!(bounds.iter().any(|cluster| part.ends_with(cluster)), "{part}");
            assert_eq!(part.graphemes(true).collect::<String>(), *part);
        }
        assert_eq!(split.concat(), hindi);
    }

    #[test]
    fn chinese_sentences_end_at_their_own_full_stop() {
        assert_eq!(
            parts("今天天气很好。我们去河内。", 14, weighted_length),
            ["今天天气很好。", "我们去河内。"]
        );
    }

    proptest! {
        // An address counts 23, and is never cut.
        #[test]
        fn nothing_but_blanks_is_lost_and_every_part_fits(text in "[a-zA-ZđờạĐ0-9 .,!?\n。中文👍क्षि\u{5d0}\u{5d1}]{0,400}", max in 24_u32..60) {
            let split = parts(&text, max, weighted_length);
            for part in &split {
                prop_assert!(weighted_length(part) <= max, "{part:?} counts {}", weighted_length(part));
                prop_assert!(!part.trim().is_empty());
            }
            let squeeze = |it: &str| it.split_whitespace().collect::<String>();
            prop_assert_eq!(squeeze(&split.concat()), squeeze(&text));
        }
    }
}
