//! Finds the web addresses that X turns into links, with or without `https://` in front.
//!
//! X counts every such address as 23, so finding one too few or too many makes the count wrong.
//! General link finders differ from X at the ends (Chinese text after an address) and for bare
//! domains, therefore this one. Behaviour by the documents of twitter-text and by trials with its
//! published library, version 3.1.0, on 2026-11-21.

/// An address inside a text, as byte positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Where it begins.
    pub start: usize,
    /// After its last byte.
    pub end: usize,
    /// Whether it is written with `http://` or `https://`.
    pub has_scheme: bool,
}

/// All addresses in a text, in order, none overlapping.
pub fn links(text: &str) -> Vec<Link> {
    let mut found: Vec<Link> = Vec::new();
    let mut before: Option<char> = None;
    let mut earlier: Option<char> = None;
    let mut skip_to = 0;
    for (at, c) in text.char_indices() {
        if at >= skip_to {
            let rest = text.get(at..).unwrap_or_default();
            let link = if may_precede(before) { with_scheme(rest) } else { None }
                .map(|length| (length, true))
                .or_else(|| bare(rest, before, earlier).map(|length| (length, false)));
            if let Some((length, has_scheme)) = link {
                found.push(Link { start: at, end: at + length, has_scheme });
                skip_to = at + length;
            }
        }
        earlier = before;
        before = Some(c);
    }
    found
}

/// Letters, digits and the signs of names and tags right before an address make it part of a word.
fn may_precede(c: Option<char>) -> bool {
    c.is_none_or(|c| {
        !c.is_ascii_alphanumeric()
            && !matches!(c, '@' | '＠' | '$' | '#' | '＃' | '\u{202a}'..='\u{202e}')
    })
}

fn with_scheme(text: &str) -> Option<usize> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })?;
    let rest = text.get(scheme.len()..)?;
    let host = host(rest, |c| c.is_alphanumeric() || matches!(c, '-' | '_'))?;
    let after = rest.get(host..)?;
    let port = port(after);
    let after = after.get(port..)?;
    let path = path(after);
    let query = query(after.get(path..)?);
    Some(scheme.len() + host + port + path + query)
}

/// A domain without a scheme. It is only one when it is not the end of something longer.
fn bare(text: &str, before: Option<char>, earlier: Option<char>) -> Option<usize> {
    let first = text.chars().next()?;
    if !is_bare_letter(first) {
        return None;
    }
    let free = may_precede(before)
        && match before {
            None => true,
            Some('-' | '.' | '/') => false,
            Some('_') => earlier.is_some_and(|c| c.is_ascii_alphanumeric()),
            Some(c) => !is_bare_letter(c),
        };
    if !free {
        return None;
    }
    let host = host(text, |c| is_bare_letter(c) || c == '-')?;
    let after = text.get(host..)?;
    let port = port(after);
    let path = path(after.get(port..)?);
    if path == 0 {
        return Some(host);
    }
    let query = query(after.get(port + path..)?);
    Some(host + port + path + query)
}

/// ASCII letters and digits, and Latin letters with marks.
fn is_bare_letter(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

/// The length of the domain name that the text begins with, if its last label is a known
/// top-level domain.
fn host(text: &str, allowed: impl Fn(char) -> bool) -> Option<usize> {
    let run = text.find(|c: char| c != '.' && !allowed(c)).unwrap_or(text.len());
    let run = text.get(..run)?;
    let mut labels: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    // No name on the net has more labels; without a bound a hostile text would cost its square.
    for label in run.split('.').take(128) {
        labels.push((at, label));
        at += label.len() + 1;
    }
    let broken = labels.iter().position(|(_, label)| label.is_empty()).unwrap_or(labels.len());
    let labels = labels.get(..broken)?;
    for count in (2..=labels.len()).rev() {
        let (last, before) = labels.get(..count)?.split_last()?;
        if before
            .iter()
            .any(|(_, label)| label.starts_with(['-', '_']) || label.ends_with(['-', '_']))
        {
            continue;
        }
        // Below the registered name, labels may have `_`; the name itself may not.
        if before.last().is_some_and(|(_, name)| name.contains('_')) {
            continue;
        }
        let follows = text.get(last.0 + last.1.len()..).and_then(|rest| rest.chars().next());
        if let Some(length) = top_level(last.1, follows) {
            return Some(last.0 + length);
        }
    }
    None
}

/// The length of the top-level domain that a label begins with, given what follows the label.
fn top_level(label: &str, follows: Option<char>) -> Option<usize> {
    let ends = |c: Option<char>| {
        c.is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '@' | '+' | '-'))
    };
    if is_known(label) && ends(follows) {
        return Some(label.len());
    }
    let ascii = label.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(label.len());
    let next = label.get(ascii..)?.chars().next();
    (ascii < label.len() && ends(next) && is_known(label.get(..ascii)?)).then_some(ascii)
}

