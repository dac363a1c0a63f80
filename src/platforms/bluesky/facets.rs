//! What is a link or a tag in a text, by positions in its bytes: Bluesky marks nothing by itself (lexicon
//! `app.bsky.richtext.facet`, read 2026-11-22).

use serde_json::{Value, json};

use crate::domain::text::links;

/// The longest tag, in bytes and in characters there.
const LONGEST_TAG: usize = 64;

/// All facets of a text, in order.
pub(super) fn facets(text: &str) -> Vec<Value> {
    let mut found: Vec<(usize, usize, Value)> = links(text)
        .into_iter()
        .filter_map(|link| {
            let shown = text.get(link.start..link.end)?;
            let uri = if link.has_scheme { shown.to_owned() } else { format!("https://{shown}") };
            let feature = json!({ "$type": "app.bsky.richtext.facet#link", "uri": uri });
            Some((link.start, link.end, feature))
        })
        .collect();
    let in_link = |at: usize, found: &[(usize, usize, Value)]| {
        found.iter().any(|(start, end, _)| (*start..*end).contains(&at))
    };
    let mut tags = Vec::new();
    for (start, tag) in tags_in(text) {
        if !in_link(start, &found) {
            let feature = json!({ "$type": "app.bsky.richtext.facet#tag", "tag": tag });
            tags.push((start, start + 1 + tag.len(), feature));
        }
    }
    found.extend(tags);
    found.sort_by_key(|(start, _, _)| *start);
    found
        .into_iter()
        .map(|(start, end, feature)| {
            json!({ "index": { "byteStart": start, "byteEnd": end }, "features": [feature] })
        })
        .collect()
}

/// `#` at the beginning of a word, and what follows up to a blank; not figures alone, and without what
/// ends a sentence.
fn tags_in(text: &str) -> Vec<(usize, &str)> {
    let mut tags = Vec::new();
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if let Some(rest) = word.strip_prefix('#') {
            let tag = rest.trim_end().trim_end_matches(|c: char| !c.is_alphanumeric());
            let plain = tag.chars().all(|c| c.is_ascii_digit());
            if !plain && tag.chars().count() <= LONGEST_TAG && !tag.contains('#') {
                tags.push((at, tag));
            }
        }
        at += word.len();
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> Vec<String> {
        facets(text)
            .iter()
            .map(|facet| {
                let place = |name: &str| {
                    usize::try_from(facet["index"][name].as_u64().expect("place")).expect("small")
                };
                let shown = text.get(place("byteStart")..place("byteEnd")).expect("whole signs");
                let feature = &facet["features"][0];
                let target = feature.get("uri").or_else(|| feature.get("tag")).expect("target");
                format!("{shown} -> {}", target.as_str().expect("text"))
            })
            .collect()
    }

    #[test]
    fn links_and_tags_are_marked_by_bytes() {
        assert_eq!(
            marked("Việt Nam 🇻🇳 #HàNội, xem mofa.gov.vn và https://mofa.gov.vn/vi#top #2026 #a1."),
            [
                "#HàNội -> HàNội",
                "mofa.gov.vn -> https://mofa.gov.vn",
                "https://mofa.gov.vn/vi#top -> https://mofa.gov.vn/vi#top",
                "#a1 -> a1",
            ]
        );
        assert!(marked("C# and a#b and # alone and ##x").is_empty());
    }
}
