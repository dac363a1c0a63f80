//! Rules about when accounts may not speak, over HTTP.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, IfMatch, Json, Path, Query};
use crate::api::page::{Items, window};
use crate::api::problem::Problem;
use crate::domain::id::{RuleId, UnitId};
use crate::domain::rule::Rule;
use crate::service::rules::{self, Conflict, NewRule, RuleChange, RuleMade};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_rules, create_rule))
        .routes(routes!(get_rule, update_rule, delete_rule))
        .routes(routes!(list_rule_conflicts))
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
    /// Only of this unit.
    unit_id: Option<UnitId>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Pages {
    /// The most items.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// Lists rules, newest first: of one's own units and of the units above.
#[utoipa::path(get, path = "/rules", tag = "calendar", params(Filter),
    responses((status = 200, description = "A page of rules", body = Items<Rule>)))]
async fn list_rules(
    State(api): State<Api>,
    door: Door,
    Query(filter): Query<Filter>,
) -> Result<Answer<Items<Rule>>, Problem> {
    let window = window(filter.limit, filter.cursor.as_deref())?;
    let page = rules::list(&api.services, &door.caller(), filter.unit_id, &window).await?;
    Ok(Answer::ok(page.into()))
}

/// Makes a rule, and says how much of what is scheduled it catches; it stops none of that.
#[utoipa::path(post, path = "/rules", tag = "calendar", request_body = NewRule,
    responses((status = 201, description = "The rule, and what it catches", body = RuleMade)))]
async fn create_rule(
    State(api): State<Api>,
    door: Door,
    body: Json<NewRule>,
) -> Result<Answer<RuleMade>, Problem> {
    let caller = door.creating(body.digest);
    let done = rules::create(&api.services, &caller, body.value).await?;
    let made = &done.value.rule;
    let (version, location) = (made.version, format!("/api/v1/rules/{}", made.id));
    Ok(Answer::created(done, location).version(version))
}

/// Shows a rule.
#[utoipa::path(get, path = "/rules/{id}", tag = "calendar", params(("id" = RuleId, Path)),
    responses((status = 200, description = "The rule", body = Rule)))]
async fn get_rule(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<RuleId>,
) -> Result<Answer<Rule>, Problem> {
    let rule = rules::show(&api.services, &door.caller(), &id).await?;
    let version = rule.version;
    Ok(Answer::ok(rule).version(version))
}

/// Changes a rule, and says how much of what is scheduled it catches now.
#[utoipa::path(patch, path = "/rules/{id}", tag = "calendar", request_body = RuleChange,
    params(("id" = RuleId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "The rule as it is now, and what it catches", body = RuleMade)))]
async fn update_rule(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<RuleId>,
    seen: IfMatch,
    body: Json<RuleChange>,
) -> Result<Answer<RuleMade>, Problem> {
    let done = rules::change(&api.services, &door.caller(), &id, *seen, body.value).await?;
    let version = done.value.rule.version;
    Ok(Answer::done(done).version(version))
}

/// Removes a rule.
#[utoipa::path(delete, path = "/rules/{id}", tag = "calendar",
    params(("id" = RuleId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 204, description = "Removed")))]
async fn delete_rule(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<RuleId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    rules::remove(&api.services, &door.caller(), &id, *seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists deliveries still to go out that a rule catches, by account and instant. A page looks at a bounded number of
/// deliveries: it may have fewer items than asked for, or none, while there is a next.
#[utoipa::path(get, path = "/rules/{id}/conflicts", tag = "calendar",
    params(("id" = RuleId, Path), Pages),
    responses((status = 200, description = "A page of deliveries", body = Items<Conflict>)))]
async fn list_rule_conflicts(
    State(api): State<Api>,
    door: Door,
    Path(id): Path<RuleId>,
    Query(pages): Query<Pages>,
) -> Result<Answer<Items<Conflict>>, Problem> {
    let window = window(pages.limit, pages.cursor.as_deref())?;
    let page = rules::conflicts(&api.services, &door.caller(), &id, &window).await?;
    Ok(Answer::ok(page.into()))
}
