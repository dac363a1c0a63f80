//! Posts of a Page: create, change, delete (Graph API reference, Page feed edge, read 2026-09-11).

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::errors::GraphError;
use super::{Context, fields};
use crate::clock;
use crate::simulator::{AccountState, Application, DuplicateCode, PhotoRecord, PostRecord, Reply};

/// What a post is to contain, checked.
struct Draft {
    text: String,
    link: Option<String>,
    media: Vec<String>,
    is_published: bool,
    publish_at: Option<Timestamp>,
    audience: Option<String>,
}

/// `POST /{page}/feed`.
pub(super) fn create(context: &Context<'_>) -> Result<Reply, GraphError> {
    let draft = read_draft(context)?;
    // Its form is looked at before anything is made.
    let wanted = fields::parse(&context.params.text("fields").unwrap_or_default())?;
    let post = publish(context, draft)?;
    let name = &context.account.profile.name;
    let answer = match fields::of_post(context.world, &context.settings, name, &post, &wanted) {
        Ok(answer) => answer,
        Err(_unknown_field) => json!({ "id": post.id }),
    };
    Ok(Reply::json(200, &answer).creating(post.id))
}

fn read_draft(context: &Context<'_>) -> Result<Draft, GraphError> {
    let params = &context.params;
    let text = params.text("message").map(|text| tidy(context, &text));
    let link = params.text("link").filter(|link| !link.is_empty());
    let media = params
        .attached_media()
        .ok_or_else(|| GraphError::parameter("param attached_media must be an array."))?;
    // An empty message is refused even beside pictures (seen 2026-05-15).
    let is_blank = text.as_ref().is_some_and(|text| text.trim().is_empty());
    if is_blank || (text.is_none() && link.is_none() && media.is_empty()) {
        return Err(GraphError::known(197, None));
    }
    let text = text.unwrap_or_default();
    if text.chars().count() > context.settings.facebook.text_limit {
        return Err(GraphError::parameter("Param message is too long"));
    }
    if let Some(link) = &link {
        check_link(context, link)?;
    }
    let (is_published, publish_at) = read_schedule(context)?;
    let audience = read_audience(context)?;
    Ok(Draft { text, link, media, is_published, publish_at, audience })
}

/// What may stand in `feed_targeting`.
const AUDIENCE_KEYS: &[&str] = &[
    "age_max",
    "age_min",
    "college_years",
    "education_statuses",
    "genders",
    "geo_locations",
    "interests",
    "locales",
    "relationship_statuses",
];

/// Whom the post is shown rather.
pub(super) fn read_audience(context: &Context<'_>) -> Result<Option<String>, GraphError> {
    let Some(text) = context.params.text("feed_targeting").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let wrong = |why: &str| GraphError::parameter(&format!("Param feed_targeting {why}"));
    let Ok(Value::Object(all)) = serde_json::from_str(&text) else {
        return Err(wrong("must be an object."));
    };
    if let Some(name) = all.keys().find(|name| !AUDIENCE_KEYS.contains(&name.as_str())) {
        return Err(wrong(&format!("has no key {name}.")));
    }
    if let Some(places) = all.get("geo_locations") {
        let places = places.as_object().ok_or_else(|| wrong("geo_locations must be an object."))?;
        let countries = places.get("countries").and_then(Value::as_array);
        let codes = countries.into_iter().flatten();
        let is_code = |code: &Value| {
            code.as_str()
                .is_some_and(|it| it.len() == 2 && it.bytes().all(|one| one.is_ascii_uppercase()))
        };
        if places.contains_key("countries")
            && countries.is_none_or(|it| it.is_empty() || it.len() > 25)
        {
            return Err(wrong("countries must be an array of 1 to 25."));
        }
        if let Some(code) = codes.into_iter().find(|code| !is_code(code)) {
            return Err(wrong(&format!("knows no country {code}.")));
        }
    }
    if let Some(locales) = all.get("locales") {
        let numbers = locales.as_array().is_some_and(|it| it.iter().all(Value::is_u64));
        if !numbers {
            return Err(wrong("locales must be an array of numbers."));
        }
    }
    Ok(Some(text))
}

pub(super) fn tidy(context: &Context<'_>, text: &str) -> String {
    if context.settings.facebook.tidy_text {
        text.replace("\r\n", "\n").trim_end().to_owned()
    } else {
        text.to_owned()
    }
}

fn check_link(context: &Context<'_>, link: &str) -> Result<(), GraphError> {
    let malformed = || GraphError::content(2_061_006, "The URL is not valid");
    let url = url::Url::parse(link).ok().ok_or_else(malformed)?;
    let host = url.host_str().filter(|host| host.contains('.')).ok_or_else(malformed)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(malformed());
    }
    if host == "facebook.com" || host.ends_with(".facebook.com") {
        return Err(GraphError::content(1_609_008, "A post cannot link to Facebook"));
    }
    if context.settings.facebook.unscrapable_hosts.iter().any(|known| known == host) {
        return Err(GraphError::content(1_609_005, "The link could not be scraped"));
    }
    Ok(())
}

