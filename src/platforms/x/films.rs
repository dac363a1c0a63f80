//! Brings videos and animations to X: in segments, and then until X has worked on them.
//!
//! Nobody can see what an upload makes, so each step may be repeated. How far it has come is kept with the
//! delivery; what X does not know any more is begun anew.

use std::time::Duration;

use jiff::Timestamp;

use super::Settings;
use super::api::Api;
use super::classify::{Work, accepted, uploaded, worked};
use super::publish::step;
use crate::clock::after;
use crate::domain::media::MediaKind;
use crate::outbound::Response;
use crate::platforms::outcome::{Deferral, Outcome, PROCESSING, Refusal, RefusalKind};
use crate::platforms::session::{ItemMedia, Progress, Session, Staged, UnderWay};
use crate::platforms::staging;
use crate::platforms::wire::upload_again;

/// Bytes of a segment. 5 MB are advised at most; over a slow line a small one gets through in its time.
const SEGMENT: u64 = 2 << 20;
/// Segments of a file, at most (X API documents, chunked upload, read 2026-09-11).
const MOST_SEGMENTS: u64 = 1_000;
/// Segments that are sent before it is written down how far it has come.
const AT_ONCE: usize = 64;
/// How long one waits for X's work before others get their turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that takes long.
pub(super) async fn bring_all(
    settings: &Settings,
    on: &Session,
    media: &[ItemMedia],
    progress: &mut Progress,
) -> Result<(), Box<Outcome>> {
    let api = Api::of(settings, on);
    for one in media.iter().filter(|one| one.kind != MediaKind::Image) {
        bring(&api, on, one, progress).await?;
    }
    Ok(())
}

/// The id of a file that X has worked on. How far it comes otherwise stands in `progress`.
pub(super) async fn bring(
    api: &Api<'_>,
    on: &Session,
    media: &ItemMedia,
    progress: &mut Progress,
) -> Result<String, Box<Outcome>> {
    let key = media.sha256.clone();
    if let Some(id) = staging::already(progress, &key, on.clock.now()) {
        return Ok(id.to_owned());
    }
    let begun = staging::under_way(progress, &key, on.clock.now());
    let resumed = begun.is_some();
    let mut film = Film { api, on, media, progress };
    match film.go_on(begun).await {
        // It may be the upload that X has forgotten, and not the file that it does not take.
        Err(Halt::Step(outcome)) if resumed && is_for_content(&outcome) => {
            staging::forget_under_way(film.progress, &key);
            Err(Box::new(upload_again("X does not know the upload any more; it begins anew")))
        }
        Err(Halt::Step(outcome) | Halt::Told(outcome)) => {
            if is_for_content(&outcome) {
                staging::forget_under_way(film.progress, &key);
            }
            Err(outcome)
        }
        Ok(id) => Ok(id),
    }
}

/// Whether X refuses what was sent, and not who sent it.
pub(super) fn is_for_content(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(refusal) if refusal.kind == RefusalKind::Content)
}

/// Why a file is not ready.
enum Halt {
    /// A call failed or was refused.
    Step(Box<Outcome>),
    /// X has said what becomes of the file itself.
    Told(Box<Outcome>),
}

impl From<Box<Outcome>> for Halt {
    fn from(outcome: Box<Outcome>) -> Self {
        Self::Step(outcome)
    }
}

/// A file on its way.
struct Film<'a> {
    api: &'a Api<'a>,
    on: &'a Session,
    media: &'a ItemMedia,
    progress: &'a mut Progress,
}

