//! Publishes a film on a Page: brought in parts to an id that nobody sees, which is written down; then one
//! request makes that id public, and may be repeated.
//!
//! Graph API reference, Page videos and Page video reels, read 2026-09-11.

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use super::api::{Graph, usage};
use super::classify::{doubt_about, finished, step};
use super::post_settings::{FilmKind, PostSettings};
use super::publish::note;
use crate::outbound::{Failure, Pieces, Request, Response};
use crate::platforms::outcome::{Deferral, Outcome, Usage};
use crate::platforms::session::{Item, ItemMedia, Made, MediaSource, Metered, Progress, Session};
use crate::platforms::wire::{
    FilePart, Unsendable, failed_create, failed_step, is_number, text_at,
};
use crate::platforms::{Leave, Withdrawn, settings};

/// The most that is held of a film, and sent in one request, when the platform asks for more.
const LARGEST_PART: u64 = 16 << 20;

/// What is read at a time of a film that is sent in one request; three of them are held at most.
const PIECE: u64 = 4 << 20;

/// So many parts in a row may fail before the upload is begun anew at another time.
const FAILURES: u32 = 3;

/// The wrong place in an upload, with the right one in `error_data` (observed, read 2026-09-11).
const WRONG_PLACE: i64 = 1_363_037;

/// A reel is sent in one request; a line that is slower than this many bytes a second is too slow for it.
const SLOWEST_LINE: u64 = 128 << 10;

/// Why a film was not brought.
enum Stop {
    /// Never a doubt: nothing was made public.
    Said(Box<Outcome>),
    /// The delivery is not ours to send any more.
    Withdrawn,
}

impl From<Withdrawn> for Stop {
    fn from(Withdrawn: Withdrawn) -> Self {
        Self::Withdrawn
    }
}

impl From<Box<Outcome>> for Stop {
    fn from(outcome: Box<Outcome>) -> Self {
        Self::Said(outcome)
    }
}

impl From<Unsendable> for Stop {
    fn from(fault: Unsendable) -> Self {
        Self::Said(Box::new(Outcome::Refused(fault.refusal())))
    }
}

pub(super) async fn publish(
    graph: &Graph<'_>,
    on: &Session,
    (item, film): (&Item, &ItemMedia),
    progress: &mut Progress,
    leave: Leave<'_>,
) -> Result<Metered<Outcome>, Withdrawn> {
    let mut usage_seen = Vec::new();
    let key = match settings::read::<PostSettings>(&item.settings) {
        Ok(set) => key(film, set.film_kind()),
        Err(fault) => return Ok(refused(fault)),
    };
    let whole = |progress: &Progress| progress.made.clone().filter(|it| it.key == key && it.whole);
    let before = whole(progress);
    let again = before.is_some();
    let made = match before {
        Some(made) => made,
        None => match bring(graph, on, (item, film, key.as_str()), progress, &mut usage_seen).await
        {
            Ok(made) => made,
            Err(Stop::Said(outcome)) => return Ok(Metered { value: *outcome, usage: usage_seen }),
            Err(Stop::Withdrawn) => return Err(Withdrawn),
        },
    };
    let request = match graph.film_finish(item, &made) {
        Ok(request) => request,
        Err(fault) => return Ok(refused(fault)),
    };
    leave.await?;
    let value = match on.outbound.send(request).await {
        Ok(answer) => {
            let now = on.clock.now();
            note(&mut usage_seen, usage(&answer.headers, now));
            finished(&answer, graph.page, (&made.remote_id, again), now)
        }
        Err(failure) => doubt_about(&made.remote_id, failed_create(&failure)),
    };
    Ok(Metered { value, usage: usage_seen })
}

fn refused(fault: Unsendable) -> Metered<Outcome> {
    Metered { value: Outcome::Refused(fault.refusal()), usage: Vec::new() }
}

/// Names what a film is made of: another file or kind is another film.
fn key(film: &ItemMedia, kind: FilmKind) -> String {
    let kind = match kind {
        FilmKind::Video => "video",
        FilmKind::Reel => "reel",
    };
    format!("{kind}:{}", film.sha256)
}

/// Brings the whole film to an id of its own. The id is written down before anything else is done with
/// it, and that it is whole before anybody may ask to make it public.
async fn bring(
    graph: &Graph<'_>,
    on: &Session,
    (item, film, key): (&Item, &ItemMedia, &str),
    progress: &mut Progress,
    usage_seen: &mut Vec<Usage>,
) -> Result<Made, Stop> {
    let kind = settings::read::<PostSettings>(&item.settings)?.film_kind();
    let size = film.source.size();
    let begun = asked(on, graph.film_start(kind, size)?, usage_seen).await?;
    let Some(remote_id) = text_at(&begun, "video_id").filter(|id| is_number(id)) else {
        return Err(again("no id in the answer"));
    };
    let upload = text_at(&begun, "upload_session_id");
    let made = Made { key: key.to_owned(), remote_id, upload, whole: false };
    progress.made = Some(made.clone());
    item.ledger.keep(progress).await?;
    match kind {
        FilmKind::Video => parts(graph, on, (film, &made), &begun, usage_seen).await?,
        FilmKind::Reel => at_once(graph, on, film, &begun, usage_seen).await?,
    }
    let made = Made { whole: true, ..made };
    progress.made = Some(made.clone());
    item.ledger.keep(progress).await?;
    Ok(made)
}

