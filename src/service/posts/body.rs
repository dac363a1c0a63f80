//! What is handed in and answered about posts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::approval::ApprovalState;
use crate::domain::class::Class;
use crate::domain::fault::Fault;
use crate::domain::id::{DeliveryId, MediaId, PostId, UnitId};
use crate::domain::parts::{Piece, PieceDraft};
use crate::domain::post::{Post, PostDraft};
use crate::domain::variant::{
    ContentMedia, MediaUse, STATUS_APPROVED, STATUS_DRAFT, Variant, VariantDraft,
};
use crate::service::Change;
use crate::service::approvals::ApprovalsView;

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
}

/// What a post says in one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VariantView {
    /// BCP 47 tag.
    pub language: String,
    /// Where it stands on its way: `draft`, and `approved` once the post is.
    pub status: String,
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
            variants: variants.iter().map(|one| VariantView::new(one, approved)).collect(),
            stale_deliveries,
            approvals,
            created_by: post.created_by,
            created_at: post.created_at,
            updated_at: post.updated_at,
        }
    }
}

impl VariantView {
    /// The view of a variant of a post that is approved, or not.
    pub(in crate::service) fn new(variant: &Variant, approved: bool) -> Self {
        let piece = |one: &Piece| ThreadPartView {
            text: one.text.clone(),
            media: one.media.iter().map(MediaView::from).collect(),
        };
        Self {
            language: variant.language.clone(),
            status: if approved { STATUS_APPROVED } else { STATUS_DRAFT }.to_owned(),
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
            labels: self.labels,
        }
        .settle()
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
        }
    }
}

fn uses(media: Vec<MediaRef>) -> Vec<MediaUse> {
    media.into_iter().map(|one| MediaUse { media_id: one.media_id, alt: one.alt }).collect()
}
