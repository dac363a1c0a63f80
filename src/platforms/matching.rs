//! Which of the posts that an account shows is the one that was sent, for platforms that give texts back
//! as they were written; and reads that say nothing.

use jiff::Timestamp;

use super::outcome::{Lookup, Reading, Shown};
use super::session::{Gap, Probe, Sent};
use super::wire::Unsendable;
use crate::domain::attempt::Receipt;
use crate::domain::text::{alike, normalised};

/// A read that says nothing, least of all absence.
#[derive(Debug)]
pub(super) struct Blind {
    pub(super) detail: String,
    pub(super) until: Option<Timestamp>,
    /// How many posts of a list were shown all the same, and on how many of its pages.
    pub(super) shown: usize,
    pub(super) pages: u32,
}

impl Blind {
    /// For this reason, and nobody said when to try again.
    pub(super) fn because(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), until: None, shown: 0, pages: 0 }
    }
}

impl From<Unsendable> for Blind {
    fn from(fault: Unsendable) -> Self {
        Self::because(fault.refusal().detail)
    }
}

impl From<Blind> for Lookup {
    fn from(blind: Blind) -> Self {
        Self::CannotSee { detail: blind.detail, until: blind.until }
    }
}

impl From<Blind> for Reading {
    fn from(blind: Blind) -> Self {
        let Blind { detail, until, shown, pages } = blind;
        Self::CannotSee { detail, until, shown, pages }
    }
}

/// A post as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) receipt: Receipt,
    /// Its text in the form in which texts of this platform are compared.
    pub(super) text: String,
    /// How many pictures it has.
    pub(super) media: usize,
}

/// The text as it is sent where a link is a part of it.
pub(super) fn with_link(text: &str, link: Option<&str>) -> String {
    match link {
        Some(link) if text.is_empty() => link.to_owned(),
        Some(link) if !text.contains(link) => format!("{text}\n{link}"),
        Some(_) | None => text.to_owned(),
    }
}

/// A wrong "no" can send a post twice, a wrong "yes" is seen by a person. `sent` has the form of the
/// texts that are shown; `is_newer` says which ids can be of a post made since.
pub(super) fn verdict(
    sent: &str,
    probe: &Probe,
    is_newer: impl Fn(&str) -> bool,
    shown: &[Listed],
) -> Lookup {
    let mut possible: Vec<&Listed> = Vec::new();
    for post in shown {
        let id = &post.receipt.remote_id;
        // A post that comes while pages are read can show up twice.
        let seen = possible.iter().any(|other| other.receipt.remote_id == *id);
        if !seen && post.media == probe.media_count && is_newer(id) && !probe.taken.contains(id) {
            possible.push(post);
        }
    }
    let wanted = normalised(sent);
    let same: Vec<&&Listed> =
        possible.iter().filter(|post| normalised(&post.text) == wanted).collect();
    let receipts = |posts: &[&&Listed]| posts.iter().map(|post| post.receipt.clone()).collect();
    match same.as_slice() {
        [] => {
            let similar: Vec<&&Listed> =
                possible.iter().filter(|post| alike(sent, &post.text)).collect();
            if similar.is_empty() { Lookup::Absent } else { Lookup::Similar(receipts(&similar)) }
        }
        // Two without a text are alike whatever they show.
        [post] if !wanted.is_empty() => Lookup::Found(post.receipt.clone()),
        several => Lookup::Several(receipts(several)),
    }
}

