//! What the service has found out about its own promises.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Caller, Error, Services, permit};
use crate::domain::invariant::Invariant;
use crate::domain::policy::{Action, Subject};
use crate::store::self_audit;

/// The most violations that are shown.
const MOST: i64 = 200;

/// How far the service has verified its own promises.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SelfAuditView {
    /// When it looked last; nothing before the first time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub looked_at: Option<Timestamp>,
    /// How many deliveries it looked at then.
    pub deliveries: i64,
    /// Up to which entry the audit is the chain that it was written as.
    pub audit_seq: i64,
    /// Everything that is looked for.
    pub invariants: Vec<Invariant>,
    /// What was found, newest first; at most 200.
    pub violations: Vec<ViolationView>,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ViolationView {
    /// Which.
    pub invariant: Invariant,
    /// By what: the id of a delivery or an account, or `audit:` with the number of an entry.
    pub subject: String,
    /// What was seen.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// When it was found first.
    #[schema(value_type = String, format = DateTime)]
    pub found_at: Timestamp,
}

/// What was looked for and found.
pub async fn show(services: &Services, caller: &Caller) -> Result<SelfAuditView, Error> {
    permit(caller, Action::ReadAudit, Subject::Any)?;
    let mut reader = services.store.read().await?;
    let verified = self_audit::verified(&mut reader).await?;
    let violations = self_audit::violations(&mut reader, MOST).await?;
    Ok(SelfAuditView {
        looked_at: verified.at,
        deliveries: verified.checked,
        audit_seq: verified.seq,
        invariants: Invariant::ALL.to_vec(),
        violations: violations
            .into_iter()
            .map(|one| ViolationView {
                invariant: one.invariant,
                subject: one.subject,
                detail: one.detail,
                found_at: one.found_at,
            })
            .collect(),
    })
}
