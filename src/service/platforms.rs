//! Looking at the platforms there are and what they allow.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Caller, Error, Services, permit};
use crate::domain::policy::{Action, Subject};
use crate::platforms::Platform;

/// A platform and what it allows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PlatformView {
    /// The word by which it is known here.
    pub id: String,
    /// The name that people know.
    pub name: String,
    /// What may be published there, as data: lengths, links, pictures, rates, version, scopes.
    #[schema(value_type = Object)]
    pub rules: serde_json::Value,
    /// JSON Schema of what the `settings` of a delivery may hold there, beside `intended_repeat`.
    #[schema(value_type = Object)]
    pub settings: serde_json::Value,
    /// Whether the application's own credentials are configured.
    pub has_app_credentials: bool,
}

/// All platforms.
pub fn list(services: &Services, caller: &Caller) -> Result<Vec<PlatformView>, Error> {
    permit(caller, Action::ReadAccounts, Subject::Any)?;
    services.platforms.iter().map(|it| view(&**it)).collect()
}

/// One platform.
pub fn show(services: &Services, caller: &Caller, id: &str) -> Result<PlatformView, Error> {
    permit(caller, Action::ReadAccounts, Subject::Any)?;
    view(&**services.platforms.get(id).ok_or(Error::NotFound)?)
}

fn view(platform: &dyn Platform) -> Result<PlatformView, Error> {
    Ok(PlatformView {
        id: platform.id().to_owned(),
        name: platform.name().to_owned(),
        rules: serde_json::to_value(platform.rules()).map_err(Error::internal)?,
        settings: platform.settings_schema(),
        has_app_credentials: platform.has_app_credentials(),
    })
}
