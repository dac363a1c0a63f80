//! Refresh tokens that are presented: the row that is durable before one leaves, and what came of it.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::jobs::Holder;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::account::AccountStatus;
use crate::domain::id::AccountId;
use crate::domain::refresh::RefreshOutcome;

statements! {
    /// Deliveries of an hour ago that still wait count: they go out as soon as they can. `IS TRUE` keeps
    /// SQLite on the index of accounts and instants.
    PREPARE =
        "SELECT c.account_id, a.platform, a.remote_id, a.status, c.version, c.key_id, c.refresh,
                c.expires_at, c.updated_at, r.outcome,
                (SELECT MIN(d.due_at) FROM deliveries AS d
                 WHERE d.account_id = c.account_id AND d.due_at >= $2
                   AND (d.state = 'scheduled') IS TRUE) AS next_due,
                EXISTS (SELECT 1 FROM deliveries AS o
                        WHERE o.account_id = c.account_id AND o.state = 'publishing') AS publishing,
                (SELECT MAX(l.ended_at) FROM refreshes AS l
                 WHERE l.platform = a.platform AND l.outcome = 'lost') AS lost_at
         FROM credentials AS c
         JOIN accounts AS a ON a.id = c.account_id
         LEFT JOIN refreshes AS r ON r.account_id = c.account_id AND r.version = c.version
         WHERE a.removed_at IS NULL AND c.account_id IN " ids(1);
    /// Every "never" of a refresh is here: whose row is not inserted does not present its token. The
    /// credential is still the one that was read; this process is known; the database is not one that
    /// came back, nor on another server, nor has it lost what this process committed; and neither this
    /// version nor this very token was ever presented.
    PRESENT =
        "INSERT INTO refreshes (account_id, version, platform, token_hash, node, fence, outcome,
                                presented_at)
         SELECT $1, $2, $3, $4, $5, $6, 'presenting', $7
         WHERE EXISTS (SELECT 1 FROM credentials WHERE account_id = $1 AND version = $2)
           AND EXISTS (SELECT 1 FROM nodes WHERE id = $5 AND fence = $6)
           AND NOT EXISTS (SELECT 1 FROM installation WHERE quarantined_at IS NOT NULL)
           AND NOT EXISTS (
               SELECT 1 FROM installation AS own JOIN this_server AS there
               ON there.word <> own.server)
           AND (CAST($8 AS BIGINT) = 0 OR EXISTS (
               SELECT 1 FROM audit WHERE seq = $8 AND hash = $9))
         ON CONFLICT DO NOTHING";
    KNOWN = "SELECT COUNT(*) FROM refreshes WHERE token_hash = $1";
    GIVE_UP =
        "INSERT INTO refreshes (account_id, version, platform, token_hash, outcome, presented_at,
                                ended_at)
         VALUES ($1, $2, $3, 'repeated:' || CAST($1 AS TEXT) || ':' || CAST($2 AS BIGINT), 'orphaned',
                 $4, $4)
         ON CONFLICT DO NOTHING";
    OUTCOME = "SELECT outcome FROM refreshes WHERE account_id = $1 AND version = $2";
    /// Only what the presented token gave may take its place, however late it comes: nobody else can have
    /// presented it.
    KEEP =
        "UPDATE credentials SET version = version + 1, key_id = $3, sealed = $4, refresh = $5,
                expires_at = $6, updated_at = $7
         WHERE account_id = $1 AND version = $2 AND EXISTS (
             SELECT 1 FROM refreshes AS r WHERE r.account_id = $1 AND r.version = $2
             AND r.outcome IN ('presenting', 'lost', 'orphaned'))";
    /// A token that the platform gives again is a new one.
    KEPT =
        "UPDATE refreshes SET outcome = $3, ended_at = $4,
                token_hash = CASE WHEN $5 THEN 'again:' || account_id || ':' || version
                                  ELSE token_hash END
         WHERE account_id = $1 AND version = $2
           AND outcome IN ('presenting', 'lost', 'orphaned')";
    END =
        "UPDATE refreshes SET outcome = $3, detail = $4, ended_at = $5
         WHERE account_id = $1 AND version = $2 AND outcome = 'presenting'";
    NOT_PRESENTED =
        "DELETE FROM refreshes WHERE account_id = $1 AND version = $2 AND outcome = 'presenting'";
    OPEN_OF =
        "SELECT r.account_id, r.version FROM refreshes AS r
         JOIN credentials AS c ON c.account_id = r.account_id AND c.version = r.version
         WHERE r.outcome = 'presenting' AND r.account_id IN " ids(1);
    UNPLANNED =
        "SELECT c.account_id, a.platform, c.updated_at, c.expires_at FROM credentials AS c
         JOIN accounts AS a ON a.id = c.account_id
         WHERE c.refresh IS NOT NULL AND a.removed_at IS NULL AND a.status IN ('connected', 'paused')
           AND NOT EXISTS (SELECT 1 FROM refreshes AS r
                           WHERE r.account_id = c.account_id AND r.version = c.version)
           AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.unique_key = 'refresh:' || c.account_id
                           AND j.state IN ('queued', 'running'))
         ORDER BY c.account_id LIMIT 500";
    /// Nothing gives these another access token but a person.
    /// Those of these whose access token can still be followed by another: the refresh token of this version is
    /// there and was not presented in vain, or it was kept meanwhile. The successor of one that was refused is
    /// not refreshed for the same while it is young: another would be refused, too.
    RENEWABLE =
        "SELECT c.account_id, v.value->>1 AS version FROM jsonb_each($1) AS v
         CROSS JOIN credentials AS c ON c.account_id = v.value->>0
         WHERE c.version > v.value->>1
            OR (c.version = v.value->>1 AND c.refresh IS NOT NULL
                AND NOT (COALESCE(c.refused_version, -1) = c.version - 1 AND c.updated_at > $2)
                AND NOT EXISTS (SELECT 1 FROM refreshes AS r WHERE r.account_id = c.account_id
                                AND r.version = c.version AND r.outcome <> 'presenting'))"
        |
        "SELECT c.account_id, CAST(v.value->>1 AS BIGINT) AS version
         FROM jsonb_array_elements($1) AS v
         JOIN credentials AS c ON c.account_id = v.value->>0
         WHERE c.version > CAST(v.value->>1 AS BIGINT)
            OR (c.version = CAST(v.value->>1 AS BIGINT) AND c.refresh IS NOT NULL
                AND NOT (COALESCE(c.refused_version, -1) = c.version - 1 AND c.updated_at > $2)
                AND NOT EXISTS (SELECT 1 FROM refreshes AS r WHERE r.account_id = c.account_id
                                AND r.version = c.version AND r.outcome <> 'presenting'))";
    /// Its access token is taken for ended: nothing leaves with it, and it is refreshed at once.
    EXPIRE =
        "UPDATE credentials SET refused_version = version,
                expires_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END
         WHERE account_id = $1 AND version = $2 AND refresh IS NOT NULL";
    ENDED =
        "SELECT c.account_id, c.version FROM credentials AS c
         JOIN accounts AS a ON a.id = c.account_id
         WHERE c.expires_at <= $1 AND a.removed_at IS NULL AND a.status = 'connected'
           AND (c.refresh IS NULL OR EXISTS (
                SELECT 1 FROM refreshes AS r WHERE r.account_id = c.account_id
                AND r.version = c.version AND r.outcome IN ('refused', 'lost', 'orphaned')))
         ORDER BY c.account_id LIMIT 500";
    /// By the instant from which on it was to be refreshed: half of its life. What the lost part of the
    /// database did with it nobody knows.
    DOUBT =
        "INSERT INTO refreshes (account_id, version, platform, token_hash, outcome, presented_at,
                                ended_at)
         SELECT c.account_id, c.version, a.platform, 'lost:' || c.account_id || ':' || c.version,
                'orphaned', $1, $1 FROM credentials AS c
         JOIN accounts AS a ON a.id = c.account_id
         WHERE c.refresh IS NOT NULL AND a.removed_at IS NULL
           AND c.updated_at + (COALESCE(c.expires_at, c.updated_at) - c.updated_at) / 2 <= $1
         ON CONFLICT DO NOTHING";
    PRUNE =
        "DELETE FROM refreshes WHERE ended_at < $1 AND NOT EXISTS (
             SELECT 1 FROM credentials AS c WHERE c.account_id = refreshes.account_id
             AND c.version = refreshes.version)";
}

