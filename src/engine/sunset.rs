//! Tells administrators in good time that the version of a platform's interface which is in use ends: ninety
//! days before it, thirty, seven, and when it has ended, once each, whichever process sees it.

use jiff::Timestamp;
use serde_json::json;

use super::Tools;
use crate::domain::audit::NewEntry;
use crate::domain::outbox::Occasion;
use crate::platforms::rules::VersionRule;
use crate::store::{Error, audit, incidents};

/// So many days before the end people are told.
const STAGES: [i32; 4] = [90, 30, 7, 0];

/// Looks at each platform's version.
pub(super) async fn watch(tools: &Tools) -> Result<(), Error> {
    let now = tools.clock.now();
    for platform in tools.platforms.iter() {
        let version = &platform.rules().version;
        let Some(days) = version.days_left(now) else { continue };
        metrics::gauge!("chancery_version_days_left", "platform" => platform.id())
            .set(f64::from(days));
        if let Some(stage) = stage(days) {
            tell(tools, now, (platform.id(), version), (days, stage)).await?;
        }
    }
    Ok(())
}

/// The last stage that has been reached: whoever starts late hears of that one alone.
fn stage(days: i32) -> Option<i32> {
    STAGES.into_iter().filter(|stage| days <= *stage).min()
}

async fn tell(
    tools: &Tools,
    now: Timestamp,
    (platform, version): (&str, &VersionRule),
    (days, stage): (i32, i32),
) -> Result<(), Error> {
    let kind = format!("{}:{platform}:{}:{stage}", Occasion::VersionEnding, version.current);
    let mut reader = tools.store.read().await?;
    if incidents::began(&mut reader, &kind).await?.is_some() {
        return Ok(());
    }
    drop(reader);
    let mut tx = tools.store.begin_for("sunset").await?;
    if incidents::open(&mut tx, &kind, now).await? {
        let said = said(platform, version, days);
        tracing::warn!(platform, version = version.current, days, "{said}");
        let entry = NewEntry {
            actor: "engine".to_owned(),
            action: Occasion::VersionEnding.as_str().to_owned(),
            subject: platform.to_owned(),
            detail: json!({
                "platform": platform, "version": version.current, "days": days, "reason": said,
                "usable_until": version.usable_until, "owners": [], "administrators": true,
            }),
        };
        audit::append(&mut tx, &[entry], now);
        tx.commit().await?;
    }
    Ok(())
}

fn said(platform: &str, version: &VersionRule, days: i32) -> String {
    let (current, end) = (&version.current, version.usable_until.as_deref().unwrap_or_default());
    if days > 0 {
        format!("{platform} {current} works until {end}, {days} more days; set {platform}.version")
    } else {
        format!("{platform} {current} works no more since {end}; set {platform}.version")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_begins_at_its_day() {
        let stages = [91, 90, 31, 30, 8, 7, 1, 0, -400].map(stage);
        let expected =
            [None, Some(90), Some(90), Some(30), Some(30), Some(7), Some(7), Some(0), Some(0)];
        assert_eq!(stages, expected);
    }
}