/// All posts of a gap that were shown on so many pages, against what is still to be sent.
pub(super) async fn reading(
    gap: &Gap,
    mut posts: Vec<Listed>,
    pages: u32,
    form: impl Fn(&Sent) -> String,
) -> Reading {
    let shown = posts.len();
    let latest = gap.latest();
    posts.retain(|post| post.receipt.published_at <= latest);
    let mut lookups = Vec::with_capacity(gap.waiting.len());
    for sent in &gap.waiting {
        lookups.push(verdict(&form(sent), &gap.probe(sent), |_| true, &posts));
        // Many texts are much work, and others wait for this thread.
        tokio::task::yield_now().await;
    }
    let mut unknown: Vec<Shown> = Vec::new();
    for post in posts.into_iter().filter(|post| !gap.taken.contains(&post.receipt.remote_id)) {
        if !unknown.iter().any(|seen| seen.receipt.remote_id == post.receipt.remote_id) {
            unknown.push(Shown { receipt: post.receipt, text: post.text });
        }
    }
    Reading::Whole { posts: unknown, lookups, shown, pages }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(id: &str, text: &str, media: usize) -> Listed {
        let published_at = "2026-11-22T10:00:00Z".parse().expect("instant");
        let receipt = Receipt { remote_id: id.to_owned(), permalink: None, published_at };
        Listed { receipt, text: text.to_owned(), media }
    }

    fn probe(media_count: usize) -> Probe {
        Probe {
            delivery: None,
            text: String::new(),
            link: None,
            media_count,
            high_water: None,
            started_at: Timestamp::UNIX_EPOCH,
            remote_id: None,
            taken: vec!["9".to_owned()],
            place: crate::platforms::session::Place::First,
            settings: serde_json::Value::Null,
            film: false,
            made: None,
        }
    }

    fn ids(lookup: &Lookup) -> (&'static str, Vec<&str>) {
        match lookup {
            Lookup::Found(post) => ("found", vec![post.remote_id.as_str()]),
            Lookup::Absent => ("absent", Vec::new()),
            Lookup::Several(posts) => {
                ("several", posts.iter().map(|post| post.remote_id.as_str()).collect())
            }
            Lookup::Similar(posts) => {
                ("similar", posts.iter().map(|post| post.remote_id.as_str()).collect())
            }
            Lookup::Processing { .. }
            | Lookup::NotPublic
            | Lookup::Failed(_)
            | Lookup::CannotSee { .. } => ("cannot see", Vec::new()),
        }
    }

    #[test]
    fn one_that_is_the_same_is_found_and_whatever_is_doubtful_is_a_persons() {
        let newer = |id: &str| id != "0";
        let look = |sent: &str, media: usize, all: &[Listed]| {
            let lookup = verdict(sent, &probe(media), newer, all);
            let (word, ids) = ids(&lookup);
            format!("{word} {}", ids.join(","))
        };
        let a = shown("1", "Thông báo  số 7\n", 0);
        assert_eq!(look("Thông báo số 7", 0, std::slice::from_ref(&a)), "found 1");
        assert_eq!(look("Thông báo số 7", 0, &[a.clone(), a.clone()]), "found 1");
        assert_eq!(look("Thông báo số 7", 0, &[a.clone(), shown("2", &a.text, 0)]), "several 1,2");
        assert_eq!(look("Thông báo số 8", 0, std::slice::from_ref(&a)), "absent ");
        assert_eq!(look("Thông báo số 7", 1, std::slice::from_ref(&a)), "absent ");
        for other in ["0", "9"] {
            assert_eq!(look(&a.text, 0, &[shown(other, &a.text, 0)]), "absent ", "{other}");
        }
        let rewritten = shown("3", "Lễ hội – ngày 2 tháng 9 …", 0);
        assert_eq!(look("Lễ hội - ngày 2 tháng 9 ...", 0, &[rewritten]), "similar 3");
        assert_eq!(look("", 1, &[shown("4", "", 1)]), "several 4", "a picture proves nothing");
    }

    #[test]
    fn a_link_goes_behind_the_text_unless_it_is_in_it() {
        assert_eq!(with_link("A", Some("https://a.vn")), "A\nhttps://a.vn");
        assert_eq!(with_link("", Some("https://a.vn")), "https://a.vn");
        assert_eq!(with_link("https://a.vn B", Some("https://a.vn")), "https://a.vn B");
        assert_eq!(with_link("A", None), "A");
    }
}
