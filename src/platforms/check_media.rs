//! Checks the files of a variant against a platform's rules.

use super::check::{Draft, DraftMedia, Findings, is_forbidden_control};
use super::rules::{ImageRule, MovingRule, Rules};
use crate::domain::media::MediaKind;
use crate::domain::text::code_points;

/// Everything that is wrong with the files of a variant.
pub(super) fn check(draft: &Draft<'_>, rules: &Rules, findings: &mut Findings) {
    let images = &rules.images;
    if draft.media.len() > images.max_count {
        let detail = format!("{} pictures; {} are the most.", draft.media.len(), images.max_count);
        findings.fatal("/media", "media_too_many", detail);
        findings.with("count", draft.media.len());
        findings.with("max", images.max_count);
    }
    let moves = |media: &DraftMedia<'_>| media.kind != MediaKind::Image;
    if draft.media.len() > 1 && draft.media.iter().any(moves) {
        let detail = "A video or an animation stands alone, without anything else beside it.";
        findings.fatal("/media", "media_mixed", detail);
    }
    for (index, media) in draft.media.iter().enumerate() {
        if !rules.kinds.contains(&media.kind) {
            let (kind, kinds) = (media.kind.as_str(), rules.kinds.iter().map(|it| it.as_str()));
            let accepted = kinds.collect::<Vec<_>>().join(", ");
            let detail =
                format!("A file of the kind {kind} cannot be published there; can be: {accepted}.");
            findings.fatal(format!("/media/{index}"), "media_kind", detail);
            findings.with("kind", kind);
            findings.with("accepted", accepted);
        }
        check_moving(media, rules, &format!("/media/{index}"), findings);
        check_alt(media, images, format!("/media/{index}/alt"), findings);
    }
}

/// Whether blind people are told what it shows.
fn check_alt(media: &DraftMedia<'_>, images: &ImageRule, pointer: String, findings: &mut Findings) {
    let length = code_points(media.alt);
    if media.alt.trim().is_empty() {
        let detail =
            "Without an alternative text, blind people do not know what the picture shows.";
        findings.warn(pointer, "alt_missing", detail);
    } else if length > images.max_alt {
        let detail = format!(
            "The alternative text has {length} characters; {} are the most.",
            images.max_alt
        );
        findings.fatal(pointer, "alt_too_long", detail);
        findings.with("count", length);
        findings.with("max", images.max_alt);
    } else if media.alt.chars().any(is_forbidden_control) {
        let detail = "The alternative text holds a control character.";
        findings.fatal(pointer, "alt_control_character", detail);
    }
}

/// Whether a video or an animation is one that the platform takes. What is not known is the platform's to say.
fn check_moving(media: &DraftMedia<'_>, rules: &Rules, pointer: &str, findings: &mut Findings) {
    let rule = match media.kind {
        MediaKind::Image => None,
        MediaKind::Video => rules.videos.as_ref(),
        MediaKind::Animation => rules.animations.as_ref(),
    };
    let Some(rule) = rule else { return };
    if !rule.types.contains(&media.mime) {
        let accepted = rule.types.join(", ");
        let detail = format!("{} cannot be published there; can be: {accepted}.", media.mime);
        findings.fatal(pointer, "moving_type", detail);
        findings.with("value", media.mime);
        findings.with("accepted", accepted);
    }
    if media.size_bytes > rule.max_bytes {
        let (size, max) = (megabytes(media.size_bytes), megabytes(rule.max_bytes));
        let detail = format!("The file has {size} MB; {max} MB are the most.");
        findings.fatal(pointer, "moving_too_large", detail);
        findings.with("count", size);
        findings.with("max", max);
    }
    let Some(facts) = media.moving else { return };
    if let Some(length) = facts.duration_ms {
        if let Some(max) = rule.max_ms.filter(|max| length > *max) {
            let (length, max) = (length.div_ceil(1_000), max / 1_000);
            let detail = format!("It plays for {length} s; {max} s are the most.");
            findings.fatal(pointer, "moving_too_long", detail);
            findings.with("count", length);
            findings.with("max", max);
        }
        if length < rule.min_ms {
            let detail = format!("It plays for {length} ms; {} ms are the least.", rule.min_ms);
            findings.fatal(pointer, "moving_too_short", detail);
            findings.with("count", length);
            findings.with("min", rule.min_ms);
        }
    }
    if let (Some(width), Some(height)) = (facts.width, facts.height)
        && !has_taken_shape((width, height), rule)
    {
        let detail = format!("Moving pictures of {width} × {height} pixels are not taken there.");
        findings.fatal(pointer, "moving_shape", detail);
        findings.with("width", width);
        findings.with("height", height);
    }
}

fn has_taken_shape((width, height): (u32, u32), rule: &MovingRule) -> bool {
    let (longer, shorter) = (u64::from(width.max(height)), u64::from(width.min(height)));
    rule.max_width.is_none_or(|max| width <= max)
        && rule.max_height.is_none_or(|max| height <= max)
        && rule.max_ratio.is_none_or(|max| longer <= shorter * u64::from(max))
}

/// In millions of bytes, rounded up.
fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}
