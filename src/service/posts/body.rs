//! What is handed in and answered about posts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::approval::ApprovalState;
use crate::domain::class::Class;
use crate::domain::fault::Fault;
use crate::domain::id::{DeliveryId, MediaId, PersonId, PostId, UnitId};
use crate::domain::parts::{Piece, PieceDraft};
use crate::domain::post::{Post, PostDraft};
use crate::domain::translation::{VariantStatus, of};
use crate::domain::variant::{ContentMedia, MediaUse, Variant, VariantDraft};
use crate::service::Change;
use crate::service::approvals::ApprovalsView;
use crate::service::warning::Warning;

/// A post to be written.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewPost {
    /// The unit that answers for it.
    pub unit_id: UnitId,
    /// The campaign it belongs to.
    #[serde(default)]
    pub campaign_id: Option<String>,
    /// For the desk only; never published.
    pub title: String,
    /// How urgent it is.
    pub class: Class,
    /// The language it was written in first.
    pub source_language: String,
    /// One for each language.
    pub variants: Vec<NewVariant>,
    /// The languages in which it is wanted, whether or not it has variants in them yet.
    #[serde(default)]
    #[schema(max_items = 30)]
    pub wanted_languages: Vec<String>,
    /// Words to find it by.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// What a post says in one language.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewVariant {
    /// BCP 47 tag.
    pub language: String,
    /// The text; may be empty when there is media.
    #[serde(default)]
    pub text: String,
    /// A link to show as a card or to append.
    #[serde(default)]
    pub link: Option<String>,
    /// Pictures, in order.
    #[serde(default)]
    pub media: Vec<MediaRef>,
    /// What follows as a thread, each part under the one before it; for platforms that have threads.
    #[serde(default)]
    #[schema(max_items = 24)]
    pub thread: Option<Vec<ThreadPart>>,
    /// What is said below the post at once: a comment, or one more part where there are threads.
    #[serde(default)]
    pub first_comment: Option<String>,
    /// A machine has translated it: it does not go out before a person has proofed it.
    #[serde(default)]
    pub machine: bool,
    /// The `revision` of the source's variant that this was made from, as it was read. A variant that was stale
    /// stays so without it, unless the source is changed with it.
    #[serde(default)]
    pub made_from: Option<i64>,
}

/// A picture as a variant uses it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MediaRef {
    /// Which file.
    pub media_id: MediaId,
    /// Alternative text in the variant's language.
    #[serde(default)]
    pub alt: String,
}

/// A further part of a thread.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct ThreadPart {
    /// The text; may be empty when there is media.
    #[serde(default)]
    pub text: String,
    /// Pictures, in order.
    #[serde(default)]
    pub media: Vec<MediaRef>,
}

/// What to change in a post; what is not named stays. `variants` takes the place of all.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct PostChange {
    /// The campaign it belongs to; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub campaign_id: Change<String>,
    /// For the desk only.
    pub title: Option<String>,
    /// How urgent it is.
    pub class: Option<Class>,
    /// The language it was written in first.
    pub source_language: Option<String>,
    /// One for each language.
    pub variants: Option<Vec<NewVariant>>,
    /// The languages in which it is wanted.
    #[schema(max_items = 30)]
    pub wanted_languages: Option<Vec<String>>,
    /// Words to find it by.
    pub labels: Option<Vec<String>>,
}

/// A post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PostView {
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
    /// Words to find it by.
    pub labels: Vec<String>,
    /// Counts changes; the `ETag`.
    pub revision: i64,
    /// Names everything that its readers would see, in all languages.
    pub content_hash: String,
    /// One for each language.
    pub variants: Vec<VariantView>,
    /// The languages in which it is wanted.
    #[serde(default)]
    pub wanted_languages: Vec<String>,
    /// Those of them in which nobody has written it yet.
    #[serde(default)]
    pub missing_languages: Vec<String>,
    /// Deliveries still to go out that carry something else than the variants now say. An edit never
    /// changes what was scheduled: cancel them and schedule again.
    pub stale_deliveries: Vec<DeliveryId>,
    /// How it stands with those who must approve it.
    pub approvals: ApprovalsView,
    /// Who wrote it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Where it calls something otherwise than the term base does; left out where it does not, and in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_warnings: Option<Vec<Warning>>,
}

/// What a post says in one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VariantView {
    /// BCP 47 tag.
    pub language: String,
    /// Where it stands on its way: `approved` once the post is, unless it is stale or may not go out.
    pub status: VariantStatus,
    /// The source says something else by now than what this was made from.
    #[serde(default)]
    pub stale: bool,
    /// The `revision` of the source's variant that this was made from.
    #[serde(default)]
    pub made_from: i64,
    /// Who has translated it, or took that on.
    #[serde(default)]
    pub translator: Option<PersonId>,
    /// Who has gone over it, or took that on.
    #[serde(default)]
    pub editor: Option<PersonId>,
    /// The text.
    pub text: String,
    /// A link to show as a card or to append.
    pub link: Option<String>,
    /// Pictures, in order.
    pub media: Vec<MediaView>,
    /// What follows as a thread.
    #[serde(default)]
    pub thread: Vec<ThreadPartView>,
    /// What is said below it at once.
    #[serde(default)]
    pub first_comment: Option<String>,
    /// Names what its readers would see, in every part.
    pub content_hash: String,
    /// The revision of the post in which it got this content.
    pub revision: i64,
}

