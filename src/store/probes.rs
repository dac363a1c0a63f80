//! What platforms said of accounts' access, when each is asked again, and what people were told of it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::codec::At;
use super::publishing::SealedCredential;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::account::{AccountStatus, Health};
use crate::domain::connection::MissingScope;
use crate::domain::id::{AccountId, DeliveryId};
use crate::domain::probe::ProbeVerdict;

statements! {
    /// Each when its time has come, and before what is due within a day and within an hour. `IS TRUE` keeps
    /// SQLite on the index of accounts and instants.
    DUE =
        "SELECT a.id, a.platform FROM accounts AS a
         LEFT JOIN account_probes AS q ON q.account_id = a.id
         WHERE a.removed_at IS NULL AND a.status IN ('connected', 'paused')
           AND (q.account_id IS NULL OR q.next_at <= $1
                OR EXISTS (SELECT 1 FROM deliveries AS d
                           WHERE d.account_id = a.id AND d.due_at > q.day_until AND d.due_at > $1
                             AND d.due_at <= $2 AND (d.state = 'scheduled') IS TRUE)
                OR EXISTS (SELECT 1 FROM deliveries AS d
                           WHERE d.account_id = a.id AND d.due_at > q.hour_until AND d.due_at > $1
                             AND d.due_at <= $3 AND (d.state = 'scheduled') IS TRUE))
           AND EXISTS (SELECT 1 FROM credentials AS c WHERE c.account_id = a.id)
           AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.unique_key = 'probe:' || a.id
                           AND j.state IN ('queued', 'running'))
         ORDER BY a.id LIMIT 500";
    PREPARE =
        "SELECT a.id, a.platform, a.remote_id, a.handle, a.health, a.version AS account_version, c.kind, c.version, c.key_id, c.sealed,
                c.expires_at, c.refresh IS NOT NULL AS renewable,
                COALESCE(CASE WHEN q.version = c.version THEN q.refusals END, 0) AS refusals
         FROM accounts AS a
         JOIN credentials AS c ON c.account_id = a.id
         LEFT JOIN account_probes AS q ON q.account_id = a.id
         WHERE a.removed_at IS NULL AND a.status IN ('connected', 'paused') AND a.id IN " ids(1);
    KEEP =
        "INSERT INTO account_probes (account_id, version, tried_at, asked_at, next_at, day_until,
                                     hour_until, verdict, detail, refusals, fit_at, scopes, missing,
                                     expires_at, data_access_ends_at)
         VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (account_id) DO UPDATE SET version = excluded.version,
                tried_at = excluded.tried_at, asked_at = excluded.asked_at,
                next_at = excluded.next_at, day_until = excluded.day_until,
                hour_until = excluded.hour_until, verdict = excluded.verdict,
                detail = excluded.detail, trouble = NULL, refusals = excluded.refusals,
                fit_at = COALESCE(excluded.fit_at, account_probes.fit_at),
                scopes = COALESCE(excluded.scopes, account_probes.scopes),
                missing = COALESCE(excluded.missing, account_probes.missing),
                expires_at = excluded.expires_at,
                data_access_ends_at = excluded.data_access_ends_at";
    /// What was known stays: no answer says nothing.
    TROUBLE =
        "INSERT INTO account_probes (account_id, version, tried_at, next_at, day_until, hour_until,
                                     verdict, trouble, refusals)
         VALUES ($1, $2, $3, $3, $3, $3, 'unclear', $4, 0)
         ON CONFLICT (account_id) DO UPDATE SET tried_at = excluded.tried_at,
                trouble = excluded.trouble";
    PUT_OFF =
        "INSERT INTO account_probes (account_id, version, tried_at, next_at, day_until, hour_until,
                                     verdict, trouble, refusals)
         VALUES ($1, 0, $2, $3, $3, $3, 'unclear', $4, 0)
         ON CONFLICT (account_id) DO UPDATE SET tried_at = excluded.tried_at,
                next_at = excluded.next_at, day_until = excluded.day_until,
                hour_until = excluded.hour_until, trouble = excluded.trouble";
    /// What a person has changed meanwhile stays, and the next look says it again.
    HEALTH =
        "UPDATE accounts SET health = $2, version = version + 1, updated_at = $3
         WHERE id = $1 AND version = $4 AND removed_at IS NULL";
    FORGET = "DELETE FROM account_probes WHERE account_id = $1";
    ENDING =
        "SELECT a.id, CASE WHEN c.refresh IS NULL THEN c.expires_at END AS credential_ends_at,
                q.expires_at, q.data_access_ends_at
         FROM accounts AS a
         JOIN credentials AS c ON c.account_id = a.id
         LEFT JOIN account_probes AS q ON q.account_id = a.id
         WHERE a.removed_at IS NULL AND a.status IN ('connected', 'paused')
           AND ((c.refresh IS NULL AND c.expires_at <= $1) OR q.expires_at <= $1
                OR q.data_access_ends_at <= $1)
         ORDER BY a.id";
    /// What is due from $1 to $2 on accounts of which something is wrong, as far as SQL can tell.
    ON_UNFIT =
        "SELECT d.account_id, d.id, d.due_at, a.status, q.verdict,
                CASE WHEN c.refresh IS NULL THEN c.expires_at END AS credential_ends_at, q.expires_at
         FROM accounts AS a
         LEFT JOIN credentials AS c ON c.account_id = a.id
         LEFT JOIN account_probes AS q ON q.account_id = a.id
         CROSS JOIN deliveries AS d
         WHERE a.removed_at IS NULL
           AND (a.status <> 'connected' OR q.verdict = 'lacking' OR q.expires_at <= $2
                OR (c.refresh IS NULL AND c.expires_at <= $2))
           AND d.account_id = a.id AND d.due_at > $1 AND d.due_at <= $2
           AND (d.state = 'scheduled') IS TRUE
         ORDER BY d.account_id, d.due_at, d.id LIMIT 2000";
    /// What is due from $1 to $2 on a platform, with what it says and what its account may say.
    SAID_SOON =
        "SELECT d.account_id, d.id, d.due_at, d.content, d.part, a.health
         FROM accounts AS a
         CROSS JOIN deliveries AS d
         WHERE a.removed_at IS NULL AND a.platform = $3
           AND d.account_id = a.id AND d.due_at > $1 AND d.due_at <= $2
           AND (d.state = 'scheduled') IS TRUE
         ORDER BY d.account_id, d.due_at, d.id LIMIT 2000";
    TOLD =
        "SELECT account_id, subject, stage FROM account_warnings WHERE account_id IN " ids(1);
    TELL =
        "INSERT INTO account_warnings (account_id, subject, stage, told_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING";
    PRUNE = "DELETE FROM account_warnings WHERE told_at < $1";
}

