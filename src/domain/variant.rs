//! A post in one language: what it says, brought to one form, and the hash that names its content.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::fault::Fault;
use super::id::MediaId;
use super::locale;
use super::media::{MediaKind, MovingFacts};
use super::parts::{self, Piece, PieceDraft};
use super::text::{self, Language};
use super::translation::Translation;

/// The longest text that is kept, in code points; the longest that any platform takes is 63,206.
pub const MAX_TEXT: usize = 100_000;
/// The longest alternative text that is kept, in code points; platforms may allow less.
pub const MAX_ALT: usize = 2_000;
/// The longest link, in bytes.
pub const MAX_LINK: usize = 2_048;
/// The most pictures of one variant; platforms may allow fewer.
pub const MAX_MEDIA: usize = 20;

/// A variant as somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantDraft {
    /// BCP 47 tag.
    pub language: String,
    /// The text; may be empty when there is media.
    pub text: String,
    /// A link to show as a card or to append.
    pub link: Option<String>,
    /// Pictures, in order.
    pub media: Vec<MediaUse>,
    /// What follows as a thread.
    pub thread: Vec<PieceDraft>,
    /// What is said below it at once.
    pub first_comment: Option<String>,
    /// A machine has made it.
    pub machine: bool,
    /// The revision of the source that it was made from, if that is said.
    pub made_from: Option<i64>,
}

/// A picture as a variant uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaUse {
    /// Which file.
    pub media_id: MediaId,
    /// Alternative text in the variant's language.
    pub alt: String,
}

/// What a variant says, in its one form, with all that is needed to publish it. A delivery carries
/// a copy of this as it was scheduled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// NFC, lines ended by `\n`; may be empty when there is media.
    pub text: String,
    /// A link to show as a card or to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Pictures, in order.
    pub media: Vec<ContentMedia>,
    /// What follows as a thread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thread: Vec<Piece>,
    /// What is said below it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_comment: Option<String>,
}

/// One picture of a [`Content`]; the file itself is found by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentMedia {
    /// Which upload.
    pub media_id: MediaId,
    /// Lower-case hexadecimal SHA-256 of the file.
    pub sha256: String,
    /// What kind of file it is.
    #[serde(default = "image", skip_serializing_if = "MediaKind::is_image")]
    pub kind: MediaKind,
    /// Sniffed type.
    pub mime: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// Alternative text; may be empty.
    pub alt: String,
    /// What only moving pictures have; left out for still ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<MovingFacts>,
}

/// What was scheduled before other kinds were known.
fn image() -> MediaKind {
    MediaKind::Image
}

/// What the hash covers: everything that a reader at the platform sees, in every part, and nothing
/// besides. The order of the fields is the order of the canonical bytes: never change it. What has one
/// part has the bytes that it had before there were several.
#[derive(Serialize)]
struct Canonical<'a> {
    language: &'a str,
    text: &'a str,
    link: Option<&'a str>,
    media: Vec<CanonicalMedia<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thread: Vec<CanonicalPiece<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_comment: Option<&'a str>,
}

#[derive(Serialize)]
struct CanonicalPiece<'a> {
    text: &'a str,
    media: Vec<CanonicalMedia<'a>>,
}

#[derive(Serialize)]
struct CanonicalMedia<'a> {
    sha256: &'a str,
    alt: &'a str,
}

impl Content {
    /// Lower-case hexadecimal SHA-256 over the canonical bytes of this content in `language`.
    pub fn hash(&self, language: &str) -> String {
        let canonical = Canonical {
            language,
            text: &self.text,
            link: self.link.as_deref(),
            media: canonical(&self.media),
            thread: self.thread.iter().map(canonical_piece).collect(),
            first_comment: self.first_comment.as_deref(),
        };
        // Texts and lists of texts always have a JSON form.
        let bytes = serde_json::to_vec(&canonical).unwrap_or_default();
        sha256_hex(&bytes)
    }

    /// Whether it shows a film.
    pub fn has_film(&self) -> bool {
        self.media.iter().any(|one| one.kind == MediaKind::Video)
    }

    /// The text and the link as one, as the look for doubles compares them.
    pub fn text_and_link(&self) -> String {
        match &self.link {
            Some(link) if self.text.is_empty() => link.clone(),
            Some(link) => format!("{}\n{link}", self.text),
            None => self.text.clone(),
        }
    }
}

fn canonical(media: &[ContentMedia]) -> Vec<CanonicalMedia<'_>> {
    media.iter().map(|one| CanonicalMedia { sha256: &one.sha256, alt: &one.alt }).collect()
}

fn canonical_piece(piece: &Piece) -> CanonicalPiece<'_> {
    CanonicalPiece { text: &piece.text, media: canonical(&piece.media) }
}

