//! Translations: how far a variant is on its way from the source, and whether the source has changed since.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::id::PersonId;
use super::variant::{Variant, VariantDraft};
use super::words;

words! {
    /// Where a variant stands.
    VariantStatus {
        /// Wanted, and nobody has written it. Never kept.
        Missing = "missing",
        /// Somebody has written it.
        Draft = "draft",
        /// A machine has made it, and nobody has looked at it.
        Machine = "machine",
        /// Somebody is translating it.
        InTranslation = "in_translation",
        /// Somebody is going over it.
        InEditing = "in_editing",
        /// Somebody other than its translator has found it right.
        Proofed = "proofed",
        /// Everybody has approved the post who must. Never kept: it is asked whenever it is shown.
        Approved = "approved",
    }
}

impl VariantStatus {
    /// Whether it may go out: nothing that only a machine has read, nor what somebody is at work on.
    pub const fn goes_out(self) -> bool {
        match self {
            Self::Draft | Self::Proofed | Self::Approved => true,
            Self::Missing | Self::Machine | Self::InTranslation | Self::InEditing => false,
        }
    }

    /// Where it stands when its text is changed. What a machine has made is not a person's for a word that
    /// one has put right.
    const fn rewritten(self) -> Self {
        match self {
            Self::Missing | Self::Draft | Self::Approved => Self::Draft,
            Self::Machine => Self::Machine,
            Self::InTranslation => Self::InTranslation,
            Self::InEditing | Self::Proofed => Self::InEditing,
        }
    }

    /// Whether somebody may say that it stands there next. From what is under way only proofing leads out.
    pub fn may_become(self, next: Self) -> bool {
        match next {
            Self::Missing | Self::Draft | Self::Approved => false,
            Self::Machine => self == Self::Draft,
            Self::InTranslation | Self::InEditing => true,
            Self::Proofed => self != Self::Proofed,
        }
    }
}

/// How a variant came from the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// How far it is.
    pub status: VariantStatus,
    /// The revision in which the source had got what this was made from.
    pub made_from: i64,
    /// The content hash of that.
    pub source_hash: String,
    /// Who has translated it, or took that on.
    pub translator: Option<PersonId>,
    /// Who has gone over it, or took that on.
    pub editor: Option<PersonId>,
}

impl Translation {
    /// Of what is written and made from nothing else: the source itself.
    pub fn source(revision: i64, content_hash: &str) -> Self {
        Self {
            status: VariantStatus::Draft,
            made_from: revision,
            source_hash: content_hash.to_owned(),
            translator: None,
            editor: None,
        }
    }

    /// It agrees with this source.
    pub fn follow(&mut self, source: &Variant) {
        self.made_from = source.revision;
        self.source_hash.clone_from(&source.content_hash);
    }
}

impl Variant {
    /// Whether the source says something else by now than what this was made from.
    pub fn is_stale(&self, source: Option<&Self>) -> bool {
        source.is_some_and(|source| source.content_hash != self.translation.source_hash)
    }
}

/// The variant in this language.
pub fn of<'a>(variants: &'a [Variant], language: &str) -> Option<&'a Variant> {
    variants.iter().find(|one| one.language == language)
}

/// The languages whose variants are stale.
pub fn stale<'a>(variants: &'a [Variant], source_language: &str) -> Vec<&'a str> {
    let source = of(variants, source_language);
    let stale = variants.iter().filter(|one| one.is_stale(source));
    stale.map(|one| one.language.as_str()).collect()
}

/// What somebody says of a text besides what is in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said {
    machine: bool,
    made_from: Option<i64>,
}

/// What is said of each of the drafts, in order.
pub fn said(drafts: &[VariantDraft]) -> Vec<Said> {
    let one = |it: &VariantDraft| Said { machine: it.machine, made_from: it.made_from };
    drafts.iter().map(one).collect()
}

/// Texts of a post that may not go out before they are proofed, by language and content hash.
pub type Unproofed = BTreeMap<(String, String), VariantStatus>;

/// A post before somebody writes to it.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// Its variants.
    pub variants: &'a [Variant],
    /// The language of its source.
    pub source_language: &'a str,
    /// Its texts that are not proofed.
    pub unproofed: &'a Unproofed,
}

