-- Until when posts may not be published: of a post, or of all posts of a campaign.
CREATE TABLE embargoes (
    subject_id TEXT NOT NULL PRIMARY KEY,
    ends_at    TIMESTAMPTZ NOT NULL,
    reason     TEXT NOT NULL,
    set_by     TEXT NOT NULL,
    set_at     TIMESTAMPTZ NOT NULL
);

-- Which embargoes bind a post: its own, its campaign's, and that of the post of which it is a unit's copy.
CREATE VIEW post_embargoes AS
SELECT e.subject_id AS post_id, e.subject_id, e.ends_at, e.reason FROM embargoes AS e
UNION ALL
SELECT p.id, e.subject_id, e.ends_at, e.reason FROM posts AS p JOIN embargoes AS e ON e.subject_id = p.campaign_id
UNION ALL
SELECT o.post_id, e.subject_id, e.ends_at, e.reason FROM offers AS o JOIN embargoes AS e ON e.subject_id = o.source_id
WHERE o.post_id IS NOT NULL;
