//! A post that a person has found: which one a link means, and whether it is really there.

use std::borrow::Cow;

use url::Url;

use super::Settings;
use super::api::{COMMENT_FIELDS, Graph, Post, permalink};
use super::classify::{
    GraphError, comment_receipt, is_comment, is_comment_of, is_post_of, whole_id,
};
use crate::domain::attempt::Receipt;
use crate::platforms::outcome::{NoPost, Sighting};
use crate::platforms::session::{Place, Session};
use crate::platforms::wire::{describe, is_number, same_place};

/// Enough to prove that it is there; each field more could be refused.
const FIELDS: &str = "id,created_time,permalink_url";

/// The same for a film, and whose it is.
const FILM_FIELDS: &str = "id,created_time,permalink_url,from";

/// What follows the name or id of a Page in a link to a post of it.
const PARTS: [&str; 2] = ["posts", "photos"];

/// The id of the post that a link means: `{page}_{post}`.
///
/// Links come as `/{page}/posts/{post}`, with a title before the id, as `permalink.php` and
/// `story.php` with both ids in the query, as a photo of the post, and as the API's own id. Newer
/// ones have a `pfbid…` in place of the id, which nobody outside can resolve.
pub(super) fn remote_id_in(settings: &Settings, link: &Url, page: &str) -> Result<String, NoPost> {
    let host = link.host_str().unwrap_or_default().trim_end_matches('.');
    let public = ["facebook.com", "fb.com"]
        .iter()
        .any(|it| host.strip_suffix(it).is_some_and(|sub| sub.is_empty() || sub.ends_with('.')));
    let public = public && link.port().is_none();
    if !public && !same_place(link, &settings.graph_url) {
        return Err(NoPost::Elsewhere);
    }
    let parts: Vec<&str> =
        link.path_segments().into_iter().flatten().filter(|it| !it.is_empty()).collect();
    let in_query = |name: &str| link.query_pairs().find(|(it, _)| it == name).map(|(_, it)| it);
    let given = |owner, post| (Some(Cow::Borrowed(owner)), Some(Cow::Borrowed(post)));
    let (owner, post) = match parts.as_slice() {
        ["permalink.php" | "story.php"] => (in_query("id"), in_query("story_fbid")),
        ["photo.php" | "photo"] => (in_query("id"), in_query("fbid")),
        // A film is known by its own number alone.
        ["reel", film] if is_number(film) => return Ok((*film).to_owned()),
        [owner, "videos", .., film] if is_number(film) => {
            let others = is_number(owner) && *owner != page;
            return if others { Err(NoPost::AnotherAccount) } else { Ok((*film).to_owned()) };
        }
        [owner, part, .., post] if PARTS.contains(part) => given(*owner, *post),
        ["pages", _, owner, "posts", post] => given(*owner, *post),
        [both] => match both.split_once('_') {
            Some((owner, post)) if is_number(owner) => given(owner, post),
            Some(_) | None => (None, None),
        },
        _ => (None, None),
    };
    // A name says nothing for certain: the Page is asked for the post anyway.
    if owner.is_some_and(|owner| is_number(&owner) && owner != page) {
        return Err(NoPost::AnotherAccount);
    }
    let post = post.filter(|post| is_number(post)).ok_or(NoPost::NoId)?;
    Ok(format!("{page}_{post}"))
}

/// Asks the Page for one post.
pub(super) async fn look(settings: &Settings, on: &Session, id: &str, place: &Place) -> Sighting {
    let graph = Graph::of(settings, on);
    let whole = whole_id(id, graph.page);
    let (fits, comment) = match place {
        Place::First => (is_post_of(&whole, graph.page), false),
        Place::Under(post) => (is_comment_of(&whole, post), true),
        Place::UnderSome => (is_comment(&whole, graph.page), true),
    };
    if !fits {
        return Sighting::OfAnother;
    }
    let fields = if comment { COMMENT_FIELDS } else { FIELDS };
    let request = match graph.post(&whole, fields) {
        Ok(request) => request,
        Err(fault) => return Sighting::CannotSee(fault.refusal().detail),
    };
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return Sighting::CannotSee(describe(&failure)),
    };
    if let Some(error) = GraphError::parse(&answer.body) {
        return match error.word().as_str() {
            "100/33" if is_number(id) && *place == Place::First => film(on, &graph, id).await,
            "100/33" => Sighting::NotThere,
            word => Sighting::CannotSee(format!("{word} {}", error.detail())),
        };
    }
    let value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let post = Post::from_json(&value).filter(|_| answer.status.is_success());
    if comment {
        return of_comment(post, &whole, on);
    }
    match post {
        Some(post) if is_post_of(&post.id, graph.page) => Sighting::There(Receipt {
            permalink: Some(permalink(&post.id, post.permalink.as_deref())),
            published_at: post.created.unwrap_or_else(|| on.clock.now()),
            remote_id: post.id,
        }),
        Some(_) => Sighting::OfAnother,
        None => Sighting::CannotSee(format!("status {}", answer.status.as_u16())),
    }
}

