//! What can be set for one post on X.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::rules::POLLS;
use crate::domain::text::{code_points, nfc};
use crate::domain::variant::Content;
use crate::platforms::check::{Finding, Findings};
use crate::platforms::settings::{self, Settings};

/// Settings of a delivery to X (X API documents, `POST /2/tweets`, read 2026-09-11).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostSettings {
    /// Who may answer; everybody when it is left out.
    #[serde(default)]
    #[schema(inline)]
    pub(super) reply_settings: Option<Repliers>,
    /// A poll below the text; not with pictures or videos.
    #[serde(default)]
    #[schema(inline)]
    pub(super) poll: Option<Poll>,
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

/// A poll.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Poll {
    /// The answers, in order; each has at most 25 characters.
    #[schema(min_items = 2, max_items = 4)]
    options: Vec<String>,
    /// How many minutes it is open.
    #[schema(minimum = 5, maximum = 10_080)]
    pub(super) duration_minutes: u32,
}

impl Poll {
    /// The answers as they are sent.
    pub(super) fn options(&self) -> Vec<String> {
        self.options.iter().map(|option| nfc(option.trim())).collect()
    }

    fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let rule = POLLS;
        let options = self.options();
        if !(rule.min_options..=rule.max_options).contains(&options.len()) {
            let why = format!("a poll has {} to {} answers", rule.min_options, rule.max_options);
            faults.push(("/poll/options".to_owned(), why));
        }
        for (place, option) in options.iter().enumerate() {
            let fits = (1..=rule.max_option).contains(&code_points(option));
            if !fits || option.chars().any(char::is_control) {
                let why = format!("an answer is one line of 1 to {} characters", rule.max_option);
                faults.push((format!("/poll/options/{place}"), why));
            }
            if options.iter().take(place).any(|before| before == option) {
                let why = "this answer stands there already".to_owned();
                faults.push((format!("/poll/options/{place}"), why));
            }
        }
        if !(rule.min_minutes..=rule.max_minutes).contains(&self.duration_minutes) {
            let why =
                format!("a poll is open {} to {} minutes", rule.min_minutes, rule.max_minutes);
            faults.push(("/poll/duration_minutes".to_owned(), why));
        }
        faults
    }
}

impl Settings for PostSettings {
    fn faults(&self) -> Vec<(String, String)> {
        self.poll.as_ref().map(Poll::faults).unwrap_or_default()
    }
}

/// Whether a post with these settings has a poll; `None` when the settings are not known.
pub(super) fn has_poll(settings: &Value) -> Option<bool> {
    settings.as_object().map(|members| members.get("poll").is_some_and(|it| !it.is_null()))
}

/// What is wrong with what is said and what is set together.
pub(super) fn check(content: &Content, set: &Value) -> Vec<Finding> {
    let set: PostSettings = settings::read(set).unwrap_or_default();
    if set.poll.is_none() || content.media.is_empty() {
        return Vec::new();
    }
    let mut findings = Findings(Vec::new());
    findings.fatal("/media", "poll_with_media", "A poll stands without pictures and videos.");
    findings.0
}
