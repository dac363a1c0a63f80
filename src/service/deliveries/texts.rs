//! What a delivery that is out has said since when, and how its corrections are shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{ProblemView, problem_view};
use crate::domain::correction::{Correction, CorrectionState};
use crate::domain::variant::sha256_hex;
use crate::store::deliveries::Delivery;

/// Another text for a post that is out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CorrectionView {
    /// The how-manyth of its delivery it is, from 1.
    pub number: i64,
    /// Where it stands.
    pub state: CorrectionState,
    /// What the post is to say.
    pub text: String,
    /// Names all that is published with it.
    pub content_hash: String,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// How often the platform was asked without success.
    pub tries: i64,
    /// What stands in the way; the platform is asked again all the same.
    pub problem: Option<ProblemView>,
    /// What the post says instead, where somebody else has changed it at the platform; of what is done, what
    /// somebody else had written in the moment before, which is replaced.
    pub shown: Option<String>,
    /// Names that text: `overwrite` of a correction that may replace it.
    pub shown_hash: Option<String>,
    /// When a request for it left for the first time: since then the post may say it.
    pub begun_at: Option<Timestamp>,
    /// When it came to its end: of what is done, since when the post says it.
    pub ended_at: Option<Timestamp>,
}

/// What a post said, since when and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TextView {
    /// The correction by which it came; 0 for what was published first.
    pub number: i64,
    /// What it said.
    pub text: String,
    /// Names all that was published with it.
    pub content_hash: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; nothing while it says so.
    pub until: Option<Timestamp>,
}

impl From<Correction> for CorrectionView {
    fn from(it: Correction) -> Self {
        let shown_hash = it.shown.as_ref().map(|text| sha256_hex(text.as_bytes()));
        Self {
            number: it.number,
            state: it.state,
            text: it.text,
            content_hash: it.content_hash,
            reason: it.reason,
            asked_by: it.asked_by,
            asked_at: it.asked_at,
            tries: it.tries,
            problem: it.problem.map(problem_view),
            shown: it.shown,
            shown_hash,
            begun_at: it.begun_at,
            ended_at: it.ended_at,
        }
    }
}

/// All that a delivery has said, in order; nothing when it never was out.
pub(super) fn texts(delivery: &Delivery, history: &[Correction]) -> Vec<TextView> {
    let Some(receipt) = &delivery.receipt else { return Vec::new() };
    let first = delivery.content.part(delivery.part.number).unwrap_or_default();
    let mut texts = vec![TextView {
        number: 0,
        text: first.text,
        content_hash: delivery.content_hash.clone(),
        from: receipt.published_at,
        until: None,
    }];
    for one in history.iter().filter(|it| it.state == CorrectionState::Done) {
        let from = one.ended_at.unwrap_or(one.asked_at);
        if let Some(before) = texts.last_mut() {
            before.until = Some(from);
        }
        texts.push(TextView {
            number: one.number,
            text: one.text.clone(),
            content_hash: one.content_hash.clone(),
            from,
            until: None,
        });
    }
    texts
}
