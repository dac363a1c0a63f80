//! What the audit is told when a job is given up because it was lost too often.

use serde_json::json;

use super::job::{SET_ASIDE, Verdict};
use crate::domain::audit::NewEntry;
use crate::store::jobs::Claimed;

/// An entry for each of the jobs that is given up for that reason.
pub(super) fn entries<'a>(
    kind: &str,
    decided: impl Iterator<Item = (&'a Claimed, &'a Verdict)>,
) -> Vec<NewEntry> {
    decided
        .filter(|(job, verdict)| job.losses >= SET_ASIDE && is_aside(verdict))
        .map(|(job, _)| NewEntry {
            actor: "queue".to_owned(),
            action: "job.set_aside".to_owned(),
            subject: job.id.to_string(),
            detail: json!({"kind": kind, "key": job.unique_key, "losses": job.losses}),
        })
        .collect()
}

fn is_aside(verdict: &Verdict) -> bool {
    verdict.note.as_deref().is_some_and(|note| note.starts_with("set aside"))
}