/// A credential that can be refreshed, with what decides whether it is.
#[derive(Clone)]
pub struct ToRefresh {
    /// Whose.
    pub account_id: AccountId,
    /// The platform's word.
    pub platform: String,
    /// The platform's id of the account.
    pub remote_id: String,
    /// How the account stands.
    pub status: AccountStatus,
    /// The version of its credential.
    pub version: i64,
    /// Which key sealed it.
    pub key_id: String,
    /// The sealed refresh token.
    pub refresh: Option<Vec<u8>>,
    /// When the access token ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When it was kept.
    pub issued_at: Timestamp,
    /// What came of this version, if it was presented.
    pub outcome: Option<RefreshOutcome>,
    /// When the account's next delivery is due.
    pub next_due: Option<Timestamp>,
    /// Whether one is being sent.
    pub publishing: bool,
    /// When its platform last hid what came of a refresh.
    pub lost_at: Option<Timestamp>,
}

impl std::fmt::Debug for ToRefresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ToRefresh({} version {})", self.account_id, self.version)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    account_id: AccountId,
    platform: String,
    remote_id: String,
    status: AccountStatus,
    version: i64,
    key_id: String,
    refresh: Option<Vec<u8>>,
    expires_at: Option<At>,
    updated_at: At,
    outcome: Option<RefreshOutcome>,
    next_due: Option<At>,
    publishing: bool,
    lost_at: Option<At>,
}

