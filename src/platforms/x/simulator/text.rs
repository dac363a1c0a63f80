//! How X counts and shows text: weights, shortened addresses, escaped signs (twitter-text
//! configuration version 3; create post, read 2026-09-11).

use std::sync::LazyLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// The longest ordinary post.
pub(super) const MAX_WEIGHT: usize = 280;
/// What an address counts, and how long its short form is.
const URL_WEIGHT: usize = 23;

/// An address in a text, by byte positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Composes the text as X does before counting.
pub(super) fn compose(text: &str) -> String {
    text.nfc().collect()
}

/// What a text counts, of which an ordinary post may have 280.
pub(super) fn weight(text: &str) -> usize {
    let mut total = 0;
    let mut from = 0;
    for url in find_urls(text) {
        total += weight_of_words(text.get(from..url.start).unwrap_or_default()) + URL_WEIGHT;
        from = url.end;
    }
    total + weight_of_words(text.get(from..).unwrap_or_default())
}

fn weight_of_words(text: &str) -> usize {
    text.graphemes(true)
        .map(
            |cluster| if is_emoji_sequence(cluster) { 2 } else { cluster.chars().map(weigh).sum() },
        )
        .sum()
}

fn weigh(letter: char) -> usize {
    match u32::from(letter) {
        0..=4351 | 8192..=8205 | 8208..=8223 | 8242..=8247 => 1,
        _ => 2,
    }
}

/// Several code points that show as one emoji.
fn is_emoji_sequence(cluster: &str) -> bool {
    let mut letters = cluster.chars();
    let (Some(first), Some(_)) = (letters.next(), letters.next()) else { return false };
    let joins = |letter: char| {
        matches!(u32::from(letter), 0x200D | 0xFE0F | 0x20E3 | 0x1F3FB..=0x1F3FF | 0x1F1E6..=0x1F1FF
            | 0xE0020..=0xE007F)
    };
    let pictures = match u32::from(first) {
        0x1F000..=0x1FAFF
        | 0x2190..=0x2BFF
        | 0xA9
        | 0xAE
        | 0x203C
        | 0x2049
        | 0x2122
        | 0x2139
        | 0x3030
        | 0x303D
        | 0x3297
        | 0x3299 => true,
        _ => cluster.contains('\u{20E3}'),
    };
    pictures && cluster.chars().skip(1).any(joins)
}

/// The addresses in a text: with a scheme, or bare when the ending is a known one.
pub(super) fn find_urls(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut position = 0;
    let mut before = None;
    while let Some(rest) = text.get(position..) {
        let Some(letter) = rest.chars().next() else { break };
        if may_precede(before)
            && let Some(length) = url_length(rest)
        {
            found.push(Found { start: position, end: position + length });
            position += length;
            before = Some('/');
            continue;
        }
        before = Some(letter);
        position += letter.len_utf8();
    }
    found
}

/// No address begins inside a word, a handle, a tag or an e-mail address.
fn may_precede(before: Option<char>) -> bool {
    before.is_none_or(|letter| {
        !letter.is_ascii_alphanumeric()
            && !matches!(letter, '@' | '#' | '$' | '_' | '.' | '-' | '/')
    })
}

/// How many bytes of the beginning are an address.
fn url_length(text: &str) -> Option<usize> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let host_start = scheme.map_or(0, str::len);
    let rest = text.get(host_start..)?;
    let host_length = rest
        .find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '.' | '-'))
        .unwrap_or(rest.len());
    let host = rest.get(..host_length)?.trim_end_matches(['.', '-']);
    if !is_host(host) || rest.get(host.len()..)?.starts_with('@') {
        return None;
    }
    let tail = rest.get(host.len()..)?;
    let path = path_length(tail);
    if scheme.is_none() && path == 0 && is_short_country_name(host) {
        return None;
    }
    Some(host_start + host.len() + path)
}

fn is_host(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let well_formed = labels
        .iter()
        .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    let ending = labels.last().copied().unwrap_or_default().to_ascii_lowercase();
    labels.len() > 1 && well_formed && is_known_ending(&ending)
}

fn is_known_ending(ending: &str) -> bool {
    psl::suffix(ending.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.typ() == Some(psl::Type::Icann))
}

/// `name.vn` alone is not taken for an address; `name.com` and `www.name.vn` are.
fn is_short_country_name(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [_, ending] => ending.len() == 2 && !matches!(*ending, "co" | "tv"),
        _ => false,
    }
}

/// How much behind the host belongs to the address: port, path, query.
fn path_length(tail: &str) -> usize {
    let port = tail.strip_prefix(':').map_or(0, |digits| {
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count > 0 { count + 1 } else { 0 }
    });
    let rest = tail.get(port..).unwrap_or_default();
    if !rest.starts_with(['/', '?']) {
        return port;
    }
    let is_part = |letter: char| {
        letter.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%|".contains(letter)
    };
    let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
    let mut kept = rest.get(..end).unwrap_or_default();
    loop {
        let trimmed =
            kept.trim_end_matches(['.', ',', ':', ';', '!', '?', '\'', '"', '&', '[', ']']);
        let unbalanced =
            trimmed.ends_with(')') && trimmed.matches(')').count() > trimmed.matches('(').count();
        let next = if unbalanced { trimmed.strip_suffix(')').unwrap_or(trimmed) } else { trimmed };
        if next.len() == kept.len() {
            return port + kept.len();
        }
        kept = next;
    }
}

