//! Which accounts of a database that came back are to be read before it sends again, what came of that,
//! and which of their posts nobody here knows.

use jiff::Timestamp;
use sqlx::types::Json;

use super::codec::At;
use super::publishing::SealedCredential;
use super::quarantine::SentPerhaps;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::attempt::Receipt;
use crate::domain::id::{AccountId, DeliveryId};
use crate::domain::variant::Content;

statements! {
    FORGET = "DELETE FROM read_backs";
    /// What was read for an earlier gap is read again: from the earlier beginning of both.
    BEGIN =
        "INSERT INTO read_backs (account_id, begun_at, since)
         SELECT a.id, $1, $2 FROM accounts AS a
         WHERE a.removed_at IS NULL
           AND (EXISTS (SELECT 1 FROM credentials AS c WHERE c.account_id = a.id)
                OR a.id IN (SELECT account_id FROM deliveries WHERE state IN ('pending_approval', 'scheduled', 'held')))
         ON CONFLICT (account_id) DO UPDATE SET begun_at = excluded.begun_at,
             since = CASE WHEN excluded.since < read_backs.since THEN excluded.since
                          ELSE read_backs.since END,
             read_at = NULL, tries = 0, problem = NULL, posts = NULL, not_known = 0";
    EACH =
        "SELECT r.account_id, a.platform FROM read_backs AS r
         JOIN accounts AS a ON a.id = r.account_id ORDER BY r.account_id";
    PREPARE =
        "SELECT r.account_id, r.begun_at, r.since, r.tries, a.platform, a.remote_id, a.handle,
                c.kind, c.version, c.key_id, c.sealed,
                r.account_id IN (SELECT account_id FROM deliveries
                                 WHERE state IN ('publishing', 'unknown')) AS unsettled
         FROM read_backs AS r
         JOIN accounts AS a ON a.id = r.account_id
         LEFT JOIN credentials AS c ON c.account_id = r.account_id
         WHERE r.read_at IS NULL AND r.account_id IN " ids(1);
    /// However far in the future: nobody knows what was moved. What was due before the quarantine is
    /// looked for by itself.
    TO_COME =
        "SELECT id, content, part, root FROM deliveries
         WHERE account_id = $1 AND due_at >= $2
           AND (state IN ('pending_approval', 'scheduled', 'held')) IS TRUE ORDER BY part, due_at, id";
    KNOWN =
        "SELECT remote_id FROM deliveries
         WHERE account_id = $1 AND remote_id IS NOT NULL AND published_at >= $2";
    /// Locked, so that what is then written about them is still true.
    STILL_TO_COME =
        "SELECT d.id, d.account_id, d.platform, d.class, d.state, d.due_at, d.attempts,
                d.content_hash, a.high_water, TRUE AS can_be_read
         FROM deliveries AS d JOIN accounts AS a ON a.id = d.account_id
         WHERE (d.state IN ('pending_approval', 'scheduled', 'held')) IS TRUE
           AND d.id IN (SELECT value FROM jsonb_each($1)) ORDER BY d.id"
        |
        "SELECT d.id, d.account_id, d.platform, d.class, d.state, d.due_at, d.attempts,
                d.content_hash, a.high_water, TRUE AS can_be_read
         FROM deliveries AS d JOIN accounts AS a ON a.id = d.account_id
         WHERE d.state IN ('pending_approval', 'scheduled', 'held')
           AND d.id IN (SELECT jsonb_array_elements_text($1)) ORDER BY d.id FOR UPDATE OF d";
    DONE =
        "UPDATE read_backs SET read_at = $3, problem = NULL, posts = $4, not_known = $5
         WHERE account_id = $1 AND begun_at = $2 AND read_at IS NULL";
    FAILED =
        "UPDATE read_backs SET tries = tries + 1, problem = $3
         WHERE account_id = $1 AND begun_at = $2 AND read_at IS NULL";
    COUNTS =
        "SELECT COUNT(r.read_at) AS read,
                COUNT(CASE WHEN r.read_at IS NULL AND r.problem IS NULL THEN 1 END) AS left_over,
                COUNT(CASE WHEN r.read_at IS NULL AND r.problem IS NOT NULL THEN 1 END) AS blind,
                COUNT(CASE WHEN r.read_at IS NULL AND r.account_id IN (
                    SELECT account_id FROM deliveries
                    WHERE state IN ('pending_approval', 'scheduled', 'held')) THEN 1 END) AS in_the_way
         FROM read_backs AS r";
    UNREAD =
        "SELECT r.account_id, a.platform, a.display_name, r.tries, r.problem
         FROM read_backs AS r JOIN accounts AS a ON a.id = r.account_id
         WHERE r.read_at IS NULL ORDER BY r.problem IS NULL, r.account_id LIMIT $1";
    NOT_KNOWN =
        "SELECT account_id, posts, not_known FROM read_backs WHERE not_known > 0 ORDER BY account_id";
}