/// A video in the parts that the platform asks for. A part that fails is sent again: the platform knows
/// where it goes.
async fn parts(
    graph: &Graph<'_>,
    on: &Session,
    (film, made): (&ItemMedia, &Made),
    begun: &Value,
    usage_seen: &mut Vec<Usage>,
) -> Result<(), Stop> {
    let upload = made.upload.as_deref().ok_or_else(|| again("no session in the answer"))?;
    let size = film.source.size();
    let mut part = Part::of(begun, size).ok_or_else(|| again("no offsets in the answer"))?;
    let mut failures = 0;
    while part.from < part.until {
        let bytes = read(&film.source, part.from, part.until - part.from).await?;
        let chunk = FilePart {
            name: "video_file_chunk",
            mime: &film.mime,
            sha256: &film.sha256,
            bytes: &bytes,
        };
        let request = graph.film_part(upload, part.from, &chunk)?;
        let next = match on.outbound.send(request).await {
            Ok(answer) => {
                note(usage_seen, usage(&answer.headers, on.clock.now()));
                match moved(&answer) {
                    Some(place) => Ok(place),
                    None => step(&answer, on.clock.now()),
                }
            }
            Err(failure) => Err(Box::new(failed_step(&failure))),
        };
        match next.map(|value| Part::of(&value, size)) {
            Ok(Some(next)) if next.from > part.from => {
                failures = 0;
                part = next;
            }
            // The same place again, or one before it, is no step forward.
            Ok(next) if failures < FAILURES => {
                failures += 1;
                part = next.unwrap_or(part);
            }
            Err(outcome) if failures < FAILURES && may_be_repeated(&outcome) => failures += 1,
            Ok(_) => return Err(again("it does not go on")),
            Err(outcome) => return Err(outcome.into()),
        }
    }
    if part.from == size { Ok(()) } else { Err(again("the platform wants less than there is")) }
}

/// Nobody has said anything about it yet.
fn may_be_repeated(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Deferred(Deferral { until: None, .. }))
}

/// What the platform wants next.
#[derive(Debug, Clone, Copy)]
struct Part {
    from: u64,
    until: u64,
}

impl Part {
    /// Offsets come as texts and as numbers.
    fn of(value: &Value, size: u64) -> Option<Self> {
        let at = |name: &str| text_at(value, name)?.parse::<u64>().ok().filter(|at| *at <= size);
        let (from, until) = (at("start_offset")?, at("end_offset")?);
        Some(Self { from, until: until.min(from.saturating_add(LARGEST_PART)) })
            .filter(|part| part.from <= part.until)
    }
}

/// The right place, when the platform says that the part was for a wrong one.
fn moved(answer: &Response) -> Option<Value> {
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    let error = value.get("error")?;
    let wrong = error.get("error_subcode").and_then(Value::as_i64) == Some(WRONG_PLACE);
    let data = error.get("error_data").filter(|_| wrong)?;
    // It comes as an object and as the text of one.
    data.as_str().map_or_else(|| Some(data.clone()), |text| serde_json::from_str(text).ok())
}

/// A reel, all of it in one request to the address that the platform has named, read while it is sent.
async fn at_once(
    graph: &Graph<'_>,
    on: &Session,
    film: &ItemMedia,
    begun: &Value,
    usage_seen: &mut Vec<Usage>,
) -> Result<(), Stop> {
    let address = text_at(begun, "upload_url").ok_or_else(|| again("no address in the answer"))?;
    let size = film.source.size();
    let mut request = graph.reel_head(&address, size)?;
    request.timeout = on.timeout + std::time::Duration::from_secs(size / SLOWEST_LINE);
    let (put, pieces) = Pieces::of(size);
    let mut sending = std::pin::pin!(on.outbound.send_pieces(request, pieces));
    let answer = tokio::select! {
        biased;
        // Who refuses it need not hear it to its end.
        answer = &mut sending => answer,
        handed = hand_over(&film.source, put) => {
            handed?;
            sending.await
        }
    };
    let said = heard(on, answer, usage_seen)?;
    match said.get("success").and_then(Value::as_bool) {
        Some(true) => Ok(()),
        Some(false) | None => Err(again("no success in the answer")),
    }
}

/// Reads a film piece by piece, each when the one before it is on its way. Nobody waits for more once the
/// request has ended.
async fn hand_over(source: &MediaSource, put: mpsc::Sender<Bytes>) -> Result<(), Stop> {
    let (mut from, size) = (0, source.size());
    while from < size {
        let bytes = read(source, from, PIECE.min(size - from)).await?;
        from += bytes.len() as u64;
        if put.send(bytes).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn read(source: &MediaSource, from: u64, length: u64) -> Result<Bytes, Stop> {
    let bytes = source.read_range(from, length).await.map_err(|gone| again(&gone.to_string()))?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(again("the film is shorter")) }
}

/// The answer to a step that nobody sees.
async fn asked(
    on: &Session,
    request: Request,
    usage_seen: &mut Vec<Usage>,
) -> Result<Value, Box<Outcome>> {
    let answer = on.outbound.send(request).await;
    heard(on, answer, usage_seen)
}

/// What it says.
fn heard(
    on: &Session,
    answer: Result<Response, Failure>,
    usage_seen: &mut Vec<Usage>,
) -> Result<Value, Box<Outcome>> {
    let answer = answer.map_err(|failure| Box::new(failed_step(&failure)))?;
    let now = on.clock.now();
    note(usage_seen, usage(&answer.headers, now));
    step(&answer, now)
}

/// To be brought anew, at another time; nobody has seen anything.
fn again(detail: &str) -> Stop {
    Stop::Said(Box::new(Outcome::Deferred(Deferral {
        until: None,
        code: "upload",
        detail: format!("the film could not be brought: {detail}"),
        whole_account: false,
    })))
}
