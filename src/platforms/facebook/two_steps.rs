//! A post that is made first, invisible, under an id that is written down, and made public then by one request
//! that names it and may be repeated.
//!
//! Graph API reference, Page feed (`published`) and Page post, update (`is_published`), read 2026-09-11. Nobody
//! has shown this on the live platform in 2026, so it is done only for Pages that `facebook.two_steps` names.

use serde_json::Value;

use super::Settings;
use super::api::{Graph, permalink, usage};
use super::classify::{created, doubt_about, made_public};
use super::find::{Blind, blind, read};
use super::publish::{forget_refused, note};
use crate::domain::attempt::Receipt;
use crate::platforms::outcome::{Deferral, Lookup, Outcome, Usage};
use crate::platforms::session::{Item, Made, Metered, Progress, Session};
use crate::platforms::wire::{failed_create, failed_step, text_at};
use crate::platforms::{Leave, Withdrawn};

/// What a post is kept under: a delivery has one.
const KEY: &str = "post";

/// What says whether a post is public.
const FIELDS: &str = "id,is_published,permalink_url";

impl Settings {
    /// Whether posts of this Page are made so.
    pub(super) fn in_two_steps(&self, page: &str) -> bool {
        self.two_steps.iter().any(|it| it == page || it == "all")
    }
}

pub(super) async fn publish(
    graph: &Graph<'_>,
    on: &Session,
    (item, photos): (&Item, &[String]),
    (progress, mut usage_seen): (&mut Progress, Vec<Usage>),
    leave: Leave<'_>,
) -> Result<Metered<Outcome>, Withdrawn> {
    let known = progress.made.clone().filter(|it| it.key == KEY && it.whole);
    let again = known.is_some();
    let made = match known {
        Some(made) => made,
        None => match make(graph, on, (item, photos), progress, &mut usage_seen).await {
            Ok(made) => made,
            Err(value) => return Ok(Metered { value, usage: usage_seen }),
        },
    };
    if !again {
        item.ledger.keep(progress).await?;
    }
    let request = match graph.make_public(&made.remote_id) {
        Ok(request) => request,
        Err(fault) => {
            return Ok(Metered { value: Outcome::Refused(fault.refusal()), usage: usage_seen });
        }
    };
    leave.await?;
    let value = match on.outbound.send(request).await {
        Ok(answer) => {
            let now = on.clock.now();
            note(&mut usage_seen, usage(&answer.headers, now));
            made_public(&answer, graph.page, (&made.remote_id, again), now)
        }
        Err(failure) => doubt_about(&made.remote_id, failed_create(&failure)),
    };
    Ok(Metered { value, usage: usage_seen })
}

/// Makes the post that nobody sees. An answer that is lost leaves one behind that nobody ever sees, and
/// that is all.
async fn make(
    graph: &Graph<'_>,
    on: &Session,
    (item, photos): (&Item, &[String]),
    progress: &mut Progress,
    usage_seen: &mut Vec<Usage>,
) -> Result<Made, Outcome> {
    let request = graph.draft(item, photos).map_err(|fault| Outcome::Refused(fault.refusal()))?;
    let said = match on.outbound.send(request).await {
        Ok(answer) => {
            let now = on.clock.now();
            note(usage_seen, usage(&answer.headers, now));
            created(&answer, graph.page, now)
        }
        Err(failure) => failed_step(&failure),
    };
    match said {
        Outcome::Published(receipt) => {
            let made = Made {
                key: KEY.to_owned(),
                remote_id: receipt.remote_id,
                upload: None,
                whole: true,
            };
            progress.made = Some(made.clone());
            Ok(made)
        }
        Outcome::Unknown(doubt) => {
            // What was lost may have used the pictures.
            progress.staged.clear();
            Err(Outcome::Deferred(Deferral {
                until: None,
                code: "upload",
                detail: format!("the post that nobody sees is made anew: {}", doubt.detail),
                whole_account: false,
            }))
        }
        other @ (Outcome::Pending(_) | Outcome::Refused(_) | Outcome::Deferred(_)) => {
            forget_refused(&other, progress);
            if matches!(other, Outcome::Deferred(_)) {
                progress.staged.clear();
            }
            Err(other)
        }
    }
}

/// What became of a post whose id was written down.
pub(super) async fn by_id(
    on: &Session,
    graph: &Graph<'_>,
    made: &Made,
    usage: &mut Vec<Usage>,
) -> Result<Lookup, Blind> {
    let (node, _) = read(on, graph.post(&made.remote_id, FIELDS)?, usage).await?;
    if text_at(&node, "id").as_deref() != Some(made.remote_id.as_str()) {
        return Err(blind("the platform answers for another post"));
    }
    match node.get("is_published").and_then(Value::as_bool) {
        Some(true) => {
            let link = text_at(&node, "permalink_url");
            Ok(Lookup::Found(Receipt {
                permalink: Some(permalink(&made.remote_id, link.as_deref())),
                // Its own time is that of the making, when nobody saw it.
                published_at: on.clock.now(),
                remote_id: made.remote_id.clone(),
            }))
        }
        Some(false) => Ok(Lookup::NotPublic),
        None => Err(blind("the platform does not say whether it is public")),
    }
}