/// An account that is to be read.
#[derive(Debug, Clone)]
pub struct ToRead {
    /// Which.
    pub account_id: AccountId,
    /// When the quarantine began.
    pub begun_at: Timestamp,
    /// From which instant on.
    pub since: Timestamp,
    /// How often that has failed.
    pub tries: i64,
    /// The platform's word.
    pub platform: String,
    /// The platform's id of it.
    pub remote_id: String,
    /// Its handle.
    pub handle: Option<String>,
    /// With what it is read; none when it is not connected.
    pub credential: Option<SealedCredential>,
    /// Whether deliveries of it are on their way or looked for: what they are is found out first.
    pub unsettled: bool,
}

/// A delivery that is still to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToCome {
    /// Which.
    pub id: DeliveryId,
    /// What it says: its own part alone.
    pub content: Content,
    /// The delivery of the first part, for all others.
    pub root: Option<DeliveryId>,
}

/// How far the reading has come, in accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Counts {
    /// Read through.
    pub read: i64,
    /// Not read yet.
    #[sqlx(rename = "left_over")]
    pub left: i64,
    /// Could not be read; tried again.
    pub blind: i64,
    /// Of the last two: with deliveries that are still to be sent.
    pub in_the_way: i64,
}

/// An account that was not read yet.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Unread {
    /// Which.
    pub account_id: AccountId,
    /// The platform's word.
    pub platform: String,
    /// Its name.
    pub display_name: String,
    /// How often that has failed.
    pub tries: i64,
    /// Why, the last time.
    pub problem: Option<String>,
}

/// Posts of an account that nobody here knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotKnown {
    /// Whose.
    pub account_id: AccountId,
    /// Some of them.
    pub posts: Vec<Receipt>,
    /// How many there are.
    pub count: i64,
}

#[derive(sqlx::FromRow)]
struct ToReadRow {
    account_id: AccountId,
    begun_at: At,
    since: At,
    tries: i64,
    platform: String,
    remote_id: String,
    handle: Option<String>,
    kind: Option<String>,
    version: Option<i64>,
    key_id: Option<String>,
    sealed: Option<Vec<u8>>,
    unsettled: bool,
}