/// Says of each variant after a change how it came from the source; what of that cannot be becomes a fault.
///
/// What was changed together with the source, or while it agreed with it, agrees with it. One that was
/// stale stays so, whatever else is mended in it, unless it is said which source it was made from.
pub fn carry(
    after: &mut [Variant],
    said: &[Said],
    source_language: &str,
    before: Before<'_>,
    me: &PersonId,
    faults: &mut Vec<Fault>,
) {
    let Some(source) = of(after, source_language).cloned() else { return };
    let former = of(before.variants, before.source_language);
    for (place, one) in after.iter_mut().enumerate() {
        let said = said.get(place).copied().unwrap_or_default();
        let pointer = format!("/variants/{place}");
        let old = of(before.variants, &one.language);
        if one.language == source_language {
            becomes_source(one, old, (said, before.unproofed), &pointer, faults);
            continue;
        }
        let same = old.filter(|old| old.content_hash == one.content_hash);
        if let Some(same) = same {
            one.translation = same.translation.clone();
        } else {
            one.translation = anew(one, old, (former, &source), before.unproofed, me);
        }
        if said.machine {
            one.translation.status = VariantStatus::Machine;
            // Whoever wrote these very words does not proof them by calling them a machine's.
            if same.is_none() {
                one.translation.translator = None;
            }
        }
        if let Some(revision) = said.made_from {
            made_from(one, revision, (former, &source), &pointer, faults);
        }
    }
}

/// The source is written, and made from nothing.
fn becomes_source(
    one: &mut Variant,
    old: Option<&Variant>,
    (said, unproofed): (Said, &Unproofed),
    pointer: &str,
    faults: &mut Vec<Fault>,
) {
    one.translation = Translation::source(one.revision, &one.content_hash);
    if said.machine || said.made_from.is_some() {
        let detail = "this is the source: it is written, and made from no other variant";
        let member = if said.machine { "machine" } else { "made_from" };
        faults.push(Fault::new(format!("{pointer}/{member}"), "source_not_translated", detail));
    }
    let barred = unproofed.contains_key(&(one.language.clone(), one.content_hash.clone()));
    if barred || old.is_some_and(|old| !old.translation.status.goes_out()) {
        let detail = "what nobody has proofed cannot be what others are made from";
        faults.push(Fault::new("/source_language", "source_not_proofed", detail));
    }
}

/// A new text in a language.
fn anew(
    one: &Variant,
    old: Option<&Variant>,
    (former, source): (Option<&Variant>, &Variant),
    unproofed: &Unproofed,
    me: &PersonId,
) -> Translation {
    let agrees = old.is_none_or(|old| !old.is_stale(former));
    let together = former.is_none_or(|former| former.content_hash != source.content_hash);
    let mut next = match old {
        Some(old) => old.translation.clone(),
        None => Translation::source(0, ""),
    };
    if agrees || together {
        next.follow(source);
    }
    let known = unproofed.get(&(one.language.clone(), one.content_hash.clone()));
    // What was taken away and is written again with another word is no more a person's than before.
    let before = || unproofed.iter().find(|((language, _), _)| *language == one.language);
    let before = if old.is_none() { before().map(|(_, status)| status) } else { None };
    let known = known.or(before).copied();
    next.status = known.unwrap_or_else(|| next.status.rewritten());
    match next.status {
        VariantStatus::InEditing => {
            next.editor = Some(me.clone());
            if old.is_none() {
                next.translator = Some(me.clone());
            }
        }
        VariantStatus::Machine => {}
        VariantStatus::Missing
        | VariantStatus::Draft
        | VariantStatus::InTranslation
        | VariantStatus::Proofed
        | VariantStatus::Approved => next.translator = Some(me.clone()),
    }
    next
}

