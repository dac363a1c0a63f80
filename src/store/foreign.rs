//! How far each account was read for posts that did not come from here, and what was found.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::types::Json;

use super::codec::At;
use super::publishing::SealedCredential;
use super::sql::{on, statements};
use super::{Error, Reader, Tx};
use crate::domain::delivery::DeliveryState;
use crate::domain::foreign::ForeignStatus;
use crate::domain::id::{AccountId, DeliveryId, ForeignPostId};
use crate::domain::variant::Content;

statements! {
    UNKNOWN_ACCOUNTS =
        "SELECT COUNT(*) FROM accounts AS a
         WHERE a.removed_at IS NULL AND a.platform IN " ids(1) "
           AND NOT EXISTS (SELECT 1 FROM foreign_reads AS r WHERE r.account_id = a.id)";
    /// From the account's connection on, or from now on where that was before this was looked for at all.
    BEGIN =
        "INSERT INTO foreign_reads (account_id, began_at, mark)
         SELECT a.id, CASE WHEN a.created_at > $3 THEN a.created_at ELSE $2 END,
                CASE WHEN a.created_at > $3 THEN a.created_at ELSE $2 END
         FROM accounts AS a
         WHERE a.removed_at IS NULL AND a.platform IN " ids(1) "
           AND NOT EXISTS (SELECT 1 FROM foreign_reads AS r WHERE r.account_id = a.id)
         ON CONFLICT DO NOTHING";
    UNPLANNED =
        "SELECT r.account_id, a.platform, COALESCE(r.read_at, r.mark) FROM foreign_reads AS r
         JOIN accounts AS a ON a.id = r.account_id
         WHERE a.removed_at IS NULL AND a.status IN ('connected', 'paused')
           AND a.platform IN " ids(1) "
           AND EXISTS (SELECT 1 FROM credentials AS c WHERE c.account_id = r.account_id)
           AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.unique_key = 'foreign:' || r.account_id
                           AND j.state IN ('queued', 'running'))
         ORDER BY r.account_id LIMIT 500";
    PREPARE =
        "SELECT r.account_id, r.began_at, r.mark, a.platform, a.remote_id, a.handle,
                c.kind, c.version, c.key_id, c.sealed,
                EXISTS (SELECT 1 FROM installation WHERE quarantined_at IS NOT NULL) AS quarantined
         FROM foreign_reads AS r
         JOIN accounts AS a ON a.id = r.account_id
         JOIN credentials AS c ON c.account_id = r.account_id
         WHERE a.removed_at IS NULL AND r.account_id IN " ids(1);
    /// What may be out without anybody knowing its id.
    UNSETTLED =
        "SELECT d.id, d.state, d.state_since, d.content, d.part,
                (SELECT MIN(t.started_at) FROM attempts AS t WHERE t.delivery_id = d.id) AS began_at
         FROM deliveries AS d
         WHERE d.account_id = $1 AND d.id IN (
             SELECT id FROM deliveries WHERE state IN ('publishing', 'unknown', 'needs_human'))
         ORDER BY d.id";
    /// `IS TRUE` keeps SQLite on the index of accounts and instants. What follows a post need not be in
    /// any list.
    PUBLISHED =
        "SELECT d.id, d.remote_id, d.published_at, d.content,
                (SELECT k.text FROM corrections AS k WHERE k.delivery_id = d.id AND k.state = 'done'
                 ORDER BY k.number DESC LIMIT 1)
         FROM deliveries AS d
         WHERE d.account_id = $1 AND d.due_at >= $2 AND (d.state = 'published') IS TRUE
           AND d.recall IS NULL AND d.published_at >= $3 AND d.remote_id IS NOT NULL
           AND d.part = 1
         ORDER BY d.id";
    KNOWN =
        "SELECT remote_id FROM foreign_posts WHERE account_id = $2 AND remote_id IN " ids(1);
    INSERT =
        "INSERT INTO foreign_posts (id, account_id, remote_id, permalink, published_at, text, seen_at,
                                    status)
         SELECT value->>'id', value->>'account_id', value->>'remote_id', value->>'permalink',
                value->>'published_ms', value->>'text', $2, value->>'status'
         FROM jsonb_each($1) WHERE true ON CONFLICT DO NOTHING"
        |
        "INSERT INTO foreign_posts (id, account_id, remote_id, permalink, published_at, text, seen_at,
                                    status)
         SELECT id, account_id, remote_id, permalink,
                TIMESTAMPTZ 'epoch' + published_ms * INTERVAL '1 millisecond', text, $2, status
         FROM jsonb_to_recordset($1) AS v(id TEXT, account_id TEXT, remote_id TEXT, permalink TEXT,
                                          published_ms BIGINT, text TEXT, status TEXT)
         ON CONFLICT DO NOTHING";
    OPEN =
        "SELECT id, remote_id, published_at FROM foreign_posts
         WHERE account_id = $1 AND status = 'open' ORDER BY id LIMIT 1000";
    FORGET = "DELETE FROM foreign_posts WHERE status = 'open' AND id IN " ids(1);
    ALARM = "UPDATE foreign_posts SET status = 'new' WHERE status = 'open' AND id IN " ids(1);
    READ = "UPDATE foreign_reads SET mark = $2, read_at = $3 WHERE account_id = $1 AND mark <= $2";
    PUT_OFF = "UPDATE foreign_reads SET read_at = $2 WHERE account_id = $1";
}

