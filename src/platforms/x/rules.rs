//! The limits of X, each with the place where it is written.

use crate::config::Prices;
use crate::domain::media::MediaKind;
use crate::domain::parts::MAX_THREAD;
use crate::domain::text::LINK_WEIGHT;
use crate::platforms::rules::{
    CostRule, Counting, FollowUpRule, ImageRule, LinkRule, RateRule, Rules, SameText, TextRule,
    VersionRule,
};

pub(super) fn rules(prices: Prices) -> Rules {
    Rules {
        text: TextRule {
            counting: Counting::WeightedV3,
            max: 280,
            max_bytes: None,
            max_cashtags: Some(1),
            source: "twitter-text, configuration version 3, read 2026-11-21; one cashtag: X API changelog, read 2026-09-11",
        },
        link: LinkRule {
            separate_field: false,
            counts: Some(LINK_WEIGHT),
            source: "twitter-text, configuration version 3, read 2026-11-21",
        },
        kinds: &[MediaKind::Image],
        images: ImageRule {
            max_count: 4,
            max_bytes: 5_000_000,
            max_side: 4_096,
            sent_as: &["image/jpeg", "image/png"],
            max_alt: 1_000,
            source: "X API documents, media best practices and upload, metadata, read 2026-09-11",
        },
        follow_ups: FollowUpRule {
            max_thread: MAX_THREAD,
            max_comment: 280,
            source: "X API documents, create post, reply, read 2026-09-11; the length of a thread by caution",
        },
        rates: &[
            RateRule {
                limit: 100,
                window_s: 900,
                per_account: true,
                source: "X API documents, rate limits, POST /2/tweets per user, read 2026-09-11",
            },
            RateRule {
                limit: 300,
                window_s: 10_800,
                per_account: true,
                source: "X, older limit of posts that is still online, read 2026-09-11",
            },
            RateRule {
                limit: 10_000,
                window_s: 86_400,
                per_account: false,
                source: "X API documents, rate limits, POST /2/tweets per application, read 2026-09-11",
            },
        ],
        version: VersionRule { current: "2".to_owned(), usable_until: None },
        scopes: &["tweet.read", "tweet.write", "users.read", "media.write", "offline.access"],
        same_text_on_many_accounts: SameText::Discouraged,
        cost: Some(CostRule {
            post_usd_micros: prices.post,
            post_with_link_usd_micros: prices.post_with_link,
            alt_text_usd_micros: prices.alt_text,
            read_usd_micros: prices.read,
            source: "configured; X API documents, pricing, pay per use, read 2026-09-11",
        }),
    }
}