/// It is said from which revision of the source it was made: the one that whoever says so has read.
fn made_from(
    one: &mut Variant,
    revision: i64,
    (former, source): (Option<&Variant>, &Variant),
    pointer: &str,
    faults: &mut Vec<Fault>,
) {
    let read = former.unwrap_or(source);
    if revision != read.revision {
        let detail = format!("the source has revision {}: read it, and say that", read.revision);
        let fault = Fault::new(format!("{pointer}/made_from"), "source_changed", detail);
        faults.push(fault.with("revision", read.revision));
        return;
    }
    one.translation.follow(read);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::variant::Content;
    use super::*;

    fn me(number: u128) -> PersonId {
        PersonId::new(Timestamp::UNIX_EPOCH, number)
    }

    fn text(language: &str, text: &str, revision: i64) -> Variant {
        let content = Content { text: text.to_owned(), ..Content::default() };
        let content_hash = content.hash(language);
        let translation = Translation::source(revision, "");
        Variant { language: language.into(), content, content_hash, revision, translation }
    }

    fn carried(after: &[Variant], said: &[Said], before: &[Variant]) -> (Vec<Variant>, Vec<Fault>) {
        let (mut after, mut faults) = (after.to_vec(), Vec::new());
        let unproofed = Unproofed::new();
        let before = Before { variants: before, source_language: "vi", unproofed: &unproofed };
        carry(&mut after, said, "vi", before, &me(1), &mut faults);
        (after, faults)
    }

    #[test]
    fn a_change_of_the_source_makes_stale_what_was_not_changed_with_it() {
        let first = [text("vi", "một", 1), text("fr", "un", 1), text("en", "one", 1)];
        let (first, _) = carried(&first, &[], &[]);
        assert_eq!(stale(&first, "vi"), Vec::<&str>::new());
        let next = [text("vi", "hai", 2), first[1].clone(), text("en", "two", 2)];
        let (next, _) = carried(&next, &[], &first);
        assert_eq!(stale(&next, "vi"), ["fr"]);
        // A word put right is not another look at the source.
        let mended = [next[0].clone(), text("fr", "un.", 3), next[2].clone()];
        let (mended, _) = carried(&mended, &[], &next);
        assert_eq!((stale(&mended, "vi"), mended[1].translation.made_from), (vec!["fr"], 1));
        let said = [Said::default(), Said { machine: false, made_from: Some(2) }];
        let (anew, faults) = carried(&mended, &said, &next);
        assert_eq!((stale(&anew, "vi"), faults), (vec![], vec![]));
        let said = [Said::default(), Said { machine: false, made_from: Some(1) }];
        assert_eq!(carried(&mended, &said, &next).1[0].code, "source_changed");
        // What says again what it was made from is not stale any more.
        let (back, _) = carried(&[text("vi", "một", 4), next[1].clone()], &[], &next);
        assert_eq!(stale(&back, "vi"), Vec::<&str>::new());
        // Made from another language: nobody has compared them.
        let mut turned = first.clone();
        let unproofed = Unproofed::new();
        let before = Before { variants: &first, source_language: "vi", unproofed: &unproofed };
        carry(&mut turned, &[], "en", before, &me(1), &mut Vec::new());
        assert_eq!(stale(&turned, "en"), ["vi", "fr"]);
    }

    #[test]
    fn what_a_machine_made_stays_so_until_it_is_proofed() {
        let machine = [Said::default(), Said { machine: true, made_from: None }];
        let first = [text("vi", "một", 1), text("fr", "un", 1)];
        let (first, _) = carried(&first, &machine, &[]);
        assert_eq!(first[1].translation.status, VariantStatus::Machine);
        let (mended, _) = carried(&[first[0].clone(), text("fr", "une", 2)], &[], &first);
        assert_eq!(mended[1].translation.status, VariantStatus::Machine);
        // Taken away, and written again in the same words.
        let unproofed = Unproofed::from([(
            ("fr".into(), first[1].content_hash.clone()),
            VariantStatus::Machine,
        )]);
        let before = Before { variants: &first[..1], source_language: "vi", unproofed: &unproofed };
        // Or with another word, which is no look at the others.
        let mut other = vec![first[0].clone(), text("fr", "un.", 3)];
        carry(&mut other, &[], "vi", before, &me(1), &mut Vec::new());
        assert_eq!(other[1].translation.status, VariantStatus::Machine);
        // Nor can it become what others are made from.
        let (mut turned, mut faults) = (other.clone(), Vec::new());
        turned[1] = text("fr", "un", 3);
        carry(&mut turned, &[], "fr", before, &me(1), &mut faults);
        assert_eq!(faults[0].code, "source_not_proofed");
        let mut again = vec![first[0].clone(), text("fr", "un", 3)];
        carry(&mut again, &[], "vi", before, &me(1), &mut Vec::new());
        assert_eq!(again[1].translation.status, VariantStatus::Machine);
        let mut faults = Vec::new();
        let before = Before { variants: &first, ..before };
        carry(&mut first.clone(), &[], "fr", before, &me(1), &mut faults);
        assert_eq!(faults[0].code, "source_not_proofed");
        for status in VariantStatus::ALL {
            assert!(!status.may_become(VariantStatus::Draft), "{status}");
            assert!(status.goes_out() || *status != VariantStatus::Proofed, "{status}");
        }
        assert!(!VariantStatus::Machine.goes_out() && !VariantStatus::InEditing.goes_out());
    }
}
