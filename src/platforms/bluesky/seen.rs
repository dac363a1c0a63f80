//! Posts that are out: a link that a person has found, whether a post is still there, and deleting it.

use jiff::Timestamp;
use url::Url;

use super::api::Api;
use super::classify::{Meaning, Problem};
use super::entry::{control, enter};
use super::find::{one, page};
use super::{Desk, Settings, key};
use crate::outbound::Response;
use crate::platforms::matching::Blind;
use crate::platforms::outcome::{
    Alteration, NoPost, Outcome, Presence, Refusal, RefusalKind, Sighting, Witness,
};
use crate::platforms::session::{Metered, Session};
use crate::platforms::wire::{failed_alteration, same_place};

/// The key of the post that a link means.
///
/// Links come as `/profile/{handle or DID}/post/{key}`. A handle can be anybody's by tomorrow, so only
/// a DID says whose the post is; the key is looked for on the account itself in any case.
pub(super) fn remote_id_in(
    settings: &Settings,
    link: &Url,
    account: &str,
) -> Result<String, NoPost> {
    if !same_place(link, &settings.web_url) {
        return Err(NoPost::Elsewhere);
    }
    let under = settings.web_url.path().trim_end_matches('/');
    let path = link.path().strip_prefix(under).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let ["profile", author, "post", id, ..] = parts.as_slice() else { return Err(NoPost::NoId) };
    let author = author.replace("%3A", ":").replace("%3a", ":");
    if author.starts_with("did:") && author != account {
        return Err(NoPost::AnotherAccount);
    }
    if key::is_key(id) { Ok((*id).to_owned()) } else { Err(NoPost::NoId) }
}

/// Asks for one post of the account.
pub(super) async fn look(desk: &Desk, on: &Session, id: &str) -> Sighting {
    if !key::is_key(id) {
        return Sighting::NotThere;
    }
    let api = match Api::of(desk, on) {
        Ok(api) => api,
        Err(fault) => return Sighting::CannotSee(fault.refusal().detail),
    };
    match one(desk, on, &api, id).await {
        Ok(Some(post)) => Sighting::There(post.shown.receipt),
        Ok(None) => Sighting::NotThere,
        Err(blind) => Sighting::CannotSee(blind.detail),
    }
}

/// Asks for the post, and when it is said not to exist, for the token's owner and the place of the post
/// in the account's list.
pub(super) async fn presence(
    desk: &Desk,
    on: &Session,
    id: &str,
    witness: &Witness,
) -> Metered<Presence> {
    let value = still_there(desk, on, id, witness)
        .await
        .unwrap_or_else(|blind| Presence::CannotSee { detail: blind.detail, until: blind.until });
    Metered { value, usage: Vec::new() }
}

async fn still_there(
    desk: &Desk,
    on: &Session,
    id: &str,
    witness: &Witness,
) -> Result<Presence, Blind> {
    if !key::is_key(id) {
        return Err(Blind::because("the id is of no post on Bluesky"));
    }
    let api = Api::of(desk, on)?;
    if one(desk, on, &api, id).await?.is_some() {
        return Ok(Presence::There);
    }
    control(desk, on, &api).await?;
    // A cursor is a text: everything that begins with the key is below this one.
    let (around, _) = page(desk, on, api.list(Some(&format!("{id}~")))?, &api).await?;
    if around.iter().any(|post| post.key == id) {
        return Err(Blind::because("the list of posts still shows it"));
    }
    if let Some(other) = witness.remote_id.as_deref().filter(|other| *other != id)
        && key::is_key(other)
        && one(desk, on, &api, other).await?.is_some()
    {
        return Ok(Presence::Gone);
    }
    if witness.needed {
        let (newest, _) = page(desk, on, api.list(None)?, &api).await?;
        if newest.is_empty() {
            return Err(Blind::because("no post of the account is shown"));
        }
    }
    Ok(Presence::Gone)
}

/// Deletes a post. The method says the same of what is not there, so that is asked first.
pub(super) async fn remove(desk: &Desk, on: &Session, id: &str) -> Metered<Alteration> {
    Metered { value: delete(desk, on, id).await, usage: Vec::new() }
}

