//! The matrix of a campaign: how far each target is in each language that it should have, and where nothing is yet.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Error, Services, Told, approvals, campaigns, permit};
use crate::domain::approval::ApprovalState;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{AccountId, CampaignId, PostId, UnitId};
use crate::domain::policy::{Action, Subject};
use crate::domain::post::Post;
use crate::domain::translation::VariantStatus;
use crate::domain::unit::UnitName;
use crate::domain::words;
use crate::store::boards::{self, Target};
use crate::store::{self, Reader, kits};

/// The most posts of a campaign that are put into one matrix.
const MOST_POSTS: usize = 5_000;

words! {
    /// How far something is in one language: what is least far comes first.
    MatrixState {
        /// There is no text.
        Missing = "missing",
        /// It was refused or missed, or is not there any more.
        Failed = "failed",
        /// It waits for a person: to decide, to approve, or for what holds it.
        NeedsPerson = "needs_person",
        /// A machine has made it, and nobody has looked at it.
        Machine = "machine",
        /// Somebody is translating it.
        InTranslation = "in_translation",
        /// Somebody is going over it.
        InEditing = "in_editing",
        /// Its source says something else by now.
        Stale = "stale",
        /// Somebody has written it.
        Draft = "draft",
        /// Somebody other than its translator has found it right.
        Proofed = "proofed",
        /// It is approved, and nothing is scheduled of it.
        Approved = "approved",
        /// It will go out, or is on its way.
        Scheduled = "scheduled",
        /// It is out.
        Published = "published",
    }
}

/// How far a campaign is, target by target and language by language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Matrix {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The languages of all rows, as columns.
    pub languages: Vec<String>,
    /// A row for each account of each unit that the campaign is meant for, that was offered something, or that has
    /// posts in it; a unit without accounts has a row of its own.
    pub rows: Vec<MatrixRow>,
    /// How many cells there are in each state.
    pub counts: BTreeMap<MatrixState, usize>,
    /// How many of them are holes.
    pub holes: usize,
}

/// How far one target is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixRow {
    /// Whose.
    pub unit_id: UnitId,
    /// What the unit is called.
    pub unit_name: UnitName,
    /// The account; nothing for a unit that has none.
    pub account_id: Option<AccountId>,
    /// The platform's id.
    pub platform: Option<String>,
    /// What the account is called there.
    pub account_name: Option<String>,
    /// A cell for each language that it should have, in its order, and for others in which there is something.
    pub cells: Vec<MatrixCell>,
    /// How many of them are holes.
    pub holes: usize,
}

/// How far a target is in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixCell {
    /// Which.
    pub language: String,
    /// It is one of those that the target should have.
    pub wanted: bool,
    /// How far that post is which is least far.
    pub state: MatrixState,
    /// It should have it, and a post lacks it, or there is no post at all.
    pub hole: bool,
    /// How many posts there are in each state.
    pub posts: BTreeMap<MatrixState, usize>,
}

/// What is known of the posts of a campaign.
struct Posts {
    /// With their unit, and whether they are approved.
    all: BTreeMap<PostId, (UnitId, bool)>,
    variants: BTreeMap<PostId, BTreeMap<String, MatrixState>>,
    /// By account: how the deliveries of each post stand in each language.
    placed: BTreeMap<AccountId, BTreeMap<(PostId, String), MatrixState>>,
}

