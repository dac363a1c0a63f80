//! How a delivery is shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::texts::{self, CorrectionView, TextView};
use super::waiting::{self, Known};
use crate::domain::attempt::{AttemptOutcome, Reach};
use crate::domain::class::Class;
use crate::domain::delivery::{Act, DeliveryProblem, DeliveryState, Recall};
use crate::domain::id::{AccountId, AttemptId, DeliveryId, HoldId, PersonId, PostId, UnitId};
use crate::domain::schedule::{self, Civil};
use crate::domain::waiting::Party;
use crate::service::Caller;
use crate::service::plan::{Ready, shown_zone};
use crate::service::posts::MediaView;
use crate::service::warning::Warning;
use crate::store::deliveries::{Attempt, Delivery};

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// Its id.
    pub id: DeliveryId,
    /// Its post.
    pub post_id: PostId,
    /// The post's unit.
    pub unit_id: UnitId,
    /// Where it goes.
    pub account_id: AccountId,
    /// The platform's id, as in `GET /platforms`.
    pub platform: String,
    /// BCP 47 tag.
    pub language: String,
    /// How urgent it is.
    pub class: Class,
    /// Where it stands.
    pub state: DeliveryState,
    /// Since when.
    pub state_since: Timestamp,
    /// What it waits for; nothing at its end.
    pub waits_for: Option<WaitsForView>,
    /// What the caller can do about it now: each is a `POST` below its address, but for `review`, which
    /// is `POST /deliveries/review`.
    pub acts: Vec<Act>,
    /// The hold that has caught it.
    #[serde(default)]
    pub hold_id: Option<HoldId>,
    /// When a person let it go on after a hold.
    #[serde(default)]
    pub released_at: Option<Timestamp>,
    /// Its instant; it never goes out before.
    pub due_at: Timestamp,
    /// The same on the wall in `zone`.
    pub due_local: String,
    /// The zone that was asked for, else the account's.
    pub zone: String,
    /// The time on a wall that was asked for.
    pub local: Option<LocalView>,
    /// That time means another instant by now. It is not sent until somebody gives it a time again.
    #[serde(default)]
    pub zone_change: Option<ZoneChangeView>,
    /// It does not go out at or after this instant.
    pub publish_by: Timestamp,
    /// Per-platform settings.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// The same text is meant to be said again.
    pub intended_repeat: bool,
    /// Names what is published.
    pub content_hash: String,
    /// Which part of what is said it sends, from 1: the rest of a thread and a first comment follow.
    #[serde(default = "one")]
    pub part: i64,
    /// How many parts there are.
    #[serde(default = "one")]
    pub parts: i64,
    /// The delivery under whose post it goes, once that is out; nothing for the first part.
    #[serde(default)]
    pub follows: Option<DeliveryId>,
    /// Attempts that count.
    pub attempt_count: i64,
    /// The platform's word, once it is out.
    pub receipt: Option<ReceiptView>,
    /// Why it is not out, or not any more.
    pub problem: Option<ProblemView>,
    /// Who had it deleted at the platform, or wants that: while it is `published` the recall is under
    /// way.
    #[serde(default)]
    pub recall: Option<RecallView>,
    /// The last correction of what is out that somebody asked for.
    #[serde(default)]
    pub correction: Option<CorrectionView>,
    /// Its time and place are part of what is approved: whoever moves it asks for that again.
    #[serde(default)]
    pub asks_approval: bool,
    /// The source of what it says has changed since, and nobody has said that it is still right.
    #[serde(default)]
    pub variant_stale: bool,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// Who scheduled it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// What is worth knowing about the time that it was just given; in the answer to that alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// A delivery with what it says and everything that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// What was published: the variant as it was scheduled, and of it this part.
    pub content: ContentView,
    /// What it has said since it is out, in order; the last is what it says. Nothing before it is out.
    #[serde(default)]
    pub texts: Vec<TextView>,
    /// All corrections that were asked for, in order.
    #[serde(default)]
    pub corrections: Vec<CorrectionView>,
    /// Every try, in order.
    pub attempts: Vec<AttemptView>,
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContentView {
    /// The text.
    pub text: String,
    /// A link to show as a card or to append.
    pub link: Option<String>,
    /// Pictures, in order.
    pub media: Vec<MediaView>,
}