impl Film<'_> {
    async fn go_on(&mut self, begun: Option<UnderWay>) -> Result<String, Halt> {
        let mut how_far = match begun {
            Some(how_far) => how_far,
            None => self.begin().await?,
        };
        if how_far.is_whole {
            let answer = step(self.on, self.api.upload_status(&how_far.remote_id)).await?;
            return self.wait_for(how_far, answer).await;
        }
        self.send(&mut how_far).await?;
        let answer = step(self.on, self.api.finish_upload(&how_far.remote_id)).await?;
        accepted(&answer, self.on.clock.now())?;
        how_far.is_whole = true;
        staging::came(self.progress, how_far.clone());
        self.wait_for(how_far, answer).await
    }

    async fn begin(&mut self) -> Result<UnderWay, Halt> {
        let answer = step(self.on, self.api.begin_upload(self.media)).await?;
        let now = self.on.clock.now();
        let there = uploaded(&answer, now)?;
        let how_far = UnderWay {
            sha256: self.media.sha256.clone(),
            remote_id: there.id,
            sent: 0,
            is_whole: false,
            expires_at: now.checked_add(there.usable_for).unwrap_or(now),
        };
        staging::came(self.progress, how_far.clone());
        Ok(how_far)
    }

    /// Sends what X does not have yet. A segment whose answer was lost is sent again, which is harmless.
    async fn send(&mut self, how_far: &mut UnderWay) -> Result<(), Halt> {
        let size = self.media.source.size();
        let length = segment_length(size);
        for _ in 0..AT_ONCE {
            if how_far.sent >= size {
                return Ok(());
            }
            let bytes = self.media.source.read_range(how_far.sent, length).await;
            let bytes = bytes.map_err(|_gone| Halt::Told(Box::new(unreadable())))?;
            let number = how_far.sent / length;
            let request = self.api.append(&how_far.remote_id, number, self.media, &bytes);
            let answer = step(self.on, request).await?;
            accepted(&answer, self.on.clock.now())?;
            how_far.sent = how_far.sent.saturating_add(length).min(size);
            staging::came(self.progress, how_far.clone());
        }
        if how_far.sent >= size {
            return Ok(());
        }
        let detail = format!("{} of {size} bytes are at X", how_far.sent);
        Err(Halt::Told(Box::new(later("upload", detail, Some(self.on.clock.now())))))
    }

    /// Asks as often as X wants to be asked, for a while.
    async fn wait_for(&mut self, how_far: UnderWay, mut answer: Response) -> Result<String, Halt> {
        let patience = after(self.on.clock.now(), PATIENCE);
        loop {
            let now = self.on.clock.now();
            accepted(&answer, now)?;
            match worked(&answer, now).ok_or_else(|| Box::new(upload_again("no answer in it")))? {
                Work::Done => return Ok(self.ready(how_far)),
                Work::Failed(why) => return Err(Halt::Told(Box::new(unusable(&why)))),
                Work::Goes(until) if until > patience => return Err(self.busy(until)),
                Work::Goes(until) => self.on.clock.sleep_until(until).await,
            }
            answer = step(self.on, self.api.upload_status(&how_far.remote_id)).await?;
        }
    }

    fn busy(&self, until: Timestamp) -> Halt {
        let kind = self.media.kind;
        Halt::Told(Box::new(later(PROCESSING, format!("X is working on the {kind}"), Some(until))))
    }

    fn ready(&mut self, how_far: UnderWay) -> String {
        let UnderWay { sha256, remote_id, expires_at, .. } = how_far;
        let staged = Staged { sha256, remote_id: remote_id.clone(), expires_at };
        staging::remember(self.progress, staged);
        remote_id
    }
}

/// The same for a file whenever it is asked: the number of a segment says where its bytes stand.
fn segment_length(size: u64) -> u64 {
    size.div_ceil(MOST_SEGMENTS).max(SEGMENT)
}

fn later(code: &'static str, detail: String, until: Option<Timestamp>) -> Outcome {
    Outcome::Deferred(Deferral { until, code, detail, whole_account: false })
}

fn unreadable() -> Outcome {
    later("media_unreadable", "the file of a video cannot be read now".to_owned(), None)
}

fn unusable(why: &str) -> Outcome {
    let code = "media failed".to_owned();
    let detail = format!("X could not make a video of the file: {why}");
    Outcome::Refused(Refusal { kind: RefusalKind::Content, code, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_needs_more_segments_than_there_are() {
        for size in [1, SEGMENT, SEGMENT + 1, 512_000_000, 8_000_000_000] {
            let length = segment_length(size);
            assert!(size.div_ceil(length) <= MOST_SEGMENTS, "{size}");
            assert!(length <= 8_000_000, "{size}: more than X takes at once");
        }
        assert_eq!(segment_length(1), SEGMENT);
    }
}
