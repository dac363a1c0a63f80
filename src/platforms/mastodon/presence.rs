//! Whether a post on Mastodon that was there once still is.

use http::StatusCode;
use serde_json::Value;

use super::Settings;
use super::api::{Api, is_id};
use super::classify::Problem;
use super::find::{interpret, own_number, page, read};
use crate::platforms::matching::Blind;
use crate::platforms::outcome::{Presence, Witness};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::{describe, text_at};

/// Asks for the post, and when it is said not to exist, for the token's owner and the place of the post
/// in the account's list.
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
    let api = Api::of(settings, on)?;
    let number = id.parse::<u64>().ok().filter(|_| is_id(id));
    let number = number.ok_or_else(|| Blind::because("the id is of no post on Mastodon"))?;
    let answer = on.outbound.send(api.one(id)?).await;
    let answer = answer.map_err(|failure| Blind::because(describe(&failure)))?;
    // 404 too is a page of HTML when it is not the server that says it.
    if !(answer.status == StatusCode::NOT_FOUND && Problem::parse(&answer).is_some()) {
        let value = interpret(&answer, on.clock.now())?;
        return match text_at(&value, "id") {
            Some(shown) if shown == id => Ok(Presence::There),
            Some(_) | None => Err(Blind::because("the answer shows another post, or none")),
        };
    }
    control(on, &api, number, witness).await?;
    Ok(Presence::Gone)
}

/// Positive control: the token is this very account's, and its list can be read, does not show the post
/// either, and shows something where that is wanted.
async fn control(on: &Session, api: &Api<'_>, number: u64, witness: &Witness) -> Result<(), Blind> {
    let (me, _) = read(on, api.me()?).await?;
    let owner = own_number(&me, api.name)?;
    let (before, after) = (number.saturating_sub(1), number.saturating_add(1));
    let around = api.own_posts(&owner, Some(&before.to_string()), Some(&after.to_string()))?;
    let (list, _) = read(on, around).await?;
    let is_it = |id: &str| id.parse() == Ok(number);
    if page(api, &list)?.iter().any(|post| is_it(&post.shown.receipt.remote_id)) {
        return Err(Blind::because("the list of posts still shows it"));
    }
    if let Some(other) = witness.remote_id.as_deref().filter(|id| is_id(id) && !is_it(id)) {
        let answer = on.outbound.send(api.one(other)?).await;
        let answer = answer.map_err(|failure| Blind::because(describe(&failure)))?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() && text_at(&value, "id").as_deref() == Some(other) {
            return Ok(());
        }
    }
    if !witness.needed {
        return Ok(());
    }
    let (list, _) = read(on, api.own_posts(&owner, None, None)?).await?;
    if page(api, &list)?.is_empty() {
        return Err(Blind::because("no post of the account is shown"));
    }
    Ok(())
}
