//! What a text holds that its readers do not see, or take for something else than it is.

use url::Url;

use super::check::{Draft, Findings};
use crate::domain::text::{self, Mark, MarkKind};

/// So many of one kind are named; whoever mends these finds the rest the next time.
const NAMED: usize = 5;

/// Finds it in the text, the link and the alternative texts.
pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    characters("/text", draft.text, findings);
    words(draft.text, findings);
    for link in text::links(draft.text) {
        let address = draft.text.get(link.start..link.end).unwrap_or_default();
        let whole = if link.has_scheme { address.to_owned() } else { format!("https://{address}") };
        host("/text", &whole, findings);
    }
    if hides_its_host(draft.text) {
        let detail = "An address has a name before an @, which hides where it leads.";
        findings.fatal("/text", "link_with_credentials", detail);
    }
    if let Some(link) = draft.link {
        characters("/link", link, findings);
        host("/link", link, findings);
    }
    for (place, media) in draft.media.iter().enumerate() {
        characters(&format!("/media/{place}/alt"), media.alt, findings);
    }
}

/// Each odd character once, with its first place. Marks of direction that are balanced are told by
/// the dry run alone: Arabic and Hebrew need them.
fn characters(pointer: &str, text: &str, findings: &mut Findings) {
    let mut seen: Vec<(Mark, usize)> = Vec::new();
    for mark in text::marks(text) {
        match seen.iter_mut().find(|(other, _)| other.character == mark.character) {
            Some((first, count)) => {
                first.refused |= mark.refused;
                *count += 1;
            }
            None => seen.push((mark, 1)),
        }
    }
    let worth = |(mark, _): &(Mark, usize)| mark.refused || mark.kind != MarkKind::Direction;
    for (mark, count) in seen.into_iter().filter(worth).take(NAMED) {
        let code_point = format!("U+{:04X}", u32::from(mark.character));
        let place = mark.place + 1;
        if mark.refused {
            let detail = format!(
                "The character {code_point} ({}) stands {count} times, first at place {place}; readers do \
                 not see it and it can mislead them: delete it.",
                mark.kind
            );
            findings.fatal(pointer, "text_hidden_character", detail);
        } else {
            let detail = format!(
                "The odd character {code_point} ({}) stands {count} times, first at place {place}.",
                mark.kind
            );
            findings.warn(pointer, "text_odd_character", detail);
        }
        findings.with("code_point", code_point);
        findings.with("kind", mark.kind);
        findings.with("count", count);
        findings.with("at", place);
    }
}

fn words(text: &str, findings: &mut Findings) {
    for word in text::disguised_words(text).into_iter().take(NAMED) {
        // With a dot in it, it is read as an address or a name on the net.
        if word.contains(['.', '@']) {
            let detail = format!(
                "\"{word}\" mixes letters of several scripts that look alike; type it again with Latin \
                 letters."
            );
            findings.fatal("/text", "link_disguised", detail);
            findings.with("host", word);
        } else {
            let detail = format!("\"{word}\" mixes letters of several scripts that look alike.");
            findings.warn("/text", "text_mixed_scripts", detail);
            findings.with("word", word);
        }
    }
    if text::has_drawn_letters(text) {
        let detail =
            "Letters are drawn with mathematical symbols, which screen readers cannot read.";
        findings.warn("/text", "text_drawn_letters", detail);
    }
}

fn host(pointer: &str, address: &str, findings: &mut Findings) {
    let url = Url::parse(address).ok();
    let Some(host) = url.as_ref().and_then(Url::domain) else { return };
    let Some(read_as) = text::passes_for(host) else { return };
    // A word of the text may have been named already.
    if findings.has("link_disguised") {
        return;
    }
    let detail = format!("The address {host} is written with letters that look like {read_as}.");
    findings.fatal(pointer, "link_disguised", detail);
    findings.with("host", host);
}

/// `https://mofa.gov.vn@elsewhere.example/` leads elsewhere.
fn hides_its_host(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut rest = lower.as_str();
    while let Some((_, after)) = rest.split_once("://") {
        let authority = after.split(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#'));
        if authority.into_iter().next().is_some_and(|it| it.contains('@')) {
            return true;
        }
        rest = after;
    }
    false
}