impl From<Row> for ToRefresh {
    fn from(row: Row) -> Self {
        Self {
            account_id: row.account_id,
            platform: row.platform,
            remote_id: row.remote_id,
            status: row.status,
            version: row.version,
            key_id: row.key_id,
            refresh: row.refresh,
            expires_at: row.expires_at.map(Timestamp::from),
            issued_at: row.updated_at.into(),
            outcome: row.outcome,
            next_due: row.next_due.map(Timestamp::from),
            publishing: row.publishing,
            lost_at: row.lost_at.map(Timestamp::from),
        }
    }
}

/// One version of one credential.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// Whose.
    pub account: &'a AccountId,
    /// Which.
    pub number: i64,
}

/// The pair that takes the place of a version, sealed as the next one.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// Which key sealed it.
    pub key_id: &'a str,
    /// The sealed access token.
    pub sealed: &'a [u8],
    /// The sealed refresh token.
    pub refresh: &'a [u8],
    /// When the access token ends, where that was said.
    pub expires_at: Option<Timestamp>,
    /// Whether the platform has given the same refresh token once more.
    pub same: bool,
}

impl std::fmt::Debug for Pair<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The credentials of these accounts, with what decides; in no order. Deliveries that were due before
/// `since` do not count.
pub async fn prepare(
    reader: &mut Reader,
    accounts: &[AccountId],
    since: Timestamp,
) -> Result<Vec<ToRefresh>, Error> {
    let rows: Vec<Row> = on!(reader, PREPARE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).bind(At(since)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(ToRefresh::from).collect())
}

