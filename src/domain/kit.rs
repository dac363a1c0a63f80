//! Kits: a post that is offered to other units, what each may change in it, and what becomes of their copies
//! when it is corrected.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault::Fault;
use super::id::{CampaignId, KitId, OfferId, PersonId, PostId, UnitId};
use super::variant::{Content, ContentMedia, Variant};
use super::words;

/// The longest reason, in code points.
pub const MAX_REASON: usize = 1_000;
/// The most units to which one kit is offered.
pub const MOST_UNITS: usize = 500;

words! {
    /// What a unit may do with something in its copy.
    Rule {
        /// It has to say something of its own.
        Must = "must",
        /// It may.
        May = "may",
        /// It stays as it was offered.
        MustNot = "must_not",
    }
}

words! {
    /// What of a copy a rule is about.
    Field {
        /// What it says, in all parts of its thread; without its hashtags where those have changed.
        Text = "text",
        /// The link.
        Link = "link",
        /// Pictures and films, with what describes them.
        Media = "media",
        /// The hashtags in its text.
        Hashtags = "hashtags",
        /// What is said below it.
        FirstComment = "first_comment",
        /// When it goes out.
        Time = "time",
    }
}

words! {
    /// How a unit has answered.
    OfferState {
        /// Not yet.
        Offered = "offered",
        /// It has a copy that says what was offered.
        Accepted = "accepted",
        /// It has a copy that says something else.
        Adapted = "adapted",
        /// It does not want it.
        Declined = "declined",
    }
}

/// What units may change, field by field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// What it says.
    pub text: Rule,
    /// The link.
    pub link: Rule,
    /// Pictures and films.
    pub media: Rule,
    /// The hashtags in its text.
    pub hashtags: Rule,
    /// What is said below it.
    pub first_comment: Rule,
    /// When it goes out: other than `local`.
    pub time: Rule,
}

impl Default for Rules {
    fn default() -> Self {
        let may = Rule::May;
        Self { text: may, link: may, media: may, hashtags: may, first_comment: may, time: may }
    }
}

impl Rules {
    /// The rule for a field.
    pub const fn of(&self, field: Field) -> Rule {
        match field {
            Field::Text => self.text,
            Field::Link => self.link,
            Field::Media => self.media,
            Field::Hashtags => self.hashtags,
            Field::FirstComment => self.first_comment,
            Field::Time => self.time,
        }
    }
}

/// A time on the wall of whatever account a copy goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KitTime {
    /// `2026-09-02`.
    pub date: Date,
    /// `09:00` or `09:00:30`.
    #[schema(value_type = String)]
    pub time: Time,
}

/// A post that is offered to other units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kit {
    /// Its id.
    pub id: KitId,
    /// The campaign that it is part of.
    pub campaign_id: CampaignId,
    /// The post.
    pub post_id: PostId,
    /// What may be changed.
    pub fields: Rules,
    /// When it should go out.
    pub local: Option<KitTime>,
    /// Until when units should answer.
    pub answer_by: Option<Timestamp>,
    /// Who offered it.
    pub created_by: PersonId,
    /// When.
    pub created_at: Timestamp,
}

/// A kit as one unit was offered it, and what it has made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// What is offered.
    pub kit: Kit,
    /// To whom.
    pub unit_id: UnitId,
    /// How it has answered.
    pub state: OfferState,
    /// Its copy.
    pub post_id: Option<PostId>,
    /// The revision of the offered post that the copy was made of, or follows.
    pub base_revision: Option<i64>,
    /// What that said, by language.
    pub base: BTreeMap<String, Content>,
    /// Why it was declined.
    pub reason: Option<String>,
    /// Who answered.
    pub answered_by: Option<PersonId>,
    /// When.
    pub answered_at: Option<Timestamp>,
    /// When it was offered.
    pub created_at: Timestamp,
}

