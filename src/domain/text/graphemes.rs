//! How long a text is where the signs that readers see are counted: Bluesky and Mastodon.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{LINK_WEIGHT, links, nfc};

/// How many signs readers see (grapheme clusters) in the form in which a text is sent.
pub fn graphemes(text: &str) -> usize {
    nfc(text).graphemes(true).count()
}

/// The same as Mastodon counts it: an address with its scheme is 23, a name on another server counts
/// without the server (docs.joinmastodon.org, posting, read 2026-11-22).
pub fn short_linked_length(text: &str) -> u32 {
    let text = nfc(text);
    let mut total: u32 = 0;
    let mut from = 0;
    for link in links(&text).into_iter().filter(|link| link.has_scheme) {
        total = total.saturating_add(plain(text.get(from..link.start).unwrap_or_default()));
        total = total.saturating_add(LINK_WEIGHT);
        from = link.end;
    }
    total.saturating_add(plain(text.get(from..).unwrap_or_default()))
}

fn plain(text: &str) -> u32 {
    let counted = text.split_inclusive(char::is_whitespace).map(|word| {
        let whole = word.graphemes(true).count();
        let Some(name) = word.strip_prefix('@') else { return whole };
        let Some((_, server)) = name.split_once('@') else { return whole };
        let part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let server: String = server.chars().take_while(part).collect();
        // What ends a sentence is none of the name of a server, and the sign before it goes too.
        let server = server.trim_end_matches('.');
        whole - server.graphemes(true).count() - usize::from(!server.is_empty())
    });
    u32::try_from(counted.sum::<usize>()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_see_is_counted() {
        assert_eq!(graphemes("tiếng Việt"), 10);
        assert_eq!(graphemes("tie\u{302}\u{301}ng"), 5);
        assert_eq!(graphemes("👨‍👩‍👧‍👦🇻🇳"), 2);
        assert_eq!(graphemes("नमस्ते"), 3);
    }

    #[test]
    fn links_and_servers_of_names_are_short() {
        for (text, expected) in [
            ("tiếng Việt", 10),
            ("https://mofa.gov.vn/a/very/long/address/indeed", 23),
            ("A https://a.vn B", 27),
            ("mofa.gov.vn", 11),
            ("@eu@ec.europa.eu", 3),
            ("By @eu@ec.europa.eu.", 7),
            ("@eu and a@b.vn", 14),
        ] {
            assert_eq!(short_linked_length(text), expected, "{text}");
        }
    }
}
