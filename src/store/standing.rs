//! How deliveries stand that the guard did not let through: one fact for each of its clauses.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::publishing::Guard;
use super::sql::{on, statements};
use super::{Error, Tx};
use crate::domain::delivery::DeliveryState;
use crate::domain::id::{DeliveryId, HoldId};

/// Why a delivery was not guarded: the facts, from which the engine names the clause.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "one fact for each clause of the guard")]
pub struct Standing {
    /// The delivery.
    pub id: DeliveryId,
    /// Its state.
    pub state: DeliveryState,
    /// Its instant.
    #[sqlx(try_from = "At")]
    pub due_at: Timestamp,
    /// Its latest useful time.
    #[sqlx(try_from = "At")]
    pub publish_by: Timestamp,
    /// Its latest useful time has passed.
    pub late: bool,
    /// Its account cannot publish: not connected, removed or without credential, or with one that has
    /// ended and that only a person can renew.
    pub account_unfit: bool,
    /// Its account's access token has ended, and is about to be refreshed.
    pub token_ended: bool,
    /// Its account waits for the platform until then.
    #[sqlx(try_from = "Option<At>")]
    pub blocked_until: Blocked,
    /// Its post was removed or its unit is closed.
    pub withdrawn: bool,
    /// Whoever scheduled it may not schedule there, or could not once, and nobody else has let it go.
    pub unvouched: bool,
    /// It is held and waits for a person's review already.
    pub in_review: bool,
    /// Not enough people have approved what it says, where and when, or may still do so.
    pub unapproved: bool,
    /// What it says is not proofed.
    pub unproofed: bool,
    /// The database came back from a backup, and nobody has let it send again.
    pub quarantined: bool,
    /// The database is on another server, or has lost what this process has committed.
    pub moved: bool,
    /// Its wall-clock time means another instant by now, and nobody has said which one counts.
    pub zone_changed: bool,
    /// Another delivery of the account is being published.
    pub busy: bool,
    /// The same text to the account is in doubt.
    pub doubtful: bool,
    /// The same text to the account was published lately.
    pub repeated: bool,
    /// How the delivery stands that it follows, if it follows one.
    pub before: Option<DeliveryState>,
    /// That one is being deleted at the platform.
    pub before_recalled: bool,
    /// What it says, or a picture or video of it, may not be shown before then.
    #[sqlx(try_from = "Option<At>")]
    pub embargo_until: Until,
    /// The licence of one has ended by now, or will have at its instant.
    #[sqlx(try_from = "Option<At>")]
    pub licence_ended: Until,
    /// A hold covers it, or did when it was due.
    #[sqlx(flatten)]
    pub stop: Stop,
}

/// The hold that stops a delivery; of several the one that stands longest.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Stop {
    /// Which.
    pub hold_id: Option<HoldId>,
    /// Why it was placed.
    pub hold_reason: Option<String>,
    /// When it ends or has ended, if that is known.
    #[sqlx(try_from = "Option<At>")]
    pub hold_until: Until,
}

/// The end of something, if it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Until(pub Option<Timestamp>);

impl From<Option<At>> for Until {
    fn from(at: Option<At>) -> Self {
        Self(at.map(Timestamp::from))
    }
}

/// An instant until which an account waits, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked(pub Option<Timestamp>);

impl From<Option<At>> for Blocked {
    fn from(at: Option<At>) -> Self {
        Self(at.map(Timestamp::from))
    }
}

