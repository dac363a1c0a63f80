//! Posts over HTTP, their dry run and their scheduling.

use std::collections::BTreeMap;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::api::text::{self, Tongue};
use crate::domain::approval::Asked;
use crate::domain::class::Class;
use crate::domain::id::{PostId, UnitId};
use crate::domain::waiting::Whose;
use crate::service::check::{self, Report, WantedCheck};
use crate::service::posts::{self, NewPost, PostChange, PostView};
use crate::service::schedule::{self, Scheduled, WantedDeliveries};
use crate::service::warning::Warning;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_posts, create_post))
        .routes(routes!(check_post))
        .routes(routes!(get_post, update_post, delete_post))
        .routes(routes!(schedule_post))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// Only posts of this unit.
    unit_id: Option<UnitId>,
    /// Only posts of this campaign.
    campaign_id: Option<String>,
    /// Only posts of this class.
    class: Option<Class>,
    /// `wanted`: only posts that wait for approval, what is due first before the rest.
    #[param(inline)]
    approval: Option<Asked>,
    /// `me`: only posts that wait for the caller's approval.
    #[param(inline)]
    owner: Option<Whose>,
    /// Only posts with all these words in their title, labels or any language; without marks they are found with any,
    /// "between quotation marks" one after the other, and `begin*` finds what begins so.
    #[param(min_length = 1, max_length = 200)]
    q: Option<String>,
}

/// Lists posts, newest first; those that wait for approval by their first instant.
#[utoipa::path(get, path = "/posts", tag = "posts", params(Filter),
    responses((status = 200, description = "A page of posts", body = Items<PostView>)))]
async fn list_posts(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<PostView>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let filter = posts::Filter {
        unit_id: filter.unit_id,
        campaign_id: filter.campaign_id,
        class: filter.class,
        wanted: filter.approval == Some(Asked::Wanted),
        mine: filter.owner == Some(Whose::Me),
        text: filter.q,
    };
    let page = posts::list(&api.services, &door.caller(), filter, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Writes a post.
#[utoipa::path(post, path = "/posts", tag = "posts", request_body = NewPost,
    responses((status = 201, description = "The post", body = PostView)))]
async fn create_post(
    State(api): State<Api>,
    door: Door,
    headers: HeaderMap,
    body: Json<NewPost>,
) -> Result<Answer<PostView>, Problem> {
    let caller = door.creating(body.digest);
    let mut done = posts::create(&api.services, &caller, body.value).await?;
    terms_in_tongue(&headers, &mut done.value);
    let (revision, location) = (done.value.revision, format!("/api/v1/posts/{}", done.value.id));
    Ok(Answer::created(done, location).version(revision))
}

/// Checks a post and its schedule without changing anything: what each platform counts, the
/// instants, what stands in the way, warnings and the cost.
#[utoipa::path(post, path = "/posts/check", tag = "posts", request_body = WantedCheck,
    responses((status = 200, description = "What was found", body = Report)))]
async fn check_post(
    State(api): State<Api>,
    door: Door,
    headers: HeaderMap,
    body: Json<WantedCheck>,
) -> Result<Answer<Report>, Problem> {
    let mut report = check::dry_run(&api.services, &door.caller(), body.value).await?;
    let tongue = Tongue::wanted(&headers);
    in_tongue(tongue, &mut report.warnings);
    for error in &mut report.errors {
        retell(tongue, &error.code, &error.values, &mut error.detail);
    }
    for finding in report.counts.iter_mut().flat_map(|count| &mut count.findings) {
        retell(tongue, &finding.code, &finding.values, &mut finding.detail);
    }
    Ok(Answer::ok(report))
}

/// Shows a post.
#[utoipa::path(get, path = "/posts/{id}", tag = "posts", params(("id" = PostId, Path)),
    responses((status = 200, description = "The post", body = PostView)))]
async fn get_post(
    State(api): State<Api>,
    door: Door,
    headers: HeaderMap,
    Path(id): Path<PostId>,
) -> Result<Answer<PostView>, Problem> {
    let mut post = posts::show(&api.services, &door.caller(), &id).await?;
    terms_in_tongue(&headers, &mut post);
    let revision = post.revision;
    Ok(Answer::ok(post).version(revision))
}

/// Changes a post. What was scheduled keeps what it says; `stale_deliveries` names what differs.
#[utoipa::path(patch, path = "/posts/{id}", tag = "posts", request_body = PostChange,
    params(("id" = PostId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The post as it is now", body = PostView)))]
async fn update_post(
    State(api): State<Api>,
    door: Door,
    headers: HeaderMap,
    Path(id): Path<PostId>,
    seen: IfMatch,
    body: Json<PostChange>,
) -> Result<Answer<PostView>, Problem> {
    let mut done = posts::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    terms_in_tongue(&headers, &mut done.value);
    let revision = done.value.revision;
    Ok(Answer::done(done).version(revision))
}

/// Removes a post that has no deliveries on their way.
#[utoipa::path(delete, path = "/posts/{id}", tag = "posts",
    params(("id" = PostId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 204, description = "Removed")))]
async fn delete_post(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    posts::remove(&api.services, &door.caller(), &id, *seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Schedules deliveries of a post, all or none.
#[utoipa::path(post, path = "/posts/{id}/deliveries", tag = "posts", request_body = WantedDeliveries,
    params(("id" = PostId, Path)),
    responses((status = 201, description = "The deliveries", body = Scheduled)))]
async fn schedule_post(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<PostId>,
    headers: HeaderMap,
    body: Json<WantedDeliveries>,
) -> Result<Answer<Scheduled>, Problem> {
    let caller = door.creating(body.digest);
    let mut done = schedule::schedule(&api.services, &caller, &id, body.value).await?;
    in_tongue(Tongue::wanted(&headers), &mut done.value.warnings);
    let location = format!("/api/v1/deliveries?post_id={id}");
    Ok(Answer::created(done, location))
}

fn terms_in_tongue(headers: &HeaderMap, post: &mut PostView) {
    in_tongue(Tongue::wanted(headers), post.term_warnings.as_deref_mut().unwrap_or_default());
}

/// Puts warnings into the language that the client likes best. A kept answer is put into it anew.
pub(super) fn in_tongue(tongue: Tongue, warnings: &mut [Warning]) {
    for warning in warnings {
        retell(tongue, &warning.code, &warning.values, &mut warning.detail);
    }
}

/// What was told in English, in another language where there are words for it.
pub(super) fn retell(
    tongue: Tongue,
    code: &str,
    values: &BTreeMap<String, String>,
    detail: &mut String,
) {
    let values: Vec<(&str, String)> =
        values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    if let Some(words) = text::detail(code, tongue, &values) {
        *detail = words;
    }
}
