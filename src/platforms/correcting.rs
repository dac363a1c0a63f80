//! What a platform has to offer so that the text of a post can be corrected while it is out.

use serde_json::Value;

use super::Answer;
use super::outcome::{Alteration, Wording};
use super::session::{Metered, Session};
use crate::domain::variant::Content;

/// A post as it is to read from now on. Everything but the text is as it was published.
#[derive(Debug, Clone, Copy)]
pub struct Revision<'a> {
    /// The platform's id of the post.
    pub remote_id: &'a str,
    /// What it is to say: its own part, with the new text.
    pub said: &'a Content,
    /// BCP 47 tag.
    pub language: &'a str,
    /// The settings with which it was published.
    pub settings: &'a Value,
    /// What the look before it has shown beside the text.
    pub beside: &'a Value,
}

/// Why a post cannot be corrected: a stable word and words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// What it is that cannot be corrected.
    pub what: &'static str,
    /// For people.
    pub detail: &'static str,
}

/// Changes the text of what is out, under the same id.
pub trait Corrects: Send + Sync {
    /// Why just this post cannot be corrected, if it cannot.
    fn fixed(&self, remote_id: &str, said: &Content) -> Option<Fixed>;

    /// A text in the form in which [`Corrects::wording`] gives it.
    fn form(&self, said: &Content) -> String;

    /// Asks what the post says at this moment.
    fn wording<'a>(&'a self, on: &'a Session, remote_id: &'a str) -> Answer<'a, Metered<Wording>>;

    /// Gives the post its new text, in one request: others wait for no more. May be repeated.
    fn correct<'a>(
        &'a self,
        on: &'a Session,
        revision: &'a Revision<'a>,
    ) -> Answer<'a, Metered<Alteration>>;

    /// What the post said just before the newest version with this text, in the same form, where the platform
    /// keeps versions and shows them; asked when a post was given its text. What cannot be seen says nothing.
    fn replaced<'a>(
        &'a self,
        _on: &'a Session,
        _revision: &'a Revision<'a>,
    ) -> Answer<'a, Metered<Option<String>>> {
        Box::pin(async { Metered { value: None, usage: Vec::new() } })
    }
}
