//! Approvals: what people have said to posts, whom that covers, and the deliveries that wait for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;
use sqlx::types::Json;

use super::audit;
use super::codec::At;
use super::held::{self, Released};
use super::jobs::{self, NewJob};
use super::sql::{on, statements};
use super::waiting::Responsible;
use super::{Error, Reader, Tx};
use crate::domain::approval::{Approval, Decision, Planned, Submission, Waiting};
use crate::domain::audit::NewEntry;
use crate::domain::delivery::WaitsFor;
use crate::domain::id::{AccountId, ApprovalId, DeliveryId, PersonId, PostId};
use crate::domain::unit;
use crate::domain::work;

statements! {
    /// Two who approve at once would each count without the other; and the post stays what it is.
    LOCK = "SELECT id FROM posts WHERE id = $1" | "SELECT id FROM posts WHERE id = $1 FOR UPDATE";
    INSERT =
        "INSERT INTO approvals (id, post_id, revision, content_hash, person_id, decision, note, decided_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    COVER =
        "INSERT INTO approved_times (approval_id, delivery_id, moves)
         SELECT $2, value->>'id', value->>'moves' FROM jsonb_each($1)"
        |
        "INSERT INTO approved_times (approval_id, delivery_id, moves)
         SELECT $2, id, moves FROM jsonb_to_recordset($1) AS v(id TEXT, moves BIGINT)";
    END =
        "UPDATE approvals SET ended_at = $2, ended_by = $3
         WHERE post_id = $1 AND decision = 'approve' AND ended_at IS NULL
           AND (CAST($4 AS TEXT) IS NULL OR person_id = $4)";
    END_OTHERS =
        "UPDATE approvals SET ended_at = $2, ended_by = $3
         WHERE post_id = $1 AND decision = 'approve' AND ended_at IS NULL AND content_hash <> $4";
    SUBMIT =
        "UPDATE posts SET submitted_hash = $2, submitted_by = $3, submitted_at = $4, wanted_at = $4
         WHERE id = $1 AND removed_at IS NULL";
    /// Which posts are looked at by whoever looks for what waits for approval.
    MARK = "UPDATE posts SET wanted_at = $2 WHERE id = $1";
    SUBMITTED =
        "SELECT id, submitted_hash, submitted_by, submitted_at FROM posts
         WHERE submitted_at IS NOT NULL AND id IN " ids(1);
    OF =
        "SELECT id, post_id, revision, content_hash, person_id, decision, note, decided_at, ended_at,
                ended_by
         FROM approvals WHERE post_id IN " ids(1) " ORDER BY post_id, decided_at, id";
    STANDING =
        "SELECT DISTINCT post_id, person_id FROM post_approvals
         WHERE (until IS NULL OR until > $2) AND post_id IN " ids(1);
    WROTE =
        "INSERT INTO post_writers (post_id, person_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    WRITERS = "SELECT person_id FROM post_writers WHERE post_id = $1 ORDER BY person_id";
    PLANNED =
        "SELECT post_id, id, account_id, due_at, moves FROM deliveries
         WHERE asks_approval AND (state IN ('pending_approval', 'scheduled', 'held', 'publishing', 'unknown',
                                            'needs_human')) IS TRUE
           AND post_id IN " ids(1) " ORDER BY id";
    WAITING =
        "SELECT d.post_id, MIN(d.due_at), MAX(d.state_since), MAX(CASE WHEN d.asks_approval THEN d.created_at END),
                CAST(MAX(CASE WHEN EXISTS (
                    SELECT 1 FROM variants AS v WHERE v.post_id = d.post_id AND v.language = d.language
                      AND v.content_hash = d.content_hash) THEN 1 ELSE 0 END) AS BIGINT)
         FROM deliveries AS d
         WHERE (d.state = 'pending_approval') IS TRUE AND d.post_id IN " ids(1) " GROUP BY d.post_id";
    /// What may wait for anybody's approval, or for that of one person: of whoever wrote none of it, and whose yes
    /// does not cover all of it already.
    ASKED =
        "SELECT p.id FROM posts AS p
         WHERE p.removed_at IS NULL AND p.id IN (
             SELECT w.id FROM posts AS w WHERE w.wanted_at IS NOT NULL AND w.submitted_hash = w.content_hash
             UNION
             SELECT w.post_id FROM deliveries AS w
             WHERE w.waits_for IS NOT NULL AND (w.state = 'pending_approval') IS TRUE)
           AND (CAST($1 AS TEXT) IS NULL OR (
             p.created_by <> $1
             AND NOT EXISTS (SELECT 1 FROM post_writers AS t WHERE t.post_id = p.id AND t.person_id = $1)
             AND (NOT EXISTS (
                 SELECT 1 FROM post_approvals AS y
                 WHERE y.post_id = p.id AND y.person_id = $1 AND (y.until IS NULL OR y.until > $2))
               OR EXISTS (
                 SELECT 1 FROM deliveries AS d
                 WHERE d.post_id = p.id AND (d.state = 'pending_approval') IS TRUE
                   AND EXISTS (
                       SELECT 1 FROM variants AS v WHERE v.post_id = d.post_id
                         AND v.language = d.language AND v.content_hash = d.content_hash)
                   AND NOT EXISTS (
                       SELECT 1 FROM delivery_approvals AS y
                       WHERE y.delivery_id = d.id AND y.person_id = $1
                         AND (y.until IS NULL OR y.until > $2))))))";
    WANTED =
        "SELECT p.id, u.approval FROM posts AS p JOIN units AS u ON u.id = p.unit_id
         WHERE p.id IN " ids(1);
    /// Who may approve each of these posts, and how far above its unit: none of those who wrote it.
    APPROVERS =
        "WITH RECURSIVE above (post_id, unit_id, depth) AS (
             SELECT id, unit_id, 0 FROM posts WHERE id IN " ids(1) "
             UNION ALL
             SELECT above.post_id, units.parent_id, above.depth + 1
             FROM above JOIN units ON units.id = above.unit_id
             WHERE units.parent_id IS NOT NULL AND above.depth < 100)
         SELECT above.post_id, q.id, q.name, q.administrator, CAST(MIN(above.depth) AS BIGINT) AS nearest
         FROM above JOIN roles AS r ON r.unit_id = above.unit_id
          AND r.role IN ('administrator', 'approver') AND (r.ends_at IS NULL OR r.ends_at > $2)
         JOIN people AS q ON q.id = r.person_id AND q.disabled_at IS NULL
         JOIN posts AS p ON p.id = above.post_id AND p.created_by <> q.id
         WHERE NOT EXISTS (SELECT 1 FROM post_writers AS w
                           WHERE w.post_id = p.id AND w.person_id = q.id)
         GROUP BY above.post_id, q.id, q.name, q.administrator
         ORDER BY above.post_id, q.name, q.id";
    READY =
        "SELECT d.id FROM deliveries AS d
         WHERE d.post_id = $1 AND (d.state = 'pending_approval') IS TRUE
           AND (SELECT COUNT(DISTINCT y.person_id) FROM delivery_approvals AS y
                WHERE y.delivery_id = d.id AND (y.until IS NULL OR y.until > $3)) >= $2
         ORDER BY d.id";
    RELEASE =
        "UPDATE deliveries SET state = 'scheduled', state_since = $2, waits_for = NULL, problem = NULL,
                version = version + 1, updated_at = $2
         WHERE (state = 'pending_approval') IS TRUE AND id IN " ids(1) "
         RETURNING id, account_id, platform, class, due_at";
    STOP =
        "UPDATE deliveries SET state = 'pending_approval', state_since = $2, waits_for = $3,
                version = version + 1, updated_at = $2
         WHERE post_id = $1 AND (state = 'scheduled') IS TRUE
         RETURNING id";
    GUARDED =
        "SELECT id FROM deliveries WHERE post_id = $1 AND (state = 'publishing') IS TRUE ORDER BY id";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ApprovalId,
    post_id: PostId,
    revision: i64,
    content_hash: String,
    person_id: PersonId,
    decision: Decision,
    note: Option<String>,
    decided_at: At,
    ended_at: Option<At>,
    ended_by: Option<String>,
}

