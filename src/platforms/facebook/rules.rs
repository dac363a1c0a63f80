//! The limits of Facebook Pages, each with the place where it is written.

use crate::domain::media::MediaKind;
use crate::platforms::rules::{
    Counting, FollowUpRule, ImageRule, LinkRule, MovingRule, RateRule, Rules, SameText, TextRule,
    VersionRule,
};

/// Until when each version of the Graph API works: its changelog, read 2026-09-11. The newest has
/// no end yet.
const VERSIONS: [(&str, Option<&str>); 6] = [
    ("v21.0", Some("2027-01-21")),
    ("v22.0", Some("2027-05-20")),
    ("v23.0", Some("2027-10-08")),
    ("v24.0", Some("2028-02-18")),
    ("v25.0", Some("2028-07-29")),
    ("v26.0", None),
];

/// Videos of a Page. What a reel must be besides is in `reel_rules`.
const VIDEOS: MovingRule = MovingRule {
    max_bytes: 10_000_000_000,
    min_ms: 1_000,
    max_ms: Some(14_400_000),
    max_width: None,
    max_height: None,
    max_ratio: None,
    types: &["video/mp4", "video/quicktime"],
    source: "by common report (10 GB, 1 s to 240 min); the reference of Page videos gives no limits, read 2026-09-11",
};

pub(super) fn rules(version: &str) -> Rules {
    Rules {
        text: TextRule {
            counting: Counting::CodePoints,
            max: 63_206,
            max_long: None,
            max_bytes: None,
            max_cashtags: None,
            source: "widely reported limit of a post's message, no official page states it, read 2026-11-21",
        },
        link: LinkRule {
            separate_field: true,
            counts: None,
            source: "Graph API reference, Page feed, parameter link, read 2026-09-11",
        },
        kinds: &[MediaKind::Image, MediaKind::Video],
        ahead: &[],
        images: ImageRule {
            max_count: 10,
            max_bytes: 4_000_000,
            max_side: 2_048,
            sent_as: &["image/jpeg"],
            max_alt: 1_000,
            source: "Graph API error 1366046 (4 MB; the reference says 10 MB), ten pictures by vendors' reports, alternative text by caution, read 2026-11-21",
        },
        videos: Some(VIDEOS),
        animations: None,
        polls: None,
        follow_ups: FollowUpRule {
            max_thread: 0,
            max_comment: 8_000,
            source: "Graph API reference, comments of an object, read 2026-09-11; its length by common report",
        },
        // The platform's own budget depends on how many people a Page reaches and is read from its
        // headers; this keeps a Page from looking like a machine until the first header is seen.
        rates: &[RateRule {
            limit: 25,
            window_s: 3_600,
            per_account: true,
            source: "caution; Graph API rate limiting guide, read 2026-08-23, gives no fixed number for Pages",
        }],
        version: VersionRule {
            current: version.to_owned(),
            usable_until: VERSIONS
                .iter()
                .find(|(known, _)| *known == version)
                .and_then(|(_, until)| until.map(str::to_owned)),
        },
        scopes: &["pages_show_list", "pages_read_engagement", "pages_manage_posts"],
        same_text_on_many_accounts: SameText::Allowed,
        cost: None,
    }
}

#[cfg(test)]
mod tests {
    use super::rules;

    #[test]
    fn a_version_with_a_known_end_says_so() {
        assert_eq!(rules("v25.0").version.usable_until.as_deref(), Some("2028-07-29"));
        assert_eq!(rules("v26.0").version.usable_until, None);
    }
}
