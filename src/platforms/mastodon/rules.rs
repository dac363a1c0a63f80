//! The limits of Mastodon, each with the place where it is written.

use crate::domain::media::MediaKind;
use crate::domain::text::LINK_WEIGHT;
use crate::platforms::rules::{
    Counting, FollowUpRule, ImageRule, LinkRule, RateRule, Rules, SameText, TextRule, VersionRule,
};

pub(super) fn rules(characters: u32) -> Rules {
    Rules {
        text: TextRule {
            counting: Counting::GraphemesLinks23,
            max: characters,
            max_long: None,
            max_bytes: None,
            max_cashtags: None,
            source: "configured; 500 where a server has not raised it: docs.joinmastodon.org, posting, read 2026-11-22",
        },
        link: LinkRule {
            separate_field: false,
            counts: Some(LINK_WEIGHT),
            source: "docs.joinmastodon.org, entities, Instance, characters_reserved_per_url, read 2026-11-22",
        },
        kinds: &[MediaKind::Image],
        ahead: &[],
        images: ImageRule {
            max_count: 4,
            max_bytes: 16 * 1024 * 1024,
            max_side: 3_840,
            sent_as: &["image/jpeg", "image/png"],
            max_alt: 1_500,
            source: "docs.joinmastodon.org, entities, Instance, media_attachments, read 2026-11-22",
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
                limit: 300,
                window_s: 300,
                per_account: true,
                source: "docs.joinmastodon.org, rate limits, calls of one account, read 2026-11-22",
            },
            RateRule {
                limit: 30,
                window_s: 1_800,
                per_account: true,
                source: "docs.joinmastodon.org, rate limits, uploads of one account, and deletions, read 2026-11-22",
            },
        ],
        version: VersionRule { current: "v1".to_owned(), usable_until: None },
        scopes: &["read:accounts", "read:statuses", "write:statuses", "write:media"],
        same_text_on_many_accounts: SameText::Allowed,
        cost: None,
    }
}