/// An account that is to be asked about.
#[derive(Debug, Clone)]
pub struct ToProbe {
    /// Which.
    pub account_id: AccountId,
    /// The platform's word.
    pub platform: String,
    /// The platform's id of it.
    pub remote_id: String,
    /// Its handle.
    pub handle: Option<String>,
    /// What was known of its connection.
    pub health: Health,
    /// Which version of the account that stands in.
    pub account_version: i64,
    /// With what it is asked.
    pub credential: SealedCredential,
    /// When the access token ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// Whether it gets another one by itself.
    pub renewable: bool,
    /// How often in a row this credential was refused.
    pub refusals: i64,
}

#[derive(sqlx::FromRow)]
struct ToProbeRow {
    id: AccountId,
    platform: String,
    remote_id: String,
    handle: Option<String>,
    health: Json<Health>,
    account_version: i64,
    kind: String,
    version: i64,
    key_id: String,
    sealed: Vec<u8>,
    expires_at: Option<At>,
    renewable: bool,
    refusals: i64,
}

/// What an answer has said.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    /// Of which account.
    pub account_id: &'a AccountId,
    /// The version of the credential that it was asked with.
    pub version: i64,
    /// When it is asked again, whatever is due.
    pub next_at: Timestamp,
    /// Deliveries that are due until then have had their question of a day before.
    pub day_until: Timestamp,
    /// The same of an hour before.
    pub hour_until: Timestamp,
    /// What it has shown.
    pub verdict: ProbeVerdict,
    /// In the platform's words, if it was no good.
    pub detail: Option<String>,
    /// How often in a row the credential was refused.
    pub refusals: i64,
    /// The rights that were granted, where the platform says so.
    pub scopes: Option<&'a [String]>,
    /// Those that are missing of them.
    pub missing: Option<&'a [MissingScope]>,
    /// When the credential ends.
    pub expires_at: Option<Timestamp>,
    /// When the platform stops giving data.
    pub data_access_ends_at: Option<Timestamp>,
}

