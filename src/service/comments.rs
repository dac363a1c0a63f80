//! The acts on notes: write, change, settle, remove, look. Whoever sees a post sees its notes, and may write some.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Caller, Done, Error, Page, Services, Told, Window, all_well, finish, permit};
use crate::domain::audit::NewEntry;
use crate::domain::comment::Comment;
use crate::domain::fault::Fault;
use crate::domain::id::{CommentId, PersonId, PostId};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::store::{Reader, Tx, comments, posts, variants};

/// The most notes on one post.
const MOST: i64 = 2_000;

/// A note to be written.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewComment {
    /// What it says: at most 4,000 characters, plain.
    pub text: String,
    /// The note that it answers, which itself answers none.
    #[serde(default)]
    pub reply_to: Option<CommentId>,
    /// The language that it is about; the post as a whole when not said.
    #[serde(default)]
    pub language: Option<String>,
    /// Whom it calls: people who see the post. They are told.
    #[serde(default)]
    pub mentions: Vec<PersonId>,
}

/// What to change in a note; what is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct CommentChange {
    /// What it says; only for whoever wrote it.
    pub text: Option<String>,
    /// Whom it calls; only for whoever wrote it. Those who are new are told.
    pub mentions: Option<Vec<PersonId>>,
    /// Whether it is settled; for everybody who sees it. An answer is settled with what it answers.
    pub resolved: Option<bool>,
}

/// Writes a note on a post.
pub async fn create(
    services: &Services,
    caller: &Caller,
    post_id: &PostId,
    new: NewComment,
) -> Result<Done<Comment>, Error> {
    permit(caller, Action::Comment, Subject::Any)?;
    if let Some(done) = caller.replay(services).await? {
        return Ok(done);
    }
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let post = post(&mut tx, caller, Action::Comment, post_id).await?;
    let comment = Comment {
        id: CommentId::new(now, services.random()),
        post_id: post.id.clone(),
        reply_to: new.reply_to,
        language: new.language,
        revision: post.revision,
        text: new.text,
        mentions: new.mentions,
        resolved_at: None,
        resolved_by: None,
        removed_at: None,
        removed_by: None,
        version: 1,
        created_by: caller.actor.person_id.clone(),
        created_at: now,
        updated_at: now,
    }
    .settled();
    let answered = place(&mut tx, &post, &comment).await?;
    callable(&mut tx, &post, &comment.mentions, now).await?;
    if comments::count(&mut tx, &post.id).await? >= MOST {
        let told = Told::new("too_many_comments", format!("a post has at most {MOST} notes"));
        return Err(Error::Conflict(told.with("max", MOST)));
    }
    comments::insert(&mut tx, &comment).await?;
    // Nobody is told of what he does himself.
    let answered = answered.filter(|to| *to != comment.created_by);
    let heard = comment.mentions.iter().chain(&answered);
    let heard: Vec<_> = heard.filter(|it| **it != comment.created_by).collect();
    let entries = told(caller, "comment.create", &post, &comment, &heard);
    finish(services, caller, tx, comment, &entries).await
}

/// What a new note is bound to is there; gives who wrote what it answers.
async fn place(tx: &mut Tx, post: &Post, comment: &Comment) -> Result<Option<PersonId>, Error> {
    let mut faults = comment.check();
    let mut answered = None;
    if let Some(id) = &comment.reply_to {
        let first = comments::find(tx, id).await?.filter(|it| it.post_id == post.id);
        match first {
            Some(first) if first.reply_to.is_none() && first.removed_at.is_none() => {
                answered = Some(first.created_by);
            }
            Some(_) => {
                let detail = "answer the note that begins, and one that is still there";
                faults.push(Fault::new("/reply_to", "not_answerable", detail));
            }
            None => {
                let detail = format!("there is no note {id} on this post");
                faults.push(Fault::new("/reply_to", "unknown_reference", detail).with("value", id));
            }
        }
    }
    if let Some(language) = &comment.language {
        let said = variants::of_posts(tx, &[&post.id]).await?;
        if !said.values().flatten().any(|it| it.language == *language) {
            let detail = format!("the post says nothing in {language}");
            let fault = Fault::new("/language", "unknown_reference", detail);
            faults.push(fault.with("value", language));
        }
    }
    all_well(faults)?;
    Ok(answered)
}

/// Only who sees the post can be called; that others are people at all is not said.
async fn callable(
    reader: &mut Reader,
    post: &Post,
    mentions: &[PersonId],
    now: Timestamp,
) -> Result<(), Error> {
    if mentions.is_empty() {
        return Ok(());
    }
    let seeing = comments::who_see(reader, mentions, &post.unit_id, now).await?;
    let unseen = mentions.iter().enumerate().filter(|(_, it)| !seeing.contains(it));
    let fault = |(place, id): (usize, &PersonId)| {
        let detail = format!("nobody who sees this post is {id}");
        Fault::new(format!("/mentions/{place}"), "unknown_reference", detail).with("value", id)
    };
    all_well(unseen.map(fault).collect())
}

