//! What can be set for one post of a Page.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::platforms::settings::Settings;

/// The most countries that one post names (Graph API reference, Page feed, read 2026-09-11).
const MOST_COUNTRIES: usize = 25;
/// The most languages; a sane bound of ours, the reference names none.
const MOST_LOCALES: usize = 25;

/// Settings of a delivery to a Page (Graph API reference, Page feed, read 2026-09-11).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostSettings {
    /// Who is more likely to see the post in a feed. It stays public for everybody on the Page.
    #[serde(default)]
    #[schema(inline)]
    pub(super) feed_targeting: Option<Audience>,
    /// What a film becomes: `video` when not said.
    #[serde(default)]
    #[schema(inline)]
    pub(super) kind: Option<FilmKind>,
}

impl PostSettings {
    /// What a film becomes.
    pub(super) fn film_kind(&self) -> FilmKind {
        self.kind.unwrap_or_default()
    }
}

/// What a film becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FilmKind {
    /// A video of the Page.
    #[default]
    Video,
    /// A reel: short, upright, and in no list of posts.
    Reel,
}

impl FilmKind {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Video, Self::Reel];
}

/// Readers by country and language; who fits both, where both are given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Audience {
    /// Countries, as ISO 3166 codes.
    #[serde(default)]
    #[schema(max_items = 25)]
    countries: Vec<String>,
    /// Facebook's own numbers of languages, as its search for `adlocale` gives them.
    #[serde(default)]
    #[schema(max_items = 25)]
    locales: Vec<u32>,
}

impl Audience {
    /// As Facebook wants it.
    pub(super) fn parameter(&self) -> String {
        let mut all = Map::new();
        if !self.countries.is_empty() {
            all.insert("geo_locations".to_owned(), json!({ "countries": self.countries }));
        }
        if !self.locales.is_empty() {
            all.insert("locales".to_owned(), json!(self.locales));
        }
        Value::Object(all).to_string()
    }

    fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault =
            |place: String, why: String| faults.push((format!("/feed_targeting{place}"), why));
        if self.countries.is_empty() && self.locales.is_empty() {
            fault(String::new(), "name a country or a language, or leave it out".to_owned());
        }
        let many = [
            ("countries", self.countries.len(), MOST_COUNTRIES),
            ("locales", self.locales.len(), MOST_LOCALES),
        ];
        for (name, count, most) in many {
            if count > most {
                fault(format!("/{name}"), format!("at most {most}, not {count}"));
            }
        }
        let mut seen = BTreeSet::new();
        for (place, code) in self.countries.iter().enumerate() {
            if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
                let why = "a country is its ISO 3166 code, two capital letters such as VN";
                fault(format!("/countries/{place}"), why.to_owned());
            } else if !seen.insert(code) {
                fault(format!("/countries/{place}"), format!("{code} is named twice"));
            }
        }
        faults
    }
}

impl Settings for PostSettings {
    fn faults(&self) -> Vec<(String, String)> {
        if self.feed_targeting.is_some() && self.film_kind() == FilmKind::Reel {
            let why = "a reel has no audience of its own";
            return vec![("/feed_targeting".to_owned(), why.to_owned())];
        }
        self.feed_targeting.as_ref().map(Audience::faults).unwrap_or_default()
    }
}
