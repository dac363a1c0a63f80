//! Checks a variant against a platform's rules; used by the editor, the API and before sending.

use url::Url;

use super::rules::{Counting, Rules};
use super::{check_media, odd};
use crate::domain::media::{MediaKind, MovingFacts};
use crate::domain::text::{code_points, graphemes, links, short_linked_length, weighted_length};

/// What is wrong with a variant, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where, as a JSON pointer inside the variant: `/text`, `/media/2/alt`.
    pub pointer: String,
    /// Stable machine word.
    pub code: &'static str,
    /// In English.
    pub detail: String,
    /// What the words in other languages put into their gaps.
    pub args: Vec<(&'static str, String)>,
    /// True when it forbids publishing; false for a warning.
    pub fatal: bool,
}

/// A variant as far as rules concern it.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The text.
    pub text: &'a str,
    /// The link.
    pub link: Option<&'a str>,
    /// Pictures and videos: kind, alternative text.
    pub media: Vec<DraftMedia<'a>>,
}

/// One picture of a [`Draft`].
#[derive(Debug, Clone, Copy)]
pub struct DraftMedia<'a> {
    /// What kind of file it is.
    pub kind: MediaKind,
    /// Alternative text.
    pub alt: &'a str,
    /// Its type.
    pub mime: &'a str,
    /// Size of the file.
    pub size_bytes: u64,
    /// What only moving pictures have.
    pub moving: Option<MovingFacts>,
}

/// The longest link. Browsers and scrapers agree on this much.
const LONGEST_LINK: usize = 2_048;

/// So close to the limit a count of links may differ from the platform's own: its list of
/// top-level domains is not published.
const DOUBTFUL: u32 = 10;

/// What a text with its link counts on a platform.
pub fn count(text: &str, link: Option<&str>, rules: &Rules) -> u32 {
    counted(text, link.filter(|_| !rules.link.separate_field), rules.text.counting)
}

/// `link` is given only when it goes into the text.
fn counted(text: &str, link: Option<&str>, counting: Counting) -> u32 {
    let joined;
    let whole = match link {
        Some(link) if !text.contains(link) => {
            joined = if text.is_empty() { link.to_owned() } else { format!("{text}\n{link}") };
            &joined
        }
        Some(_) | None => text,
    };
    match counting {
        Counting::CodePoints => u32::try_from(code_points(whole)).unwrap_or(u32::MAX),
        Counting::WeightedV3 => weighted_length(whole),
        Counting::Graphemes => u32::try_from(graphemes(whole)).unwrap_or(u32::MAX),
        Counting::GraphemesLinks23 => short_linked_length(whole),
    }
}

/// Everything that is wrong at once.
pub fn check(draft: &Draft<'_>, rules: &Rules) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    check_text(draft, rules, &mut findings);
    if let Some(link) = draft.link {
        check_link(link, &mut findings);
    }
    check_media::check(draft, rules, &mut findings);
    odd::check(draft, &mut findings);
    findings.0
}

/// What has been found so far.
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    /// Something that forbids publishing.
    pub(super) fn fatal(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        let (pointer, detail) = (pointer.into(), detail.into());
        self.0.push(Finding { pointer, code, detail, args: Vec::new(), fatal: true });
    }

    /// Something that is worth knowing.
    pub(super) fn warn(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        let (pointer, detail) = (pointer.into(), detail.into());
        self.0.push(Finding { pointer, code, detail, args: Vec::new(), fatal: false });
    }

    /// A value for the words of what was found last.
    pub(super) fn with(&mut self, name: &'static str, value: impl std::fmt::Display) {
        if let Some(last) = self.0.last_mut() {
            last.args.push((name, value.to_string()));
        }
    }

    /// Whether something has been found under this word.
    pub(super) fn has(&self, code: &str) -> bool {
        self.0.iter().any(|one| one.code == code)
    }
}