async fn delete(desk: &Desk, on: &Session, id: &str) -> Alteration {
    if !key::is_key(id) {
        let (code, detail) = ("remote_id".to_owned(), "the id is of no post".to_owned());
        return Alteration::Refused(Refusal { kind: RefusalKind::Content, code, detail });
    }
    let api = match Api::of(desk, on) {
        Ok(api) => api,
        Err(fault) => return Alteration::Refused(fault.refusal()),
    };
    let entry = match enter(desk, on, &api).await {
        Ok(entry) => entry,
        Err(outcome) => return without_session(*outcome),
    };
    match one(desk, on, &api, id).await {
        Ok(Some(_)) => {}
        Ok(None) => return Alteration::NotThere("there is no such record".to_owned()),
        // It may be there, and deleting it does no harm when it is not.
        Err(_blind) => {}
    }
    let request = match api.delete(&entry.token, id) {
        Ok(request) => request,
        Err(fault) => return Alteration::Refused(fault.refusal()),
    };
    match on.outbound.send(request).await {
        Ok(answer) => removed(desk, on, &answer, on.clock.now()),
        Err(failure) => failed_alteration(&failure),
    }
}

fn without_session(outcome: Outcome) -> Alteration {
    match outcome {
        Outcome::Refused(refusal) => Alteration::Refused(refusal),
        Outcome::Deferred(deferral) => Alteration::Deferred(deferral),
        Outcome::Unknown(doubt) => Alteration::Unknown(doubt.detail),
        Outcome::Published(_) | Outcome::Pending(_) => Alteration::Unknown("no session".to_owned()),
    }
}

fn removed(desk: &Desk, on: &Session, answer: &Response, now: Timestamp) -> Alteration {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        // What was deleted has a commit.
        let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match value.pointer("/commit/rev") {
            Some(_) => Alteration::Made,
            None => Alteration::Unknown(format!("status {status}: no commit in the answer")),
        };
    }
    let Some(problem) = Problem::parse(answer) else {
        return Alteration::Unknown(format!("status {status}: no well-formed refusal"));
    };
    match problem.meaning() {
        Some(Meaning::RateLimited) => Alteration::Deferred(problem.deferral(answer, now)),
        Some(Meaning::Ended) => {
            desk.entries.forget(on);
            without_session(problem.outcome(Meaning::Ended, answer, now))
        }
        Some(Meaning::Missing) => Alteration::NotThere(problem.said()),
        Some(Meaning::Refused(kind)) => Alteration::Refused(problem.refusal(kind)),
        None => Alteration::Unknown(problem.said()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_link_means_the_post() {
        let settings =
            Settings { service_url: None, web_url: "https://bsky.app".parse().expect("url") };
        let id_in =
            |link: &str| remote_id_in(&settings, &link.parse().expect("url"), "did:plc:abc");
        for link in [
            "https://bsky.app/profile/did:plc:abc/post/3jzfcijpj2z2a",
            "https://bsky.app/profile/did%3Aplc%3Aabc/post/3jzfcijpj2z2a/",
            "https://bsky.app/profile/mofa.gov.vn/post/3jzfcijpj2z2a?ref=x#y",
            "https://bsky.app/profile/mofa.gov.vn/post/3jzfcijpj2z2a/liked-by",
        ] {
            assert_eq!(id_in(link), Ok("3jzfcijpj2z2a".to_owned()), "{link}");
        }
        for (link, expected) in [
            ("https://bsky.app.evil.example/profile/a.b/post/3jz", NoPost::Elsewhere),
            ("https://bsky.social/profile/a.b/post/3jz", NoPost::Elsewhere),
            ("https://bsky.app/profile/did:plc:other/post/3jz", NoPost::AnotherAccount),
            ("https://bsky.app/profile/a.b", NoPost::NoId),
            ("https://bsky.app/profile/a.b/feed/3jz", NoPost::NoId),
            ("https://bsky.app/profile/a.b/post/%00", NoPost::NoId),
            ("https://bsky.app/", NoPost::NoId),
        ] {
            assert_eq!(id_in(link), Err(expected), "{link}");
        }
    }
}
