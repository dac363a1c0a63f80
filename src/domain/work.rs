//! The kinds of durable work by name, and what each needs to know.

use jiff::Timestamp;
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

/// Looks whether a published delivery is still there.
pub const VERIFY: &str = "verify";
/// Deletes a published delivery at its platform.
pub const RECALL: &str = "recall";
/// Gives a published delivery another text.
pub const CORRECT: &str = "correct";
/// Looks for broken promises.
pub const SELF_AUDIT: &str = "self_audit";

/// Reads an account through whose last posts the database may not know.
pub const READ_BACK: &str = "read_back";

/// Gets an account a new access token before its old one ends.
pub const REFRESH: &str = "refresh";

/// Reads an account for posts that did not come from here.
pub const FOREIGN: &str = "foreign";

/// Asks what an account's access is worth.
pub const PROBE: &str = "probe";

/// Brings files to a platform ahead of a delivery's instant.
pub const BRING: &str = "bring";

/// Every kind there is.
pub const KINDS: &[&str] = &[
    PUBLISH, RECONCILE, SWEEP, WEBHOOK, MAIL, VERIFY, RECALL, SELF_AUDIT, READ_BACK, REFRESH,
    FOREIGN, PROBE, BRING, CORRECT,
];

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

/// What a job needs to know that looks whether a delivery is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// When it was first seen that it is not; then this is the second look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_at: Option<Timestamp>,
}

/// What a recall job needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Which delivery.
    pub delivery_id: DeliveryId,
}

/// What a job needs to know that reads an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBack {
    /// Which account.
    pub account_id: AccountId,
}

/// The key that makes the reading of an account unique.
pub fn read_back_key(account: &AccountId) -> String {
    format!("{READ_BACK}:{account}")
}

/// What a refresh job needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Which account.
    pub account_id: AccountId,
}

/// The key that makes the refresh of an account's credential unique.
pub fn refresh_key(account: &AccountId) -> String {
    format!("{REFRESH}:{account}")
}

/// What a job needs to know that reads an account for posts that did not come from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// Which account.
    pub account_id: AccountId,
}

/// The key that makes the next such reading of an account unique.
pub fn foreign_key(account: &AccountId) -> String {
    format!("{FOREIGN}:{account}")
}

/// What a job needs to know that asks what an account's access is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Which account.
    pub account_id: AccountId,
}

/// The key that makes the question about an account unique.
pub fn probe_key(account: &AccountId) -> String {
    format!("{PROBE}:{account}")
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

/// The key that makes the job unique that brings a delivery's files; it needs to know what a publish job does.
pub fn bring_key(delivery: &DeliveryId) -> String {
    format!("{BRING}:{delivery}")
}

/// The key that makes the reconcile job of a delivery unique.
pub fn reconcile_key(delivery: &DeliveryId) -> String {
    format!("reconcile:{delivery}")
}

/// The key that makes a look at a published delivery unique; the second look has its own.
pub fn verify_key(job: &Verify) -> String {
    let second = if job.missed_at.is_some() { ":again" } else { "" };
    format!("{VERIFY}:{}{second}", job.delivery_id)
}

/// The key that makes the recall of a delivery unique.
pub fn recall_key(delivery: &DeliveryId) -> String {
    format!("{RECALL}:{delivery}")
}

/// What a job needs to know that gives a published delivery another text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correct {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// Which of its corrections.
    pub number: i64,
}

/// The key that makes the job of a correction unique.
pub fn correct_key(delivery: &DeliveryId, number: i64) -> String {
    format!("{CORRECT}:{delivery}:{number}")
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
