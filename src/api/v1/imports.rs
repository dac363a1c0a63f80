//! Imports over HTTP. The body is the file itself.

use axum::extract::{Request, State};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::posts::retell;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Path, Query, check_length, in_time, unread};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::api::text::Tongue;
use crate::api::{Api, UPLOAD_PATIENCE};
use crate::domain::id::{ImportId, UnitId};
use crate::domain::import::{Import, ImportKind};
use crate::service::imports::{self, Imported, MOST_BYTES, Undone, Wanted};

/// The routes that are soon done.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_imports)).routes(routes!(get_import))
}

/// The routes that take files, or undo what came of them.
pub(super) fn uploads() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create_import)).routes(routes!(undo_import))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Window {
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// What the rows are; `posts` when not said.
    kind: Option<ImportKind>,
    /// `false` makes what the rows say; anything else only looks.
    dry_run: Option<bool>,
    /// Whose everything becomes.
    unit_id: UnitId,
    /// The zone of times that name none: an IANA name, or `account` for that of each account. When not said `account` for
    /// posts, and the unit's for a plan.
    zone: Option<String>,
    /// What the file is called.
    #[param(min_length = 1, max_length = 200)]
    file_name: Option<String>,
}

/// A table: CSV in UTF-8, or XLSX.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only for the document")]
struct Table(Vec<u8>);

/// Hands in a table of posts or of a plan. A dry run, which it is unless `dry_run=false`, says what would come of it and
/// everything that stands in the way; otherwise everything is made, as drafts, or nothing.
#[utoipa::path(post, path = "/imports", tag = "imports", params(Wish),
    request_body(content((Table = "text/csv"), (Table = "application/octet-stream"),
        (Table = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "What would come of it", body = Imported),
        (status = 201, description = "The batch, and what came of it", body = Imported)))]
async fn create_import(
    State(api): State<Api>,
    door: Door,
    Query(wish): Query<Wish>,
    request: Request,
) -> Result<Answer<Imported>, Problem> {
    check_length(request.headers(), MOST_BYTES)?;
    let tongue = Tongue::wanted(request.headers());
    let mut digest = Sha256::new();
    // The same file for another unit is another request.
    digest.update(request.uri().query().unwrap_or_default());
    digest.update([0]);
    let reading = Limited::new(request.into_body(), MOST_BYTES).collect();
    let body = in_time(&api, UPLOAD_PATIENCE, reading).await?;
    let bytes = body.map_err(|error| unread(error.as_ref(), MOST_BYTES))?.to_bytes();
    digest.update(&bytes);
    let wanted = Wanted {
        kind: wish.kind.unwrap_or(ImportKind::Posts),
        dry_run: wish.dry_run.unwrap_or(true),
        unit_id: wish.unit_id,
        zone: wish.zone,
        file_name: wish.file_name,
        bytes: bytes.into(),
    };
    let caller = door.creating(digest.finalize().into());
    let mut done = imports::create(&api.services, &caller, wanted).await?;
    for error in &mut done.value.errors {
        retell(tongue, &error.code, &error.values, &mut error.detail);
    }
    Ok(match &done.value.import {
        Some(import) => {
            let location = format!("/api/v1/imports/{}", import.id);
            Answer::created(done, location)
        }
        None => Answer::done(done),
    })
}

/// Lists batches of one's own units, newest first.
#[utoipa::path(get, path = "/imports", tag = "imports", params(Window),
    responses((status = 200, description = "A page of batches", body = Items<Import>)))]
async fn list_imports(
    State(api): State<Api>,
    door: Door,
    Query(wanted): Query<Window>,
) -> Result<Answer<Items<Import>>, Problem> {
    let window = window(wanted.limit, wanted.cursor.as_deref())?;
    let page = imports::list(&api.services, &door.caller(), &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Shows a batch, what came of it, and what has become of that since.
#[utoipa::path(get, path = "/imports/{id}", tag = "imports", params(("id" = ImportId, Path)),
    responses((status = 200, description = "The batch", body = Imported)))]
async fn get_import(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<ImportId>,
) -> Result<Answer<Imported>, Problem> {
    Ok(Answer::ok(imports::show(&api.services, &door.caller(), &id).await?))
}

/// Takes away what of a batch nobody has touched since, and says what stays.
#[utoipa::path(post, path = "/imports/{id}/undo", tag = "imports", params(("id" = ImportId, Path)),
    responses((status = 200, description = "What is gone, and what stays", body = Undone)))]
async fn undo_import(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<ImportId>,
) -> Result<Answer<Undone>, Problem> {
    let caller = door.creating([0; 32]);
    Ok(Answer::done(imports::undo(&api.services, &caller, &id).await?))
}
