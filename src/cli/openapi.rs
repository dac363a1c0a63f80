//! `chancery openapi`: prints the OpenAPI document.

use super::exit::{Failure, say};
use crate::api;

pub(super) fn run() -> Result<(), Failure> {
    let document = serde_json::to_string_pretty(&api::document())
        .map_err(|error| Failure::failed("the document could not be written", error))?;
    say(document)
}