impl Offer {
    /// Whether an answer is missing although it should be there.
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.state == OfferState::Offered && self.kit.answer_by.is_some_and(|by| by <= now)
    }

    /// How the copy stands to what it was made of. A language that the unit does not use changes nothing.
    pub fn standing(&self, copy: &[Variant]) -> OfferState {
        let same = |one: &Variant| self.base.get(&one.language) == Some(&one.content);
        if copy.iter().all(same) { OfferState::Accepted } else { OfferState::Adapted }
    }

    /// What must not be said otherwise and is, of a copy as it would be.
    pub fn check(&self, copy: &[Variant]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (place, one) in copy.iter().enumerate() {
            let Some(base) = self.base.get(&one.language) else { continue };
            for field in changes(base, &one.content) {
                if self.kit.fields.of(field) == Rule::MustNot {
                    let pointer = format!("/variants/{place}/{}", place_of(field));
                    let detail = format!("the {field} is offered as it is: units do not change it");
                    faults.push(Fault::new(pointer, "kit_fixed", detail).with("field", field));
                }
            }
        }
        faults
    }

    /// What has to be said otherwise in a language and is not yet.
    pub fn unchanged(&self, copy: &Variant) -> Vec<Field> {
        let Some(base) = self.base.get(&copy.language) else { return Vec::new() };
        let changed = changes(base, &copy.content);
        let wanted = |field: &&Field| {
            **field != Field::Time
                && self.kit.fields.of(**field) == Rule::Must
                && !changed.contains(*field)
        };
        Field::ALL.iter().filter(wanted).copied().collect()
    }
}

/// Where a field of a variant stands.
const fn place_of(field: Field) -> &'static str {
    match field {
        Field::Text | Field::Hashtags => "text",
        Field::Link => "link",
        Field::Media => "media",
        Field::FirstComment => "first_comment",
        Field::Time => "",
    }
}

/// What differs between two contents.
pub fn changes(before: &Content, after: &Content) -> BTreeSet<Field> {
    let mut changed = BTreeSet::new();
    let ([text, tags], [new_text, new_tags]) = (words_of(before), words_of(after));
    if tags != new_tags {
        changed.insert(Field::Hashtags);
    }
    // Where the hashtags are others, the words between them count; where they are not, every sign does.
    let same = if tags == new_tags { texts(before) == texts(after) } else { text == new_text };
    if !same {
        changed.insert(Field::Text);
    }
    if before.link != after.link {
        changed.insert(Field::Link);
    }
    if media(before) != media(after) {
        changed.insert(Field::Media);
    }
    if before.first_comment != after.first_comment {
        changed.insert(Field::FirstComment);
    }
    changed
}

fn texts(content: &Content) -> Vec<&str> {
    let thread = content.thread.iter().map(|piece| piece.text.as_str());
    std::iter::once(content.text.as_str()).chain(thread).collect()
}

fn media(content: &Content) -> Vec<&[ContentMedia]> {
    let thread = content.thread.iter().map(|piece| piece.media.as_slice());
    std::iter::once(content.media.as_slice()).chain(thread).collect()
}

/// The words of a text, and its hashtags.
fn words_of(content: &Content) -> [Vec<&str>; 2] {
    let words = texts(content).into_iter().flat_map(str::split_whitespace);
    let (mut tags, plain): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with('#'));
    tags.sort_unstable();
    tags.dedup();
    [plain, tags]
}

/// What a copy says once it has taken over what has changed between `base` and `now`: whatever the unit has said
/// otherwise stays as it said it.
pub fn merge(
    base: &BTreeMap<String, Content>,
    now: &[Variant],
    copy: &[Variant],
    source_language: &str,
) -> Vec<(String, Content)> {
    let newest = |language: &str| now.iter().find(|one| one.language == language);
    let mut merged = Vec::new();
    for mine in copy {
        let language = mine.language.clone();
        match (base.get(&language), newest(&language)) {
            (Some(was), Some(is)) => {
                merged.push((language, merge_one(was, &is.content, &mine.content)));
            }
            // Not offered any more, and nobody here has changed it.
            (Some(was), None) if *was == mine.content && language != source_language => {}
            (Some(_) | None, None) | (None, Some(_)) => {
                merged.push((language, mine.content.clone()));
            }
        }
    }
    let new = |one: &&Variant| {
        // One that was offered before and is not in the copy is not wanted there.
        !base.contains_key(&one.language) && copy.iter().all(|mine| mine.language != one.language)
    };
    merged.extend(now.iter().filter(new).map(|one| (one.language.clone(), one.content.clone())));
    merged
}