impl From<Row> for Approval {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            post_id: row.post_id,
            revision: row.revision,
            content_hash: row.content_hash,
            person_id: row.person_id,
            decision: row.decision,
            note: row.note,
            decided_at: row.decided_at.0,
            ended_at: row.ended_at.map(Timestamp::from),
            ended_by: row.ended_by,
        }
    }
}

/// Keeps the post as it is, and everybody else who decides about it waiting, until the transaction ends.
pub async fn lock(tx: &mut Tx, post: &PostId) -> Result<(), Error> {
    on!(tx, LOCK, |sql, conn| {
        sqlx::query(sql).bind(post).fetch_optional(conn).await?;
    });
    Ok(())
}

/// Writes down what somebody has said, and the plan that he was shown.
pub async fn insert(tx: &mut Tx, said: &Approval, planned: &[Planned]) -> Result<(), Error> {
    on!(tx, INSERT, |sql, conn| {
        sqlx::query(sql)
            .bind(&said.id)
            .bind(&said.post_id)
            .bind(said.revision)
            .bind(&said.content_hash)
            .bind(&said.person_id)
            .bind(said.decision)
            .bind(said.note.as_deref())
            .bind(At(said.decided_at))
            .execute(conn)
            .await?;
    });
    if planned.is_empty() {
        return Ok(());
    }
    on!(tx, COVER, |sql, conn| {
        sqlx::query(sql).bind(Json(planned)).bind(&said.id).execute(conn).await?;
    });
    Ok(())
}