statements! {
    /// A hold that has caught a delivery goes on covering it, even if what the delivery belongs to has
    /// changed since: only a person's review ends that.
    STANDING =
        "SELECT d.id, d.state, d.due_at, d.publish_by, d.publish_by <= $2 AS late,
                (a.status <> 'connected' OR a.removed_at IS NOT NULL OR c.account_id IS NULL
                 OR (COALESCE(c.expires_at <= $7, FALSE) AND (c.refresh IS NULL OR EXISTS (
                     SELECT 1 FROM refreshes AS r WHERE r.account_id = c.account_id
                     AND r.version = c.version AND r.outcome IN ('refused', 'lost', 'orphaned')))))
                    AS account_unfit,
                COALESCE(c.expires_at <= $7, FALSE) AS token_ended,
                a.blocked_until,
                (p.removed_at IS NOT NULL OR COALESCE(u.closed_on <= $4, FALSE)) AS withdrawn,
                (u.approval <> 'none' AND (
                    SELECT COUNT(DISTINCT y.person_id) FROM delivery_approvals AS y
                    WHERE y.delivery_id = d.id AND (y.until IS NULL OR y.until > $2))
                    < CASE u.approval WHEN 'two' THEN 2 ELSE 1 END) AS unapproved,
                ((SELECT COUNT(*) FROM vouched AS v
                  WHERE v.person_id = substr(d.created_by, 1, 36) AND v.account_id = d.account_id
                    AND (v.ends_at IS NULL OR (v.ends_at > $2 AND v.ends_at > d.due_at))) = 0
                 OR (d.state = 'held' AND d.hold_id IS NULL
                     AND COALESCE(d.waits_for->>'code', '') = 'review')) AS unvouched,
                (d.state = 'held' AND COALESCE(d.waits_for->>'code', '') = 'review') AS in_review,
                EXISTS (SELECT 1 FROM unproofed_deliveries AS w WHERE w.delivery_id = d.id) AS unproofed,
                EXISTS (SELECT 1 FROM installation WHERE quarantined_at IS NOT NULL) AS quarantined,
                EXISTS (SELECT 1 FROM installation AS own JOIN this_server AS there ON there.word <> own.server)
                    OR (CAST($5 AS BIGINT) <> 0 AND NOT EXISTS (
                        SELECT 1 FROM audit WHERE seq = $5 AND hash = $6)) AS moved,
                d.zone_change IS NOT NULL AS zone_changed,
                EXISTS (SELECT 1 FROM deliveries AS o WHERE o.account_id = d.account_id
                          AND o.state = 'publishing' AND o.id <> d.id) AS busy,
                EXISTS (SELECT 1 FROM deliveries AS o
                        WHERE o.account_id = d.account_id AND o.text_hash = d.text_hash
                          AND o.id <> d.id AND o.state IN ('unknown', 'needs_human'))
                    OR (NOT d.intended_repeat AND EXISTS (
                        SELECT 1 FROM corrections AS k
                        WHERE k.account_id = d.account_id AND k.text_hash = d.text_hash
                          AND k.ended_at IS NULL AND k.open_since > $3 AND COALESCE(k.problem->>'code', '') NOT IN
                              ('correction_conflict', 'correction_set_aside', 'correction_waits'))) AS doubtful,
                EXISTS (SELECT 1 FROM deliveries AS o
                        WHERE o.account_id = d.account_id AND o.text_hash = d.text_hash
                          AND o.id <> d.id AND o.published_at > $3
                          AND o.state IN ('published', 'vanished', 'recalled')
                          AND NOT d.intended_repeat)
                    OR (NOT d.intended_repeat AND EXISTS (
                        SELECT 1 FROM corrections AS k
                        WHERE k.account_id = d.account_id AND k.text_hash = d.text_hash
                          AND k.begun_at IS NOT NULL AND COALESCE(k.ended_at, k.open_since, k.begun_at) > $3
                          AND NOT (k.ended_at IS NULL AND k.open_since IS NOT NULL AND COALESCE(k.problem->>'code', '')
                              NOT IN ('correction_conflict', 'correction_set_aside', 'correction_waits')))) AS repeated,
                f.state AS before, f.recall IS NOT NULL AS before_recalled,
                (SELECT MAX(e.ends_at) FROM (
                    SELECT t.embargo_until AS ends_at FROM delivery_files AS w JOIN terms AS t ON t.sha256 = w.sha256
                    WHERE w.delivery_id = d.id
                    UNION ALL
                    SELECT b.ends_at FROM post_embargoes AS b WHERE b.post_id = d.post_id) AS e
                 WHERE e.ends_at > $2 AND e.ends_at > d.due_at) AS embargo_until,
                (SELECT MIN(t.licensed_until) FROM delivery_files AS w JOIN terms AS t ON t.sha256 = w.sha256
                 WHERE w.delivery_id = d.id
                   AND (t.licensed_until <= $2 OR t.licensed_until <= d.due_at)) AS licence_ended,
                h.id AS hold_id, h.reason AS hold_reason, h.stands_until AS hold_until
         FROM deliveries AS d
         JOIN accounts AS a ON a.id = d.account_id
         JOIN posts AS p ON p.id = d.post_id
         JOIN units AS u ON u.id = p.unit_id
         LEFT JOIN credentials AS c ON c.account_id = d.account_id
         LEFT JOIN deliveries AS f ON f.id = d.follows
         LEFT JOIN holds AS h ON h.id = (
             SELECT covers.id FROM (
                 SELECT c.hold_id AS id, c.stands_until FROM hold_covers AS c
                 WHERE c.delivery_id = d.id
                 UNION ALL
                 SELECT o.id, o.stands_until FROM holds AS o
                 WHERE o.id = d.hold_id AND d.state = 'held'
                   AND (o.stands_until IS NULL OR o.stands_until > d.due_at)) AS covers
             ORDER BY covers.stands_until IS NULL DESC, covers.stands_until DESC, covers.id
             LIMIT 1)
         WHERE d.id IN " ids(1);
}

/// The facts about deliveries that were not guarded; in no order.
pub async fn standing(
    tx: &mut Tx,
    ids: &[DeliveryId],
    with: &Guard<'_>,
) -> Result<Vec<Standing>, Error> {
    let (seq, hash) = tx.known();
    Ok(on!(tx, STANDING, |sql, conn| {
        sqlx::query_as(sql)
            .bind(Json(ids))
            .bind(At(with.now))
            .bind(At(with.repeat_since))
            .bind(with.today)
            .bind(seq)
            .bind(&hash)
            .bind(At(with.token_until))
            .fetch_all(conn)
            .await?
    }))
}