/// Whether the public suffix list has this top-level domain.
fn is_known(label: &str) -> bool {
    let lower = label.to_lowercase();
    psl::suffix(lower.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

fn port(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(':') else { return 0 };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if digits == 0 { 0 } else { digits + 1 }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '\u{400}'..='\u{4ff}' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

/// The length of the path: it may hold sentence signs but not end with them, and brackets only in
/// pairs, so that an address inside brackets or at the end of a sentence ends where it should.
fn path(text: &str) -> usize {
    if !text.starts_with('/') {
        return 0;
    }
    let inside = |c: char| is_word(c) || "!*';:=+,.$/%#[]-_~@|&".contains(c);
    let ends = |c: char| is_word(c) || "=_#/+-".contains(c);
    let mut good = 1;
    let mut at = 1;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if c == '(' {
            let Some(length) = bracketed(text.get(at..).unwrap_or_default(), &inside, 2) else {
                break;
            };
            at += length;
            good = at;
        } else if inside(c) {
            at += c.len_utf8();
            if ends(c) {
                good = at;
            }
        } else {
            break;
        }
    }
    good
}

/// The length of a pair of brackets with what is inside; pairs may be nested `depth` deep.
fn bracketed(text: &str, inside: &impl Fn(char) -> bool, depth: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        let rest = text.get(at..)?;
        let c = rest.chars().next()?;
        if c == ')' {
            return (at > 1).then_some(at + 1);
        }
        if c == '(' && depth > 1 {
            at += bracketed(rest, inside, depth - 1)?;
        } else if inside(c) {
            at += c.len_utf8();
        } else {
            return None;
        }
    }
}

fn query(text: &str) -> usize {
    if !text.starts_with('?') {
        return 0;
    }
    let mut good = 0;
    for (at, c) in text.char_indices().skip(1) {
        if c.is_ascii_alphanumeric() || "-_&=#/".contains(c) {
            good = at + c.len_utf8();
        } else if !"!?*'();:+$%[].,~|@".contains(c) {
            break;
        }
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        links(text).iter().map(|link| &text[link.start..link.end]).collect()
    }

    #[test]
    fn an_address_ends_before_the_sentence_and_the_script_that_follow() {
        assert_eq!(found("(https://example.com/a)."), ["https://example.com/a"]);
        assert_eq!(found("见https://example.com/路"), ["https://example.com/"]);
        assert_eq!(found("https://example.com/a(b)c, d"), ["https://example.com/a(b)c"]);
        assert_eq!(
            found("www.example.com,mofa.gov.vn/vi?x=1!"),
            ["www.example.com", "mofa.gov.vn/vi?x=1"]
        );
    }

    #[test]
    fn names_mail_and_unknown_domains_are_no_addresses() {
        for text in [
            "@example.com",
            "a@example.com",
            "foo.notatld",
            "1.2.3.4",
            "https://localhost/",
            "p.m.Meeting",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn a_scheme_is_told_apart() {
        let schemes: Vec<bool> =
            links("example.com https://example.com").iter().map(|link| link.has_scheme).collect();
        assert_eq!(schemes, [false, true]);
    }
}