fn merge_one(was: &Content, is: &Content, mine: &Content) -> Content {
    fn pick<T: Clone + PartialEq>(was: &T, is: &T, mine: &T) -> T {
        if mine == was { is.clone() } else { mine.clone() }
    }
    let said = |it: &Content| (it.text.clone(), it.thread.clone());
    let (text, thread) = pick(&said(was), &said(is), &said(mine));
    Content {
        text,
        thread,
        link: pick(&was.link, &is.link, &mine.link),
        media: pick(&was.media, &is.media, &mine.media),
        first_comment: pick(&was.first_comment, &is.first_comment, &mine.first_comment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::translation::Translation;

    fn says(text: &str) -> Content {
        Content { text: text.into(), ..Content::default() }
    }

    fn variant(language: &str, content: Content) -> Variant {
        let content_hash = content.hash(language);
        let translation = Translation::source(1, &content_hash);
        Variant { language: language.into(), content, content_hash, revision: 1, translation }
    }

    fn offer(fields: Rules) -> Offer {
        let now = Timestamp::UNIX_EPOCH;
        let kit = Kit {
            id: KitId::new(now, 1),
            campaign_id: CampaignId::new(now, 1),
            post_id: PostId::new(now, 1),
            fields,
            local: None,
            answer_by: Some(now),
            created_by: PersonId::new(now, 1),
            created_at: now,
        };
        Offer {
            id: OfferId::new(now, 1),
            kit,
            unit_id: UnitId::new(now, 1),
            state: OfferState::Offered,
            post_id: None,
            base_revision: Some(1),
            base: [("vi".to_owned(), says("Quốc khánh #VN")), ("en".to_owned(), says("Day #VN"))]
                .into(),
            reason: None,
            answered_by: None,
            answered_at: None,
            created_at: now,
        }
    }

    #[test]
    fn hashtags_and_the_words_between_them_are_told_apart() {
        let all = |before: &str, after: &str| {
            changes(&says(before), &says(after)).into_iter().map(Field::as_str).collect::<Vec<_>>()
        };
        assert_eq!(all("a #b", "a #b"), [""; 0]);
        assert_eq!(all("a #b", "a #b #c"), ["hashtags"]);
        assert_eq!(all("a #b", "d #b"), ["text"]);
        assert_eq!(all("a #b", "a\n#b"), ["text"]);
        assert_eq!(all("a #b", "d"), ["text", "hashtags"]);
    }

    #[test]
    fn what_is_fixed_stays_and_what_must_change_is_missed() {
        let fields = Rules { text: Rule::MustNot, hashtags: Rule::Must, ..Rules::default() };
        let offer = offer(fields);
        let codes = |copy: &[Variant]| {
            offer.check(copy).into_iter().map(|it| (it.pointer, it.code)).collect::<Vec<_>>()
        };
        let own = variant("vi", says("Quốc khánh #VN #Paris"));
        let new = variant("fr", says("Fête nationale"));
        assert_eq!(codes(&[new.clone(), own.clone()]), []);
        let other = variant("vi", says("Lễ #VN"));
        assert_eq!(codes(&[new, other.clone()]), [("/variants/1/text".to_owned(), "kit_fixed")]);
        assert_eq!(offer.unchanged(&own), []);
        assert_eq!(offer.unchanged(&other), [Field::Hashtags]);
        assert!(offer.is_late(Timestamp::UNIX_EPOCH));
        assert_eq!(offer.standing(&[variant("en", says("Day #VN"))]), OfferState::Accepted);
        assert_eq!(offer.standing(&[own]), OfferState::Adapted);
    }

    #[test]
    fn a_copy_takes_over_what_its_unit_has_not_changed() {
        let base: BTreeMap<String, Content> =
            [("vi", says("một")), ("en", says("one")), ("fr", says("un")), ("de", says("eins"))]
                .map(|(language, content)| (language.to_owned(), content))
                .into();
        let now = [
            variant("vi", Content { link: Some("https://a.vn/".into()), ..says("hai") }),
            variant("en", says("two")),
            variant("de", says("zwei")),
            variant("ja", says("二")),
        ];
        // English is the unit's own, German was left out, French is not offered any more.
        let copy = [
            variant("vi", says("một")),
            variant("en", says("our one")),
            variant("fr", says("un")),
            variant("lo", says("ໜຶ່ງ")),
        ];
        let merged = merge(&base, &now, &copy, "vi");
        let brief: Vec<(&str, &str)> =
            merged.iter().map(|(language, it)| (language.as_str(), it.text.as_str())).collect();
        assert_eq!(brief, [("vi", "hai"), ("en", "our one"), ("lo", "ໜຶ່ງ"), ("ja", "二")]);
        assert_eq!(merged[0].1.link.as_deref(), Some("https://a.vn/"));
    }
}
