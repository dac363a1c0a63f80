//! Looks for a comment of a Page below one of its posts, after doubt.
//!
//! An empty list means absence only when the token speaks for the very Page and the list was read to the
//! attempt's beginning; a comment whose author cannot be read is a person's to judge.

use jiff::Timestamp;
use serde_json::Value;

use super::api::{Graph, Post};
use super::classify::{comment_receipt, is_comment_of};
use super::find::{Blind, blind, read, same_post};
use crate::domain::attempt::Receipt;
use crate::domain::text::{alike, normalised};
use crate::platforms::outcome::{Lookup, Usage};
use crate::platforms::session::{Probe, Session};

/// 300 comments below a post since an attempt are many; a person must look.
const MOST_PAGES: usize = 3;

/// What the comments below `post` that were made since `not_before` say about the attempt.
pub(super) async fn look(
    on: &Session,
    graph: &Graph<'_>,
    (probe, post, not_before): (&Probe, &str, Timestamp),
    usage: &mut Vec<Usage>,
) -> Result<Lookup, Blind> {
    let comments = list(on, graph, post, not_before, usage).await?;
    Ok(verdict(&comments, graph.page, (probe, post, not_before), on.clock.now()))
}

async fn list(
    on: &Session,
    graph: &Graph<'_>,
    post: &str,
    not_before: Timestamp,
    usage: &mut Vec<Usage>,
) -> Result<Vec<Post>, Blind> {
    let (mut comments, mut after) = (Vec::new(), None::<String>);
    for _page in 0..MOST_PAGES {
        let (value, _) = read(on, graph.comments(post, after.as_deref())?, usage).await?;
        let data = value.get("data").and_then(Value::as_array);
        let data = data.ok_or_else(|| blind("the list of comments has no data"))?;
        let page: Option<Vec<Post>> = data.iter().map(Post::from_json).collect();
        let page = page.ok_or_else(|| blind("a comment in the list has no id"))?;
        let beyond = page.iter().any(|one| one.created.is_some_and(|at| at < not_before));
        comments.extend(page);
        if beyond || value.pointer("/paging/next").is_none() {
            return Ok(comments);
        }
        after = value.pointer("/paging/cursors/after").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            return Err(blind("the list of comments goes on without a cursor"));
        }
    }
    Err(blind("there are too many comments since then to look through"))
}

fn verdict(
    comments: &[Post],
    page: &str,
    (probe, post, not_before): (&Probe, &str, Timestamp),
    now: Timestamp,
) -> Lookup {
    let can_be = |one: &&Post| {
        is_comment_of(&one.id, post)
            && one.from.as_deref().is_none_or(|author| author == page)
            && one.created.is_none_or(|at| at >= not_before)
            && !probe.taken.iter().any(|taken| same_post(taken, &one.id))
    };
    let text = normalised(&probe.text);
    let shown = |one: &Post| comment_receipt(one.id.clone(), post, one.created.unwrap_or(now));
    let ours: Vec<&Post> = comments.iter().filter(can_be).collect();
    let mut same: Vec<&Post> = Vec::new();
    for one in ours.iter().filter(|one| normalised(&one.message) == text) {
        // A comment that comes while pages are read can show up twice.
        if !same.iter().any(|seen| same_post(&seen.id, &one.id)) {
            same.push(one);
        }
    }
    match same.as_slice() {
        [] => {
            let similar = ours.iter().filter(|one| alike(&text, &one.message));
            let similar: Vec<Receipt> = similar.map(|one| shown(one)).collect();
            if similar.is_empty() { Lookup::Absent } else { Lookup::Similar(similar) }
        }
        [one] if one.from.is_some() => Lookup::Found(shown(one)),
        several => Lookup::Several(several.iter().map(|one| shown(one)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platforms::session::Place;

    const PAGE: &str = "104";
    const POST: &str = "104_900";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).expect("instant")
    }

    fn probe(taken: &[&str]) -> Probe {
        Probe {
            delivery: None,
            text: "Đọc thêm".to_owned(),
            link: None,
            media_count: 0,
            high_water: None,
            started_at: at(0),
            remote_id: None,
            taken: taken.iter().map(|&it| it.to_owned()).collect(),
            place: Place::Under(POST.to_owned()),
            settings: Value::Null,
            film: false,
            made: None,
        }
    }

    fn comment(id: &str, author: Option<&str>, text: &str, second: i64) -> Post {
        let mut value = json!({
            "id": id, "message": text,
            "created_time": at(second).strftime("%Y-%m-%dT%H:%M:%S+0000").to_string(),
        });
        if let Some(author) = author {
            value["from"] = json!({ "id": author });
        }
        Post::from_json(&value).expect("a comment")
    }

    fn seen(comments: &[Post], taken: &[&str]) -> Lookup {
        verdict(comments, PAGE, (&probe(taken), POST, at(0)), at(60))
    }

    #[test]
    fn only_the_pages_own_comment_below_its_own_post_is_the_one() {
        let ours = comment("900_1", Some(PAGE), "Đọc  thêm", 5);
        let Lookup::Found(found) = seen(std::slice::from_ref(&ours), &[]) else { panic!() };
        assert_eq!(found.remote_id, "900_1");
        assert_eq!(
            found.permalink.as_deref(),
            Some("https://www.facebook.com/104_900?comment_id=1")
        );
        let others = [
            comment("900_2", Some("7"), "Đọc thêm", 5),
            comment("901_3", Some(PAGE), "Đọc thêm", 5),
            comment("900_4", Some(PAGE), "Đọc thêm", -5),
            comment("900_5", Some(PAGE), "Khác hẳn", 5),
        ];
        assert_eq!(seen(&others, &[]), Lookup::Absent);
        assert_eq!(seen(std::slice::from_ref(&ours), &["900_1"]), Lookup::Absent);
    }

    #[test]
    fn two_alike_and_one_whose_author_is_hidden_are_a_persons_to_judge() {
        let hidden = comment("900_1", None, "Đọc thêm", 5);
        assert!(matches!(seen(std::slice::from_ref(&hidden), &[]), Lookup::Several(_)));
        let two = [
            comment("900_1", Some(PAGE), "Đọc thêm", 5),
            comment("900_2", Some(PAGE), "Đọc thêm", 6),
        ];
        assert!(matches!(seen(&two, &[]), Lookup::Several(all) if all.len() == 2));
    }
}
