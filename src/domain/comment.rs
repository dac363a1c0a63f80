//! A note of a person on a post, for the people of the house; it goes to no platform.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::id::{CommentId, PersonId, PostId};
use super::text;

/// The most characters of a note.
const LONGEST: usize = 4_000;
/// The most people that one note calls.
pub const MOST_MENTIONS: usize = 20;

/// A note on a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// The post that it is on.
    pub post_id: PostId,
    /// The note that it answers; `null` for one that begins.
    pub reply_to: Option<CommentId>,
    /// The language that it is about; `null` for the post as a whole.
    pub language: Option<String>,
    /// The revision that the post had when it was written.
    pub revision: i64,
    /// What it says; nothing once it was removed.
    pub text: String,
    /// Whom it calls.
    pub mentions: Vec<PersonId>,
    /// When it was settled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// By whom.
    pub resolved_by: Option<PersonId>,
    /// When it was removed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub removed_at: Option<Timestamp>,
    /// By whom.
    pub removed_by: Option<PersonId>,
    /// Counts changes.
    pub version: i64,
    /// Who wrote it.
    pub created_by: PersonId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl Comment {
    /// In the form in which it is kept: the same letters as one, and everybody called once.
    #[must_use]
    pub fn settled(mut self) -> Self {
        let text = text::nfc(&self.text).replace("\r\n", "\n");
        text.trim().clone_into(&mut self.text);
        let mut seen = BTreeSet::new();
        self.mentions.retain(|one| seen.insert(one.clone()));
        self
    }

    /// What is wrong with it.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.text.is_empty() {
            faults.push(Fault::new("/text", "blank", "a note says something"));
        }
        if text::code_points(&self.text) > LONGEST {
            let detail = format!("at most {LONGEST} characters");
            faults.push(Fault::new("/text", "too_long", detail).with("max", LONGEST));
        }
        if self.text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            let detail = "no control characters but ends of lines and tabs";
            faults.push(Fault::new("/text", "text_control_character", detail));
        }
        if self.mentions.len() > MOST_MENTIONS {
            let detail = format!("at most {MOST_MENTIONS} people are called");
            faults.push(Fault::new("/mentions", "too_many", detail).with("max", MOST_MENTIONS));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(text: &str, mentions: &[u128]) -> Comment {
        let at = Timestamp::UNIX_EPOCH;
        Comment {
            id: CommentId::new(at, 1),
            post_id: PostId::new(at, 1),
            reply_to: None,
            language: None,
            revision: 1,
            text: text.to_owned(),
            mentions: mentions.iter().map(|it| PersonId::new(at, *it)).collect(),
            resolved_at: None,
            resolved_by: None,
            removed_at: None,
            removed_by: None,
            version: 1,
            created_by: PersonId::new(at, 1),
            created_at: at,
            updated_at: at,
        }
        .settled()
    }

    #[test]
    fn a_note_is_kept_in_one_form_and_calls_each_once() {
        let one = comment(" Xem la\u{323}i\r\nnhé ", &[2, 1, 2]);
        assert_eq!(one.text, "Xem lại\nnhé");
        assert_eq!(one.mentions.len(), 2);
        assert_eq!(one.check(), []);
    }

    #[test]
    fn nothing_too_much_and_what_nobody_sees_is_refused() {
        let codes = |one: Comment| one.check().into_iter().map(|it| it.code).collect::<Vec<_>>();
        assert_eq!(codes(comment(" \n", &[])), ["blank"]);
        assert_eq!(codes(comment(&"a".repeat(4_000), &[])), [""; 0]);
        assert_eq!(codes(comment(&"a".repeat(4_001), &[])), ["too_long"]);
        assert_eq!(codes(comment("a\u{0}b", &[])), ["text_control_character"]);
        let many: Vec<u128> = (0..21).collect();
        assert_eq!(codes(comment("a", &many)), ["too_many"]);
    }
}