fn check_text(draft: &Draft<'_>, rules: &Rules, findings: &mut Findings) {
    let text = draft.text;
    if text.trim().is_empty() && draft.link.is_none() && draft.media.is_empty() {
        findings.fatal("/text", "text_empty", "A post needs a text, a link or a picture.");
    }
    // Beside pictures a link has no card of its own and goes into the text.
    let in_text = !rules.link.separate_field || !draft.media.is_empty();
    let length = counted(text, draft.link.filter(|_| in_text), rules.text.counting);
    let max = rules.text.max;
    if length > max {
        let detail = format!("The text counts {length}; {max} is the most.");
        findings.fatal("/text", "text_too_long", detail);
        findings.with("count", length);
        findings.with("max", max);
    } else if rules.text.counting == Counting::WeightedV3
        && length + DOUBTFUL > max
        && !links(text).is_empty()
    {
        let detail = format!(
            "The text counts {length} of {max}; the platform may count a link differently."
        );
        findings.warn("/text", "text_near_limit", detail);
        findings.with("count", length);
        findings.with("max", max);
    }
    if let Some(most) = rules.text.max_bytes.filter(|most| text.len() > *most) {
        let bytes = text.len();
        let detail = format!("The text has {bytes} bytes; {most} are the most.");
        findings.fatal("/text", "text_too_many_bytes", detail);
        findings.with("count", bytes);
        findings.with("max", most);
    }
    if let Some(c) = text.chars().find(|c| is_forbidden_control(*c)) {
        let detail = format!("The text holds the control character U+{:04X}.", u32::from(c));
        findings.fatal("/text", "text_control_character", detail);
    }
    if !is_direction_balanced(text) {
        let detail = "A mark that changes the writing direction is not ended where it should be.";
        findings.fatal("/text", "text_direction_unbalanced", detail);
    }
    let cashtags = cashtags(text);
    if rules.text.max_cashtags.is_some_and(|most| cashtags > most) {
        let detail = format!("The text has {cashtags} cashtags; the platform refuses so many.");
        findings.warn("/text", "cashtags_too_many", detail);
        findings.with("count", cashtags);
    }
}

pub(super) fn is_forbidden_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// Whether every embedding, override and isolate ends, in the right order and in its own line;
/// otherwise it would turn the text around it, which is how addresses and names are forged.
fn is_direction_balanced(text: &str) -> bool {
    text.split(['\n', '\r']).all(|line| {
        let mut open: Vec<char> = Vec::new();
        for c in line.chars() {
            match c {
                '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' => open.push('\u{202c}'),
                '\u{2066}'..='\u{2068}' => open.push('\u{2069}'),
                '\u{202c}' | '\u{2069}' if open.pop() != Some(c) => return false,
                _ => {}
            }
        }
        open.is_empty()
    })
}

/// `$` with one to six letters, by itself.
fn cashtags(text: &str) -> usize {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '!' | '?' | '(' | ')'))
        .filter_map(|word| word.trim_end_matches('.').strip_prefix('$'))
        .map(|name| name.split_once(['.', '_']).map_or(name, |(name, _)| name))
        .filter(|name| {
            (1..=6).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic())
        })
        .count()
}

fn check_link(link: &str, findings: &mut Findings) {
    if link.len() > LONGEST_LINK {
        let detail = format!("The link is longer than {LONGEST_LINK} bytes.");
        findings.fatal("/link", "link_too_long", detail);
        findings.with("max", LONGEST_LINK);
        return;
    }
    let plain = !link.chars().any(|c| c.is_whitespace() || c.is_control());
    let url = Url::parse(link).ok().filter(|url| {
        plain
            && matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
    });
    match url {
        None => {
            let detail = "The link must be a whole address that begins with https:// or http://.";
            findings.fatal("/link", "link_invalid", detail);
        }
        Some(url) if !url.username().is_empty() || url.password().is_some() => {
            let detail = "The link must not hold a name or a password.";
            findings.fatal("/link", "link_with_credentials", detail);
        }
        Some(_) => {}
    }
}

#[cfg(test)]
#[path = "tests/check.rs"]
mod tests;
