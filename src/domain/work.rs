//! The kinds of durable work by name, and what each needs to know.

use serde::{Deserialize, Serialize};

use super::id::{AccountId, AttemptId, DeliveryId, MessageId, PersonId, WebhookId};
use super::outbox::Occasion;

/// Publishes one delivery.
pub const PUBLISH: &str = "publish";
/// Finds out what became of a doubtful attempt.
pub const RECONCILE: &str = "reconcile";
/// Forgets what need not be kept.
pub const SWEEP: &str = "sweep";
/// Tells one webhook of one message.
pub const WEBHOOK: &str = "webhook";
/// Writes to one person what has happened of one kind.
pub const MAIL: &str = "mail";

/// Every kind there is.
pub const KINDS: &[&str] = &[PUBLISH, RECONCILE, SWEEP, WEBHOOK, MAIL];

/// What a publish job needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Which delivery.
    pub delivery_id: DeliveryId,
}

/// What a reconcile job needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconcile {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// Which attempt is in doubt.
    pub attempt_id: AttemptId,
    /// An id that the platform gave away although its answer was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// True when the platform refused the text as a duplicate: absence then asks a person.
    #[serde(default)]
    pub duplicate: bool,
    /// True when the attempt was another process's, which may still be sending.
    #[serde(default)]
    pub foreign: bool,
}

/// The slot of an account's jobs: at most one of a kind is at work. It begins with the pool.
pub fn slot(platform: &str, account: &AccountId) -> String {
    format!("{platform}/{account}")
}

/// The pool that a slot belongs to: its jobs take each other's room and nobody else's. Empty for
/// work that has no platform.
pub fn pool(slot: &str) -> &str {
    slot.split_once('/').map_or("", |(pool, _)| pool)
}

/// The key that makes the publish job of a delivery unique.
pub fn publish_key(delivery: &DeliveryId) -> String {
    format!("publish:{delivery}")
}

/// The key that makes the reconcile job of a delivery unique.
pub fn reconcile_key(delivery: &DeliveryId) -> String {
    format!("reconcile:{delivery}")
}

/// What a webhook job needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Which webhook.
    pub webhook_id: WebhookId,
    /// Of what.
    pub message_id: MessageId,
}

/// What a mail job needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// To whom.
    pub person_id: PersonId,
    /// Of what kind.
    pub event: Occasion,
}

/// The key that makes the job unique that tells one webhook of one message.
pub fn webhook_key(job: &Webhook) -> String {
    format!("{WEBHOOK}:{}:{}", job.webhook_id, job.message_id)
}

/// The key that makes the job unique that writes to one person what has happened of one kind.
pub fn mail_key(job: &Mail) -> String {
    format!("{MAIL}:{}:{}", job.person_id, job.event)
}