/// An account that is to be read.
#[derive(Debug, Clone)]
pub struct ToRead {
    /// Which.
    pub account_id: AccountId,
    /// What is older was there before.
    pub began_at: Timestamp,
    /// Up to where it was read.
    pub mark: Timestamp,
    /// The platform's word.
    pub platform: String,
    /// The platform's id of it.
    pub remote_id: String,
    /// Its handle.
    pub handle: Option<String>,
    /// With what it is read.
    pub credential: SealedCredential,
    /// Whether the database came back from a backup: then nobody knows yet what is ours.
    pub quarantined: bool,
}

#[derive(sqlx::FromRow)]
struct ToReadRow {
    account_id: AccountId,
    began_at: At,
    mark: At,
    platform: String,
    remote_id: String,
    handle: Option<String>,
    kind: String,
    version: i64,
    key_id: String,
    sealed: Vec<u8>,
    quarantined: bool,
}

/// An account that nothing is planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplanned {
    /// Which.
    pub account_id: AccountId,
    /// The platform's word.
    pub platform: String,
    /// When it was read last, or is to be counted from.
    pub since: Timestamp,
}

/// A delivery that may be out without anybody knowing its id.
#[derive(Debug, Clone)]
pub struct Unsettled {
    /// Which.
    pub id: DeliveryId,
    /// How it stands.
    pub state: DeliveryState,
    /// Since when.
    pub state_since: Timestamp,
    /// When its first attempt began; none when it has none.
    pub began_at: Option<Timestamp>,
    /// Which part of what is said it is, from 1.
    pub part: i64,
    /// What it says: that part.
    pub content: Content,
}

#[derive(sqlx::FromRow)]
struct UnsettledRow {
    id: DeliveryId,
    state: DeliveryState,
    state_since: At,
    content: Json<Content>,
    part: i64,
    began_at: Option<At>,
}

/// A delivery that is out.
#[derive(Debug, Clone)]
pub struct Published {
    /// Which.
    pub id: DeliveryId,
    /// The platform's id of it.
    pub remote_id: String,
    /// Since when.
    pub published_at: Timestamp,
    /// What it says.
    pub content: Content,
}

/// A post that nobody here knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPost {
    /// Its id here.
    pub id: ForeignPostId,
    /// On which account.
    pub account_id: AccountId,
    /// The platform's id of it.
    pub remote_id: String,
    /// Where it can be seen.
    pub permalink: Option<String>,
    /// When the platform says it was published.
    pub published_at: Timestamp,
    /// The beginning of what it says.
    pub text: String,
    /// It may be a delivery's whose outcome is not known yet: to be judged later.
    pub open: bool,
}

#[derive(Serialize)]
struct NewRow<'a> {
    id: &'a ForeignPostId,
    account_id: &'a AccountId,
    remote_id: &'a str,
    permalink: Option<&'a str>,
    published_ms: i64,
    text: &'a str,
    status: &'a str,
}

/// A post that is to be judged later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Its id here.
    pub id: ForeignPostId,
    /// The platform's id of it.
    pub remote_id: String,
    /// When the platform says it was published.
    pub published_at: Timestamp,
}

/// How many accounts of these platforms are not looked after yet.
pub async fn unknown_accounts(reader: &mut Reader, platforms: &[&str]) -> Result<i64, Error> {
    Ok(on!(reader, UNKNOWN_ACCOUNTS, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(platforms)).fetch_one(conn).await?
    }))
}

/// Looks after every account of these platforms from now on; what was entered after `lately`, from then.
pub async fn begin(
    tx: &mut Tx,
    platforms: &[&str],
    now: Timestamp,
    lately: Timestamp,
) -> Result<(), Error> {
    on!(tx, BEGIN, |sql, conn| {
        let query = sqlx::query(sql).bind(Json(platforms)).bind(At(now)).bind(At(lately));
        query.execute(conn).await?;
    });
    Ok(())
}

/// Some accounts of these platforms that no reading is planned for.
pub async fn unplanned(reader: &mut Reader, platforms: &[&str]) -> Result<Vec<Unplanned>, Error> {
    let rows: Vec<(AccountId, String, At)> = on!(reader, UNPLANNED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(platforms)).fetch_all(conn).await?
    });
    let unplanned = |(account_id, platform, since): (_, _, At)| Unplanned {
        account_id,
        platform,
        since: since.0,
    };
    Ok(rows.into_iter().map(unplanned).collect())
}

