//! Looks for a film of a Page: by its id, which is known before anybody sees it, and in the lists of films.
//!
//! Graph API reference, video, fields `status` and `published`, read 2026-09-11.

use jiff::Timestamp;
use serde_json::Value;

use super::api::{Graph, Post, instant, permalink};
use super::classify::{is_post_of, whole_id};
use super::find::{Blind, blind, read};
use super::post_settings::FilmKind;
use crate::domain::attempt::Receipt;
use crate::platforms::outcome::{Lookup, Refusal, RefusalKind, Usage};
use crate::platforms::session::{Made, Session};
use crate::platforms::wire::{is_number, shorten, text_at};

/// What says whether it is public, and as which post.
const FIELDS: &str = "id,status,published,permalink_url,post_id";

/// What is enough, when the platform refuses one of the others.
const FEWER_FIELDS: &str = "id,status,permalink_url";

/// What a list of films is compared by.
const LISTED: &str = "id,description,created_time,permalink_url,published";

/// What became of a film whose id is known.
pub(super) async fn by_id(
    on: &Session,
    graph: &Graph<'_>,
    made: &Made,
    usage: &mut Vec<Usage>,
) -> Result<Lookup, Blind> {
    let node = match read(on, graph.post(&made.remote_id, FIELDS)?, usage).await {
        Err(refused) if refused.bad_question => {
            read(on, graph.post(&made.remote_id, FEWER_FIELDS)?, usage).await
        }
        other => other,
    };
    let (node, _) = node?;
    if text_at(&node, "id").as_deref() != Some(made.remote_id.as_str()) {
        return Err(blind("the platform answers for another film"));
    }
    Ok(told(&node, graph.page, on.clock.now()))
}

/// What the platform says of it.
fn told(node: &Value, page: &str, now: Timestamp) -> Lookup {
    let word = |path: &str| node.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let whole = word("/status/video_status");
    let (processing, publishing) =
        (word("/status/processing_phase/status"), word("/status/publishing_phase/publish_status"));
    let published = node.get("published").and_then(Value::as_bool);
    let silent = publishing.is_empty();
    if publishing == "published" || (silent && whole == "ready" && published == Some(true)) {
        return found(node, page, now);
    }
    let failed = matches!(whole, "error" | "upload_failed" | "expired");
    if failed || processing == "error" || publishing == "error" {
        return Lookup::Failed(why(node, if whole.is_empty() { "error" } else { whole }));
    }
    // Ready and not public, or a draft: nobody has asked for it, or the platform has not heard.
    let at_work = matches!(processing, "in_progress" | "complete") && whole != "ready";
    if at_work && publishing != "draft" {
        return Lookup::Processing { detail: format!("{whole}, {processing}") };
    }
    Lookup::NotPublic
}

fn found(node: &Value, page: &str, now: Timestamp) -> Lookup {
    let Some(id) = text_at(node, "id").filter(|id| is_number(id)) else {
        return Lookup::CannotSee { detail: "the film has no id".to_owned(), until: None };
    };
    let link = text_at(node, "permalink_url");
    let post = text_at(node, "post_id").map(|post| whole_id(&post, page));
    let remote_id = post.filter(|post| is_post_of(post, page)).unwrap_or_else(|| id.clone());
    // It comes as a text and as seconds.
    let at = node.pointer("/status/publishing_phase/publish_time").and_then(|at| {
        let seconds = || Timestamp::from_second(at.as_i64()?).ok();
        at.as_str().and_then(instant).or_else(seconds)
    });
    Lookup::Found(Receipt {
        permalink: Some(permalink(&remote_id, link.as_deref())),
        published_at: at.unwrap_or(now),
        remote_id,
    })
}

/// Why it never will be, in the platform's words.
fn why(node: &Value, word: &str) -> Refusal {
    let errors = ["processing_phase", "publishing_phase", "uploading_phase"]
        .iter()
        .filter_map(|phase| node.pointer(&format!("/status/{phase}/errors"))?.as_array())
        .flatten();
    let said: Vec<String> = errors.filter_map(|error| text_at(error, "message")).collect();
    let detail = if said.is_empty() { "no reason is given".to_owned() } else { said.join("; ") };
    Refusal { kind: RefusalKind::Content, code: word.to_owned(), detail: shorten(&detail) }
}