/// What a delivery waits for, since when, until when, and who is responsible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitsForView {
    /// Stable machine word: `due`, `platform`, `reconcile`, `person`, `account`, `rate_limit`, `hold`,
    /// `review`, `clock`, `time_zone`, `token_refresh`, …
    pub code: String,
    /// In a few words, in both languages.
    pub title: TitleView,
    /// More of it, in English.
    pub detail: String,
    /// Whose move it is.
    pub party: Party,
    /// Who is responsible: by name where it is a person's move, else the service.
    pub owners: Vec<OwnerView>,
    /// Since when.
    pub since: Timestamp,
    /// Until when at most: its latest useful time, or when the service knows more.
    pub until: Timestamp,
    /// When the service looks at it next by itself, if it does.
    pub next_look_at: Option<Timestamp>,
}

/// A few words in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TitleView {
    /// In Vietnamese.
    pub vi: String,
    /// In English.
    pub en: String,
}

/// Who is responsible for a delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnerView {
    /// The person; nothing for the service.
    pub id: Option<PersonId>,
    /// The name.
    pub name: String,
}

/// A time on a wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LocalView {
    /// The day.
    pub date: String,
    /// The time of day.
    pub time: String,
    /// IANA name of the zone.
    pub zone: String,
    /// The offset that the zone had when this was resolved.
    pub offset: String,
    /// The version of the zone's data by which it was resolved.
    #[serde(default)]
    pub rules: String,
}

/// The clocks of a zone go otherwise than when something was scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneChangeView {
    /// The instant that the time on the wall means now; several when it comes twice or is skipped.
    pub means: Vec<Timestamp>,
    /// The version of the zone's data that says so.
    pub rules: String,
    /// When it was noticed.
    pub found_at: Timestamp,
}

/// The platform's word for what went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptView {
    /// The platform's id of the post.
    pub remote_id: String,
    /// Where a person can see it.
    pub permalink: Option<String>,
    /// When the platform says it was published.
    pub published_at: Timestamp,
}

/// Why a delivery is not out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemView {
    /// Stable machine word.
    pub code: String,
    /// What happened.
    pub detail: String,
    /// What one can do.
    pub hint: String,
}

/// The wish of a person that what is out be deleted at the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecallView {
    /// Who asked for it first.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// Why.
    pub reason: String,
    /// How often the platform was asked without success.
    pub tries: i64,
    /// What stands in the way, when a person should see to it; the platform is asked again all the same.
    pub problem: Option<ProblemView>,
}

/// One try of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Its id.
    pub id: AttemptId,
    /// The how-manyth it is.
    pub number: i64,
    /// When its intent was written, before the first byte.
    pub started_at: Timestamp,
    /// When its first byte left.
    pub sent_at: Option<Timestamp>,
    /// When its outcome was written.
    pub ended_at: Option<Timestamp>,
    /// What came of it; `open` while nobody knows.
    pub outcome: AttemptOutcome,
    /// How far its request got.
    pub reach: Option<Reach>,
    /// What was seen.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Value>,
}

/// What was answered before there were parts is the one part of what was said.
fn one() -> i64 {
    1
}

pub(super) fn problem_view(problem: DeliveryProblem) -> ProblemView {
    ProblemView { code: problem.code, detail: problem.detail, hint: problem.hint }
}

fn recall_view(recall: Recall) -> RecallView {
    let Recall { asked_by, asked_at, reason, tries, problem, told_at: _, missed_at: _ } = recall;
    RecallView { asked_by, asked_at, reason, tries, problem: problem.map(problem_view) }
}

fn local_view(civil: Civil) -> LocalView {
    let Civil { date, time, zone, offset, rules } = civil;
    LocalView { date, time, zone, offset, rules }
}

