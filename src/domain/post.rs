//! Posts: one thing to say, in several languages, with a revision that every change of it raises.

use jiff::Timestamp;
use serde::Serialize;

use super::class::Class;
use super::fault::Fault;
use super::id::{PostId, UnitId};
use super::locale;
use super::variant::{self, Variant, VariantDraft};

/// The longest title, in code points.
pub const MAX_TITLE: usize = 200;
/// The most languages of one post.
pub const MAX_VARIANTS: usize = 30;
/// The most labels of one post.
pub const MAX_LABELS: usize = 20;
/// The longest label, in code points.
pub const MAX_LABEL: usize = 60;
/// The longest name of a campaign's id, in bytes.
const MAX_CAMPAIGN: usize = 64;

/// A post as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostDraft {
    /// The campaign it belongs to.
    pub campaign_id: Option<String>,
    /// For the desk only; never published.
    pub title: String,
    /// How urgent it is.
    pub class: Class,
    /// The language it was written in first.
    pub source_language: String,
    /// One for each language.
    pub variants: Vec<VariantDraft>,
    /// The languages in which it is wanted.
    pub wanted_languages: Vec<String>,
    /// Words to find it by.
    pub labels: Vec<String>,
}

/// A post as it is kept, without its variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its id.
    pub id: PostId,
    /// The unit that answers for it.
    pub unit_id: UnitId,
    /// The campaign it belongs to.
    pub campaign_id: Option<String>,
    /// For the desk only.
    pub title: String,
    /// How urgent it is.
    pub class: Class,
    /// The language it was written in first.
    pub source_language: String,
    /// The languages in which it is wanted.
    pub wanted_languages: Vec<String>,
    /// Words to find it by.
    pub labels: Vec<String>,
    /// Raised by every change.
    pub revision: i64,
    /// Names everything that its readers would see, in all languages.
    pub content_hash: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl PostDraft {
    /// Brings the draft into its one form and names every fault at once.
    pub fn settle(self) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let title = variant::clean(&self.title, MAX_TITLE, false, "/title", &mut faults);
        if title.is_empty() {
            faults.push(Fault::new("/title", "blank", "a post needs a title"));
        }
        let campaign_id = self.campaign_id.inspect(|campaign| {
            if !campaign_id(campaign) {
                let detail = "must be the id of a campaign";
                faults.push(Fault::new("/campaign_id", "bad_campaign", detail));
            }
        });
        let source_language = variant::language(&self.source_language).unwrap_or_else(|| {
            let detail = "must be a language tag such as vi, en or zh-Hans";
            faults.push(
                Fault::new("/source_language", "bad_language", detail)
                    .with("value", locale::quoted(&self.source_language)),
            );
            self.source_language.clone()
        });
        let labels = labels(&self.labels, &mut faults);
        let wanted_languages = wanted(&self.wanted_languages, &mut faults);
        let variants = variants(self.variants, &source_language, &mut faults);
        if faults.is_empty() {
            let class = self.class;
            Ok(Self {
                campaign_id,
                title,
                class,
                source_language,
                variants,
                wanted_languages,
                labels,
            })
        } else {
            Err(faults)
        }
    }
}