/// The newest films of the Page that are public, of both kinds, as posts are compared.
pub(super) async fn lists(
    on: &Session,
    graph: &Graph<'_>,
    (since, most_pages): (Timestamp, usize),
    usage: &mut Vec<Usage>,
) -> Result<Vec<Post>, Blind> {
    let mut films: Vec<Post> = Vec::new();
    for kind in FilmKind::ALL {
        let mut after: Option<String> = None;
        for turned in 1.. {
            let (value, _) = read(on, graph.films(kind, LISTED, after.as_deref())?, usage).await?;
            let data = value.get("data").and_then(Value::as_array);
            let data = data.ok_or_else(|| blind("the list of films has no data"))?;
            let page: Option<Vec<Post>> = data.iter().map(|it| as_post(it, graph.page)).collect();
            let page = page.ok_or_else(|| blind("a film in the list has no id"))?;
            let past = page.iter().any(|film| film.created.is_some_and(|at| at < since));
            let public = page.into_iter().zip(data).filter(|(_, it)| is_public(it));
            // A reel may stand in both lists.
            for (film, _) in public {
                if !films.iter().any(|seen| seen.id == film.id) {
                    films.push(film);
                }
            }
            after =
                value.pointer("/paging/cursors/after").and_then(Value::as_str).map(str::to_owned);
            if past || value.pointer("/paging/next").is_none() {
                break;
            }
            if after.is_none() || turned >= most_pages {
                return Err(blind("there are too many films to look through"));
            }
        }
    }
    Ok(films)
}

fn is_public(node: &Value) -> bool {
    node.get("published").and_then(Value::as_bool) != Some(false)
}

/// It is made before it is public, so that the time of its making excludes nothing.
fn as_post(node: &Value, page: &str) -> Option<Post> {
    let post = Post::from_json(node)?;
    let message = text_at(node, "description").unwrap_or_default();
    Some(Post { message, from: Some(page.to_owned()), ..post })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(status: &Value, published: Option<bool>) -> Lookup {
        let now = "2026-11-22T10:00:00Z".parse().expect("instant");
        let node = json!({
            "id": "7", "status": status, "published": published, "post_id": "1_9",
            "permalink_url": "/reel/7/",
        });
        told(&node, "1", now)
    }

    #[test]
    fn only_the_platforms_word_makes_it_public() {
        let phases = |whole: &str, processing: &str, publish: &str| {
            json!({"video_status": whole, "processing_phase": {"status": processing},
                   "publishing_phase": {"status": "x", "publish_status": publish}})
        };
        let Lookup::Found(post) = said(&phases("ready", "complete", "published"), None) else {
            panic!("it is public");
        };
        assert_eq!(post.remote_id, "1_9");
        assert_eq!(post.permalink.as_deref(), Some("https://www.facebook.com/reel/7/"));
        let ready = json!({"video_status": "ready"});
        assert!(matches!(said(&ready, Some(true)), Lookup::Found(_)));
        for published in [None, Some(false)] {
            assert_eq!(said(&ready, published), Lookup::NotPublic);
        }
        assert_eq!(said(&phases("ready", "complete", "draft"), Some(true)), Lookup::NotPublic);
        let fresh = json!({"video_status": "processing",
                           "processing_phase": {"status": "not_started"},
                           "publishing_phase": {"status": "not_started"}});
        // The flag alone may only say what was wished for.
        assert_eq!(said(&fresh, Some(true)), Lookup::NotPublic);
        let works = json!({"video_status": "processing",
                           "processing_phase": {"status": "in_progress"}});
        assert!(matches!(said(&works, Some(true)), Lookup::Processing { .. }));
    }

    #[test]
    fn what_the_platform_cannot_make_has_failed_with_its_reason() {
        for whole in ["error", "upload_failed", "expired"] {
            let failed = said(&json!({"video_status": whole}), Some(false));
            assert!(matches!(failed, Lookup::Failed(_)), "{whole}: {failed:?}");
        }
        let status = json!({"video_status": "processing", "processing_phase": {
            "status": "error", "errors": [{"code": 1, "message": "No such codec"}]}});
        let Lookup::Failed(refusal) = said(&status, None) else { panic!("it has failed") };
        assert_eq!(refusal.detail, "No such codec");
    }
}