/// Ends everybody's yes to a post, or one person's; gives how many.
pub async fn end(
    tx: &mut Tx,
    post: &PostId,
    whose: Option<&PersonId>,
    by: &str,
    now: Timestamp,
) -> Result<u64, Error> {
    Ok(on!(tx, END, |sql, conn| {
        sqlx::query(sql)
            .bind(post)
            .bind(At(now))
            .bind(by)
            .bind(whose)
            .execute(conn)
            .await?
            .rows_affected()
    }))
}

/// Ends every yes to something else than what a post says now.
pub async fn end_others(
    tx: &mut Tx,
    post: &PostId,
    content_hash: &str,
    by: &str,
    now: Timestamp,
) -> Result<u64, Error> {
    Ok(on!(tx, END_OTHERS, |sql, conn| {
        sqlx::query(sql)
            .bind(post)
            .bind(At(now))
            .bind(by)
            .bind(content_hash)
            .execute(conn)
            .await?
            .rows_affected()
    }))
}

/// Notes that somebody asks for approval; false when the post is gone.
pub async fn submit(tx: &mut Tx, post: &PostId, asked: &Submission) -> Result<bool, Error> {
    Ok(on!(tx, SUBMIT, |sql, conn| {
        sqlx::query(sql)
            .bind(post)
            .bind(&asked.content_hash)
            .bind(&asked.by)
            .bind(At(asked.at))
            .execute(conn)
            .await?
            .rows_affected()
            == 1
    }))
}

/// Notes since when a post waits for approval, or that it does not.
pub async fn mark(tx: &mut Tx, post: &PostId, since: Option<Timestamp>) -> Result<(), Error> {
    on!(tx, MARK, |sql, conn| {
        sqlx::query(sql).bind(post).bind(since.map(At)).execute(conn).await?;
    });
    Ok(())
}

/// What of these posts waits for approval.
pub async fn waiting(
    reader: &mut Reader,
    posts: &[&PostId],
) -> Result<BTreeMap<PostId, Waiting>, Error> {
    let rows: Vec<(PostId, At, At, Option<At>, i64)> = on!(reader, WAITING, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).fetch_all(conn).await?
    });
    let waiting =
        |(id, due_at, since, planned_at, coverable): (PostId, At, At, Option<At>, i64)| {
            let planned_at = planned_at.map(Timestamp::from);
            (
                id,
                Waiting { due_at: due_at.0, since: since.0, planned_at, coverable: coverable == 1 },
            )
        };
    Ok(rows.into_iter().map(waiting).collect())
}

/// The posts that may wait for approval; by `of` those that may wait for that of one person. In no order.
pub async fn asked(
    reader: &mut Reader,
    of: Option<&PersonId>,
    now: Timestamp,
) -> Result<Vec<PostId>, Error> {
    Ok(on!(reader, ASKED, |sql, conn| {
        sqlx::query_scalar(sql).bind(of).bind(At(now)).fetch_all(conn).await?
    }))
}

/// Who has asked last for approval of these posts.
pub async fn submissions(
    reader: &mut Reader,
    posts: &[&PostId],
) -> Result<BTreeMap<PostId, Submission>, Error> {
    let rows: Vec<(PostId, String, PersonId, At)> = on!(reader, SUBMITTED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).fetch_all(conn).await?
    });
    let asked = |(id, content_hash, by, at): (PostId, String, PersonId, At)| {
        (id, Submission { content_hash, by, at: at.0 })
    };
    Ok(rows.into_iter().map(asked).collect())
}

/// What was said to these posts, in order.
pub async fn of_posts(
    reader: &mut Reader,
    posts: &[&PostId],
) -> Result<BTreeMap<PostId, Vec<Approval>>, Error> {
    let rows: Vec<Row> = on!(reader, OF, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).fetch_all(conn).await?
    });
    let mut found: BTreeMap<PostId, Vec<Approval>> = BTreeMap::new();
    for row in rows {
        found.entry(row.post_id.clone()).or_default().push(row.into());
    }
    Ok(found)
}

/// Whose yes counts for what these posts say now.
pub async fn standing(
    reader: &mut Reader,
    posts: &[&PostId],
    now: Timestamp,
) -> Result<BTreeMap<PostId, BTreeSet<PersonId>>, Error> {
    let rows: Vec<(PostId, PersonId)> = on!(reader, STANDING, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).bind(At(now)).fetch_all(conn).await?
    });
    let mut found: BTreeMap<PostId, BTreeSet<PersonId>> = BTreeMap::new();
    for (post, person) in rows {
        found.entry(post).or_default().insert(person);
    }
    Ok(found)
}

