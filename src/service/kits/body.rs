//! What is handed in and answered about kits and offers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::class::Class;
use crate::domain::id::{AccountId, CampaignId, KitId, OfferId, PersonId, PostId, UnitId};
use crate::domain::kit::{Kit, KitTime, Offer, OfferState, Rules};
use crate::domain::post::Post;
use crate::domain::translation::of;
use crate::domain::variant::Variant;
use crate::service::posts::VariantView;

/// A post to be offered to other units.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct NewKit {
    /// Which: of the campaign, and of its unit.
    pub post_id: PostId,
    /// To whom; with `accounts`. Neither: to whomever the campaign is meant for.
    #[serde(default)]
    pub units: Vec<UnitId>,
    /// To the units of these accounts.
    #[serde(default)]
    pub accounts: Vec<AccountId>,
    /// Until when units should answer.
    #[serde(default)]
    pub answer_by: Option<Timestamp>,
    /// When it should go out, on the wall of each account.
    #[serde(default)]
    pub local: Option<KitTime>,
    /// What units must, may and must not change; they may where nothing is said.
    #[serde(default)]
    pub fields: Rules,
}

/// A post that is offered, and how units have answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KitView {
    /// Its id.
    pub id: KitId,
    /// Of which campaign.
    pub campaign_id: CampaignId,
    /// The post.
    pub post_id: PostId,
    /// What units must, may and must not change.
    pub fields: Rules,
    /// When it should go out, on the wall of each account.
    pub local: Option<KitTime>,
    /// Until when units should answer.
    pub answer_by: Option<Timestamp>,
    /// Who offered it.
    pub created_by: PersonId,
    /// When.
    pub created_at: Timestamp,
    /// What each unit has answered.
    pub offers: Vec<OfferView>,
}

/// What one unit is offered, and what it has made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OfferView {
    /// Its id.
    pub id: OfferId,
    /// Of which kit.
    pub kit_id: KitId,
    /// Of which campaign.
    pub campaign_id: CampaignId,
    /// To whom.
    pub unit_id: UnitId,
    /// How it has answered.
    pub state: OfferState,
    /// Nothing was answered in time.
    pub late: bool,
    /// What it must, may and must not change.
    pub fields: Rules,
    /// When it should go out, on the wall of each account.
    pub local: Option<KitTime>,
    /// Until when it should answer.
    pub answer_by: Option<Timestamp>,
    /// Its copy.
    pub post_id: Option<PostId>,
    /// The revision of the offered post that the copy was made of, or follows.
    pub base_revision: Option<i64>,
    /// Why it was declined.
    pub reason: Option<String>,
    /// Who answered.
    pub answered_by: Option<PersonId>,
    /// When.
    pub answered_at: Option<Timestamp>,
    /// When it was offered.
    pub created_at: Timestamp,
    /// What is offered, as it is now; not in lists.
    #[serde(default)]
    pub offered: Option<OfferedPost>,
}

/// What is offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OfferedPost {
    /// Its revision: to be named by whoever accepts.
    pub revision: i64,
    /// For the desk only.
    pub title: String,
    /// How urgent it is.
    pub class: Class,
    /// The language it was written in first.
    pub source_language: String,
    /// One for each language.
    pub variants: Vec<VariantView>,
}

/// That a unit takes what it is offered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Accepting {
    /// The revision that was seen: `offered.revision`.
    pub revision: i64,
}

/// That a unit does not want what it is offered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Declining {
    /// Why; shown to whoever offered it.
    #[schema(max_length = 1000)]
    pub reason: String,
}

impl OfferView {
    pub(super) fn new(offer: Offer, now: Timestamp) -> Self {
        Self {
            late: offer.is_late(now),
            id: offer.id,
            kit_id: offer.kit.id,
            campaign_id: offer.kit.campaign_id,
            unit_id: offer.unit_id,
            state: offer.state,
            fields: offer.kit.fields,
            local: offer.kit.local,
            answer_by: offer.kit.answer_by,
            post_id: offer.post_id,
            base_revision: offer.base_revision,
            reason: offer.reason,
            answered_by: offer.answered_by,
            answered_at: offer.answered_at,
            created_at: offer.created_at,
            offered: None,
        }
    }

    pub(super) fn with(self, post: Post, says: &[Variant]) -> Self {
        let source = of(says, &post.source_language);
        let views = says.iter().map(|one| VariantView::new(one, source, false)).collect();
        let offered = OfferedPost {
            revision: post.revision,
            title: post.title,
            class: post.class,
            source_language: post.source_language,
            variants: views,
        };
        Self { offered: Some(offered), ..self }
    }
}

impl KitView {
    pub(super) fn new(kit: Kit, offers: Vec<Offer>, now: Timestamp) -> Self {
        Self {
            id: kit.id,
            campaign_id: kit.campaign_id,
            post_id: kit.post_id,
            fields: kit.fields,
            local: kit.local,
            answer_by: kit.answer_by,
            created_by: kit.created_by,
            created_at: kit.created_at,
            offers: offers.into_iter().map(|one| OfferView::new(one, now)).collect(),
        }
    }
}