/// Whether the post is public at once, and when it will be if it is scheduled.
fn read_schedule(context: &Context<'_>) -> Result<(bool, Option<Timestamp>), GraphError> {
    let is_published = context.params.flag("published").unwrap_or(true);
    let Some(at) = context.params.text("scheduled_publish_time") else {
        return Ok((is_published, None));
    };
    if is_published {
        return Err(GraphError::parameter("scheduled_publish_time needs published=false"));
    }
    let wrong = || GraphError::parameter("The specified scheduled publish time is invalid.");
    let at = read_time(&at).ok_or_else(wrong)?;
    let ahead = clock::until(context.world.now(), at);
    let (earliest, latest) = context.settings.facebook.schedule_window_s;
    if ahead < Duration::from_secs(earliest) || ahead > Duration::from_secs(latest) {
        return Err(wrong());
    }
    Ok((false, Some(at)))
}

/// A time as unix seconds or in ISO 8601.
pub(super) fn read_time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text).ok()
}

/// Makes the post, if its pictures and its content allow it.
fn publish(context: &Context<'_>, draft: Draft) -> Result<PostRecord, GraphError> {
    let (world, settings) = (context.world, &context.settings.facebook);
    let now = world.now();
    let mut state = context.account.lock();
    let photos = staged(context, &state, &draft.media, now)?;
    if let Some(window) = settings.duplicate_window_s {
        let key = content_key(&draft, &photos);
        if state.is_repeat(&key, now, window) {
            return Err(match settings.duplicate_code {
                DuplicateCode::Code506 => GraphError::known(506, None),
                DuplicateCode::Code368 => GraphError::known(368, Some(1_404_082)),
            });
        }
        state.remember(key, now);
    }
    for id in &draft.media {
        if let Some(media) = state.media.get_mut(id) {
            media.used = true;
        }
    }
    let post = PostRecord {
        id: format!("{}_{}", context.account.profile.id, world.next_graph_number()),
        text: draft.text,
        link: draft.link,
        photos,
        poll: None,
        reply_to: None,
        audience: draft.audience,
        created_at: now,
        visible_at: now,
        application: Some(own_application(context)),
        is_published: draft.is_published,
        publish_at: draft.publish_at,
        versions: Vec::new(),
    };
    world.store(&context.account, &mut state, post.clone(), context.effects);
    Ok(post)
}

pub(super) fn own_application(context: &Context<'_>) -> Application {
    Application { id: context.world.app().id, name: "Chancery".to_owned() }
}

fn content_key(draft: &Draft, photos: &[PhotoRecord]) -> String {
    let hashes: Vec<_> = photos.iter().map(|photo| photo.sha256.as_str()).collect();
    let link = draft.link.as_deref().unwrap_or_default();
    format!("{}\n{link}\n{}", draft.text, hashes.join(","))
}

/// The pictures that a post names, if each may be used.
fn staged(
    context: &Context<'_>,
    state: &AccountState,
    ids: &[String],
    now: Timestamp,
) -> Result<Vec<PhotoRecord>, GraphError> {
    let settings = &context.settings.facebook;
    let mut seen = HashSet::new();
    if ids.len() > settings.photos_per_post {
        return Err(GraphError::parameter("Too many photos in attached_media"));
    }
    ids.iter()
        .map(|id| match state.media.get(id) {
            Some(_) if !seen.insert(id) => {
                Err(GraphError::parameter("attached_media names a photo twice"))
            }
            Some(media) if media.used => {
                Err(GraphError::content(1_366_051, "These photos were already posted."))
            }
            Some(media) if !media.is_expired(now, settings.staged_photo_life_s) => {
                Ok(media.photo.clone())
            }
            Some(_) | None => Err(GraphError::missing(id)),
        })
        .collect()
}

/// `POST /{post}`: changes the text or makes a draft public.
pub(super) fn update(context: &Context<'_>, id: &str) -> Result<Reply, GraphError> {
    let (world, params) = (context.world, &context.params);
    let now = world.now();
    let own = own_application(context);
    let publish = params.flag("is_published");
    let mut state = context.account.lock();
    let post = state.post_mut(id, now).ok_or_else(|| GraphError::missing(id))?;
    if post.application.as_ref() != Some(&own) {
        return Err(GraphError::known(200, None)
            .saying("(#200) Only posts made by the same application can be changed"));
    }
    let text = params.text("message");
    if let Some(text) = &text {
        if text.trim().is_empty() {
            return Err(GraphError::known(197, None));
        }
        if text.chars().count() > context.settings.facebook.text_limit {
            return Err(GraphError::parameter("Param message is too long"));
        }
    }
    let mut made = None;
    match publish {
        Some(true) if post.is_public(now) => {}
        Some(true) if context.settings.facebook.publish_later => {
            post.is_published = true;
            post.publish_at = None;
            made = Some(post.id.clone());
        }
        Some(_) => return Err(GraphError::parameter("is_published cannot be changed so")),
        None => {}
    }
    if let Some(text) = text {
        post.text = tidy(context, &text);
    }
    let reply = Reply::json(200, &json!({ "success": true }));
    Ok(match made {
        Some(id) => reply.creating(id),
        None => reply,
    })
}

/// `DELETE /{post}`; a second time it is not there. What stands below a post goes with it.
pub(super) fn delete(context: &Context<'_>, id: &str) -> Result<Reply, GraphError> {
    let now = context.world.now();
    let mut state = context.account.lock();
    if state.delete(id, now) {
        let below: Vec<String> = state
            .posts(now)
            .filter(|it| it.reply_to.as_deref() == Some(id))
            .map(|it| it.id.clone())
            .collect();
        for comment in &below {
            state.delete(comment, now);
        }
        Ok(Reply::json(200, &json!({ "success": true })))
    } else {
        Err(GraphError::missing(id))
    }
}
