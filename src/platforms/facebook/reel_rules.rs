//! What a film must be to become a reel (Graph API reference, Page video reels, read 2026-09-11).

use serde_json::Value;

use super::post_settings::{FilmKind, PostSettings};
use crate::domain::media::{MediaKind, MovingFacts};
use crate::domain::variant::Content;
use crate::platforms::check::{Finding, Findings};
use crate::platforms::settings;

const SHORTEST_MS: u64 = 3_000;
const LONGEST_MS: u64 = 90_000;
const LEAST_WIDTH: u32 = 540;
const LEAST_HEIGHT: u32 = 960;
/// So many hundredths may the shape be away from 9:16; encoders round to even numbers.
const TOLERANCE: u64 = 2;

/// What is wrong with the files of a variant that is to be a reel.
pub(super) fn check(content: &Content, set: &Value) -> Vec<Finding> {
    let set: PostSettings = settings::read(set).unwrap_or_default();
    if set.kind != Some(FilmKind::Reel) {
        return Vec::new();
    }
    let mut findings = Findings(Vec::new());
    match content.media.iter().find(|it| it.kind == MediaKind::Video) {
        Some(film) => {
            if let Some(facts) = &film.moving {
                check_film(facts, &mut findings);
            }
        }
        None => {
            findings.fatal("/media", "reel_without_video", "A reel is a video, and this has none.");
        }
    }
    findings.0
}

fn check_film(facts: &MovingFacts, findings: &mut Findings) {
    if let Some(length) = facts.duration_ms.filter(|it| *it > LONGEST_MS) {
        let (length, max) = (length.div_ceil(1_000), LONGEST_MS / 1_000);
        let detail = format!("It plays for {length} s; {max} s are the most for a reel.");
        findings.fatal("/media/0", "moving_too_long", detail);
        findings.with("count", length);
        findings.with("max", max);
    }
    if let Some(length) = facts.duration_ms.filter(|it| *it < SHORTEST_MS) {
        let detail =
            format!("It plays for {length} ms; {SHORTEST_MS} ms are the least for a reel.");
        findings.fatal("/media/0", "moving_too_short", detail);
        findings.with("count", length);
        findings.with("min", SHORTEST_MS);
    }
    if let (Some(width), Some(height)) = (facts.width, facts.height)
        && !is_upright(width, height)
    {
        let detail = format!(
            "A reel is upright, 9:16, with {LEAST_WIDTH} × {LEAST_HEIGHT} pixels or more, not {width} × {height}."
        );
        findings.fatal("/media/0", "moving_shape", detail);
        findings.with("width", width);
        findings.with("height", height);
    }
}

fn is_upright(width: u32, height: u32) -> bool {
    let (wanted, has) = (u64::from(width) * 16, u64::from(height) * 9);
    width >= LEAST_WIDTH
        && height >= LEAST_HEIGHT
        && has.abs_diff(wanted) * 100 <= wanted * TOLERANCE
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::id::MediaId;
    use crate::domain::variant::ContentMedia;

    fn codes(width: u32, height: u32, duration_ms: u64, kind: &str) -> Vec<&'static str> {
        let moving = MovingFacts {
            width: Some(width),
            height: Some(height),
            duration_ms: Some(duration_ms),
        };
        let media = ContentMedia {
            media_id: MediaId::new(jiff::Timestamp::UNIX_EPOCH, 1),
            sha256: "0".repeat(64),
            kind: MediaKind::Video,
            mime: "video/mp4".to_owned(),
            size_bytes: 9,
            alt: String::new(),
            moving: Some(moving),
        };
        let content = Content { media: vec![media], ..Content::default() };
        check(&content, &json!({ "kind": kind })).iter().map(|it| it.code).collect()
    }

    #[test]
    fn a_reel_is_short_and_upright() {
        assert!(codes(1_080, 1_920, 30_000, "reel").is_empty());
        assert!(codes(1_088, 1_920, 90_000, "reel").is_empty(), "rounded by an encoder");
        assert_eq!(codes(1_080, 1_920, 90_001, "reel"), ["moving_too_long"]);
        assert_eq!(codes(1_080, 1_920, 2_999, "reel"), ["moving_too_short"]);
        assert_eq!(codes(1_920, 1_080, 30_000, "reel"), ["moving_shape"]);
        assert_eq!(codes(360, 640, 30_000, "reel"), ["moving_shape"]);
        assert!(codes(1_920, 1_080, 300_000, "video").is_empty(), "a video may be so");
        let none = check(&Content::default(), &json!({"kind": "reel"}));
        assert_eq!(none[0].code, "reel_without_video");
    }
}
