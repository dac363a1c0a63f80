//! The clocks of the processes over HTTP.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::answer::Answer;
use crate::api::extract::{Door, Json};
use crate::api::problem::Problem;
use crate::service::clock::{self, ClockView, Clocks, Confirmation};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get_clocks)).routes(routes!(confirm_clock))
}

/// Tells how the clocks of the processes stand: whether they have stepped, and whether the platforms
/// have the same time.
#[utoipa::path(get, path = "/clock", tag = "clock",
    responses((status = 200, description = "The clocks", body = Clocks)))]
async fn get_clocks(State(api): State<Api>, door: Door) -> Result<Answer<Clocks>, Problem> {
    Ok(Answer::ok(clock::show(&api.services, &door.caller()).await?))
}

/// Says that the clock of a process's machine is right although it is in doubt: it sends again, until
/// the clock steps again. The process follows within a few seconds.
#[utoipa::path(post, path = "/clock/confirm", tag = "clock", request_body = Confirmation,
    responses((status = 200, description = "Confirmed", body = ClockView)))]
async fn confirm_clock(
    State(api): State<Api>,
    door: Door,
    body: Json<Confirmation>,
) -> Result<Answer<ClockView>, Problem> {
    let caller = door.creating(body.digest);
    Ok(Answer::done(clock::confirm(&api.services, &caller, &body.value).await?))
}
