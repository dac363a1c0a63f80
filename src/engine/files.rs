//! The files of a delivery, proven to be what was scheduled, as its platform is handed them: of
//! pictures what may leave, videos to be read in parts.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::Tools;
use super::publish::Report;
use crate::domain::media::MediaKind;
use crate::domain::variant::{Content, ContentMedia};
use crate::media::{Error, Opened, Quiet, Recipe};
use crate::platforms::Answer;
use crate::platforms::rules::ImageRule;
use crate::platforms::session::{Gone, ItemMedia, MediaSource, Parts};

/// All files of a delivery, in order.
pub(super) async fn of(
    tools: &Tools,
    rule: &ImageRule,
    content: &Content,
) -> Result<Vec<ItemMedia>, Report> {
    let mut media = Vec::with_capacity(content.media.len());
    for one in &content.media {
        media.push(match one.kind {
            MediaKind::Image => picture(tools, rule, one).await?,
            MediaKind::Video => film(tools, one).await?,
            MediaKind::Animation => animation(tools, one).await?,
        });
    }
    Ok(media)
}

/// What leaves of a picture: never the file that was handed in, which may say where it was taken.
async fn picture(tools: &Tools, rule: &ImageRule, one: &ContentMedia) -> Result<ItemMedia, Report> {
    let recipe = Recipe {
        max_bytes: rule.max_bytes,
        max_side: rule.max_side,
        png: rule.sent_as.contains(&"image/png"),
    };
    let made = tools.files.rendition(&one.sha256, &recipe).await;
    let made = made.map_err(|error| unusable(one, &error))?;
    Ok(ItemMedia {
        sha256: made.sha256,
        mime: made.mime,
        alt: one.alt.clone(),
        kind: one.kind,
        source: MediaSource::Held(made.bytes),
    })
}

/// What leaves of a film: its pictures and its sound, in the places where they were.
async fn film(tools: &Tools, one: &ContentMedia) -> Result<ItemMedia, Report> {
    let opened = tools.files.open(&one.sha256).await.map_err(|error| unusable(one, &error))?;
    let quiet = opened.quiet().await.map_err(|error| unusable(one, &error))?;
    Ok(ItemMedia {
        sha256: quiet.sha256().to_owned(),
        mime: one.mime.clone(),
        alt: one.alt.clone(),
        kind: one.kind,
        source: MediaSource::Parts(Arc::new(Film(quiet))),
    })
}

async fn animation(tools: &Tools, one: &ContentMedia) -> Result<ItemMedia, Report> {
    let opened = tools.files.open(&one.sha256).await.map_err(|error| unusable(one, &error))?;
    Ok(ItemMedia {
        sha256: one.sha256.clone(),
        mime: one.mime.clone(),
        alt: one.alt.clone(),
        kind: one.kind,
        source: MediaSource::Parts(Arc::new(Animation(opened))),
    })
}

fn unusable(one: &ContentMedia, error: &Error) -> Report {
    tracing::error!(error = %crate::telemetry::Chain(error), "a file is not as it was");
    match error {
        Error::Disk { .. } | Error::Store(_) => Report::NotNow {
            code: "media_unreadable",
            detail: format!("the file of {} cannot be read now", one.media_id),
        },
        Error::Unfit { .. } => Report::Unfit {
            code: "media_unfit",
            detail: format!("no picture that may leave can be made of {}", one.media_id),
            hint: "hand in the picture again, saved by another program",
        },
        Error::Missing(_) | Error::Changed(_) | Error::NoHash => Report::Unfit {
            code: "media_missing",
            detail: format!("the file of {} is missing or has changed", one.media_id),
            hint: "bring the file back to where media are kept, or schedule the post again",
        },
    }
}

/// A video in the words of the platforms.
#[derive(Debug)]
struct Film(Quiet);

impl Parts for Film {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read(&self, part: Range<u64>) -> Answer<'_, Result<Bytes, Gone>> {
        Box::pin(async move { self.0.read(part).await.map_err(|error| Gone(Box::new(error))) })
    }
}

/// An animation in the words of the platforms.
#[derive(Debug)]
struct Animation(Opened);

impl Parts for Animation {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read(&self, part: Range<u64>) -> Answer<'_, Result<Bytes, Gone>> {
        Box::pin(async move { self.0.read(part).await.map_err(|error| Gone(Box::new(error))) })
    }
}