/// How far a campaign is: of all targets for those whose campaign it is, of their own for those who were offered
/// something of it.
pub async fn show(services: &Services, caller: &Caller, id: &CampaignId) -> Result<Matrix, Error> {
    permit(caller, Action::ReadCampaigns, Subject::Any)?;
    let mut reader = services.store.read().await?;
    let campaign = campaigns::see(&mut reader, caller, Action::ReadCampaigns, id).await?;
    let whole = caller.actor.sees_unit(&campaign.unit_id);
    let posts = gather(&mut reader, id, services.clock.now()).await?;
    let mut units: BTreeSet<UnitId> = campaign.units.iter().cloned().collect();
    units.extend(kits::of_campaign(&mut reader, id).await?.into_iter().map(|it| it.unit_id));
    units.extend(posts.all.values().map(|(unit, _)| unit.clone()));
    let mut accounts: BTreeSet<&AccountId> = campaign.accounts.iter().collect();
    accounts.extend(posts.placed.keys());
    let of: Vec<&UnitId> = units.iter().collect();
    let accounts: Vec<&AccountId> = accounts.into_iter().collect();
    let mut targets = boards::targets(&mut reader, &of, &accounts).await?;
    let listed = caller.actor.accounts.as_ref();
    targets.retain(|it| listed.is_none_or(|listed| listed.contains(&it.id)));
    let mut by_unit: BTreeMap<UnitId, Vec<Target>> = BTreeMap::new();
    for unit in units {
        by_unit.entry(unit).or_default();
    }
    for target in targets {
        by_unit.entry(target.unit_id.clone()).or_default().push(target);
    }
    by_unit.retain(|unit, _| whole || caller.actor.sees_unit(unit));
    let ids: Vec<&UnitId> = by_unit.keys().collect();
    let names = boards::units(&mut reader, &ids).await?;
    let mut rows = Vec::new();
    for (unit, name, languages) in names {
        let targets = by_unit.remove(&unit).unwrap_or_default();
        if targets.is_empty() && listed.is_none() {
            rows.push(row(&posts, (&unit, &name), None, &languages));
        }
        for target in &targets {
            rows.push(row(&posts, (&unit, &name), Some(target), &target.languages));
        }
    }
    Ok(matrix(id, rows))
}

fn matrix(id: &CampaignId, rows: Vec<MatrixRow>) -> Matrix {
    let mut counts: BTreeMap<MatrixState, usize> = BTreeMap::new();
    let mut languages = BTreeSet::new();
    for cell in rows.iter().flat_map(|row| &row.cells) {
        *counts.entry(cell.state).or_default() += 1;
        languages.insert(cell.language.clone());
    }
    let holes = rows.iter().map(|row| row.holes).sum();
    let languages = languages.into_iter().collect();
    Matrix { campaign_id: id.clone(), languages, rows, counts, holes }
}

/// Reads everything that is known of the posts of a campaign, in a few statements.
async fn gather(
    reader: &mut Reader,
    id: &CampaignId,
    now: jiff::Timestamp,
) -> Result<Posts, Error> {
    let filter = store::posts::Filter {
        campaign_id: Some(id.to_string()),
        ..store::posts::Filter::default()
    };
    let limit = i64::try_from(MOST_POSTS).unwrap_or(i64::MAX).saturating_add(1);
    let found = store::posts::list(reader, &filter, limit).await?;
    if found.len() > MOST_POSTS {
        let detail = format!("the campaign has more than {MOST_POSTS} posts");
        return Err(Error::Conflict(
            Told::new("campaign_too_large", detail).with("max", MOST_POSTS),
        ));
    }
    let how = approvals::of(reader, &found.iter().collect::<Vec<_>>(), now).await?;
    let given = |post: &Post| how.get(&post.id).is_some_and(|it| it.state == ApprovalState::Given);
    let approved: BTreeMap<PostId, (UnitId, bool)> =
        found.iter().map(|post| (post.id.clone(), (post.unit_id.clone(), given(post)))).collect();
    let mut variants: BTreeMap<PostId, BTreeMap<String, MatrixState>> = BTreeMap::new();
    for one in boards::variant_states(reader, id).await? {
        let approved = approved.get(&one.post_id).is_some_and(|it| it.1);
        let state = written(one.status, one.is_stale(), approved);
        variants.entry(one.post_id).or_default().insert(one.language, state);
    }
    let mut placed: BTreeMap<AccountId, BTreeMap<(PostId, String), MatrixState>> = BTreeMap::new();
    for (post, account, language, state) in boards::placed(reader, id).await? {
        let Some(state) = placed_state(state) else { continue };
        let is = placed.entry(account).or_default().entry((post, language)).or_insert(state);
        if weight(state) > weight(*is) {
            *is = state;
        }
    }
    Ok(Posts { all: approved, variants, placed })
}

/// How far a text is.
fn written(status: VariantStatus, stale: bool, approved: bool) -> MatrixState {
    match status {
        VariantStatus::Missing => MatrixState::Missing,
        VariantStatus::Machine => MatrixState::Machine,
        VariantStatus::InTranslation => MatrixState::InTranslation,
        VariantStatus::InEditing => MatrixState::InEditing,
        VariantStatus::Draft | VariantStatus::Proofed | VariantStatus::Approved if stale => {
            MatrixState::Stale
        }
        VariantStatus::Draft | VariantStatus::Proofed if approved => MatrixState::Approved,
        VariantStatus::Draft => MatrixState::Draft,
        VariantStatus::Proofed => MatrixState::Proofed,
        VariantStatus::Approved => MatrixState::Approved,
    }
}