/// Whether the text has the form of a campaign's id.
pub(crate) fn campaign_id(text: &str) -> bool {
    text.starts_with("camp_")
        && text.len() <= MAX_CAMPAIGN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn labels(raw: &[String], faults: &mut Vec<Fault>) -> Vec<String> {
    if raw.len() > MAX_LABELS {
        faults.push(
            Fault::new("/labels", "too_many", format!("at most {MAX_LABELS} labels"))
                .with("max", MAX_LABELS),
        );
    }
    let mut labels: Vec<String> = Vec::with_capacity(raw.len());
    for (place, label) in raw.iter().enumerate() {
        let pointer = format!("/labels/{place}");
        let label = variant::clean(label, MAX_LABEL, false, &pointer, faults);
        if label.is_empty() {
            faults.push(Fault::new(pointer, "blank", "a label must not be empty"));
        } else if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// Languages in their one spelling, each once.
fn wanted(raw: &[String], faults: &mut Vec<Fault>) -> Vec<String> {
    if raw.len() > MAX_VARIANTS {
        let detail = format!("at most {MAX_VARIANTS} languages");
        faults.push(Fault::new("/wanted_languages", "too_many", detail).with("max", MAX_VARIANTS));
        return Vec::new();
    }
    let mut wanted: Vec<String> = Vec::with_capacity(raw.len());
    for (place, tag) in raw.iter().enumerate() {
        match variant::language(tag) {
            Some(tag) if wanted.contains(&tag) => {}
            Some(tag) => wanted.push(tag),
            None => {
                let detail = "must be a language tag such as vi, en or zh-Hans";
                let fault =
                    Fault::new(format!("/wanted_languages/{place}"), "bad_language", detail);
                faults.push(fault.with("value", locale::quoted(tag)));
            }
        }
    }
    wanted
}

fn variants(
    raw: Vec<VariantDraft>,
    source_language: &str,
    faults: &mut Vec<Fault>,
) -> Vec<VariantDraft> {
    if raw.len() > MAX_VARIANTS {
        let detail = format!("at most {MAX_VARIANTS} languages");
        faults.push(Fault::new("/variants", "too_many", detail).with("max", MAX_VARIANTS));
        return Vec::new();
    }
    let mut variants: Vec<VariantDraft> = Vec::with_capacity(raw.len());
    for (place, one) in raw.into_iter().enumerate() {
        let one = one.settle(&format!("/variants/{place}"), faults);
        if variants.iter().any(|other| other.language == one.language) {
            let detail = format!("{} has a variant already", one.language);
            faults.push(
                Fault::new(format!("/variants/{place}/language"), "repeated", detail)
                    .with("value", &one.language),
            );
        }
        variants.push(one);
    }
    if !variants.iter().any(|one| one.language == source_language) {
        let detail = format!("there must be a variant in the source language {source_language}");
        faults.push(
            Fault::new("/variants", "source_language_missing", detail)
                .with("language", source_language),
        );
    }
    variants
}

/// The hash of a post: over its class, its source language and the hash of each variant. Title and
/// labels are not in it, since no reader sees them.
pub fn content_hash<'a>(
    class: Class,
    source_language: &str,
    variants: impl IntoIterator<Item = &'a Variant>,
) -> String {
    #[derive(Serialize)]
    struct Canonical<'a> {
        class: Class,
        source_language: &'a str,
        variants: Vec<(&'a str, &'a str)>,
    }
    let mut variants: Vec<(&str, &str)> = variants
        .into_iter()
        .map(|one| (one.language.as_str(), one.content_hash.as_str()))
        .collect();
    // The order in which an editor shows the languages does not change what is said.
    variants.sort_unstable();
    let canonical = Canonical { class, source_language, variants };
    variant::sha256_hex(&serde_json::to_vec(&canonical).unwrap_or_default())
}

/// The language in which a post goes to an account: the first of the account's languages that the
/// post has.
pub fn language_for<'a>(
    account_languages: impl IntoIterator<Item = &'a str>,
    variants: &[Variant],
) -> Option<&'a str> {
    account_languages
        .into_iter()
        .find(|&wanted| variants.iter().any(|variant| variant.language == wanted))
}

#[cfg(test)]
mod tests {
    use super::super::translation::Translation;
    use super::super::variant::Content;
    use super::*;

    fn draft() -> PostDraft {
        let variant = |language: &str| VariantDraft {
            language: language.into(),
            text: "Xin chào".into(),
            ..VariantDraft::default()
        };
        PostDraft {
            campaign_id: None,
            title: " Quốc khánh ".into(),
            class: Class::Routine,
            source_language: "VI".into(),
            variants: vec![variant("vi"), variant("zh-hans")],
            wanted_languages: vec!["FR".into(), "fr".into()],
            labels: vec!["lễ".into(), "lễ ".into()],
        }
    }

    fn kept(language: &str, hash: &str) -> Variant {
        Variant {
            language: language.into(),
            content: Content::default(),
            content_hash: hash.into(),
            revision: 1,
            translation: Translation::source(1, hash),
        }
    }

    #[test]
    fn a_draft_is_brought_into_one_form() {
        let settled = draft().settle().unwrap();
        assert_eq!(settled.title, "Quốc khánh");
        assert_eq!(settled.source_language, "vi");
        assert_eq!(settled.variants[1].language, "zh-Hans");
        assert_eq!(settled.labels, ["lễ"]);
        assert_eq!(settled.wanted_languages, ["fr"]);
    }

    #[test]
    fn all_faults_of_a_post_are_named_at_once() {
        let mut bad = draft();
        bad.title = "\n".into();
        bad.campaign_id = Some("camp_../x".into());
        bad.variants[1].language = "vi".into();
        bad.source_language = "fr".into();
        bad.labels = vec![" ".into()];
        let found: Vec<_> =
            bad.settle().unwrap_err().into_iter().map(|it| (it.pointer, it.code)).collect();
        let expected = [
            ("/title", "blank"),
            ("/campaign_id", "bad_campaign"),
            ("/labels/0", "blank"),
            ("/variants/1/language", "repeated"),
            ("/variants", "source_language_missing"),
        ];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn the_hash_of_a_post_follows_its_variants_and_not_their_order() {
        let (vi, en, other) = (kept("vi", "1"), kept("en", "2"), kept("en", "3"));
        let hash = |variants: [&Variant; 2]| content_hash(Class::Routine, "vi", variants);
        assert_eq!(hash([&vi, &en]), hash([&en, &vi]));
        assert_ne!(hash([&vi, &en]), hash([&vi, &other]));
        assert_ne!(hash([&vi, &en]), content_hash(Class::Urgent, "vi", [&vi, &en]));
    }

    #[test]
    fn an_account_gets_its_first_language_that_the_post_has() {
        let variants = [kept("vi", "1"), kept("en", "2")];
        assert_eq!(language_for(["fr", "en", "vi"], &variants), Some("en"));
        assert_eq!(language_for(["fr"], &variants), None);
    }
}
