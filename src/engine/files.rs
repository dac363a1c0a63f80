//! The files of a delivery, proven to be what was scheduled, as its platform is handed them: of
//! pictures what may leave, videos to be read in parts. What a platform has already is not opened.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::Tools;
use super::publish::Report;
use crate::domain::media::MediaKind;
use crate::domain::variant::{Content, ContentMedia};
use crate::domain::waiting::Cause;
use crate::media::{Error, Files, Quiet, Recipe};
use crate::platforms::Answer;
use crate::platforms::rules::ImageRule;
use crate::platforms::session::{Gone, ItemMedia, MediaSource, Parts, Progress};

/// All files of a delivery, in order.
pub(super) async fn of(
    tools: &Tools,
    rule: &ImageRule,
    content: &Content,
    progress: &Progress,
) -> Result<Vec<ItemMedia>, Report> {
    let mut media = Vec::with_capacity(content.media.len());
    for one in &content.media {
        media.push(match one.kind {
            MediaKind::Image => picture(tools, rule, one).await?,
            MediaKind::Video | MediaKind::Animation => moving(tools, one, progress).await?,
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
    let made = tools.files.rendition(&one.sha256, one.size_bytes, &recipe).await;
    let made = made.map_err(|error| unusable(one, &error))?;
    Ok(ItemMedia {
        sha256: made.sha256,
        mime: made.mime,
        alt: one.alt.clone(),
        kind: one.kind,
        source: MediaSource::Held(made.bytes),
    })
}

/// A film or an animation. Where it is kept may not answer just when its platform needs nothing of it.
async fn moving(
    tools: &Tools,
    one: &ContentMedia,
    progress: &Progress,
) -> Result<ItemMedia, Report> {
    let moving = Moving::new(tools.files.clone(), one);
    if !progress.has_all_of(&one.sha256, tools.clock.now()) {
        moving.opened().await.map_err(|error| unusable(one, &error))?;
    }
    Ok(ItemMedia {
        sha256: one.sha256.clone(),
        mime: one.mime.clone(),
        alt: one.alt.clone(),
        kind: one.kind,
        source: MediaSource::Parts(Arc::new(moving)),
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
        // It may lie on another node's disk, or be on its way there: only people know what is lost for good.
        Error::Missing(_) => Report::NotNow {
            code: Cause::MediaMissing.as_str(),
            detail: format!(
                "the file of {} is not where media are kept: bring it back there (from the disk of a node \
                 into the bucket: chancery media copy), or hand it in again; then this goes out by itself",
                one.media_id
            ),
        },
        Error::Changed(_) | Error::NoHash => Report::Unfit {
            code: "media_changed",
            detail: format!("the file of {} has changed where it is kept", one.media_id),
            hint: "hand the file in again, and schedule the post again",
        },
    }
}

/// A film or an animation in the words of the platforms; opened when it is first read.
#[derive(Debug)]
struct Moving {
    files: Files,
    sha256: String,
    size: u64,
    kind: MediaKind,
    opened: OnceCell<Quiet>,
}

impl Moving {
    fn new(files: Files, one: &ContentMedia) -> Self {
        let ContentMedia { sha256, size_bytes: size, kind, .. } = one.clone();
        Self { files, sha256, size, kind, opened: OnceCell::new() }
    }

    /// What leaves of it: of a film its pictures and its sound, in the places where they were.
    async fn opened(&self) -> Result<&Quiet, Error> {
        let open = async || {
            let opened = self.files.open(&self.sha256, self.size).await?;
            match self.kind {
                MediaKind::Video => opened.quiet().await,
                MediaKind::Animation | MediaKind::Image => Ok(opened.as_it_is()),
            }
        };
        self.opened.get_or_try_init(open).await
    }

    async fn part(&self, part: Range<u64>) -> Result<Bytes, Error> {
        self.opened().await?.read(part).await
    }
}

impl Parts for Moving {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, part: Range<u64>) -> Answer<'_, Result<Bytes, Gone>> {
        Box::pin(async move { self.part(part).await.map_err(|error| Gone(Box::new(error))) })
    }
}
