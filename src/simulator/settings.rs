//! The switches of the simulators: everything about the platforms that may be otherwise is data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All switches; readable and changeable at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Keep a journal of create requests (counters are kept in any case).
    pub journal: bool,
    /// Keep the bytes of pictures, so that the demo page can show them.
    pub keep_media: bool,
    /// Every answer waits this long, by the simulators' clock.
    pub latency_ms: u64,
    /// Lists show a new post only after this long; see also `World::set_read_lag`.
    pub read_lag_ms: u64,
    /// The longest that any hang lasts in real time, whatever the simulated clock says.
    pub hang_cap_ms: u64,
    /// Whether calls are counted against the platforms' limits.
    pub rate_limits: bool,
    /// Facebook's switches.
    pub facebook: FacebookSettings,
    /// X's switches.
    pub x: XSettings,
    /// Mastodon's switches.
    pub mastodon: MastodonSettings,
    /// Bluesky's switches.
    pub bluesky: BlueskySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            journal: true,
            keep_media: true,
            latency_ms: 0,
            read_lag_ms: 0,
            hang_cap_ms: 600_000,
            rate_limits: true,
            facebook: FacebookSettings::default(),
            x: XSettings::default(),
            mastodon: MastodonSettings::default(),
            bluesky: BlueskySettings::default(),
        }
    }
}

/// How Facebook refuses a text that it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DuplicateCode {
    /// Code 506.
    #[serde(rename = "506")]
    Code506,
    /// Code 368 with subcode 1404082.
    #[serde(rename = "368/1404082")]
    Code368,
}

/// What is uncertain or adjustable about Facebook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct FacebookSettings {
    /// The highest Graph version that exists; older ones are all served.
    pub newest_version: u32,
    /// For how long the same text, link and pictures are refused; none by default, since the
    /// window is unknown and copies minutes apart have been seen.
    pub duplicate_window_s: Option<u64>,
    /// With which code they are refused.
    pub duplicate_code: DuplicateCode,
    /// The longest text in characters.
    pub text_limit: usize,
    /// The largest picture; the reference says 10 MB, the error that was seen says 4 MB.
    pub photo_max_bytes: usize,
    /// The most pictures in one post; vendors say 10.
    pub photos_per_post: usize,
    /// How long an unpublished picture may wait to be used.
    pub staged_photo_life_s: u64,
    /// How long a film is worked on after it was finished.
    pub film_processing_ms: u64,
    /// Why no film can be made, in Facebook's words; unset when all can.
    pub film_failure: Option<String>,
    /// How long the upload of a film may take; not documented.
    pub film_session_life_s: u64,
    /// So many bytes of a video are asked for at a time; the documents give no number.
    pub film_part_bytes: u64,
    /// For how long a new film cannot be read by its id (seen 2026-09-08).
    pub film_hidden_ms: u64,
    /// The earliest and latest a post may be scheduled ahead; the documents disagree on the end.
    pub schedule_window_s: (u64, u64),
    /// Whether a draft can be published later with `is_published=true`; not proven live.
    pub publish_later: bool,
    /// Whether `application` is readable with a page token.
    pub application_readable: bool,
    /// Whether tokens may write comments (`pages_manage_engagement`).
    pub may_comment: bool,
    /// Whether a comment says who wrote it; some clients have seen that it does not.
    pub comment_author_readable: bool,
    /// Lists begin with an empty page that nevertheless continues.
    pub empty_first_page: bool,
    /// Whether line ends are unified and trailing space is dropped.
    pub tidy_text: bool,
    /// Hosts that Facebook cannot scrape: a link to one is refused.
    pub unscrapable_hosts: Vec<String>,
    /// What permalinks begin with; the simulator's own address when unset.
    pub permalink_base: Option<String>,
    /// How long a person's token lives at first, and after it was exchanged.
    pub person_token_life_s: (u64, u64),
    /// How long a code may be exchanged; the documents do not say.
    pub code_life_s: u64,
    /// What a login configuration asks for, in the place of `scope`.
    pub login_config: Vec<String>,
    /// Granted although nobody asked, as another application of the same business might.
    pub extra_scopes: Vec<String>,
    /// An application that is still being developed refuses everybody in the words of a person who
    /// refused (recorded 2026-07-18).
    pub in_development: bool,
    /// So many Pages are in one answer at most.
    pub pages_per_answer: usize,
    /// Rights that Pages' tokens do not have any more: a person can take back each one.
    pub page_scopes_declined: Vec<String>,
    /// When access to data ends for Pages' tokens, in seconds since 1970; 0 is never.
    pub page_data_access_ends_s: i64,
}