/// A film that is known by its own number: it says itself whose it is.
async fn film(on: &Session, graph: &Graph<'_>, id: &str) -> Sighting {
    let request = match graph.post(id, FILM_FIELDS) {
        Ok(request) => request,
        Err(fault) => return Sighting::CannotSee(fault.refusal().detail),
    };
    let answer = match on.outbound.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return Sighting::CannotSee(describe(&failure)),
    };
    if let Some(error) = GraphError::parse(&answer.body) {
        return match error.word().as_str() {
            "100/33" => Sighting::NotThere,
            word => Sighting::CannotSee(format!("{word} {}", error.detail())),
        };
    }
    let value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let film = Post::from_json(&value).filter(|it| answer.status.is_success() && it.id == id);
    match film {
        Some(film) if film.from.as_deref() == Some(graph.page) => Sighting::There(Receipt {
            permalink: Some(permalink(&film.id, film.permalink.as_deref())),
            published_at: film.created.unwrap_or_else(|| on.clock.now()),
            remote_id: film.id,
        }),
        Some(_) => Sighting::OfAnother,
        None => Sighting::CannotSee(format!("status {}", answer.status.as_u16())),
    }
}

/// A comment says itself whose it is, if it does.
fn of_comment(comment: Option<Post>, id: &str, on: &Session) -> Sighting {
    let Some(comment) = comment.filter(|it| it.id == id) else {
        return Sighting::CannotSee("it shows another comment".to_owned());
    };
    match comment.from.as_deref() {
        None => Sighting::CannotSee("it does not say whose the comment is".to_owned()),
        Some(author) if author != on.remote_id => Sighting::OfAnother,
        Some(_) => {
            let number = id.split('_').next().unwrap_or_default();
            let post = format!("{}_{number}", on.remote_id);
            let at = comment.created.unwrap_or_else(|| on.clock.now());
            Sighting::There(comment_receipt(comment.id, &post, at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_in(link: &str) -> Result<String, NoPost> {
        let settings = Settings {
            graph_url: "http://127.0.0.1:9001/graph".parse().expect("url"),
            version: "v25.0".to_owned(),
            video_url: "https://graph-video.facebook.com".parse().expect("url"),
            upload_hosts: Vec::new(),
            two_steps: Vec::new(),
            app_id: None,
            app_secret: None,
            dialog_url: "https://www.facebook.com".parse().expect("url"),
            login_config_id: None,
        };
        remote_id_in(&settings, &link.parse().expect("url"), "104")
    }

    #[test]
    fn every_form_of_a_link_means_the_post() {
        for link in [
            "https://www.facebook.com/104/posts/1220002",
            "https://www.facebook.com/MofaVietNam/posts/1220002",
            "https://www.facebook.com/MofaVietNam/posts/th%C3%B4ng-b%C3%A1o/1220002/",
            "https://www.facebook.com/MofaVietNam/posts/1220002?__cft__[0]=AZ&__tn__=%2CO#x",
            "https://m.facebook.com/story.php?story_fbid=1220002&id=104&refid=17",
            "http://facebook.com/permalink.php?id=104&story_fbid=1220002",
            "https://vi-vn.facebook.com/104/posts/1220002",
            "https://WWW.FACEBOOK.COM./104_1220002",
            "https://www.facebook.com/photo.php?fbid=1220002&set=a.1&type=3",
            "https://www.facebook.com/photo/?fbid=1220002&set=a.1",
            "https://www.facebook.com/MofaVietNam/photos/a.10.20.30/1220002/?type=3",
            "https://www.facebook.com/pages/Bo-Ngoai-giao/104/posts/1220002",
            "https://fb.com/104/posts/1220002",
            "http://127.0.0.1:9001/104_1220002",
        ] {
            assert_eq!(id_in(link), Ok("104_1220002".to_owned()), "{link}");
        }
    }

    #[test]
    fn a_film_is_known_by_its_own_number() {
        for link in [
            "https://www.facebook.com/reel/1220002/",
            "https://www.facebook.com/MofaVietNam/videos/1220002",
            "https://www.facebook.com/104/videos/le-ky-niem/1220002/?mibextid=x",
        ] {
            assert_eq!(id_in(link), Ok("1220002".to_owned()), "{link}");
        }
    }

    #[test]
    fn links_to_other_hosts_other_pages_and_other_things_are_told_apart() {
        for (link, expected) in [
            ("https://x.com/104/posts/1220002", NoPost::Elsewhere),
            ("https://facebook.com.evil.example/104/posts/1220002", NoPost::Elsewhere),
            ("https://notfacebook.com/104/posts/1220002", NoPost::Elsewhere),
            ("https://www.facebook.com@evil.example/104/posts/1220002", NoPost::Elsewhere),
            ("https://www.facebook.com:8443/104/posts/1220002", NoPost::Elsewhere),
            ("http://127.0.0.1:9002/104_1220002", NoPost::Elsewhere),
            ("https://www.facebook.com/105/posts/1220002", NoPost::AnotherAccount),
            ("https://www.facebook.com/105_1220002", NoPost::AnotherAccount),
            ("https://m.facebook.com/story.php?story_fbid=1&id=105", NoPost::AnotherAccount),
            ("https://www.facebook.com/MofaVietNam/posts/pfbid02aBcD", NoPost::NoId),
            ("https://www.facebook.com/story.php?story_fbid=pfbid0x&id=104", NoPost::NoId),
            ("https://www.facebook.com/MofaVietNam", NoPost::NoId),
            ("https://www.facebook.com/reel/pfbid02aBcD", NoPost::NoId),
            ("https://www.facebook.com/105/videos/1220002", NoPost::AnotherAccount),
            ("https://www.facebook.com/share/p/1AbCdEf/", NoPost::NoId),
            ("https://www.facebook.com/", NoPost::NoId),
            ("https://www.facebook.com/104/posts/-1", NoPost::NoId),
        ] {
            assert_eq!(id_in(link), Err(expected), "{link}");
        }
    }
}
