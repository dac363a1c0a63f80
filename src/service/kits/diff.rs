//! What has changed in what is offered since a copy was made of it, or followed it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{said_by, see};
use crate::domain::difference::{Piece, Work, compare};
use crate::domain::id::OfferId;
use crate::domain::kit::{Field, Offer};
use crate::domain::variant::{Content, ContentMedia, Variant};
use crate::service::{Caller, Error, Services, Told};
use crate::store;

/// What has changed in what is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferDiff {
    /// The offer.
    pub offer_id: OfferId,
    /// The revision that the copy was made of, or follows; none where there is no copy: then all is new.
    pub base_revision: Option<i64>,
    /// The revision that is offered now.
    pub revision: i64,
    /// The languages in which something has changed.
    pub languages: Vec<LanguageDiff>,
}

/// What has changed in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LanguageDiff {
    /// Which.
    pub language: String,
    /// Whether the unit says something of its own there: what it has not changed it takes over by accepting again.
    pub own: bool,
    /// What has changed, field by field.
    pub fields: Vec<FieldDiff>,
}

/// What has changed in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldDiff {
    /// Which: `text` with its thread and hashtags, `link`, `media` or `first_comment`.
    pub field: Field,
    /// The earlier and the later one in each other.
    pub pieces: Vec<Piece>,
}

/// Compares what a copy was made of with what is offered now.
pub async fn diff(services: &Services, caller: &Caller, id: &OfferId) -> Result<OfferDiff, Error> {
    let mut reader = services.store.read().await?;
    let offer = see(&mut reader, caller, id).await?;
    let Some(source) = store::posts::find(&mut reader, &offer.kit.post_id).await? else {
        let detail = "what was offered has been removed";
        return Err(Error::Conflict(Told::new("offer_gone", detail)));
    };
    let offered = said_by(&mut reader, &source.id).await?;
    let copy = match &offer.post_id {
        Some(copy) => said_by(&mut reader, copy).await?,
        None => Vec::new(),
    };
    Ok(OfferDiff {
        languages: languages(&offer, &offered, &copy),
        offer_id: offer.id,
        base_revision: offer.base_revision,
        revision: source.revision,
    })
}

fn languages(offer: &Offer, offered: &[Variant], copy: &[Variant]) -> Vec<LanguageDiff> {
    let named: BTreeSet<&String> =
        offer.base.keys().chain(offered.iter().map(|one| &one.language)).collect();
    let (nothing, mut work) = (Content::default(), Work::default());
    let mut found = Vec::new();
    for language in named {
        let was = offer.base.get(language);
        let is = offered.iter().find(|one| one.language == *language).map(|one| &one.content);
        if was == is {
            continue;
        }
        let mine = copy.iter().find(|one| one.language == *language).map(|one| &one.content);
        let (before, after) = (fields(was.unwrap_or(&nothing)), fields(is.unwrap_or(&nothing)));
        let changed = before.into_iter().zip(after).filter(|((_, was), (_, is))| was != is);
        let fields = changed
            .map(|((field, was), (_, is))| FieldDiff {
                field,
                pieces: compare(&was, &is, &mut work),
            })
            .collect();
        found.push(LanguageDiff {
            language: language.clone(),
            own: mine.is_some_and(|mine| Some(mine) != was),
            fields,
        });
    }
    found
}

/// Each field as a text that can be compared.
fn fields(content: &Content) -> [(Field, String); 4] {
    let thread = content.thread.iter().map(|piece| piece.text.as_str());
    let text: Vec<&str> = std::iter::once(content.text.as_str()).chain(thread).collect();
    let all = content.media.iter().chain(content.thread.iter().flat_map(|piece| &piece.media));
    let line = |one: &ContentMedia| format!("{} {}\n", one.media_id, one.alt);
    [
        (Field::Text, text.join("\n\n")),
        (Field::Link, content.link.clone().unwrap_or_default()),
        (Field::Media, all.map(line).collect()),
        (Field::FirstComment, content.first_comment.clone().unwrap_or_default()),
    ]
}