/// A further part of a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ThreadPartView {
    /// The text.
    pub text: String,
    /// Pictures, in order.
    pub media: Vec<MediaView>,
}

/// A picture of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaView {
    /// Which file.
    pub media_id: MediaId,
    /// Alternative text.
    pub alt: String,
    /// Its type by its own bytes.
    pub mime: String,
    /// Size of the file.
    pub size_bytes: u64,
}

impl PostView {
    /// The view of a post with its variants.
    pub(in crate::service) fn new(
        post: Post,
        variants: &[Variant],
        stale_deliveries: Vec<DeliveryId>,
        approvals: ApprovalsView,
    ) -> Self {
        let approved = approvals.state == ApprovalState::Given;
        let source = of(variants, &post.source_language);
        let missing = post.wanted_languages.iter().filter(|it| of(variants, it).is_none());
        let missing_languages = missing.cloned().collect();
        let view = |one| VariantView::new(one, source, approved);
        let views = variants.iter().map(view).collect();
        Self {
            id: post.id,
            unit_id: post.unit_id,
            campaign_id: post.campaign_id,
            title: post.title,
            class: post.class,
            source_language: post.source_language,
            labels: post.labels,
            revision: post.revision,
            content_hash: post.content_hash,
            variants: views,
            missing_languages,
            wanted_languages: post.wanted_languages,
            stale_deliveries,
            approvals,
            created_by: post.created_by,
            created_at: post.created_at,
            updated_at: post.updated_at,
            term_warnings: None,
        }
    }

    /// With what the term base says of it.
    pub(super) fn told(mut self, warnings: Vec<Warning>) -> Self {
        self.term_warnings = (!warnings.is_empty()).then_some(warnings);
        self
    }
}

impl VariantView {
    /// The view of a variant beside its source, of a post that is approved, or not.
    pub(in crate::service) fn new(
        variant: &Variant,
        source: Option<&Variant>,
        approved: bool,
    ) -> Self {
        let (stale, kept) = (variant.is_stale(source), &variant.translation);
        let approved = approved && kept.status.goes_out() && !stale;
        let piece = |one: &Piece| ThreadPartView {
            text: one.text.clone(),
            media: one.media.iter().map(MediaView::from).collect(),
        };
        Self {
            language: variant.language.clone(),
            status: if approved { VariantStatus::Approved } else { kept.status },
            stale,
            made_from: kept.made_from,
            translator: kept.translator.clone(),
            editor: kept.editor.clone(),
            text: variant.content.text.clone(),
            link: variant.content.link.clone(),
            media: variant.content.media.iter().map(MediaView::from).collect(),
            thread: variant.content.thread.iter().map(piece).collect(),
            first_comment: variant.content.first_comment.clone(),
            content_hash: variant.content_hash.clone(),
            revision: variant.revision,
        }
    }
}

impl From<&ContentMedia> for MediaView {
    fn from(one: &ContentMedia) -> Self {
        Self {
            media_id: one.media_id.clone(),
            alt: one.alt.clone(),
            mime: one.mime.clone(),
            size_bytes: one.size_bytes,
        }
    }
}

impl NewPost {
    /// The draft in its one form, or every fault at once.
    pub(in crate::service) fn settle(self) -> Result<PostDraft, Vec<Fault>> {
        PostDraft {
            campaign_id: self.campaign_id,
            title: self.title,
            class: self.class,
            source_language: self.source_language,
            variants: self.variants.into_iter().map(NewVariant::draft).collect(),
            wanted_languages: self.wanted_languages,
            labels: self.labels,
        }
        .settle()
    }
}

impl PostChange {
    /// Whether it says of any text that a machine has made it.
    pub(super) fn says_machine(&self) -> bool {
        self.variants.iter().flatten().any(|one| one.machine)
    }
}

impl NewVariant {
    /// As it was written.
    pub(super) fn draft(self) -> VariantDraft {
        let piece = |one: ThreadPart| PieceDraft { text: one.text, media: uses(one.media) };
        VariantDraft {
            language: self.language,
            text: self.text,
            link: self.link,
            media: uses(self.media),
            thread: self.thread.unwrap_or_default().into_iter().map(piece).collect(),
            first_comment: self.first_comment,
            machine: self.machine,
            made_from: self.made_from,
        }
    }
}

fn uses(media: Vec<MediaRef>) -> Vec<MediaUse> {
    media.into_iter().map(|one| MediaUse { media_id: one.media_id, alt: one.alt }).collect()
}
