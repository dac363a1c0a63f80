//! What can be set for one post on Bluesky.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::platforms::settings::Settings;

/// The longest title and description of a card; the lexicon has no limit, the app shows less.
const LONGEST: usize = 300;

/// Settings of a delivery to Bluesky (lexicon `app.bsky.embed.external`, read 2026-11-22).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostSettings {
    /// The title on the card of the link; its address when it is left out. Bluesky reads no pages.
    #[serde(default)]
    pub(super) card_title: Option<String>,
    /// What the card says under it.
    #[serde(default)]
    pub(super) card_description: Option<String>,
}

impl Settings for PostSettings {
    fn faults(&self) -> Vec<(String, String)> {
        let parts =
            [("card_title", &self.card_title), ("card_description", &self.card_description)];
        parts
            .into_iter()
            .filter(|(_, text)| {
                text.as_deref()
                    .is_some_and(|text| text.trim().is_empty() || text.chars().count() > LONGEST)
            })
            .map(|(name, _)| (format!("/{name}"), format!("1 to {LONGEST} characters")))
            .collect()
    }
}
