//! A post that a person has found, and whose a token is.

use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::Settings;
use super::api::{Api, authority, home, is_id};
use super::classify::{Meaning, Problem};
use crate::platforms::outcome::{LongPosts, NoPost, Owner, OwnerError, Sighting};
use crate::platforms::session::Session;
use crate::platforms::wire::{describe, same_place, text_at};

/// The id of the post that a link means.
///
/// Links come as `/@{name}/{id}` and `/users/{name}/statuses/{id}`. Another server shows the post as
/// `/@{name}@{server}/{its own id}`, which only that server can resolve.
pub(super) fn remote_id_in(
    settings: &Settings,
    link: &Url,
    account: &str,
) -> Result<String, NoPost> {
    let Some((own, base)) = home(settings, account) else { return Err(NoPost::Elsewhere) };
    if !same_place(link, base) {
        return Err(NoPost::Elsewhere);
    }
    let under = base.path().trim_end_matches('/');
    let path = link.path().strip_prefix(under).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let (name, id) = match parts.as_slice() {
        ["users", name, "statuses", id, ..] => (*name, *id),
        [name, id, ..] => (name.strip_prefix('@').ok_or(NoPost::NoId)?, *id),
        _ => return Err(NoPost::NoId),
    };
    // Its own accounts too can be written with the server.
    let (name, server) = name.split_once('@').unwrap_or((name, ""));
    if !server.is_empty() && !server.eq_ignore_ascii_case(&authority(base)) || !is_id(id) {
        return Err(NoPost::NoId);
    }
    if name.eq_ignore_ascii_case(own) { Ok(id.to_owned()) } else { Err(NoPost::AnotherAccount) }
}

/// Asks for one post.
pub(super) async fn look(settings: &Settings, on: &Session, id: &str) -> Sighting {
    if !is_id(id) {
        return Sighting::NotThere;
    }
    let api = match Api::of(settings, on) {
        Ok(api) => api,
        Err(fault) => return Sighting::CannotSee(fault.refusal().detail),
    };
    let request = match api.one(id) {
        Ok(request) => request,
        Err(fault) => return Sighting::CannotSee(fault.refusal().detail),
    };
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return Sighting::CannotSee(describe(&failure)),
    };
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match api.post(&value) {
            Some(post) if post.shown.receipt.remote_id != id => {
                Sighting::CannotSee("it shows another post".into())
            }
            Some(post) if post.is_own => Sighting::There(post.shown.receipt),
            Some(_) => Sighting::OfAnother,
            None => Sighting::CannotSee("no post in it".into()),
        };
    }
    match Problem::parse(&answer) {
        Some(_) if answer.status == StatusCode::NOT_FOUND => Sighting::NotThere,
        Some(problem) => Sighting::CannotSee(problem.said()),
        None => Sighting::CannotSee(format!("status {}", answer.status.as_u16())),
    }
}

/// Asks whose a token is.
pub(super) async fn owner(settings: &Settings, on: &Session) -> Result<Owner, OwnerError> {
    let refused =
        |fault: crate::platforms::wire::Unsendable| OwnerError::Refused(fault.refusal().detail);
    let Some((_, base)) = home(settings, &on.remote_id) else {
        let why = "the account is written name@server, with a server of mastodon.servers";
        return Err(OwnerError::Refused(why.to_owned()));
    };
    let request = Api::of(settings, on).and_then(|api| api.me()).map_err(refused)?;
    let answer = on.outbound.send(request).await;
    let answer = answer.map_err(|failure| OwnerError::Unreachable(describe(&failure)))?;
    if answer.status.is_success() {
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let no_account = || OwnerError::Unreachable("the answer has no account".to_owned());
        let acct = text_at(&value, "acct").filter(|it| !it.contains('@')).ok_or_else(no_account)?;
        let name = text_at(&value, "display_name").filter(|name| !name.trim().is_empty());
        // A name is the same in small and in capital letters: as it was entered.
        let entered = on.remote_id.split_once('@').map_or("", |(name, _)| name);
        let own = if acct.eq_ignore_ascii_case(entered) { entered } else { &acct };
        let entered_server = on.remote_id.split_once('@').map(|(_, server)| server.to_owned());
        let server = entered_server.unwrap_or_else(|| authority(base));
        return Ok(Owner {
            remote_id: format!("{own}@{server}"),
            name: name.unwrap_or_else(|| acct.clone()),
            handle: Some(acct),
            followers: value.get("followers_count").and_then(Value::as_u64),
            long_posts: LongPosts::default(),
        });
    }
    let Some(problem) = Problem::parse(&answer) else {
        return Err(OwnerError::Unreachable(format!("status {}", answer.status.as_u16())));
    };
    match (answer.status.as_u16(), problem.meaning()) {
        (401 | 403, Some(Meaning::Refused(_))) => Err(OwnerError::Refused(problem.said())),
        // A limit or an outage says nothing about the credential.
        (_, Some(Meaning::Refused(_) | Meaning::RateLimited | Meaning::NotReady) | None) => {
            Err(OwnerError::Unreachable(problem.said()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_in(link: &str) -> Result<String, NoPost> {
        let servers = ["https://social.example/", "http://127.0.0.1:9001/m"];
        let servers = servers.map(|it| it.parse().expect("url")).to_vec();
        let settings = Settings { servers, characters: 500 };
        let account =
            if link.starts_with("https") { "mofa@social.example" } else { "mofa@127.0.0.1:9001" };
        remote_id_in(&settings, &link.parse().expect("url"), account)
    }

    #[test]
    fn every_form_of_a_link_means_the_post() {
        for link in [
            "https://social.example/@mofa/109302436954721982",
            "https://social.example/@MoFA/109302436954721982/embed",
            "https://social.example/@mofa@social.example/109302436954721982?x=1#y",
            "https://social.example/users/mofa/statuses/109302436954721982/",
            "http://127.0.0.1:9001/m/@mofa/109302436954721982",
        ] {
            assert_eq!(id_in(link), Ok("109302436954721982".to_owned()), "{link}");
        }
        for (link, expected) in [
            ("https://other.example/@mofa/1", NoPost::Elsewhere),
            ("https://social.example.evil.example/@mofa/1", NoPost::Elsewhere),
            ("https://social.example:8443/@mofa/1", NoPost::Elsewhere),
            ("https://social.example/@other/1", NoPost::AnotherAccount),
            ("https://social.example/users/other/statuses/1", NoPost::AnotherAccount),
            ("https://social.example/@mofa@elsewhere.example/1", NoPost::NoId),
            ("https://social.example/@mofa", NoPost::NoId),
            ("https://social.example/@mofa/with_replies", NoPost::NoId),
            ("https://social.example/mofa/1", NoPost::NoId),
            ("https://social.example/", NoPost::NoId),
        ] {
            assert_eq!(id_in(link), Err(expected), "{link}");
        }
    }
}
