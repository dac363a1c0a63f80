//! The limits of X, each with the place where it is written.

use crate::config::{Films, Prices};
use crate::domain::media::MediaKind;
use crate::domain::parts::MAX_THREAD;
use crate::domain::text::LINK_WEIGHT;
use crate::platforms::rules::{
    CostRule, Counting, FollowUpRule, ImageRule, LinkRule, MovingRule, PollRule, RateRule, Rules,
    SameText, TextRule, VersionRule,
};

/// What an ordinary post may count.
const MAX: u32 = 280;

/// `long_posts` is what the post of an account counts at most that may publish long ones.
pub(super) fn rules(prices: Prices, films: Films, long_posts: u32) -> Rules {
    Rules {
        text: TextRule {
            counting: Counting::WeightedV3,
            max: MAX,
            max_long: Some(long_posts).filter(|most| *most > MAX),
            max_bytes: None,
            max_cashtags: Some(1),
            source: "twitter-text, configuration version 3, read 2026-11-21; one cashtag: X API changelog, read 2026-09-11; long posts configured: 25,000 by the X API changelog of 2024-08-20, read 2026-09-11",
        },
        link: LinkRule {
            separate_field: false,
            counts: Some(LINK_WEIGHT),
            source: "twitter-text, configuration version 3, read 2026-11-21",
        },
        kinds: &[MediaKind::Image, MediaKind::Video, MediaKind::Animation],
        ahead: &[MediaKind::Video, MediaKind::Animation],
        images: ImageRule {
            max_count: 4,
            max_bytes: 5_000_000,
            max_side: 4_096,
            sent_as: &["image/jpeg", "image/png"],
            max_alt: 1_000,
            source: "X API documents, media best practices and upload, metadata, read 2026-09-11",
        },
        videos: Some(videos(films)),
        animations: Some(ANIMATIONS),
        polls: Some(POLLS),
        follow_ups: FollowUpRule {
            max_thread: MAX_THREAD,
            max_comment: MAX,
            source: "X API documents, create post, reply, read 2026-09-11; the length of a thread by caution",
        },
        rates: RATES,
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

/// What X's own pages say of the longest and largest video differs, and the account matters too: so both
/// are configured.
fn videos(films: Films) -> MovingRule {
    MovingRule {
        max_bytes: films.max_bytes,
        min_ms: 500,
        max_ms: Some(u64::try_from(films.max_duration.as_millis()).unwrap_or(u64::MAX)),
        max_width: None,
        max_height: None,
        max_ratio: Some(3),
        types: &["video/mp4", "video/quicktime"],
        source: "size and duration configured; X API documents, media best practices, read 2026-08-22 (512 MB, 0.5 to 140 s), and chunked upload, read 2026-09-11 (8 GB, 20 min)",
    }
}

/// Animated GIFs.
const ANIMATIONS: MovingRule = MovingRule {
    max_bytes: 15_000_000,
    min_ms: 0,
    max_ms: None,
    max_width: Some(1_280),
    max_height: Some(1_080),
    max_ratio: None,
    types: &["image/gif"],
    source: "X API documents, media best practices, read 2026-08-22",
};

/// Polls, which stand without pictures.
pub(super) const POLLS: PollRule = PollRule {
    min_options: 2,
    max_options: 4,
    max_option: 25,
    min_minutes: 5,
    max_minutes: 10_080,
    source: "X API documents, create post, poll, read 2026-09-11",
};

/// Creates in a window.
const RATES: &[RateRule] = &[
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
];
