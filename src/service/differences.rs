//! What has changed in the source since a variant was made from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::posts::{MediaView, see};
use super::{Caller, Error, Services};
use crate::domain::difference::{Piece, Work, compare};
use crate::domain::id::PostId;
use crate::domain::policy::Action;
use crate::domain::translation;
use crate::domain::variant::{self, Content, ContentMedia};
use crate::store::{translations, variants};

/// What has changed in the source since a variant was made from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The variant's language.
    pub language: String,
    /// Whether anything has.
    pub stale: bool,
    /// Whether what it was made from is known; of variants from before sources were kept it is not, and
    /// `texts` and `media` are empty.
    pub kept: bool,
    /// The revision of the source that it was made from.
    pub made_from: i64,
    /// The language of that, if it is known.
    pub made_from_language: Option<String>,
    /// The source's revision now, to be named when the variant is still right.
    pub source_revision: i64,
    /// The source's language now.
    pub source_language: String,
    /// The texts that have changed, those that are new and those that are gone.
    pub texts: Vec<TextChange>,
    /// The pictures of each part that has others, or has them in another order.
    pub media: Vec<MediaChange>,
}

/// A text that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TextChange {
    /// Where: a JSON pointer inside the variant; of pictures by their place now, or then if they are gone.
    pub pointer: String,
    /// The earlier text and the later one in each other.
    pub pieces: Vec<Piece>,
}

/// Other pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaChange {
    /// Where: a JSON pointer inside the variant.
    pub pointer: String,
    /// Those that were there, in order.
    pub was: Vec<MediaView>,
    /// Those that are there now, in order.
    pub is: Vec<MediaView>,
}

/// What has changed in the source since the variant in this language was made from it.
pub async fn show(
    services: &Services,
    caller: &Caller,
    (id, language): (&PostId, &str),
) -> Result<Difference, Error> {
    let mut reader = services.store.read().await?;
    let post = see(&mut reader, caller, Action::ReadPosts, id).await?;
    let variants = variants::of_posts(&mut reader, &[id]).await?.remove(id).unwrap_or_default();
    let tag = variant::language(language).ok_or(Error::NotFound)?;
    let one = translation::of(&variants, &tag).ok_or(Error::NotFound)?;
    let source = translation::of(&variants, &post.source_language).ok_or(Error::NotFound)?;
    let stale = one.is_stale(Some(source));
    let former = if stale {
        translations::former(&mut reader, id, &one.translation.source_hash).await?
    } else {
        Some((source.language.clone(), source.content.clone()))
    };
    drop(reader);
    let (made_from_language, was) = former.unzip();
    let is = source.content.clone();
    // It may take as long as many sends.
    let compare = move || was.map(|was| changes(&was, &is)).unwrap_or_default();
    let compared = tokio::task::spawn_blocking(compare).await;
    let (texts, media) = compared.map_err(Error::internal)?;
    Ok(Difference {
        language: tag,
        stale,
        kept: made_from_language.is_some(),
        made_from: one.translation.made_from,
        made_from_language,
        source_revision: source.revision,
        source_language: post.source_language,
        texts,
        media,
    })
}

/// Every text of a content and every list of pictures, by its place.
#[derive(Default)]
struct Taken<'a> {
    texts: BTreeMap<String, &'a str>,
    media: BTreeMap<String, &'a [ContentMedia]>,
}

fn taken(content: &Content) -> Taken<'_> {
    let mut taken = Taken::default();
    taken.texts.insert("/text".to_owned(), &content.text);
    taken.texts.insert("/link".to_owned(), content.link.as_deref().unwrap_or_default());
    let comment = content.first_comment.as_deref().unwrap_or_default();
    taken.texts.insert("/first_comment".to_owned(), comment);
    taken.media.insert("/media".to_owned(), &content.media);
    for (number, piece) in content.thread.iter().enumerate() {
        taken.texts.insert(format!("/thread/{number}/text"), &piece.text);
        taken.media.insert(format!("/thread/{number}/media"), &piece.media);
    }
    taken
}

fn changes(was: &Content, is: &Content) -> (Vec<TextChange>, Vec<MediaChange>) {
    let (was, is) = (taken(was), taken(is));
    let mut work = Work::default();
    let mut texts = Vec::new();
    let mut text = |pointer: &str, was: &str, is: &str| {
        if was != is {
            let pieces = compare(was, is, &mut work);
            texts.push(TextChange { pointer: pointer.to_owned(), pieces });
        }
    };
    for pointer in both(&was.texts, &is.texts) {
        let of = |texts: &BTreeMap<String, &str>| {
            texts.get(pointer).copied().unwrap_or_default().to_owned()
        };
        text(pointer, &of(&was.texts), &of(&is.texts));
    }
    let mut media = Vec::new();
    for pointer in both(&was.media, &is.media) {
        let old = was.media.get(pointer).copied().unwrap_or_default();
        let new = is.media.get(pointer).copied().unwrap_or_default();
        for (place, one) in new.iter().enumerate() {
            let before = old.iter().find(|it| it.sha256 == one.sha256);
            let alt = before.map_or("", |it| it.alt.as_str());
            text(&format!("{pointer}/{place}/alt"), alt, &one.alt);
        }
        for (place, one) in old.iter().enumerate() {
            if !new.iter().any(|it| it.sha256 == one.sha256) {
                text(&format!("{pointer}/{place}/alt"), &one.alt, "");
            }
        }
        if !old.iter().map(|it| &it.sha256).eq(new.iter().map(|it| &it.sha256)) {
            let view = |list: &[ContentMedia]| list.iter().map(MediaView::from).collect();
            media.push(MediaChange { pointer: pointer.clone(), was: view(old), is: view(new) });
        }
    }
    (texts, media)
}

/// The places that either of them has, in order.
fn both<'a, T>(
    was: &'a BTreeMap<String, T>,
    is: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = &'a String> {
    let only_was = was.keys().filter(|it| !is.contains_key(*it));
    is.keys().chain(only_was)
}
