//! What can be set for one post on Mastodon.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::platforms::settings::Settings;

/// The longest warning; it counts as a part of the text there, which the server says if it is too much.
const LONGEST_WARNING: usize = 300;

/// Settings of a delivery to Mastodon (docs.joinmastodon.org, statuses, read 2026-11-22).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostSettings {
    /// Who sees it; what the account has chosen there when it is left out.
    #[serde(default)]
    #[schema(inline)]
    pub(super) visibility: Option<Visibility>,
    /// A warning behind which the text is folded away; up to 300 characters.
    #[serde(default)]
    pub(super) content_warning: Option<String>,
    /// Whether the pictures are covered until the reader wants to see them.
    #[serde(default)]
    pub(super) sensitive: Option<bool>,
}

/// Who sees a post. Not `direct`: a message to those who are mentioned is no publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Visibility {
    /// Everybody, in public timelines too.
    Public,
    /// Everybody who comes by.
    Unlisted,
    /// Followers.
    Private,
}

impl Settings for PostSettings {
    fn faults(&self) -> Vec<(String, String)> {
        let long = self.content_warning.as_deref().is_some_and(|warning| {
            warning.trim().is_empty() || warning.chars().count() > LONGEST_WARNING
        });
        let why = format!("1 to {LONGEST_WARNING} characters");
        if long { vec![("/content_warning".to_owned(), why)] } else { Vec::new() }
    }
}