impl From<ToReadRow> for ToRead {
    fn from(row: ToReadRow) -> Self {
        let credential = || {
            let (kind, version) = (row.kind?, row.version?);
            Some(SealedCredential { kind, version, key_id: row.key_id?, sealed: row.sealed? })
        };
        Self {
            account_id: row.account_id,
            begun_at: row.begun_at.0,
            since: row.since.0,
            tries: row.tries,
            platform: row.platform,
            remote_id: row.remote_id,
            handle: row.handle,
            unsettled: row.unsettled,
            credential: credential(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct NotKnownRow {
    account_id: AccountId,
    posts: Option<Json<Vec<Receipt>>>,
    not_known: i64,
}

/// Forgets what was read in an earlier quarantine.
pub async fn forget(tx: &mut Tx) -> Result<(), Error> {
    on!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).execute(conn).await?;
    });
    Ok(())
}

/// Notes every account that is to be read since `since`; gives them with their platforms.
pub async fn begin(
    tx: &mut Tx,
    begun_at: Timestamp,
    since: Timestamp,
) -> Result<Vec<(AccountId, String)>, Error> {
    on!(tx, BEGIN, |sql, conn| {
        sqlx::query(sql).bind(At(begun_at)).bind(At(since)).execute(conn).await?;
    });
    Ok(on!(tx, EACH, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?))
}

/// What is needed to read those of these accounts that were not read yet; in no order.
pub async fn prepare(reader: &mut Reader, accounts: &[AccountId]) -> Result<Vec<ToRead>, Error> {
    let rows: Vec<ToReadRow> = on!(reader, PREPARE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().map(ToRead::from).collect())
}

/// What an account is still to send from then on.
pub async fn to_come(
    reader: &mut Reader,
    account: &AccountId,
    since: Timestamp,
) -> Result<Vec<ToCome>, Error> {
    let rows: Vec<(DeliveryId, Json<Content>, i64, Option<DeliveryId>)> =
        on!(reader, TO_COME, |sql, conn| {
            sqlx::query_as(sql).bind(account).bind(At(since)).fetch_all(conn).await?
        });
    let each = |(id, content, part, root): (_, Json<Content>, _, _)| ToCome {
        id,
        content: content.0.part(part).unwrap_or_default(),
        root,
    };
    Ok(rows.into_iter().map(each).collect())
}

/// The ids of an account's posts since then that belong to deliveries.
pub async fn known(
    reader: &mut Reader,
    account: &AccountId,
    since: Timestamp,
) -> Result<Vec<String>, Error> {
    Ok(on!(reader, KNOWN, |sql, conn| {
        sqlx::query_scalar(sql).bind(account).bind(At(since)).fetch_all(conn).await?
    }))
}

/// Those of these deliveries that are still to be sent.
pub async fn still_to_come(tx: &mut Tx, ids: &[&DeliveryId]) -> Result<Vec<SentPerhaps>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on!(tx, STILL_TO_COME, |sql, conn| {
        sqlx::query_as(sql).bind(Json(ids)).fetch_all(conn).await?
    }))
}

/// An account was read through, and shows these posts that nobody here knows; false when another
/// quarantine has begun meanwhile.
pub async fn done(
    tx: &mut Tx,
    read: &ToRead,
    posts: &[Receipt],
    count: i64,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(tx, DONE, |sql, conn| {
        sqlx::query(sql)
            .bind(&read.account_id)
            .bind(At(read.begun_at))
            .bind(At(now))
            .bind(Json(posts))
            .bind(count)
            .execute(conn)
            .await?
            .rows_affected()
            > 0
    }))
}

/// An account could not be read.
pub async fn failed(
    tx: &mut Tx,
    account: &AccountId,
    begun_at: Timestamp,
    why: &str,
) -> Result<(), Error> {
    on!(tx, FAILED, |sql, conn| {
        sqlx::query(sql).bind(account).bind(At(begun_at)).bind(why).execute(conn).await?;
    });
    Ok(())
}

/// How far it has come.
pub async fn counts(reader: &mut Reader) -> Result<Counts, Error> {
    Ok(on!(reader, COUNTS, |sql, conn| sqlx::query_as(sql).fetch_one(conn).await?))
}

/// Some of the accounts that were not read yet, first those that could not be.
pub async fn unread(reader: &mut Reader, limit: i64) -> Result<Vec<Unread>, Error> {
    Ok(on!(reader, UNREAD, |sql, conn| sqlx::query_as(sql).bind(limit).fetch_all(conn).await?))
}

/// What the accounts show and nobody here knows.
pub async fn not_known(reader: &mut Reader) -> Result<Vec<NotKnown>, Error> {
    let rows: Vec<NotKnownRow> =
        on!(reader, NOT_KNOWN, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await?);
    Ok(rows
        .into_iter()
        .map(|row| NotKnown {
            account_id: row.account_id,
            posts: row.posts.map(|posts| posts.0).unwrap_or_default(),
            count: row.not_known,
        })
        .collect())
}