/// What is needed to read those of these accounts that can be; in no order.
pub async fn prepare(reader: &mut Reader, accounts: &[AccountId]) -> Result<Vec<ToRead>, Error> {
    let rows: Vec<ToReadRow> = on!(reader, PREPARE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(accounts)).fetch_all(conn).await?
    });
    let to_read = |row: ToReadRow| ToRead {
        account_id: row.account_id,
        began_at: row.began_at.0,
        mark: row.mark.0,
        platform: row.platform,
        remote_id: row.remote_id,
        handle: row.handle,
        credential: SealedCredential {
            kind: row.kind,
            version: row.version,
            key_id: row.key_id,
            sealed: row.sealed,
        },
        quarantined: row.quarantined,
    };
    Ok(rows.into_iter().map(to_read).collect())
}

/// The deliveries of an account that may be out without anybody knowing their ids.
pub async fn unsettled(reader: &mut Reader, account: &AccountId) -> Result<Vec<Unsettled>, Error> {
    let rows: Vec<UnsettledRow> = on!(reader, UNSETTLED, |sql, conn| {
        sqlx::query_as(sql).bind(account).fetch_all(conn).await?
    });
    let unsettled = |row: UnsettledRow| Unsettled {
        id: row.id,
        state: row.state,
        state_since: row.state_since.0,
        began_at: row.began_at.map(Timestamp::from),
        content: row.content.0.part(row.part).unwrap_or_default(),
        part: row.part,
    };
    Ok(rows.into_iter().map(unsettled).collect())
}

/// The last is the text of the last correction that was made.
type PublishedRow = (DeliveryId, String, At, Json<Content>, Option<String>);

/// The deliveries of an account that were published since then, of those that were due since `due`.
pub async fn published(
    reader: &mut Reader,
    account: &AccountId,
    due: Timestamp,
    since: Timestamp,
) -> Result<Vec<Published>, Error> {
    let rows: Vec<PublishedRow> = on!(reader, PUBLISHED, |sql, conn| {
        sqlx::query_as(sql).bind(account).bind(At(due)).bind(At(since)).fetch_all(conn).await?
    });
    let published = |(id, remote_id, at, content, corrected): PublishedRow| {
        let text = corrected.unwrap_or_else(|| content.0.text.clone());
        Published { id, remote_id, published_at: at.0, content: Content { text, ..content.0 } }
    };
    Ok(rows.into_iter().map(published).collect())
}

/// Those of these remote ids that were found before.
pub async fn known(
    reader: &mut Reader,
    account: &AccountId,
    remote_ids: &[&str],
) -> Result<Vec<String>, Error> {
    Ok(on!(reader, KNOWN, |sql, conn| {
        sqlx::query_scalar(sql).bind(Json(remote_ids)).bind(account).fetch_all(conn).await?
    }))
}

/// Keeps what was found; what is there already stays as it is.
pub async fn insert(tx: &mut Tx, posts: &[NewPost], now: Timestamp) -> Result<(), Error> {
    if posts.is_empty() {
        return Ok(());
    }
    let row = |post: &'_ NewPost| {
        serde_json::json!(NewRow {
            id: &post.id,
            account_id: &post.account_id,
            remote_id: &post.remote_id,
            permalink: post.permalink.as_deref(),
            published_ms: post.published_at.as_millisecond(),
            text: &post.text,
            status: if post.open { "open" } else { ForeignStatus::New.as_str() },
        })
    };
    let rows: Vec<serde_json::Value> = posts.iter().map(row).collect();
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql).bind(Json(rows)).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}

/// What is to be judged later on an account.
pub async fn open(reader: &mut Reader, account: &AccountId) -> Result<Vec<Open>, Error> {
    let rows: Vec<(ForeignPostId, String, At)> =
        on!(reader, OPEN, |sql, conn| sqlx::query_as(sql).bind(account).fetch_all(conn).await?);
    let open = |(id, remote_id, at): (_, _, At)| Open { id, remote_id, published_at: at.0 };
    Ok(rows.into_iter().map(open).collect())
}

/// These were ours: nothing was to be judged.
pub async fn forget(tx: &mut Tx, ids: &[ForeignPostId]) -> Result<(), Error> {
    if !ids.is_empty() {
        on!(tx, FORGET, |sql, conn| {
            sqlx::query(sql).bind(Json(ids)).execute(conn).await?;
        });
    }
    Ok(())
}

/// These are not ours.
pub async fn alarm(tx: &mut Tx, ids: &[ForeignPostId]) -> Result<(), Error> {
    if !ids.is_empty() {
        on!(tx, ALARM, |sql, conn| {
            sqlx::query(sql).bind(Json(ids)).execute(conn).await?;
        });
    }
    Ok(())
}

/// An account was read through up to `mark`; false when another reading has come further.
pub async fn read(
    tx: &mut Tx,
    account: &AccountId,
    mark: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(on!(tx, READ, |sql, conn| {
        let query = sqlx::query(sql).bind(account).bind(At(mark)).bind(At(now));
        query.execute(conn).await?.rows_affected() == 1
    }))
}

/// The next reading of an account is counted from now on.
pub async fn put_off(tx: &mut Tx, account: &AccountId, now: Timestamp) -> Result<(), Error> {
    on!(tx, PUT_OFF, |sql, conn| {
        sqlx::query(sql).bind(account).bind(At(now)).execute(conn).await?;
    });
    Ok(())
}
