//! A post that a person has found: which one a link means, and whether it is really there.

use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::Settings;
use super::api::{Api, Tweet, is_id, permalink};
use super::classify::Problem;
use crate::domain::attempt::Receipt;
use crate::platforms::outcome::{NoPost, Sighting};
use crate::platforms::session::Session;
use crate::platforms::wire::{describe, same_place};

/// Where people read X; and its older name.
const HOSTS: [&str; 8] = [
    "x.com",
    "www.x.com",
    "mobile.x.com",
    "m.x.com",
    "twitter.com",
    "www.twitter.com",
    "mobile.twitter.com",
    "m.twitter.com",
];

/// The id of the post that a link means.
///
/// Links come as `/{handle}/status/{id}`, `/i/status/{id}` and `/i/web/status/{id}`, with a photo or
/// a list of readers behind. X itself shows a post under any handle, so the handle proves nothing,
/// and whose it is must be asked.
pub(super) fn remote_id_in(settings: &Settings, link: &Url) -> Result<String, NoPost> {
    let host = link.host_str().unwrap_or_default().trim_end_matches('.');
    let public = HOSTS.contains(&host) && link.port().is_none();
    if !public && !same_place(link, &settings.web_url) {
        return Err(NoPost::Elsewhere);
    }
    let base = settings.web_url.path().trim_end_matches('/');
    let path = link.path();
    let path = path.strip_prefix(base).filter(|it| !public && it.starts_with('/')).unwrap_or(path);
    let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let (["i", "web", "status" | "statuses", id, ..] | [_, "status" | "statuses", id, ..]) =
        parts.as_slice()
    else {
        return Err(NoPost::NoId);
    };
    if is_id(id) { Ok((*id).to_owned()) } else { Err(NoPost::NoId) }
}

/// Asks X for one post.
pub(super) async fn look(settings: &Settings, on: &Session, id: &str) -> Sighting {
    let api = Api::of(settings, on);
    if !is_id(id) {
        return Sighting::NotThere;
    }
    let request = match api.one(id) {
        Ok(request) => request,
        Err(fault) => return Sighting::CannotSee(fault.refusal().detail),
    };
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return Sighting::CannotSee(describe(&failure)),
    };
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status.is_success() {
        if let Some(tweet) = value.get("data").and_then(Tweet::from_json) {
            return judge(settings, on, &tweet, id);
        }
        // What is not there is a success with errors and without data.
        let told = value.get("errors").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
        return if told { Sighting::NotThere } else { Sighting::CannotSee("no post in it".into()) };
    }
    match Problem::parse(&answer) {
        Some(_) if answer.status == StatusCode::NOT_FOUND => Sighting::NotThere,
        Some(problem) => Sighting::CannotSee(format!("{} {}", problem.word(), problem.said())),
        None => Sighting::CannotSee(format!("status {}", answer.status.as_u16())),
    }
}

fn judge(settings: &Settings, on: &Session, tweet: &Tweet, asked: &str) -> Sighting {
    match tweet.author.as_deref() {
        _ if tweet.id != asked => Sighting::CannotSee("it shows another post".into()),
        None => Sighting::CannotSee("it does not say whose the post is".into()),
        Some(author) if author != on.remote_id => Sighting::OfAnother,
        Some(_) => Sighting::There(Receipt {
            permalink: permalink(settings, on.handle.as_deref(), &tweet.id),
            published_at: tweet.published_at(on.clock.now()),
            remote_id: tweet.id.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_in(link: &str) -> Result<String, NoPost> {
        let settings = Settings {
            web_url: "http://127.0.0.1:9001/x".parse().expect("url"),
            ..crate::platforms::setting::public().x
        };
        remote_id_in(&settings, &link.parse().expect("url"))
    }

    #[test]
    fn every_form_of_a_link_means_the_post() {
        for link in [
            "https://x.com/mofa_vn/status/1992173824000000001",
            "https://twitter.com/mofa_vn/status/1992173824000000001?s=20&t=abc",
            "http://www.twitter.com/mofa_vn/statuses/1992173824000000001/",
            "https://mobile.twitter.com/mofa_vn/status/1992173824000000001#x",
            "https://x.com/i/status/1992173824000000001",
            "https://x.com/i/web/status/1992173824000000001",
            "https://X.COM./mofa_vn/status/1992173824000000001/photo/1",
            "https://x.com/mofa_vn/status/1992173824000000001/retweets",
            "http://127.0.0.1:9001/x/mofa_vn/status/1992173824000000001",
            "http://127.0.0.1:9001/mofa_vn/status/1992173824000000001",
        ] {
            assert_eq!(id_in(link), Ok("1992173824000000001".to_owned()), "{link}");
        }
    }

    #[test]
    fn links_to_other_hosts_and_other_things_are_told_apart() {
        for (link, expected) in [
            ("https://www.facebook.com/mofa_vn/status/1", NoPost::Elsewhere),
            ("https://x.com.evil.example/mofa_vn/status/1", NoPost::Elsewhere),
            ("https://x.com@evil.example/mofa_vn/status/1", NoPost::Elsewhere),
            ("https://t.co/AbCdEf", NoPost::Elsewhere),
            ("https://x.com:8443/mofa_vn/status/1", NoPost::Elsewhere),
            ("http://127.0.0.1:9002/mofa_vn/status/1", NoPost::Elsewhere),
            ("https://x.com/mofa_vn", NoPost::NoId),
            ("https://x.com/mofa_vn/status/", NoPost::NoId),
            ("https://x.com/mofa_vn/status/abc", NoPost::NoId),
            ("https://x.com/mofa_vn/status/99999999999999999999", NoPost::NoId),
            ("https://x.com/search?q=/status/1", NoPost::NoId),
            ("https://x.com/", NoPost::NoId),
        ] {
            assert_eq!(id_in(link), Err(expected), "{link}");
        }
    }
}
