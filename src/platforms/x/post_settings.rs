//! What can be set for one post on X.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::platforms::settings::Settings;

/// Settings of a delivery to X (X API documents, `POST /2/tweets`, read 2026-09-11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostSettings {
    /// Who may answer; everybody when it is left out.
    #[serde(default)]
    #[schema(inline)]
    pub(super) reply_settings: Option<Repliers>,
}

/// Who may answer a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Repliers {
    /// Accounts that the author follows, and those that are mentioned.
    Following,
    /// Accounts that are mentioned.
    MentionedUsers,
    /// Subscribers of the author.
    Subscribers,
    /// Verified accounts.
    Verified,
}

impl Settings for PostSettings {
    fn faults(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