impl DeliveryView {
    /// The view of a delivery for this caller, with what is known about waiting.
    pub(super) fn new(delivery: Delivery, known: &Known, caller: &Caller) -> Self {
        let zone = shown_zone(delivery.civil.as_ref(), &delivery.account_zone).to_owned();
        let (waits_for, acts) = (known.wait(&delivery), waiting::acts(&delivery, caller));
        let correction = known.corrections(&delivery.id).last().cloned().map(CorrectionView::from);
        Self {
            id: delivery.id,
            post_id: delivery.post_id,
            unit_id: delivery.unit_id,
            account_id: delivery.account_id,
            platform: delivery.platform,
            language: delivery.language,
            class: delivery.class,
            state: delivery.state,
            state_since: delivery.state_since,
            waits_for,
            acts,
            hold_id: delivery.hold_id,
            released_at: delivery.released_at,
            due_at: delivery.due_at,
            due_local: schedule::local_in(delivery.due_at, &zone),
            zone,
            local: delivery.civil.map(local_view),
            zone_change: delivery.zone_change.map(|change| ZoneChangeView {
                means: change.means,
                rules: change.rules,
                found_at: change.found_at,
            }),
            publish_by: delivery.publish_by,
            settings: delivery.settings,
            intended_repeat: delivery.intended_repeat,
            asks_approval: delivery.asks_approval,
            variant_stale: delivery.variant_stale,
            content_hash: delivery.content_hash,
            part: delivery.part.number,
            parts: delivery.part.of,
            follows: delivery.part.follows,
            attempt_count: delivery.attempts,
            receipt: delivery.receipt.map(|receipt| ReceiptView {
                remote_id: receipt.remote_id,
                permalink: receipt.permalink,
                published_at: receipt.published_at,
            }),
            problem: delivery.problem.map(problem_view),
            recall: delivery.recall.map(recall_view),
            correction,
            version: delivery.version,
            created_by: delivery.created_by,
            created_at: delivery.created_at,
            updated_at: delivery.updated_at,
            warnings: Vec::new(),
        }
    }

    /// The view of a delivery that is about to be written.
    pub(in crate::service) fn planned(one: &Ready, caller: &Caller) -> Self {
        let row = one.row.clone();
        let (known, state) = (Known::planned(&row), row.state());
        let delivery = Delivery {
            id: row.id,
            post_id: row.post_id,
            account_id: row.account_id,
            account_zone: one.account.time_zone.clone(),
            unit_id: row.unit_id,
            platform: row.platform,
            language: row.language,
            class: row.class,
            state,
            state_since: row.created_at,
            due_at: row.due_at,
            publish_by: row.publish_by,
            civil: row.civil,
            settings: row.settings,
            content: row.content,
            content_hash: row.content_hash,
            text_hash: row.text_hash,
            intended_repeat: row.intended_repeat,
            attempts: 0,
            receipt: None,
            problem: None,
            waits_for: one.row.waits_for(),
            hold_id: None,
            released_at: None,
            zone_change: None,
            recall: None,
            part: row.part,
            asks_approval: row.asks_approval,
            variant_stale: false,
            version: 1,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.created_at,
        };
        Self::new(delivery, &known, caller)
    }
}

impl DeliveryDetail {
    /// The view of a delivery with its attempts.
    pub(super) fn new(
        delivery: Delivery,
        attempts: Vec<Attempt>,
        known: &Known,
        caller: &Caller,
    ) -> Self {
        let said = delivery.content.part(delivery.part.number).unwrap_or_default();
        let content = ContentView {
            media: said.media.iter().map(MediaView::from).collect(),
            text: said.text,
            link: said.link,
        };
        let attempts = attempts.into_iter().map(|attempt| AttemptView {
            id: attempt.id,
            number: attempt.number,
            started_at: attempt.started_at,
            sent_at: attempt.sent_at,
            ended_at: attempt.ended_at,
            outcome: attempt.outcome,
            reach: attempt.reach,
            detail: attempt.detail,
        });
        let attempts = attempts.collect();
        let history = known.corrections(&delivery.id);
        let texts = texts::texts(&delivery, history);
        let corrections = history.iter().cloned().map(CorrectionView::from).collect();
        Self {
            content,
            texts,
            corrections,
            attempts,
            delivery: DeliveryView::new(delivery, known, caller),
        }
    }
}
