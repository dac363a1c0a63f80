//! The board of a campaign: what each unit has made of it, by language, with what is missing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Error, Services, campaigns, permit};
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{CampaignId, OfferId, PostId, UnitId};
use crate::domain::kit::{Offer, OfferState};
use crate::domain::policy::{Action, Subject};
use crate::domain::unit::UnitName;
use crate::store::{boards, kits};

/// What a campaign has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Board {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The languages that any unit has in it.
    pub languages: Vec<String>,
    /// The units that it is meant for, that were offered something, or that have posts in it.
    pub units: Vec<BoardUnit>,
}

/// What one unit has made of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardUnit {
    /// Which unit.
    pub unit_id: UnitId,
    /// Its name.
    pub name: UnitName,
    /// What it was offered, and how it has answered.
    pub offers: Vec<BoardOffer>,
    /// How many posts it has.
    pub posts: i64,
    /// Their deliveries.
    pub deliveries: BoardCount,
    /// The same by language.
    pub languages: Vec<BoardLanguage>,
    /// Languages of the unit in which it has no post.
    pub missing: Vec<String>,
}

/// What a unit was offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardOffer {
    /// The offer.
    pub id: OfferId,
    /// The post that is offered.
    pub source_id: PostId,
    /// How the unit has answered.
    pub state: OfferState,
    /// Nothing was answered in time.
    pub late: bool,
}

/// What a unit has in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardLanguage {
    /// Which.
    pub language: String,
    /// How many posts have it.
    pub posts: i64,
    /// Deliveries in it.
    pub deliveries: BoardCount,
}

/// How deliveries stand; those that were cancelled or recalled are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardCount {
    /// Will go out, or are on their way.
    pub scheduled: i64,
    /// Are out.
    pub published: i64,
    /// Were refused or missed, or are not there any more.
    pub failed: i64,
    /// Wait for a person: to decide, to approve, or for what holds them.
    pub needs_person: i64,
}

impl BoardCount {
    fn add(&mut self, state: DeliveryState, count: i64) {
        match state {
            DeliveryState::Scheduled | DeliveryState::Publishing | DeliveryState::Unknown => {
                self.scheduled += count;
            }
            DeliveryState::Published => self.published += count,
            DeliveryState::Failed | DeliveryState::Missed | DeliveryState::Vanished => {
                self.failed += count;
            }
            DeliveryState::NeedsHuman | DeliveryState::Held | DeliveryState::PendingApproval => {
                self.needs_person += count;
            }
            DeliveryState::Draft | DeliveryState::Cancelled | DeliveryState::Recalled => {}
        }
    }
}

/// What was counted of one unit.
#[derive(Default)]
struct Counted {
    offers: Vec<BoardOffer>,
    posts: i64,
    deliveries: BoardCount,
    languages: BTreeMap<String, (i64, BoardCount)>,
}

/// What a campaign has come to: of all units for those whose campaign it is, of their own for those who were
/// offered something of it.
pub async fn show(services: &Services, caller: &Caller, id: &CampaignId) -> Result<Board, Error> {
    permit(caller, Action::ReadCampaigns, Subject::Any)?;
    let now = services.clock.now();
    let mut reader = services.store.read().await?;
    let campaign = campaigns::see(&mut reader, caller, Action::ReadCampaigns, id).await?;
    let whole = caller.actor.sees_unit(&campaign.unit_id);
    let mut counted: BTreeMap<UnitId, Counted> = BTreeMap::new();
    for unit in campaign.units {
        counted.entry(unit).or_default();
    }
    for offer in kits::of_campaign(&mut reader, id).await? {
        let unit = counted.entry(offer.unit_id.clone()).or_default();
        unit.offers.push(brief(offer, now));
    }
    for (unit, posts) in boards::posts(&mut reader, id).await? {
        counted.entry(unit).or_default().posts = posts;
    }
    for (unit, language, posts) in boards::languages(&mut reader, id).await? {
        counted.entry(unit).or_default().languages.entry(language).or_default().0 = posts;
    }
    for (unit, language, state, count) in boards::deliveries(&mut reader, id).await? {
        let unit = counted.entry(unit).or_default();
        unit.deliveries.add(state, count);
        unit.languages.entry(language).or_default().1.add(state, count);
    }
    counted.retain(|unit, _| whole || caller.actor.sees_unit(unit));
    let ids: Vec<&UnitId> = counted.keys().collect();
    let names = boards::units(&mut reader, &ids).await?;
    let all: BTreeSet<String> =
        counted.values().flat_map(|it| it.languages.keys().cloned()).collect();
    let units = names.into_iter().filter_map(|(unit_id, name, wanted)| {
        counted.remove(&unit_id).map(|counted| row(unit_id, name, wanted, counted))
    });
    let units = units.collect();
    Ok(Board { campaign_id: id.clone(), languages: all.into_iter().collect(), units })
}

fn brief(offer: Offer, now: Timestamp) -> BoardOffer {
    let late = offer.is_late(now);
    BoardOffer { id: offer.id, source_id: offer.kit.post_id, state: offer.state, late }
}

fn row(unit_id: UnitId, name: UnitName, wanted: Vec<String>, counted: Counted) -> BoardUnit {
    let has = |language: &String| counted.languages.get(language).is_some_and(|it| it.0 > 0);
    BoardUnit {
        unit_id,
        name,
        missing: wanted.into_iter().filter(|language| !has(language)).collect(),
        offers: counted.offers,
        posts: counted.posts,
        deliveries: counted.deliveries,
        languages: counted
            .languages
            .into_iter()
            .map(|(language, (posts, deliveries))| BoardLanguage { language, posts, deliveries })
            .collect(),
    }
}
