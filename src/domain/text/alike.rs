//! Whether a text that is read back may be one that was sent and was then rewritten by the platform.
//!
//! Platforms take away links that they show as cards, put signs of their own between letters, show names
//! in place of handles, and cut. They do not change figures, and by these the members of a series are
//! told apart. A wrong "alike" asks a person; a wrong "not alike" can send a post twice.

use unicode_normalization::UnicodeNormalization as _;

use super::links;

/// So alike must the letters be, as a part of one.
const ENOUGH: f64 = 0.85;
/// A name may stand where a handle was; it has no more words.
const LONGEST_NAME: usize = 10;
/// What was cut must have left so many letters.
const LEAST_LEFT: usize = 8;

/// Whether `seen` may be `sent`, rewritten.
pub fn alike(sent: &str, seen: &str) -> bool {
    let (sent, seen) = (visible(sent), visible(seen));
    let (ours, theirs) = (words(&sent), words(&seen));
    ours == theirs
        || is_cut(&ours, &theirs, &seen)
        || has_names(&sent, &theirs)
        || (figures(&ours) == figures(&theirs) && is_close(&ours, &theirs))
}

/// The text without its links and without signs that nobody sees, in one form of all letters.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for link in links(text) {
        out.push_str(text.get(from..link.start).unwrap_or_default());
        out.push(' ');
        from = link.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    // An address whose end nobody knows is one all the same.
    let told = out.split_whitespace().filter(|token| !token.contains("://"));
    let out = told.collect::<Vec<_>>().join(" ");
    out.nfkc().filter(|c| !is_unseen(*c)).flat_map(char::to_lowercase).collect()
}

/// Joiners, marks of direction, soft hyphens, and what chooses the look of an emoji.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e01ef}')
}

/// Its words: quotation marks, dashes, emoji and blanks do not count.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// Words with figures, in their order.
fn figures<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().filter(|word| word.contains(char::is_numeric)).collect()
}

/// What is left is the beginning, and says that it goes on.
fn is_cut(ours: &[&str], theirs: &[&str], seen: &str) -> bool {
    let end = seen.trim_end();
    // A "…" is three dots by now.
    if !end.ends_with("...") {
        return false;
    }
    let (ours, theirs) = (ours.concat(), theirs.concat());
    theirs.chars().count() >= LEAST_LEFT && ours.starts_with(&theirs)
}

