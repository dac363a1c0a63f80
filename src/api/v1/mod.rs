//! Version 1 of the API: one file for each noun.

mod tokens;
mod units;

use utoipa_axum::router::OpenApiRouter;

use super::Api;

/// Everything that is soon done.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().merge(tokens::routes()).merge(units::routes())
}

/// What takes files.
pub(super) fn uploads() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
}