/// A text as X shows it: composed, addresses shortened, signs escaped.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) text: String,
    /// `entities.urls`.
    pub(super) urls: Vec<Value>,
}

/// Shows the text of the post `id`; `media` is the address of its pictures and
/// their keys, if it has any.
pub(super) fn show(text: &str, id: &str, media: Option<&(String, Vec<String>)>) -> Shown {
    let mut shown = Shown { text: String::with_capacity(text.len() + 24), urls: Vec::new() };
    let mut from = 0;
    for (number, url) in find_urls(text).into_iter().enumerate() {
        shown.text.push_str(&escape(text.get(from..url.start).unwrap_or_default()));
        let sent = text.get(url.start..url.end).unwrap_or_default();
        let has_scheme = sent.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"));
        let expanded = if has_scheme && sent.contains("://") {
            sent.to_owned()
        } else {
            format!("http://{sent}")
        };
        append_url(&mut shown, &short_url(id, number), &expanded);
        from = url.end;
    }
    shown.text.push_str(&escape(text.get(from..).unwrap_or_default()));
    if let Some((page, keys)) = media {
        if !shown.text.is_empty() {
            shown.text.push(' ');
        }
        let short = short_url(id, 1_000);
        let start = shown.text.chars().count();
        shown.text.push_str(&short);
        let end = start + short.chars().count();
        // X names the address once for each picture.
        for key in keys {
            shown.urls.push(json!({ "start": start, "end": end, "url": short,
                "expanded_url": page, "display_url": display(page), "media_key": key }));
        }
    }
    shown
}

fn append_url(shown: &mut Shown, short: &str, expanded: &str) {
    let start = shown.text.chars().count();
    shown.text.push_str(short);
    let end = start + short.chars().count();
    shown.urls.push(json!({ "start": start, "end": end, "url": short,
        "expanded_url": expanded, "display_url": display(expanded) }));
}

fn display(url: &str) -> String {
    let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    match bare.char_indices().nth(26) {
        Some((cut, _)) => format!("{}…", bare.get(..cut).unwrap_or_default()),
        None => bare.to_owned(),
    }
}

/// `https://t.co/` and ten signs, always the same for the same address of the same post.
fn short_url(id: &str, number: usize) -> String {
    static SIGNS: LazyLock<Vec<char>> =
        LazyLock::new(|| ('0'..='9').chain('A'..='Z').chain('a'..='z').collect());
    let digest = Sha256::digest(format!("{id}/{number}"));
    let code =
        digest.iter().take(10).filter_map(|byte| SIGNS.get(usize::from(*byte) % SIGNS.len()));
    format!("https://t.co/{}", code.collect::<String>())
}

/// X escapes these three signs and no others.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> Vec<&str> {
        find_urls(text).into_iter().map(|url| &text[url.start..url.end]).collect()
    }

    #[test]
    fn addresses_are_found_where_they_are() {
        assert_eq!(urls("see https://mofa.gov.vn/a?b=1."), ["https://mofa.gov.vn/a?b=1"]);
        assert_eq!(urls("(http://a.com/x_(y))"), ["http://a.com/x_(y)"]);
        assert_eq!(urls("mofa.gov.vn và example.com"), ["mofa.gov.vn", "example.com"]);
        assert_eq!(urls("example.vn"), Vec::<&str>::new());
        assert_eq!(urls("example.vn/tin"), ["example.vn/tin"]);
        assert_eq!(urls("a@example.com @example.com x.notaknownending"), Vec::<&str>::new());
        assert_eq!(urls("越南https://example.com/路"), ["https://example.com/"]);
    }

    #[test]
    fn weights_are_those_of_version_three() {
        assert_eq!(weight("tiếng Việt"), 12);
        assert_eq!(weight("Chúc mừng Quốc khánh Việt Nam "), 33);
        assert_eq!(weight("越南"), 4);
        assert_eq!(weight("👩‍👩‍👧‍👦🇻🇳👍🏽"), 6);
        assert_eq!(weight("see https://example.com/a/very/long/path/indeed/so/long"), 27);
        assert_eq!(weight(&"a".repeat(280)), 280);
    }

    #[test]
    fn text_is_shown_shortened_and_escaped() {
        let shown = show("Q&A <now> https://example.com/a?b=1&c=2 x", "7", None);
        let short = shown.urls[0]["url"].as_str().unwrap();
        assert_eq!(short.len(), 23);
        assert_eq!(shown.text, format!("Q&amp;A &lt;now&gt; {short} x"));
        assert_eq!(shown.urls[0]["expanded_url"], "https://example.com/a?b=1&c=2");
        let start = usize::try_from(shown.urls[0]["start"].as_u64().unwrap()).unwrap();
        assert_eq!(shown.text.chars().skip(start).take(23).collect::<String>(), short);
    }
}