impl Default for FacebookSettings {
    fn default() -> Self {
        Self {
            newest_version: 26,
            duplicate_window_s: None,
            duplicate_code: DuplicateCode::Code506,
            text_limit: 63_206,
            photo_max_bytes: 4 * 1024 * 1024,
            photos_per_post: 10,
            staged_photo_life_s: 24 * 3600,
            film_processing_ms: 0,
            film_failure: None,
            film_session_life_s: 24 * 3600,
            film_part_bytes: 1 << 20,
            film_hidden_ms: 0,
            schedule_window_s: (10 * 60, 75 * 24 * 3600),
            publish_later: true,
            application_readable: true,
            may_comment: true,
            comment_author_readable: true,
            empty_first_page: false,
            tidy_text: true,
            unscrapable_hosts: Vec::new(),
            permalink_base: None,
            person_token_life_s: (2 * 3600, 5_183_944),
            code_life_s: 600,
            login_config: Vec::new(),
            extra_scopes: Vec::new(),
            in_development: false,
            pages_per_answer: 100,
            page_scopes_declined: Vec::new(),
            page_data_access_ends_s: 0,
        }
    }
}

/// The two vocabularies that X answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// `edit_history_tweet_ids`, `retweet_count`, …
    Tweet,
    /// `edit_history_post_ids`, `repost_count`, …
    Post,
}

/// What X says to the deletion of a post that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteMissing {
    /// 200 with `deleted: false`.
    NotDeleted,
    /// 404.
    NotFound,
}

/// So many calls in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Calls.
    pub calls: u64,
    /// The window in seconds.
    pub seconds: u64,
}

/// The limits of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// For one user's token.
    pub user: Option<Allowance>,
    /// For the whole application.
    pub app: Option<Allowance>,
}

/// What is uncertain or adjustable about X.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct XSettings {
    /// For how long the same text of one user is refused, even after it was deleted.
    pub duplicate_window_s: Option<u64>,
    /// Whether pictures are part of that comparison.
    pub duplicate_includes_media: bool,
    /// The vocabulary of the answer to a create.
    pub create_words: Words,
    /// The vocabulary of a read that names no fields.
    pub default_words: Words,
    /// Whether replies are limited to own posts and to authors who mentioned us, and cashtags to
    /// one (the rules for self-serve apps of 2026).
    pub self_serve_rules: bool,
    /// Whether one media id may be used in several posts.
    pub reuse_media: bool,
    /// How long a media id lives.
    pub media_life_s: u64,
    /// The largest picture.
    pub image_max_bytes: usize,
    /// The largest segment of an upload.
    pub segment_max_bytes: usize,
    /// How long X works on a video or an animation.
    pub processing_s: u64,
    /// The longest pause between two questions for it that a client is told to make.
    pub check_after_s: u64,
    /// Whether that always fails.
    pub processing_fails: bool,
    /// Whether it may be said more than once that all segments are there; not documented.
    pub finalize_again: bool,
    /// The answer to deleting what is not there; the documents do not agree.
    pub delete_missing: DeleteMissing,
    /// What `type` of a problem begins with.
    pub problem_base: String,
    /// What the web address of a post begins with; the simulator's own address when unset.
    pub permalink_base: Option<String>,
    /// The limits by endpoint (X API rate limits, read 2026-09-11).
    pub limits: BTreeMap<String, Limits>,
    /// How long a code may be exchanged.
    pub code_life_s: u64,
    /// How long an access token lives.
    pub access_life_s: u64,
    /// Whether a refresh gives a new refresh token; reported by others, not documented.
    pub refresh_rotation: bool,
    /// Whether a refresh token that was replaced kills all that came of its consent; reported too.
    pub refresh_family_kill: bool,
    /// Never granted, whoever asks.
    pub withheld_scopes: Vec<String>,
}

