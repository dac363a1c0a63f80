//! The parts of a post: a thread and a first comment follow what is said first, each under the one
//! before it, and each is a delivery of its own.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::id::DeliveryId;
use super::variant::{
    Content, ContentMedia, MAX_TEXT, MediaUse, clean, pictures, sha256_hex, text_hash,
};

/// The most parts that follow the first in a thread; platforms may allow fewer.
pub const MAX_THREAD: usize = 24;

/// A further part of a thread as somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceDraft {
    /// The text; may be empty when there is media.
    pub text: String,
    /// Pictures, in order.
    pub media: Vec<MediaUse>,
}

/// A further part of a thread, in its one form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// NFC, lines ended by `\n`; may be empty when there is media.
    pub text: String,
    /// Pictures, in order.
    pub media: Vec<ContentMedia>,
}

/// Which part of what is said a delivery sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The how-manyth it is, from 1.
    pub number: i64,
    /// How many there are.
    pub of: i64,
    /// The delivery under whose post this one goes; nothing for the first part.
    pub follows: Option<DeliveryId>,
    /// The delivery of the first part; nothing for the first part itself.
    pub root: Option<DeliveryId>,
}

impl Default for Part {
    /// All there is.
    fn default() -> Self {
        Self { number: 1, of: 1, follows: None, root: None }
    }
}

impl Part {
    /// When the job of part `number` comes to its turn: parts are due at one instant, and stand in line
    /// in their order.
    pub fn turn(number: i64, due_at: Timestamp) -> Timestamp {
        due_at.checked_add(SignedDuration::from_millis(number - 1)).unwrap_or(due_at)
    }
}

impl PieceDraft {
    /// Brings the draft into its one form and notes every fault, each below `pointer`.
    fn settle(self, pointer: &str, faults: &mut Vec<Fault>) -> Self {
        let text = clean(&self.text, MAX_TEXT, true, &format!("{pointer}/text"), faults);
        let media = pictures(self.media, pointer, faults);
        if text.is_empty() && media.is_empty() {
            let detail = "a part of a thread needs a text or a picture";
            faults.push(Fault::new(format!("{pointer}/text"), "blank", detail));
        }
        Self { text, media }
    }
}