/// Whether all that stands between the handles is there in its order, with names between.
fn has_names(sent: &str, theirs: &[&str]) -> bool {
    let parts: Vec<Vec<&str>> = handles_apart(sent);
    if parts.len() < 2 || parts.iter().all(Vec::is_empty) {
        return false;
    }
    let mut rest = theirs;
    for (place, part) in parts.iter().enumerate() {
        let room = if place == 0 { 0 } else { LONGEST_NAME };
        let Some(at) = (0..=room.min(rest.len()))
            .find(|at| rest.get(*at..).is_some_and(|rest| rest.starts_with(part)))
        else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.len() <= if parts.last().is_some_and(Vec::is_empty) { LONGEST_NAME } else { 0 }
}

/// The words before, between and after the handles of a text.
fn handles_apart(text: &str) -> Vec<Vec<&str>> {
    let mut parts: Vec<Vec<&str>> = vec![Vec::new()];
    for token in text.split_whitespace() {
        let is_handle = token.starts_with('@') && token.len() > 1;
        match parts.last_mut() {
            Some(part) if !is_handle => part.extend(words(token)),
            Some(_) | None => parts.push(Vec::new()),
        }
    }
    parts
}

/// Most of the pairs of letters that follow each other are the same.
fn is_close(ours: &[&str], theirs: &[&str]) -> bool {
    strsim::sorensen_dice(&ours.concat(), &theirs.concat()) >= ENOUGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_platforms_do_to_a_text_leaves_it_alike() {
        let sent =
            "Thông báo lãnh sự: \"giờ làm việc\" từ 8:00 – 11:30 ❤ https://mofa.gov.vn/tin/42";
        for seen in [
            "Thông báo lãnh sự: “giờ làm việc” từ 8:00 – 11:30 ❤",
            "Thông báo lãnh sự: \"giờ làm việc\" từ 8:00 — 11:30 ❤\u{fe0f} MOFA.GOV.VN/tin",
            "Thông\u{200b} báo lãnh sự: «giờ làm việc» từ 8:00 - 11:30",
            "THÔNG BÁO LÃNH SỰ: giờ làm việc từ 8:00 – 11:30",
            "Thông báo lãnh sự: \"giờ làm…",
            "Thông báo lãnh sự: giờ làm vi...",
        ] {
            assert!(alike(sent, seen), "{seen}");
        }
        let named = "Cảm ơn @MofaVN và @VNinUK đã phối hợp";
        for seen in [
            "Cảm ơn Bộ Ngoại giao Việt Nam và Vietnam Embassy in London đã phối hợp",
            "Cảm ơn Bộ Ngoại giao và @VNinUK đã phối hợp",
        ] {
            assert!(alike(named, seen), "{seen}");
        }
        assert!(alike("Chúc mừng @MofaVN", "Chúc mừng Bộ Ngoại giao Việt Nam"));
        assert!(alike("#Vietnam80 chào mừng", "Vietnam80 chào mừng"));
        assert!(alike("🇻🇳🎉", "🇻🇳 🎉"));
    }

    #[test]
    fn another_post_is_not_alike() {
        for (sent, seen) in [
            (
                "Travel advice no. 12 for citizens abroad",
                "Travel advice no. 13 for citizens abroad",
            ),
            ("Tỷ giá ngày 21/11: 25.000", "Tỷ giá ngày 22/11: 25.000"),
            ("The embassy is closed today", "The ambassador met the mayor"),
            ("Chúc mừng Quốc khánh", "Chúc mừng năm mới"),
            ("A statement", ""),
            ("", "A statement"),
            ("The end is cut", "The end is"),
            ("On the visit of the minister", "On..."),
            ("Cảm ơn @MofaVN đã phối hợp", "Cảm ơn"),
            ("@MofaVN", "Chúc mừng Quốc khánh của chúng ta"),
        ] {
            assert!(!alike(sent, seen), "{sent} / {seen}");
        }
    }

    /// What is done to a text.
    #[derive(Debug, Clone, Copy)]
    enum Rewriting {
        Link,
        Quotes,
        Unseen,
        Blanks,
        Dashes,
        Case,
    }

    fn rewritten(text: &str, how: &[Rewriting]) -> String {
        how.iter().fold(text.to_owned(), |text, one| match one {
            Rewriting::Link => format!("{text} https://l.example/?u=1"),
            Rewriting::Quotes => format!("“{text}”"),
            Rewriting::Unseen => text.chars().flat_map(|c| [c, '\u{200b}']).collect(),
            Rewriting::Blanks => text.replace(' ', " \u{a0}"),
            Rewriting::Dashes => text.replace(' ', " – "),
            Rewriting::Case => text.to_uppercase(),
        })
    }

    fn rewriting() -> impl Strategy<Value = Rewriting> {
        prop_oneof![
            Just(Rewriting::Link),
            Just(Rewriting::Quotes),
            Just(Rewriting::Unseen),
            Just(Rewriting::Blanks),
            Just(Rewriting::Dashes),
            Just(Rewriting::Case),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_done_to_a_text_leaves_it_alike(
            text in "[a-zàáâãèéêìíòóôõùúýăđơư]{2,9}( [a-zàáâãèéêìíòóôõùúýăđơư0-9]{1,9}){2,20}",
            how in prop::collection::vec(rewriting(), 0..4),
        ) {
            // Last, or its own signs are taken for letters of the text.
            let mut how = how;
            how.sort_by_key(|one| matches!(one, Rewriting::Link));
            let seen = rewritten(&text, &how);
            prop_assert!(alike(&text, &seen), "{seen}");
        }

        #[test]
        fn a_text_that_was_cut_is_alike(text in "[a-zàáâãèéêìíòóôõùúýăđơư]{9,12}( [a-z]{3,9}){3,9}", keep in 9_usize..20) {
            let cut: String = text.chars().take(keep).collect();
            let seen = format!("{cut}…");
            prop_assert!(alike(&text, &seen));
        }

        #[test]
        fn members_of_a_series_are_told_apart(
            text in "[a-zàáâãèéêìíòóôõùúýăđơư]{2,9}( [a-zàáâãèéêìíòóôõùúýăđơư]{1,9}){2,20}", one in 0_u32..9_999, other in 0_u32..9_999,
        ) {
            prop_assume!(one != other);
            let told = (format!("{text} {one}"), format!("{text} {other}"));
            prop_assert!(!alike(&told.0, &told.1));
        }
    }
}
