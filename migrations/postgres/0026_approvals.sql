-- What people have said to a post as it was then: yes, or no. ended_at is when a yes was taken back, or fell with a no
-- or with a change of what the post says; a yes that has ended counts no more.
CREATE TABLE approvals (
    id           TEXT    NOT NULL PRIMARY KEY,
    post_id      TEXT    NOT NULL REFERENCES posts (id),
    revision     BIGINT NOT NULL,
    content_hash TEXT    NOT NULL,
    person_id    TEXT    NOT NULL REFERENCES people (id),
    decision     TEXT    NOT NULL,
    note         TEXT,
    decided_at   TIMESTAMPTZ NOT NULL,
    ended_at     TIMESTAMPTZ,
    ended_by     TEXT
);
CREATE INDEX approvals_post_idx ON approvals (post_id, decided_at);

-- The times that a yes covers, of deliveries that were planned before it. One that has been moved since has
-- another number of moves.
CREATE TABLE approved_times (
    approval_id TEXT    NOT NULL REFERENCES approvals (id),
    delivery_id TEXT    NOT NULL REFERENCES deliveries (id),
    moves       BIGINT NOT NULL,
    PRIMARY KEY (approval_id, delivery_id)
);
CREATE INDEX approved_times_delivery_idx ON approved_times (delivery_id);

-- Who has changed a post besides whoever made it: none of them may approve it.
CREATE TABLE post_writers (
    post_id   TEXT NOT NULL REFERENCES posts (id),
    person_id TEXT NOT NULL,
    PRIMARY KEY (post_id, person_id)
);

ALTER TABLE posts ADD COLUMN submitted_hash TEXT;
ALTER TABLE posts ADD COLUMN submitted_by TEXT;
ALTER TABLE posts ADD COLUMN submitted_at TIMESTAMPTZ;

ALTER TABLE deliveries ADD COLUMN asks_approval BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE deliveries ADD COLUMN moves BIGINT NOT NULL DEFAULT 0;

-- Every yes that counts for what its post says now, and until when whoever said it may say it: one row for each of
-- his roles that let him, in the unit of the post or above; without an end for an administrator of everything.
CREATE VIEW post_approvals AS
SELECT s.id AS approval_id, s.post_id, s.person_id, r.ends_at AS until
FROM approvals AS s
JOIN posts AS p ON p.id = s.post_id
JOIN people AS q ON q.id = s.person_id
LEFT JOIN roles AS r
  ON NOT q.administrator AND r.person_id = s.person_id AND r.role IN ('administrator', 'approver')
 AND r.unit_id IN (
        WITH RECURSIVE above (id) AS (
            SELECT p.unit_id
            UNION SELECT u.parent_id FROM above JOIN units AS u ON u.id = above.id)
        SELECT id FROM above WHERE id IS NOT NULL)
WHERE s.decision = 'approve' AND s.ended_at IS NULL AND q.disabled_at IS NULL
  AND s.content_hash = p.content_hash AND (q.administrator OR r.person_id IS NOT NULL);

-- The same for a delivery: the one place that says whose yes covers it. It carries what its post says now in its
-- language, and its time was said before the yes if that was asked for.
CREATE VIEW delivery_approvals AS
SELECT d.id AS delivery_id, y.person_id, y.until
FROM deliveries AS d
JOIN post_approvals AS y ON y.post_id = d.post_id
WHERE EXISTS (SELECT 1 FROM variants AS v WHERE v.post_id = d.post_id AND v.language = d.language
              AND v.content_hash = d.content_hash)
  AND (NOT d.asks_approval OR EXISTS (
      SELECT 1 FROM approved_times AS t WHERE t.approval_id = y.approval_id
      AND t.delivery_id = d.id AND t.moves = d.moves));
