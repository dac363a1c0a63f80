//! Whether a post on X that was there once still is.
//!
//! What does not exist is a success with an error of the type `resource-not-found` (X API documents,
//! response codes and errors, read 2026-09-11); other types mean that the caller may not see it, and
//! say nothing.

use serde_json::Value;

use super::Settings;
use super::api::{Api, is_id};
use super::find::{Blind, blind, interpret, page, read};
use crate::platforms::outcome::{Presence, Witness};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::{describe, text_at};

/// Asks for the post, and when it is said not to exist, for the token's owner and the place of the
/// post in the account's list. The headers of reads are left out: they name other windows than those
/// of creates.
pub(super) async fn presence(
    settings: &Settings,
    on: &Session,
    id: &str,
    witness: &Witness,
) -> Metered<Presence> {
    let value = look(settings, on, id, witness)
        .await
        .unwrap_or_else(|blind| Presence::CannotSee { detail: blind.detail, until: blind.until });
    Metered { value, usage: Vec::new() }
}

async fn look(
    settings: &Settings,
    on: &Session,
    id: &str,
    witness: &Witness,
) -> Result<Presence, Blind> {
    let api = Api::of(settings, on);
    let number = id.parse::<u64>().ok().filter(|_| is_id(id));
    let number = number.ok_or_else(|| blind("the id is of no post on X"))?;
    let answer =
        on.outbound.send(api.one(id)?).await.map_err(|failure| blind(&describe(&failure)))?;
    let status = answer.status.as_u16();
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status.is_success() {
        if let Some(shown) = value.get("data").and_then(|data| text_at(data, "id")) {
            return if shown == id { Ok(Presence::There) } else { Err(blind("another post")) };
        }
        let errors = value.get("errors").and_then(Value::as_array);
        let missing = errors.is_some_and(|all| !all.is_empty() && all.iter().all(is_missing));
        if !missing {
            return Err(blind("the answer shows no post and does not say that there is none"));
        }
    } else if !(status == 404 && is_missing(&value)) {
        interpret(&answer, on.clock.now())?;
        return Err(blind(&format!("status {status}")));
    }
    control(on, &api, number).await?;
    shows(on, &api, witness).await?;
    Ok(Presence::Gone)
}

/// The name of a problem is the last part of its type.
fn is_missing(problem: &Value) -> bool {
    let kind = text_at(problem, "type").unwrap_or_default();
    kind.rsplit('/').next() == Some("resource-not-found")
}

/// Positive control: the token is this very account's, and its list can be read and does not show the
/// post either.
async fn control(on: &Session, api: &Api<'_>, number: u64) -> Result<(), Blind> {
    let (me, _) = read(on, api.me()?).await?;
    let owner = me.get("data").and_then(|user| text_at(user, "id"));
    if owner.as_deref() != Some(api.user) {
        return Err(blind("the token answers for another account"));
    }
    let before = number.saturating_sub(1).to_string();
    let after = number.saturating_add(1).to_string();
    let (list, _) = read(on, api.around(&before, &after)?).await?;
    if page(&list, api.user)?.iter().any(|tweet| tweet.id == number.to_string()) {
        return Err(blind("the list of posts still shows it"));
    }
    Ok(())
}

/// Something of the account is shown: the list around one post is empty for whatever reason. The
/// witness costs one post, and the list as many as it shows.
async fn shows(on: &Session, api: &Api<'_>, witness: &Witness) -> Result<(), Blind> {
    if let Some(other) = witness.remote_id.as_deref().filter(|id| is_id(id)) {
        let (value, _) = read(on, api.one(other)?).await?;
        if value.get("data").and_then(|data| text_at(data, "id")).as_deref() == Some(other) {
            return Ok(());
        }
    }
    if !witness.needed {
        return Ok(());
    }
    let (list, _) = read(on, api.newest()?).await?;
    if page(&list, api.user)?.is_empty() {
        return Err(blind("no post of the account is shown"));
    }
    Ok(())
}