/// Marks a refresh token as presented; false when it must not be. To be durable before it leaves.
pub async fn present(
    tx: &mut Tx,
    which: Version<'_>,
    (platform, token_hash): (&str, &str),
    holder: &Holder,
    now: Timestamp,
) -> Result<bool, Error> {
    let (seq, hash) = tx.known();
    Ok(on!(tx, PRESENT, |sql, conn| {
        sqlx::query(sql)
            .bind(which.account)
            .bind(which.number)
            .bind(platform)
            .bind(token_hash)
            .bind(&holder.node)
            .bind(holder.fence)
            .bind(At(now))
            .bind(seq)
            .bind(&hash)
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Whether this very token was presented under another version.
pub async fn is_known(reader: &mut Reader, token_hash: &str) -> Result<bool, Error> {
    let count: i64 = on!(reader, KNOWN, |sql, conn| {
        sqlx::query_scalar(sql).bind(token_hash).fetch_one(conn).await?
    });
    Ok(count > 0)
}

/// Takes a version for presented without presenting it.
pub async fn give_up(
    tx: &mut Tx,
    which: Version<'_>,
    platform: &str,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, GIVE_UP, |sql, conn| {
        sqlx::query(sql)
            .bind(which.account)
            .bind(which.number)
            .bind(platform)
            .bind(At(now))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Keeps the pair that a presented token gave, in the place of the version that it belongs to; false when
/// that is not there any more: then somebody has connected the account again. May be repeated after a
/// commit of which nobody knows whether it was made.
pub async fn keep(
    tx: &mut Tx,
    which: Version<'_>,
    pair: Pair<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    let changed = on!(tx, KEEP, |sql, conn| {
        sqlx::query(sql)
            .bind(which.account)
            .bind(which.number)
            .bind(pair.key_id)
            .bind(pair.sealed)
            .bind(pair.refresh)
            .bind(pair.expires_at.map(At))
            .bind(At(now))
            .execute(conn)
            .await?
            .rows_affected()
    });
    let kept = changed == 1;
    let outcome = if kept { RefreshOutcome::Kept } else { RefreshOutcome::Superseded };
    on!(tx, KEPT, |sql, conn| {
        sqlx::query(sql)
            .bind(which.account)
            .bind(which.number)
            .bind(outcome)
            .bind(At(now))
            .bind(pair.same)
            .execute(conn)
            .await?;
    });
    Ok(kept || outcome_of(tx, which).await? == Some(RefreshOutcome::Kept))
}

/// What came of the refresh token of a version, if it was presented.
pub async fn outcome_of(
    reader: &mut Reader,
    which: Version<'_>,
) -> Result<Option<RefreshOutcome>, Error> {
    Ok(on!(reader, OUTCOME, |sql, conn| {
        sqlx::query_scalar(sql).bind(which.account).bind(which.number).fetch_optional(conn).await?
    }))
}

/// Writes down what came of a token that is being presented; false when that is known already.
pub async fn end(
    tx: &mut Tx,
    which: Version<'_>,
    (outcome, detail): (RefreshOutcome, &str),
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(tx, END, |sql, conn| {
        sqlx::query(sql)
            .bind(which.account)
            .bind(which.number)
            .bind(outcome)
            .bind(detail)
            .bind(At(now))
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Takes the mark of a token back that has certainly not been taken by the platform.
pub async fn not_presented(tx: &mut Tx, which: Version<'_>) -> Result<(), Error> {
    on!(tx, NOT_PRESENTED, |sql, conn| {
        sqlx::query(sql).bind(which.account).bind(which.number).execute(conn).await?;
    });
    Ok(())
}

/// Versions of these accounts' present credentials that are being presented; in no order.
pub async fn open_of(
    reader: &mut Reader,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, i64)>, Error> {
    Ok(on!(reader, OPEN_OF, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).fetch_all(conn).await?
    }))
}

/// A credential that nobody has planned to refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplanned {
    /// Whose.
    pub account_id: AccountId,
    /// The platform's word.
    pub platform: String,
    /// When it was kept.
    pub issued_at: Timestamp,
    /// When its access token ends, where that is known.
    pub expires_at: Option<Timestamp>,
}

/// Credentials that can be refreshed and that nobody has planned to.
pub async fn unplanned(reader: &mut Reader) -> Result<Vec<Unplanned>, Error> {
    let rows: Vec<(AccountId, String, At, Option<At>)> =
        on!(reader, UNPLANNED, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|(account_id, platform, issued, ends)| Unplanned {
            account_id,
            platform,
            issued_at: issued.0,
            expires_at: ends.map(Timestamp::from),
        })
        .collect())
}

/// The successor of a refused access token is young for so long.
const YOUNG: Duration = Duration::from_mins(10);

/// Those of these versions of credentials whose access tokens can be followed by others; in no order.
pub async fn renewable(
    reader: &mut Reader,
    versions: &[(&AccountId, i64)],
    now: Timestamp,
) -> Result<Vec<(AccountId, i64)>, Error> {
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let since = crate::clock::before(now, YOUNG);
    Ok(on!(reader, RENEWABLE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(versions)).bind(At(since)).fetch_all(conn).await?
    }))
}

/// Takes an access token for ended that its platform does not take any more.
pub async fn expire(tx: &mut Tx, which: Version<'_>, now: Timestamp) -> Result<(), Error> {
    on!(tx, EXPIRE, |sql, conn| {
        let query = sqlx::query(sql).bind(which.account).bind(which.number).bind(At(now));
        query.execute(conn).await?;
    });
    Ok(())
}

/// Connected accounts whose access token has ended and that cannot be refreshed, with the version.
pub async fn ended(reader: &mut Reader, now: Timestamp) -> Result<Vec<(AccountId, i64)>, Error> {
    Ok(on!(reader, ENDED, |sql, conn| sqlx::query_as(sql).bind(At(now)).fetch_all(conn).await?))
}

/// Takes every refresh token for presented that may have been since the state which the database tells.
pub async fn doubt(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, DOUBT, |sql, conn| {
        sqlx::query(sql).bind(At(now)).execute(conn).await?.rows_affected()
    }))
}

/// Forgets what was presented before an instant, but for what is still there.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, PRUNE, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}