/// Notes that somebody has changed a post.
pub async fn wrote(tx: &mut Tx, post: &PostId, person: &PersonId) -> Result<(), Error> {
    on!(tx, WROTE, |sql, conn| {
        sqlx::query(sql).bind(post).bind(person).execute(conn).await?;
    });
    Ok(())
}

/// Who has changed a post besides whoever made it.
pub async fn writers(reader: &mut Reader, post: &PostId) -> Result<Vec<PersonId>, Error> {
    Ok(on!(reader, WRITERS, |sql, conn| {
        sqlx::query_scalar(sql).bind(post).fetch_all(conn).await?
    }))
}

/// The deliveries of these posts whose times are part of what is approved.
pub async fn planned(
    reader: &mut Reader,
    posts: &[&PostId],
) -> Result<BTreeMap<PostId, Vec<Planned>>, Error> {
    type Row = (PostId, DeliveryId, AccountId, At, i64);
    let rows: Vec<Row> = on!(reader, PLANNED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).fetch_all(conn).await?
    });
    let mut found: BTreeMap<PostId, Vec<Planned>> = BTreeMap::new();
    for (post, id, account_id, due_at, moves) in rows {
        let due_ms = due_at.0.as_millisecond();
        found.entry(post).or_default().push(Planned { id, account_id, due_ms, moves });
    }
    Ok(found)
}

/// How many approvals the units of these posts want.
pub async fn wanted(
    reader: &mut Reader,
    posts: &[&PostId],
) -> Result<BTreeMap<PostId, unit::Approval>, Error> {
    let rows: Vec<(PostId, unit::Approval)> = on!(reader, WANTED, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).fetch_all(conn).await?
    });
    Ok(rows.into_iter().collect())
}

/// Who may approve these posts, by name, each with how many units above that of the post.
pub async fn approvers(
    reader: &mut Reader,
    posts: &[&PostId],
    now: Timestamp,
) -> Result<BTreeMap<PostId, Vec<(Responsible, i64)>>, Error> {
    let rows: Vec<(PostId, PersonId, String, bool, i64)> = on!(reader, APPROVERS, |sql, conn| {
        sqlx::query_as(sql).bind(Json(posts)).bind(At(now)).fetch_all(conn).await?
    });
    let mut found: BTreeMap<PostId, Vec<(Responsible, i64)>> = BTreeMap::new();
    for (post, id, name, administrator, above) in rows {
        found.entry(post).or_default().push((Responsible { id, name, administrator }, above));
    }
    Ok(found)
}

/// Lets the waiting deliveries of a post go on that enough people have approved by now; gives their jobs,
/// to be announced after the commit.
pub async fn release(
    tx: &mut Tx,
    post: &PostId,
    needed: usize,
    now: Timestamp,
) -> Result<Vec<NewJob>, Error> {
    let needed = i64::try_from(needed).unwrap_or(i64::MAX);
    let ready: Vec<DeliveryId> = on!(tx, READY, |sql, conn| {
        sqlx::query_scalar(sql).bind(post).bind(needed).bind(At(now)).fetch_all(conn).await?
    });
    if ready.is_empty() {
        return Ok(Vec::new());
    }
    // The jobs before the deliveries, as whoever claims them. One that is at work finds out by itself.
    let keys: Vec<String> = ready.iter().map(work::publish_key).collect();
    jobs::remove_queued(tx, &keys).await?;
    let released: Vec<Released> = on!(tx, RELEASE, |sql, conn| {
        sqlx::query_as(sql).bind(Json(&ready)).bind(At(now)).fetch_all(conn).await?
    });
    if released.len() < ready.len() {
        // Somebody has moved one since, and given it a job that was just removed: not so.
        return Err(Error::Busy);
    }
    held::go_on(tx, released, "approved", now).await
}

/// What is scheduled of a post waits for approval again.
pub async fn stop(
    tx: &mut Tx,
    post: &PostId,
    why: &WaitsFor,
    now: Timestamp,
) -> Result<Vec<DeliveryId>, Error> {
    let stopped: Vec<DeliveryId> = on!(tx, STOP, |sql, conn| {
        sqlx::query_scalar(sql).bind(post).bind(At(now)).bind(Json(why)).fetch_all(conn).await?
    });
    let entries: Vec<NewEntry> = stopped
        .iter()
        .map(|id| NewEntry {
            actor: "engine".to_owned(),
            action: "delivery.pending_approval".to_owned(),
            subject: id.to_string(),
            detail: json!({"code": "approval"}),
        })
        .collect();
    audit::append(tx, &entries, now);
    Ok(stopped)
}

/// What is guarded of a post, and may be on its way.
pub async fn guarded(reader: &mut Reader, post: &PostId) -> Result<Vec<DeliveryId>, Error> {
    Ok(on!(reader, GUARDED, |sql, conn| {
        sqlx::query_scalar(sql).bind(post).fetch_all(conn).await?
    }))
}