/// An account whose access ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// Which.
    pub account_id: AccountId,
    /// When its credential does.
    pub expires_at: Option<Timestamp>,
    /// When the platform stops giving data.
    pub data_access_ends_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct EndsRow {
    id: AccountId,
    credential_ends_at: Option<At>,
    expires_at: Option<At>,
    data_access_ends_at: Option<At>,
}

/// A delivery on an account of which something may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endangered {
    /// The account.
    pub account_id: AccountId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// When it is due.
    pub due_at: Timestamp,
    /// How the account stands.
    pub status: AccountStatus,
    /// What the last question has shown.
    pub verdict: Option<ProbeVerdict>,
    /// When the account's access ends by itself.
    pub ends_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct EndangeredRow {
    account_id: AccountId,
    id: DeliveryId,
    due_at: At,
    status: AccountStatus,
    verdict: Option<ProbeVerdict>,
    credential_ends_at: Option<At>,
    expires_at: Option<At>,
}

/// A delivery that is due soon, and what it says.
#[derive(Debug, Clone)]
pub struct SaidSoon {
    /// The account.
    pub account_id: AccountId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// When it is due.
    pub due_at: Timestamp,
    /// The variant with all its parts, and which of them it is.
    pub content: (Value, i64),
    /// What is known of the account.
    pub health: Health,
}

#[derive(sqlx::FromRow)]
struct SaidSoonRow {
    account_id: AccountId,
    id: DeliveryId,
    due_at: At,
    content: Json<Value>,
    part: i64,
    health: Json<Health>,
}

/// One thing that people are told of once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Warning {
    /// Of which account.
    pub account_id: AccountId,
    /// Of which end or delivery.
    pub subject: String,
    /// How many days or hours before.
    pub stage: i64,
}

fn earlier(one: Option<At>, other: Option<At>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().map(Timestamp::from).min()
}

/// Some accounts that are to be asked about and that nobody has planned to, with their platforms.
pub async fn due(
    reader: &mut Reader,
    now: Timestamp,
    within_a_day: Timestamp,
    within_an_hour: Timestamp,
) -> Result<Vec<(AccountId, String)>, Error> {
    Ok(on!(reader, DUE, |sql, conn| {
        let query = sqlx::query_as(sql).bind(At(now)).bind(At(within_a_day));
        query.bind(At(within_an_hour)).fetch_all(conn).await?
    }))
}

/// What is needed to ask about those of these accounts that can be; in no order.
pub async fn prepare(reader: &mut Reader, accounts: &[AccountId]) -> Result<Vec<ToProbe>, Error> {
    let rows: Vec<ToProbeRow> = on!(reader, PREPARE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).fetch_all(conn).await?
    });
    let to_probe = |row: ToProbeRow| ToProbe {
        account_id: row.id,
        platform: row.platform,
        remote_id: row.remote_id,
        handle: row.handle,
        health: row.health.0,
        account_version: row.account_version,
        credential: SealedCredential {
            kind: row.kind,
            version: row.version,
            key_id: row.key_id,
            sealed: row.sealed,
        },
        expires_at: row.expires_at.map(Timestamp::from),
        renewable: row.renewable,
        refusals: row.refusals,
    };
    Ok(rows.into_iter().map(to_probe).collect())
}

/// Keeps what an answer has said.
pub async fn keep(tx: &mut Tx, said: &Said<'_>, now: Timestamp) -> Result<(), Error> {
    let fit_at = (said.verdict == ProbeVerdict::Fit).then_some(At(now));
    on!(tx, KEEP, |sql, conn| {
        sqlx::query(sql)
            .bind(said.account_id)
            .bind(said.version)
            .bind(At(now))
            .bind(At(said.next_at))
            .bind(At(said.day_until))
            .bind(At(said.hour_until))
            .bind(said.verdict)
            .bind(&said.detail)
            .bind(said.refusals)
            .bind(fit_at)
            .bind(said.scopes.map(Json))
            .bind(said.missing.map(Json))
            .bind(said.expires_at.map(At))
            .bind(said.data_access_ends_at.map(At))
            .execute(conn)
            .await?;
    });
    Ok(())
}