impl Default for XSettings {
    fn default() -> Self {
        Self {
            duplicate_window_s: Some(24 * 3600),
            duplicate_includes_media: true,
            create_words: Words::Tweet,
            default_words: Words::Tweet,
            self_serve_rules: true,
            reuse_media: true,
            media_life_s: 24 * 3600,
            image_max_bytes: 5 * 1024 * 1024,
            segment_max_bytes: 8_000_000,
            processing_s: 1,
            check_after_s: 5,
            processing_fails: false,
            finalize_again: false,
            delete_missing: DeleteMissing::NotDeleted,
            problem_base: "https://api.x.com/2/problems/".to_owned(),
            permalink_base: None,
            limits: documented_limits(),
            code_life_s: 30,
            access_life_s: 7200,
            refresh_rotation: true,
            refresh_family_kill: true,
            withheld_scopes: Vec::new(),
        }
    }
}

fn documented_limits() -> BTreeMap<String, Limits> {
    const QUARTER: u64 = 15 * 60;
    const DAY: u64 = 24 * 3600;
    let user = |calls, seconds| Some(Allowance { calls, seconds });
    let app = user;
    [
        ("create", Limits { user: user(100, QUARTER), app: app(10_000, DAY) }),
        ("delete", Limits { user: user(50, QUARTER), app: None }),
        ("lookup", Limits { user: user(5_000, QUARTER), app: app(3_500, QUARTER) }),
        ("lookup_one", Limits { user: user(900, QUARTER), app: app(450, QUARTER) }),
        ("timeline", Limits { user: user(900, QUARTER), app: app(10_000, QUARTER) }),
        ("users", Limits { user: user(900, QUARTER), app: app(300, QUARTER) }),
        ("me", Limits { user: user(75, QUARTER), app: None }),
        ("upload", Limits { user: user(500, QUARTER), app: app(50_000, DAY) }),
        ("segments", Limits { user: user(1_875, QUARTER), app: app(180_000, DAY) }),
        ("status", Limits { user: user(1_000, QUARTER), app: app(100_000, DAY) }),
        ("metadata", Limits { user: user(500, QUARTER), app: app(50_000, DAY) }),
    ]
    .into_iter()
    .map(|(name, limits)| (name.to_owned(), limits))
    .collect()
}

/// What is uncertain or adjustable about a Mastodon server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MastodonSettings {
    /// The longest text; every server may set its own.
    pub characters: usize,
    /// The most pictures in one status.
    pub pictures: usize,
    /// The largest picture.
    pub image_max_bytes: usize,
    /// How long a picture is processed before it can be used.
    pub processing_ms: u64,
    /// How long a repeated `Idempotency-Key` is answered with the first status; unset when the server
    /// has lost its memory (a report on another client: eleven copies).
    pub idempotency_s: Option<u64>,
    /// Calls of one account.
    pub calls: Allowance,
    /// What links to statuses begin with; the simulator's own address when unset.
    pub permalink_base: Option<String>,
}

impl Default for MastodonSettings {
    fn default() -> Self {
        Self {
            characters: 500,
            pictures: 4,
            image_max_bytes: 16 * 1024 * 1024,
            processing_ms: 0,
            idempotency_s: Some(3600),
            calls: Allowance { calls: 300, seconds: 300 },
            permalink_base: None,
        }
    }
}

/// What is uncertain or adjustable about a Bluesky server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlueskySettings {
    /// How long an access token lives.
    pub access_life_s: u64,
    /// The largest picture (lexicon `app.bsky.embed.images`).
    pub image_max_bytes: usize,
    /// Sessions of one account; the rate limits page says 30 in 5 minutes.
    pub sessions: Allowance,
    /// Points of writes of one account in an hour; a create takes three.
    pub write_points: Allowance,
}

impl Default for BlueskySettings {
    fn default() -> Self {
        Self {
            access_life_s: 7200,
            image_max_bytes: 1_000_000,
            sessions: Allowance { calls: 30, seconds: 300 },
            write_points: Allowance { calls: 5_000, seconds: 3600 },
        }
    }
}
