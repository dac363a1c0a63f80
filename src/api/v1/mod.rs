//! Version 1 of the API: one file for each noun.

mod account_health;
mod accounts;
mod approvals;
mod audit;
mod calendar;
mod campaigns;
mod clock;
mod comments;
mod connections;
mod deliveries;
mod embargoes;
mod events;
mod factors;
mod feeds;
mod foreign_posts;
mod holds;
mod imports;
mod kits;
mod languages;
mod media;
mod notifications;
mod people;
mod platforms;
mod posts;
mod quarantine;
mod rules;
mod series;
mod sessions;
mod term_base;
mod terms;
mod tokens;
mod translations;
mod units;
mod uploads;
mod webhooks;

use utoipa_axum::router::OpenApiRouter;

use super::Api;

/// Everything that is soon done.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(accounts::routes())
        .merge(account_health::routes())
        .merge(approvals::routes())
        .merge(audit::routes())
        .merge(calendar::routes())
        .merge(campaigns::routes())
        .merge(clock::routes())
        .merge(connections::routes())
        .merge(media::routes())
        .merge(people::routes())
        .merge(platforms::routes())
        .merge(deliveries::routes())
        .merge(events::routes())
        .merge(feeds::routes())
        .merge(factors::routes())
        .merge(foreign_posts::routes())
        .merge(holds::routes())
        .merge(imports::routes())
        .merge(kits::routes())
        .merge(languages::routes())
        .merge(posts::routes())
        .merge(quarantine::routes())
        .merge(embargoes::routes())
        .merge(rules::routes())
        .merge(series::routes())
        .merge(sessions::routes())
        .merge(comments::routes())
        .merge(term_base::routes())
        .merge(terms::routes())
        .merge(tokens::routes())
        .merge(translations::routes())
        .merge(units::routes())
        .merge(notifications::routes())
        .merge(webhooks::routes())
}

/// What takes or gives files.
pub(super) fn uploads() -> OpenApiRouter<Api> {
    media::uploads().merge(uploads::routes()).merge(imports::uploads()).merge(term_base::uploads())
}