/// Keeps what is new about an account's connection; false when a person has changed the account since.
pub async fn learn(
    tx: &mut Tx,
    account: &ToProbe,
    health: &Health,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(tx, HEALTH, |sql, conn| {
        sqlx::query(sql)
            .bind(&account.account_id)
            .bind(Json(health))
            .bind(At(now))
            .bind(account.account_version)
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Keeps why a question has got no answer that says anything.
pub async fn trouble(
    tx: &mut Tx,
    account: &AccountId,
    version: i64,
    why: &str,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, TROUBLE, |sql, conn| {
        let query = sqlx::query(sql).bind(account).bind(version).bind(At(now)).bind(why);
        query.execute(conn).await?;
    });
    Ok(())
}

/// An account is not asked about until then, whatever is due.
pub async fn put_off(
    tx: &mut Tx,
    account: &AccountId,
    until: Timestamp,
    why: &str,
    now: Timestamp,
) -> Result<(), Error> {
    on!(tx, PUT_OFF, |sql, conn| {
        let query = sqlx::query(sql).bind(account).bind(At(now)).bind(At(until)).bind(why);
        query.execute(conn).await?;
    });
    Ok(())
}

/// What was said of another credential says nothing about the one that is kept now.
pub async fn forget(tx: &mut Tx, account: &AccountId) -> Result<(), Error> {
    on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(account).execute(conn).await?;
    });
    Ok(())
}

/// Accounts whose access ends by then.
pub async fn ending(reader: &mut Reader, until: Timestamp) -> Result<Vec<Ends>, Error> {
    let rows: Vec<EndsRow> = on!(reader, ENDING, |sql, conn| {
        sqlx::query_as(sql).bind(At(until)).fetch_all(conn).await?
    });
    let ends = |row: EndsRow| Ends {
        account_id: row.id,
        expires_at: earlier(row.credential_ends_at, row.expires_at),
        data_access_ends_at: row.data_access_ends_at.map(Timestamp::from),
    };
    Ok(rows.into_iter().map(ends).collect())
}

/// Deliveries that are due until then on accounts of which something may be wrong, in the order of the
/// accounts.
pub async fn on_unfit(
    reader: &mut Reader,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Endangered>, Error> {
    let rows: Vec<EndangeredRow> = on!(reader, ON_UNFIT, |sql, conn| {
        sqlx::query_as(sql).bind(At(now)).bind(At(until)).fetch_all(conn).await?
    });
    let endangered = |row: EndangeredRow| Endangered {
        account_id: row.account_id,
        delivery_id: row.id,
        due_at: row.due_at.into(),
        status: row.status,
        verdict: row.verdict,
        ends_at: earlier(row.credential_ends_at, row.expires_at),
    };
    Ok(rows.into_iter().map(endangered).collect())
}

/// Deliveries that are due until then on a platform, with what they say, in the order of the accounts.
pub async fn said_soon(
    reader: &mut Reader,
    platform: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<SaidSoon>, Error> {
    let rows: Vec<SaidSoonRow> = on!(reader, SAID_SOON, |sql, conn| {
        let query = sqlx::query_as(sql).bind(At(now)).bind(At(until));
        query.bind(platform).fetch_all(conn).await?
    });
    let said = |row: SaidSoonRow| SaidSoon {
        account_id: row.account_id,
        delivery_id: row.id,
        due_at: row.due_at.into(),
        content: (row.content.0, row.part),
        health: row.health.0,
    };
    Ok(rows.into_iter().map(said).collect())
}

/// What people were told of these accounts, in no order.
pub async fn told(reader: &mut Reader, accounts: &[&AccountId]) -> Result<Vec<Warning>, Error> {
    let rows: Vec<(AccountId, String, i64)> = on!(reader, TOLD, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).fetch_all(conn).await?
    });
    let warning = |(account_id, subject, stage)| Warning { account_id, subject, stage };
    Ok(rows.into_iter().map(warning).collect())
}

/// Notes that people are told; false when they were already.
pub async fn tell(tx: &mut Tx, warning: &Warning, now: Timestamp) -> Result<bool, Error> {
    Ok(on!(tx, TELL, |sql, conn| {
        let query = sqlx::query(sql).bind(&warning.account_id).bind(&warning.subject);
        query.bind(warning.stage).bind(At(now)).execute(conn).await?.rows_affected() == 1
    }))
}

/// Forgets what people were told before an instant.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    Ok(on!(tx, PRUNE, |sql, conn| {
        sqlx::query(sql).bind(At(before)).execute(conn).await?.rows_affected()
    }))
}