/// What the audit is told, and people through it. What a note says is not in it: it can be removed.
fn told(
    caller: &Caller,
    action: &str,
    post: &Post,
    comment: &Comment,
    heard: &[&PersonId],
) -> Vec<NewEntry> {
    let detail = json!({"post_id": post.id, "version": comment.version});
    let mut entries = vec![caller.entry(action, &comment.id, detail)];
    if !heard.is_empty() {
        entries.push(NewEntry {
            actor: "service".to_owned(),
            action: "comment.mention".to_owned(),
            subject: comment.id.to_string(),
            detail: json!({
                "post_id": post.id, "unit_id": post.unit_id, "comment_id": comment.id,
                "title": post.title, "owners": heard, "administrators": false, "programs": false,
            }),
        });
    }
    entries
}

/// Changes a note from the version that the caller has seen; `None` for whatever it is now.
pub async fn change(
    services: &Services,
    caller: &Caller,
    id: &CommentId,
    seen: Option<i64>,
    change: CommentChange,
) -> Result<Done<Comment>, Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let (post, mut comment) = see(&mut tx, caller, Action::Comment, id).await?;
    let from = comment.version;
    if seen.is_some_and(|seen| seen != from) {
        return Err(Error::Stale);
    }
    still_there(&comment)?;
    let me = &caller.actor.person_id;
    if (change.text.is_some() || change.mentions.is_some()) && comment.created_by != *me {
        let detail = "only whoever wrote a note changes what it says; answer it instead";
        return Err(Error::Forbidden(Told::new("not_your_comment", detail)));
    }
    if change.resolved.is_some() && comment.reply_to.is_some() {
        let detail = "an answer is settled with the note that it answers";
        return Err(Error::fault("/resolved", "not_answerable", detail));
    }
    let before = comment.mentions.clone();
    comment.text = change.text.unwrap_or(comment.text);
    comment.mentions = change.mentions.unwrap_or(comment.mentions);
    if let Some(resolved) = change.resolved
        && resolved != comment.resolved_at.is_some()
    {
        comment.resolved_at = resolved.then_some(now);
        comment.resolved_by = resolved.then(|| me.clone());
    }
    comment.version = from + 1;
    comment.updated_at = now;
    let comment = comment.settled();
    all_well(comment.check())?;
    let new = comment.mentions.iter().filter(|it| !before.contains(it));
    let new: Vec<PersonId> = new.cloned().collect();
    callable(&mut tx, &post, &new, now).await?;
    comments::update(&mut tx, &comment, from).await?;
    let heard: Vec<&PersonId> = new.iter().filter(|it| *it != me).collect();
    let entries = told(caller, "comment.change", &post, &comment, &heard);
    finish(services, caller, tx, comment, &entries).await
}

/// Removes a note: for whoever wrote it and for administrators of the unit. Its place stays, so that answers have one.
pub async fn remove(
    services: &Services,
    caller: &Caller,
    id: &CommentId,
    seen: Option<i64>,
) -> Result<(), Error> {
    let now = services.clock.now();
    let mut tx = services.store.begin().await?;
    let (post, mut comment) = see(&mut tx, caller, Action::Comment, id).await?;
    if comment.created_by != caller.actor.person_id {
        permit(caller, Action::RemoveComments, Subject::Unit(&post.unit_id))?;
    }
    if seen.is_some_and(|seen| seen != comment.version) {
        return Err(Error::Stale);
    }
    still_there(&comment)?;
    let from = comment.version;
    comment.text.clear();
    comment.mentions.clear();
    comment.removed_at = Some(now);
    comment.removed_by = Some(caller.actor.person_id.clone());
    comment.updated_at = now;
    comments::update(&mut tx, &comment, from).await?;
    let entries = told(caller, "comment.remove", &post, &comment, &[]);
    finish(services, caller, tx, json!({}), &entries).await?;
    Ok(())
}

fn still_there(comment: &Comment) -> Result<(), Error> {
    if comment.removed_at.is_none() {
        return Ok(());
    }
    Err(Error::Conflict(Told::new("comment_removed", "the note was removed; write another")))
}

/// One note.
pub async fn show(services: &Services, caller: &Caller, id: &CommentId) -> Result<Comment, Error> {
    let mut reader = services.store.read().await?;
    Ok(see(&mut reader, caller, Action::ReadPosts, id).await?.1)
}

/// A page of the notes on a post, as they were written.
pub async fn list(
    services: &Services,
    caller: &Caller,
    post_id: &PostId,
    window: &Window,
) -> Result<Page<Comment>, Error> {
    let after: Option<CommentId> = window.after_id()?;
    let mut reader = services.store.read().await?;
    let post = post(&mut reader, caller, Action::ReadPosts, post_id).await?;
    let found = comments::list(&mut reader, &post.id, after.as_ref(), window.rows()).await?;
    Ok(window.page(found, |one| vec![one.id.to_string()]))
}

async fn see(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &CommentId,
) -> Result<(Post, Comment), Error> {
    permit(caller, action, Subject::Any)?;
    let comment = comments::find(reader, id).await?.ok_or(Error::NotFound)?;
    let post = post(reader, caller, action, &comment.post_id).await?;
    Ok((post, comment))
}

async fn post(
    reader: &mut Reader,
    caller: &Caller,
    action: Action,
    id: &PostId,
) -> Result<Post, Error> {
    permit(caller, action, Subject::Any)?;
    let post = posts::find(reader, id).await?.ok_or(Error::NotFound)?;
    permit(caller, action, Subject::Unit(&post.unit_id))?;
    Ok(post)
}