/// Brings a thread into its one form.
pub(super) fn thread(
    raw: Vec<PieceDraft>,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> Vec<PieceDraft> {
    let pointer = format!("{pointer}/thread");
    if raw.len() > MAX_THREAD {
        let detail = format!("at most {MAX_THREAD} parts after the first");
        faults.push(Fault::new(pointer, "too_many", detail).with("max", MAX_THREAD));
        return Vec::new();
    }
    let parts = raw.into_iter().enumerate();
    parts.map(|(place, one)| one.settle(&format!("{pointer}/{place}"), faults)).collect()
}

/// Brings a first comment into its one form.
pub(super) fn comment(raw: &str, pointer: &str, faults: &mut Vec<Fault>) -> String {
    let pointer = format!("{pointer}/first_comment");
    let text = clean(raw, MAX_TEXT, true, &pointer, faults);
    if text.is_empty() {
        let detail = "a first comment needs a text; leave it out when there is none";
        faults.push(Fault::new(pointer, "blank", detail));
    }
    text
}

impl Content {
    /// How many parts it has: what is said first, the rest of the thread, the first comment.
    pub fn parts(&self) -> i64 {
        let further = self.thread.len() + usize::from(self.first_comment.is_some());
        i64::try_from(further + 1).unwrap_or(i64::MAX)
    }

    /// One part as a content of its own, from 1; nothing where there is none of this number.
    pub fn part(&self, number: i64) -> Option<Self> {
        if number == 1 {
            let Self { text, link, media, .. } = self.clone();
            return Some(Self { text, link, media, ..Self::default() });
        }
        let place = usize::try_from(number.checked_sub(2)?).ok()?;
        if let Some(piece) = self.thread.get(place) {
            let Piece { text, media } = piece.clone();
            return Some(Self { text, media, ..Self::default() });
        }
        let text = self.first_comment.clone().filter(|_| place == self.thread.len())?;
        Some(Self { text, ..Self::default() })
    }

    /// Every part, in order.
    pub fn each_part(&self) -> Vec<Self> {
        (1..=self.parts()).filter_map(|number| self.part(number)).collect()
    }

    /// For each part the hash by which the same text is noticed. One that follows is the same only
    /// under the same: the comment that stands below every post is no repetition.
    pub fn text_hashes(&self) -> Vec<String> {
        let mut hashes: Vec<String> = Vec::new();
        for part in self.each_part() {
            let own = text_hash(&part);
            hashes.push(match hashes.last() {
                Some(before) => sha256_hex(format!("{before}\n{own}").as_bytes()),
                None => own,
            });
        }
        hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread_of(texts: &[&str], comment: Option<&str>) -> Content {
        let piece = |text: &&str| Piece { text: (*text).to_owned(), media: vec![] };
        Content {
            text: "first".to_owned(),
            link: Some("https://mofa.gov.vn/".to_owned()),
            thread: texts.iter().map(piece).collect(),
            first_comment: comment.map(str::to_owned),
            ..Content::default()
        }
    }

    #[test]
    fn parts_come_in_their_order_and_the_comment_last() {
        let said = thread_of(&["second", "third"], Some("see here"));
        let texts: Vec<String> = said.each_part().into_iter().map(|part| part.text).collect();
        assert_eq!(texts, ["first", "second", "third", "see here"]);
        assert_eq!(said.parts(), 4);
        for none in [i64::MIN, -1, 0, 5, i64::MAX] {
            assert_eq!(said.part(none), None, "{none}");
        }
        let first = said.part(1).unwrap();
        assert_eq!((first.parts(), first.link.is_some()), (1, true));
        assert_eq!(said.part(2).unwrap().link, None);
        assert_eq!(thread_of(&[], None).each_part().len(), 1);
    }

    #[test]
    fn the_hash_covers_every_part_and_old_hashes_stay() {
        let alone = thread_of(&[], None);
        let old = r#"{"language":"en","text":"first","link":"https://mofa.gov.vn/","media":[]}"#;
        assert_eq!(alone.hash("en"), sha256_hex(old.as_bytes()));
        let all = [
            alone,
            thread_of(&["a"], None),
            thread_of(&["b"], None),
            thread_of(&["a", "b"], None),
            thread_of(&["b", "a"], None),
            thread_of(&[], Some("a")),
            thread_of(&["a"], Some("b")),
        ];
        for (place, one) in all.iter().enumerate() {
            for other in all.iter().skip(place + 1) {
                assert_ne!(one.hash("en"), other.hash("en"), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_part_is_the_same_text_only_under_the_same_one() {
        let said = thread_of(&["again", "again"], Some("our address"));
        let hashes = said.text_hashes();
        assert_eq!(hashes.first(), Some(&text_hash(&said)));
        let mut apart = hashes.clone();
        apart.sort();
        apart.dedup();
        assert_eq!(apart.len(), 4, "{hashes:?}");
        let other = Content { text: "other".to_owned(), ..said };
        assert!(other.text_hashes().iter().all(|hash| !hashes.contains(hash)));
    }

    #[test]
    fn every_flaw_of_a_part_is_named() {
        let mut faults = Vec::new();
        let bad = |text: &str| PieceDraft { text: text.to_owned(), media: vec![] };
        let _settled = thread(vec![bad("a\0"), bad(" ")], "/variants/0", &mut faults);
        let _settled = comment("\n", "/variants/0", &mut faults);
        let _settled = thread(vec![bad("a"); MAX_THREAD + 1], "/variants/0", &mut faults);
        let found: Vec<_> = faults.iter().map(|it| (it.pointer.as_str(), it.code)).collect();
        assert_eq!(
            found,
            [
                ("/variants/0/thread/0/text", "text_control_character"),
                ("/variants/0/thread/1/text", "blank"),
                ("/variants/0/first_comment", "blank"),
                ("/variants/0/thread", "too_many"),
            ]
        );
    }
}