/// Lower-case hexadecimal SHA-256.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Takes a language tag into its one spelling (`VI-vn` is `vi-VN`).
pub fn language(tag: &str) -> Option<String> {
    tag.parse::<Language>().ok().map(|tag| tag.as_str().to_owned())
}

/// The same text to the same account is refused for this long, unless it is meant.
pub const REPEAT_WINDOW: Duration = Duration::from_hours(24);

/// The hash by which the same text to the same account is noticed; without a text and a link it is
/// the pictures that are the same or not.
pub fn text_hash(content: &Content) -> String {
    let mut text = text::normalised(&content.text_and_link());
    if text.is_empty() {
        for one in &content.media {
            text.push_str(&one.sha256);
            text.push('\n');
        }
    }
    sha256_hex(text.as_bytes())
}

/// Brings text into its one form: NFC, lines ended by `\n`, no blank ends; or says why it cannot be
/// kept.
pub(crate) fn clean(
    raw: &str,
    max: usize,
    lines: bool,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> String {
    let text = text::nfc(&raw.replace("\r\n", "\n").replace('\r', "\n"));
    let text = text.trim().to_owned();
    let allowed = |c: char| !c.is_control() || (lines && matches!(c, '\n' | '\t'));
    if !text.chars().all(allowed) {
        faults.push(Fault::new(
            pointer,
            if lines { "text_control_character" } else { "control_character" },
            "must not contain control characters",
        ));
    }
    let count = text.chars().count();
    if count > max {
        let detail = format!("has {count} characters, at most {max} are kept");
        faults.push(Fault::new(pointer, "too_long", detail).with("count", count).with("max", max));
    }
    text
}

impl VariantDraft {
    /// Brings the draft into its one form and notes every fault, each below `pointer`.
    #[must_use]
    pub fn settle(self, pointer: &str, faults: &mut Vec<Fault>) -> Self {
        let language = language(&self.language).unwrap_or_else(|| {
            let detail = "must be a language tag such as vi, en or zh-Hans";
            let fault = Fault::new(format!("{pointer}/language"), "bad_language", detail);
            faults.push(fault.with("value", locale::quoted(&self.language)));
            self.language.clone()
        });
        let text = clean(&self.text, MAX_TEXT, true, &format!("{pointer}/text"), faults);
        let link = self.link.and_then(|raw| link(&raw, &format!("{pointer}/link"), faults));
        let media = pictures(self.media, pointer, faults);
        if text.is_empty() && link.is_none() && media.is_empty() {
            let detail = "a variant needs a text, a link or a picture";
            faults.push(Fault::new(format!("{pointer}/text"), "blank", detail));
        }
        let thread = parts::thread(self.thread, pointer, faults);
        let first_comment = self.first_comment.map(|raw| parts::comment(&raw, pointer, faults));
        let Self { machine, made_from, .. } = self;
        Self { language, text, link, media, thread, first_comment, machine, made_from }
    }
}

/// Pictures in their one form, with every fault noted, each below `pointer`.
pub(super) fn pictures(
    raw: Vec<MediaUse>,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> Vec<MediaUse> {
    if raw.len() > MAX_MEDIA {
        let detail = format!("at most {MAX_MEDIA} pictures");
        faults.push(
            Fault::new(format!("{pointer}/media"), "too_many", detail).with("max", MAX_MEDIA),
        );
    }
    let mut media: Vec<MediaUse> = Vec::with_capacity(raw.len());
    for (place, one) in raw.into_iter().enumerate() {
        let here = format!("{pointer}/media/{place}");
        if media.iter().any(|other| other.media_id == one.media_id) {
            let detail = "the same picture stands twice in this variant";
            faults.push(
                Fault::new(format!("{here}/media_id"), "repeated", detail)
                    .with("value", &one.media_id),
            );
        }
        let alt = clean(&one.alt, MAX_ALT, true, &format!("{here}/alt"), faults);
        media.push(MediaUse { media_id: one.media_id, alt });
    }
    media
}

/// A link as it is kept, or a fault: `http` or `https`, with a host, without a password.
fn link(raw: &str, pointer: &str, faults: &mut Vec<Fault>) -> Option<String> {
    let raw = raw.trim();
    if raw.is_empty() {
        return None;
    }
    let url = url::Url::parse(raw).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
    });
    let Some(url) = url else {
        let detail = "must be an http or https address without a user name";
        faults.push(Fault::new(pointer, "bad_link", detail));
        return None;
    };
    if url.as_str().len() > MAX_LINK {
        faults.push(
            Fault::new(pointer, "too_long", format!("at most {MAX_LINK} bytes"))
                .with("max", MAX_LINK),
        );
        return None;
    }
    Some(url.into())
}

