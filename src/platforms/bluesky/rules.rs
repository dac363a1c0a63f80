//! The limits of Bluesky, each with the place where it is written.

use crate::domain::media::MediaKind;
use crate::platforms::rules::{
    Counting, FollowUpRule, ImageRule, LinkRule, RateRule, Rules, SameText, TextRule, VersionRule,
};

pub(super) fn rules() -> Rules {
    Rules {
        text: TextRule {
            counting: Counting::Graphemes,
            max: 300,
            max_long: None,
            max_bytes: Some(3_000),
            max_cashtags: None,
            source: "lexicon app.bsky.feed.post, read 2026-11-22",
        },
        link: LinkRule {
            separate_field: true,
            counts: None,
            source: "lexicon app.bsky.embed.external, read 2026-11-22",
        },
        kinds: &[MediaKind::Image],
        ahead: &[],
        images: ImageRule {
            max_count: 4,
            max_bytes: 1_000_000,
            max_side: 2_000,
            sent_as: &["image/jpeg"],
            max_alt: 2_000,
            source: "lexicon app.bsky.embed.images, read 2026-11-22; alternative texts: the limit of the official clients (unsure)",
        },
        videos: None,
        animations: None,
        polls: None,
        follow_ups: FollowUpRule {
            max_thread: 0,
            max_comment: 0,
            source: "not built: the platform has replies",
        },
        rates: &[
            RateRule {
                limit: 1_666,
                window_s: 3_600,
                per_account: true,
                source: "docs.bsky.app, rate limits: 5,000 points of writes an hour, three for a create, read 2026-11-22",
            },
            RateRule {
                limit: 11_666,
                window_s: 86_400,
                per_account: true,
                source: "docs.bsky.app, rate limits: 35,000 points a day, read 2026-11-22",
            },
        ],
        version: VersionRule { current: "com.atproto".to_owned(), usable_until: None },
        scopes: &[],
        same_text_on_many_accounts: SameText::Allowed,
        cost: None,
    }
}