/// How a delivery stands; nothing of one that counts for nothing.
fn placed_state(state: DeliveryState) -> Option<MatrixState> {
    match state {
        DeliveryState::Scheduled | DeliveryState::Publishing | DeliveryState::Unknown => {
            Some(MatrixState::Scheduled)
        }
        DeliveryState::Published => Some(MatrixState::Published),
        DeliveryState::Failed | DeliveryState::Missed | DeliveryState::Vanished => {
            Some(MatrixState::Failed)
        }
        DeliveryState::NeedsHuman | DeliveryState::Held | DeliveryState::PendingApproval => {
            Some(MatrixState::NeedsPerson)
        }
        DeliveryState::Draft | DeliveryState::Cancelled | DeliveryState::Recalled => None,
    }
}

/// Which of several deliveries of one post in one place is told of: what is to come before what was.
const fn weight(state: MatrixState) -> u8 {
    match state {
        MatrixState::NeedsPerson => 4,
        MatrixState::Scheduled => 3,
        MatrixState::Published => 2,
        MatrixState::Failed => 1,
        MatrixState::Missing
        | MatrixState::Machine
        | MatrixState::InTranslation
        | MatrixState::InEditing
        | MatrixState::Stale
        | MatrixState::Draft
        | MatrixState::Proofed
        | MatrixState::Approved => 0,
    }
}

fn row(
    posts: &Posts,
    (unit, name): (&UnitId, &UnitName),
    target: Option<&Target>,
    wanted: &[String],
) -> MatrixRow {
    let none = BTreeMap::new();
    let placed = target.and_then(|it| posts.placed.get(&it.id)).unwrap_or(&none);
    // What another unit has sent there counts too.
    let here: BTreeSet<&PostId> = posts
        .all
        .iter()
        .filter(|(_, (of, _))| of == unit)
        .map(|(id, _)| id)
        .chain(placed.keys().map(|(id, _)| id))
        .collect();
    let mut languages: Vec<String> = wanted.to_vec();
    let others = here.iter().filter_map(|id| posts.variants.get(*id)).flat_map(BTreeMap::keys);
    let others: BTreeSet<&String> =
        others.chain(placed.keys().map(|(_, language)| language)).collect();
    languages.extend(others.into_iter().filter(|it| !wanted.contains(it)).cloned());
    let cells: Vec<MatrixCell> = languages
        .into_iter()
        .filter_map(|language| {
            let wanted = wanted.contains(&language);
            let states = here.iter().filter_map(|id| state(posts, placed, id, &language, wanted));
            cell(&language, wanted, states)
        })
        .collect();
    MatrixRow {
        unit_id: unit.clone(),
        unit_name: name.clone(),
        account_id: target.map(|it| it.id.clone()),
        platform: target.map(|it| it.platform.clone()),
        account_name: target.map(|it| it.name.clone()),
        holes: cells.iter().filter(|it| it.hole).count(),
        cells,
    }
}

/// How far one post is in one language of a target; in a language that nobody wants it is not missing.
fn state(
    posts: &Posts,
    placed: &BTreeMap<(PostId, String), MatrixState>,
    id: &PostId,
    language: &str,
    wanted: bool,
) -> Option<MatrixState> {
    if let Some(state) = placed.get(&(id.clone(), language.to_owned())) {
        return Some(*state);
    }
    let written = posts.variants.get(id).and_then(|it| it.get(language)).copied();
    written.or(wanted.then_some(MatrixState::Missing))
}

fn cell(
    language: &str,
    wanted: bool,
    states: impl Iterator<Item = MatrixState>,
) -> Option<MatrixCell> {
    let mut posts: BTreeMap<MatrixState, usize> = BTreeMap::new();
    for state in states {
        *posts.entry(state).or_default() += 1;
    }
    let least = posts.keys().next().copied();
    let state = least.or(wanted.then_some(MatrixState::Missing))?;
    let hole = wanted && state == MatrixState::Missing;
    Some(MatrixCell { language: language.to_owned(), wanted, state, hole, posts })
}
