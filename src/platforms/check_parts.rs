//! Checks everything that a variant says against a platform's rules: each part as the post or comment that
//! it becomes.

use super::check::{self, Draft, DraftMedia, Finding, Findings};
use super::rules::{Rules, TextRule};
use crate::domain::variant::Content;

impl<'a> Draft<'a> {
    /// What is said first, or one part alone, as far as rules concern it.
    pub fn of(content: &'a Content) -> Self {
        let media = content.media.iter().map(|one| DraftMedia {
            kind: one.kind,
            alt: &one.alt,
            mime: &one.mime,
            size_bytes: one.size_bytes,
            moving: one.moving,
        });
        Self { text: &content.text, link: content.link.as_deref(), media: media.collect() }
    }
}

/// Everything that is wrong at once, in every part.
pub fn check(content: &Content, rules: &Rules) -> Vec<Finding> {
    let mut findings = Findings(check::check(&Draft::of(content), rules));
    let count = content.thread.len();
    if !can_follow(content, rules, &mut findings) {
        return findings.0;
    }
    for (part, number) in content.each_part().iter().zip(0..).skip(1) {
        let comment = number > count;
        let at = place(content, number);
        let max = if comment { rules.follow_ups.max_comment } else { rules.text.max };
        let own = Rules { text: TextRule { max, ..rules.text.clone() }, ..rules.clone() };
        for mut finding in check::check(&Draft::of(part), &own) {
            // A comment is a text and nothing else.
            let inner = if comment { "" } else { finding.pointer.as_str() };
            finding.pointer = format!("{at}{inner}");
            findings.0.push(finding);
        }
    }
    findings.0
}

/// Whether the platform has what is to follow.
fn can_follow(content: &Content, rules: &Rules, findings: &mut Findings) -> bool {
    let (most, count) = (rules.follow_ups.max_thread, content.thread.len());
    let comment = content.first_comment.is_some() && rules.follow_ups.max_comment == 0;
    if count > most && most == 0 {
        let detail = "This platform has no threads: say it in one text, or in another variant.";
        findings.fatal("/thread", "thread_not_possible", detail);
    } else if count > most {
        let detail = format!("{count} parts follow the first; {most} are the most.");
        findings.fatal("/thread", "thread_too_long", detail);
        findings.with("count", count);
        findings.with("max", most);
    }
    if comment {
        let detail = "A first comment is not published on this platform: say it in the text.";
        findings.fatal("/first_comment", "comment_not_possible", detail);
    }
    count <= most && !comment
}

/// Where a part stands, counted from 0, as a JSON pointer inside the variant.
pub fn place(content: &Content, number: usize) -> String {
    match number.checked_sub(1) {
        None => String::new(),
        Some(piece) if piece < content.thread.len() => format!("/thread/{piece}"),
        Some(_) => "/first_comment".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::parts::Piece;
    use crate::platforms::{Platforms, setting};

    fn rules(platform: &str) -> Rules {
        let platforms = Platforms::new(setting::public());
        platforms.get(platform).expect("platform").rules().clone()
    }

    fn said(thread: &[&str], comment: Option<&str>) -> Content {
        let piece = |text: &&str| Piece { text: (*text).to_owned(), media: vec![] };
        Content {
            text: "A".to_owned(),
            thread: thread.iter().map(piece).collect(),
            first_comment: comment.map(str::to_owned),
            ..Content::default()
        }
    }

    fn codes(content: &Content, platform: &str) -> Vec<(String, &'static str)> {
        let found = check(content, &rules(platform));
        found.into_iter().map(|one| (one.pointer, one.code)).collect()
    }

    #[test]
    fn each_part_is_counted_by_itself() {
        let (long, fits) = ("b".repeat(281), "b".repeat(280));
        assert_eq!(codes(&said(&[&fits, &fits], Some(&fits)), "x"), []);
        let found = codes(&said(&[&fits, &long], Some(&long)), "x");
        let expected = [("/thread/1/text", "text_too_long"), ("/first_comment", "text_too_long")];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        assert_eq!(codes(&said(&[], Some(&long)), "facebook"), []);
        let longer = "c".repeat(8_001);
        let found = codes(&said(&[], Some(&longer)), "facebook");
        assert_eq!(found, [("/first_comment".to_owned(), "text_too_long")]);
    }

    #[test]
    fn what_a_platform_cannot_have_is_refused_by_name() {
        for platform in ["mastodon", "bluesky"] {
            let found = codes(&said(&["b"], None), platform);
            assert_eq!(found, [("/thread".to_owned(), "thread_not_possible")], "{platform}");
            let found = codes(&said(&[], Some("b")), platform);
            assert_eq!(
                found,
                [("/first_comment".to_owned(), "comment_not_possible")],
                "{platform}"
            );
        }
    }

    #[test]
    fn a_thread_is_refused_where_there_are_none_and_not_cut() {
        let found = codes(&said(&["b"], None), "facebook");
        assert_eq!(found, [("/thread".to_owned(), "thread_not_possible")]);
        let mut shorter = rules("x");
        shorter.follow_ups.max_thread = 1;
        let found = check(&said(&["b", "c"], None), &shorter);
        assert_eq!(found.first().map(|one| (one.code, one.fatal)), Some(("thread_too_long", true)));
    }
}
