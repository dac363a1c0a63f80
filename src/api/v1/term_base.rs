//! The term base over HTTP.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::posts::retell;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query, check_length, in_time, unread};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::api::text::Tongue;
use crate::api::{Api, UPLOAD_PATIENCE};
use crate::domain::id::{TermEntryId, UnitId};
use crate::domain::term_base::TermEntry;
use crate::service::imports::MOST_BYTES;
use crate::service::imports::terms::{self, ImportedTerms, WantedTerms};
use crate::service::term_base::{self, NewTermEntry, TermEntryChange};

/// The routes that are soon done.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_term_entries, create_term_entry))
        .routes(routes!(get_term_entry, update_term_entry, delete_term_entry))
        .routes(routes!(export_term_entries))
}

/// The routes that take files.
pub(super) fn uploads() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(import_term_entries))
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
    /// Only entries of this unit.
    unit_id: Option<UnitId>,
    /// Only entries that hold for this unit: its own, and those of the units above it.
    covers: Option<UnitId>,
    /// Only entries in which this stands: in a name, a forbidden one or the note.
    #[param(max_length = 200)]
    q: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// Whose the entries become.
    unit_id: UnitId,
    /// `false` makes what the rows say; anything else only looks.
    dry_run: Option<bool>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// Whose entries.
    unit_id: UnitId,
}

/// A table of names: CSV in UTF-8, or XLSX.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only for the document")]
struct TermTable(Vec<u8>);

/// Lists entries of the term base, newest first: of one's own units and of those above them.
#[utoipa::path(get, path = "/term-entries", tag = "term-entries", params(Filter),
    responses((status = 200, description = "A page of entries", body = Items<TermEntry>)))]
async fn list_term_entries(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<TermEntry>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let filter =
        term_base::Filter { unit_id: filter.unit_id, covers: filter.covers, search: filter.q };
    let page = term_base::list(&api.services, &door.caller(), filter, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Enters what something is officially called.
#[utoipa::path(post, path = "/term-entries", tag = "term-entries", request_body = NewTermEntry,
    responses((status = 201, description = "The entry", body = TermEntry)))]
async fn create_term_entry(
    State(api): State<Api>,
    door: Door,
    body: Json<NewTermEntry>,
) -> Result<Answer<TermEntry>, Problem> {
    let caller = door.creating(body.digest);
    let done = term_base::create(&api.services, &caller, body.value).await?;
    let (version, location) =
        (done.value.version, format!("/api/v1/term-entries/{}", done.value.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows an entry of the term base.
#[utoipa::path(get, path = "/term-entries/{id}", tag = "term-entries", params(("id" = TermEntryId, Path)),
    responses((status = 200, description = "The entry", body = TermEntry)))]
async fn get_term_entry(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<TermEntryId>,
) -> Result<Answer<TermEntry>, Problem> {
    let entry = term_base::show(&api.services, &door.caller(), &id).await?;
    let version = entry.version;
    Ok(Answer::ok(entry).version(version))
}

/// Changes an entry of the term base.
#[utoipa::path(patch, path = "/term-entries/{id}", tag = "term-entries", request_body = TermEntryChange,
    params(("id" = TermEntryId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The entry as it is now", body = TermEntry)))]
async fn update_term_entry(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<TermEntryId>,
    seen: IfMatch,
    body: Json<TermEntryChange>,
) -> Result<Answer<TermEntry>, Problem> {
    let done = term_base::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.version;
    Ok(Answer::done(done).version(version))
}

/// Removes an entry of the term base.
#[utoipa::path(delete, path = "/term-entries/{id}", tag = "term-entries",
    params(("id" = TermEntryId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 204, description = "Removed")))]
async fn delete_term_entry(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<TermEntryId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    term_base::remove(&api.services, &door.caller(), &id, *seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hands in a table of names, a row for each entry. A dry run, which it is unless `dry_run=false`, says what would come
/// of it; otherwise all entries are made, or none. What the unit has already is left out.
#[utoipa::path(post, path = "/term-entries/import", tag = "term-entries", params(Wish),
    request_body(content((TermTable = "text/csv"), (TermTable = "application/octet-stream"),
        (TermTable = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "What came of it", body = ImportedTerms)))]
async fn import_term_entries(
    State(api): State<Api>,
    door: Door,
    Query(wish): Query<Wish>,
    request: Request,
) -> Result<Answer<ImportedTerms>, Problem> {
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
    let wanted = WantedTerms {
        unit_id: wish.unit_id,
        dry_run: wish.dry_run.unwrap_or(true),
        bytes: bytes.into(),
    };
    let caller = door.creating(digest.finalize().into());
    let mut done = terms::create(&api.services, &caller, wanted).await?;
    for error in &mut done.value.errors {
        retell(tongue, &error.code, &error.values, &mut error.detail);
    }
    Ok(Answer::done(done))
}

/// Gives all entries of a unit as a table that can be handed in again.
#[utoipa::path(get, path = "/term-entries/export", tag = "term-entries", params(Whose),
    responses((status = 200, description = "The table", body = TermTable, content_type = "text/csv")))]
async fn export_term_entries(
    State(api): State<Api>,
    door: Door,
    Query(whose): Query<Whose>,
) -> Result<Response, Problem> {
    let entries = term_base::all(&api.services, &door.caller(), &whose.unit_id).await?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"term-base.csv\""),
    ];
    Ok((headers, terms::written(&entries)?).into_response())
}