/// A variant as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// BCP 47 tag.
    pub language: String,
    /// What it says.
    pub content: Content,
    /// Hash of language and content.
    pub content_hash: String,
    /// The revision of the post in which it got this content.
    pub revision: i64,
    /// How it came from the source.
    pub translation: Translation,
}

impl Variant {
    /// The same in a new post, of which everything is of the first revision.
    #[must_use]
    pub fn at_first(self) -> Self {
        let translation = Translation { made_from: 1, ..self.translation };
        Self { revision: 1, translation, ..self }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn draft(language: &str, text: &str) -> VariantDraft {
        VariantDraft { language: language.into(), text: text.into(), ..VariantDraft::default() }
    }

    fn content(text: &str, alt: &str, sha256: &str) -> Content {
        let media_id = MediaId::new(Timestamp::UNIX_EPOCH, 1);
        let media = ContentMedia {
            media_id,
            sha256: sha256.into(),
            kind: MediaKind::Image,
            mime: "image/png".into(),
            size_bytes: 3,
            alt: alt.into(),
            moving: None,
        };
        Content { text: text.into(), media: vec![media], ..Content::default() }
    }

    #[test]
    fn both_spellings_of_vietnamese_become_one() {
        let mut faults = Vec::new();
        let composed = draft("vi", "Quốc khánh").settle("", &mut faults);
        let decomposed: String =
            unicode_normalization::UnicodeNormalization::nfd("Quốc khánh").collect();
        assert_ne!(decomposed, "Quốc khánh");
        assert_eq!(draft("VI", &decomposed).settle("", &mut faults), composed);
        assert_eq!(faults, vec![]);
    }

    #[test]
    fn the_hash_covers_all_that_is_seen() {
        let base = content("a", "b", "c");
        let others = [content("a2", "b", "c"), content("a", "b2", "c"), content("a", "b", "c2")];
        for other in &others {
            assert_ne!(base.hash("vi"), other.hash("vi"));
        }
        assert_ne!(base.hash("vi"), base.hash("en"));
        let linked = Content { link: Some("https://mofa.gov.vn/".into()), ..base.clone() };
        assert_ne!(base.hash("vi"), linked.hash("vi"));
        // The same file uploaded again is the same content.
        let mut again = base.clone();
        again.media[0].media_id = MediaId::new(Timestamp::UNIX_EPOCH, 2);
        assert_eq!(base.hash("vi"), again.hash("vi"));
    }

    #[test]
    fn the_canonical_bytes_never_change() {
        // Approvals and receipts refer to this hash for years.
        let bytes =
            r#"{"language":"vi","text":"a","link":null,"media":[{"sha256":"c","alt":"b"}]}"#;
        assert_eq!(content("a", "b", "c").hash("vi"), sha256_hex(bytes.as_bytes()));
    }

    #[test]
    fn what_was_scheduled_before_videos_reads_and_is_written_as_it_was() {
        let old = serde_json::to_value(content("a", "b", "c")).unwrap();
        assert!(old["media"][0].get("kind").is_none());
        let read: Content = serde_json::from_value(old).unwrap();
        assert_eq!(read, content("a", "b", "c"));
        let mut film = read;
        film.media[0].kind = MediaKind::Video;
        let written = serde_json::to_value(&film).unwrap();
        assert_eq!(written["media"][0]["kind"], "video");
        assert_eq!(serde_json::from_value::<Content>(written).unwrap(), film);
    }

    #[test]
    fn every_flaw_is_named_at_once() {
        let id = MediaId::new(Timestamp::UNIX_EPOCH, 1);
        let one = MediaUse { media_id: id, alt: "\u{7}".into() };
        let bad = VariantDraft {
            language: "not a tag".into(),
            text: "a\0".into(),
            link: Some("javascript:alert(1)".into()),
            media: vec![one.clone(), one],
            ..VariantDraft::default()
        };
        let mut faults = Vec::new();
        let _settled = bad.settle("/variants/0", &mut faults);
        let found: Vec<_> = faults.iter().map(|it| (it.pointer.as_str(), it.code)).collect();
        assert_eq!(
            found,
            [
                ("/variants/0/language", "bad_language"),
                ("/variants/0/text", "text_control_character"),
                ("/variants/0/link", "bad_link"),
                ("/variants/0/media/0/alt", "text_control_character"),
                ("/variants/0/media/1/media_id", "repeated"),
                ("/variants/0/media/1/alt", "text_control_character"),
            ]
        );
    }

    #[test]
    fn a_password_in_a_link_is_refused() {
        for bad in ["https://a:b@mofa.gov.vn/", "ftp://mofa.gov.vn", "https://", "mofa.gov.vn"] {
            let mut faults = Vec::new();
            assert_eq!(link(bad, "/link", &mut faults), None, "{bad}");
            assert_eq!(faults.len(), 1, "{bad}");
        }
    }
}
