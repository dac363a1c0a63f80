//! What a delivery and an attempt look like when they are read.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::types::Json;

use crate::domain::attempt::{AttemptOutcome, Reach, Receipt};
use crate::domain::class::Class;
use crate::domain::delivery::{DeliveryProblem, DeliveryState, Recall, WaitsFor};
use crate::domain::id::{AccountId, AttemptId, DeliveryId, HoldId, PostId, UnitId};
use crate::domain::parts::Part;
use crate::domain::schedule::{Civil, ZoneChange};
use crate::domain::variant::Content;
use crate::store::codec::At;

/// A delivery as it is kept.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Its post.
    pub post_id: PostId,
    /// Where it goes.
    pub account_id: AccountId,
    /// The zone of that account.
    pub account_zone: String,
    /// The post's unit.
    pub unit_id: UnitId,
    /// The platform's word.
    pub platform: String,
    /// BCP 47 tag.
    pub language: String,
    /// How urgent it is.
    pub class: Class,
    /// Where it stands.
    pub state: DeliveryState,
    /// Since when.
    pub state_since: Timestamp,
    /// Its instant.
    pub due_at: Timestamp,
    /// Its latest useful time.
    pub publish_by: Timestamp,
    /// The time on a wall that was asked for.
    pub civil: Option<Civil>,
    /// Per-platform settings.
    pub settings: Value,
    /// What it says.
    pub content: Content,
    /// The hash of what it says.
    pub content_hash: String,
    /// The hash by which the same text is noticed.
    pub text_hash: String,
    /// The same text is meant to be said again.
    pub intended_repeat: bool,
    /// Attempts that count.
    pub attempts: i64,
    /// The platform's word, once it is out.
    pub receipt: Option<Receipt>,
    /// Why it is not out.
    pub problem: Option<DeliveryProblem>,
    /// What it waits for.
    pub waits_for: Option<WaitsFor>,
    /// The hold that has caught it.
    pub hold_id: Option<HoldId>,
    /// When a person let it go on after a hold.
    pub released_at: Option<Timestamp>,
    /// What its wall-clock time means by now, when that is another instant.
    pub zone_change: Option<ZoneChange>,
    /// Who wants it to be deleted at the platform.
    pub recall: Option<Recall>,
    /// Which part of the content it sends.
    pub part: Part,
    /// Its time and place are part of what is to be approved.
    pub asks_approval: bool,
    /// Its variant agrees with its source no longer.
    pub variant_stale: bool,
    /// Counts changes.
    pub version: i64,
    /// Who scheduled it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: DeliveryId,
    post_id: PostId,
    account_id: AccountId,
    account_zone: String,
    unit_id: UnitId,
    platform: String,
    language: String,
    class: Class,
    state: DeliveryState,
    state_since: At,
    due_at: At,
    publish_by: At,
    civil: Option<Json<Civil>>,
    settings: Json<Value>,
    content: Json<Content>,
    content_hash: String,
    text_hash: String,
    intended_repeat: bool,
    attempts: i64,
    remote_id: Option<String>,
    permalink: Option<String>,
    published_at: Option<At>,
    problem: Option<Json<DeliveryProblem>>,
    waits_for: Option<Json<WaitsFor>>,
    hold_id: Option<HoldId>,
    released_at: Option<At>,
    zone_change: Option<Json<ZoneChange>>,
    recall: Option<Json<Recall>>,
    part: i64,
    parts: i64,
    follows: Option<DeliveryId>,
    root: Option<DeliveryId>,
    asks_approval: bool,
    variant_stale: bool,
    version: i64,
    created_by: String,
    created_at: At,
    updated_at: At,
}

impl From<Row> for Delivery {
    fn from(row: Row) -> Self {
        let permalink = row.permalink;
        let receipt = row.remote_id.zip(row.published_at).map(|(remote_id, published_at)| {
            Receipt { remote_id, permalink, published_at: published_at.0 }
        });
        Self {
            id: row.id,
            post_id: row.post_id,
            account_id: row.account_id,
            account_zone: row.account_zone,
            unit_id: row.unit_id,
            platform: row.platform,
            language: row.language,
            class: row.class,
            state: row.state,
            state_since: row.state_since.0,
            due_at: row.due_at.0,
            publish_by: row.publish_by.0,
            civil: row.civil.map(|civil| civil.0),
            settings: row.settings.0,
            content: row.content.0,
            content_hash: row.content_hash,
            text_hash: row.text_hash,
            intended_repeat: row.intended_repeat,
            attempts: row.attempts,
            receipt,
            problem: row.problem.map(|problem| problem.0),
            waits_for: row.waits_for.map(|waits_for| waits_for.0),
            hold_id: row.hold_id,
            released_at: row.released_at.map(Timestamp::from),
            zone_change: row.zone_change.map(|change| change.0),
            recall: row.recall.map(|recall| recall.0),
            part: Part { number: row.part, of: row.parts, follows: row.follows, root: row.root },
            asks_approval: row.asks_approval,
            variant_stale: row.variant_stale,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

/// An attempt as it is kept.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The how-manyth it is.
    pub number: i64,
    /// When its intent was written.
    pub started_at: Timestamp,
    /// When its first byte left.
    pub sent_at: Option<Timestamp>,
    /// When its outcome was written.
    pub ended_at: Option<Timestamp>,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// How far its request got.
    pub reach: Option<Reach>,
    /// What the platform said.
    pub detail: Option<Value>,
}

#[derive(sqlx::FromRow)]
pub(super) struct AttemptRow {
    id: AttemptId,
    number: i64,
    started_at: At,
    sent_at: Option<At>,
    ended_at: Option<At>,
    outcome: AttemptOutcome,
    reach: Option<Reach>,
    detail: Option<Json<Value>>,
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            id: row.id,
            number: row.number,
            started_at: row.started_at.0,
            sent_at: row.sent_at.map(Timestamp::from),
            ended_at: row.ended_at.map(Timestamp::from),
            outcome: row.outcome,
            reach: row.reach,
            detail: row.detail.map(|detail| detail.0),
        }
    }
}
