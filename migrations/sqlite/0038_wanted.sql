-- Since when a post waits for approval of what it says; nothing once it has it or was refused. Only to find it by:
-- how it stands is asked of what people have said.
ALTER TABLE posts ADD COLUMN wanted_at INTEGER;
UPDATE posts SET wanted_at = submitted_at
WHERE submitted_hash = content_hash AND removed_at IS NULL
  AND NOT EXISTS (
      SELECT 1 FROM deliveries AS d WHERE d.post_id = posts.id AND d.state IN ('published', 'vanished', 'recalled'))
  AND NOT EXISTS (
      SELECT 1 FROM approvals AS a WHERE a.post_id = posts.id AND a.content_hash = posts.content_hash
      AND a.decision = 'reject' AND a.decided_at >= posts.submitted_at)
  AND (SELECT COUNT(DISTINCT a.person_id) FROM approvals AS a
       WHERE a.post_id = posts.id AND a.content_hash = posts.content_hash
       AND a.decision = 'approve' AND a.ended_at IS NULL)
    < (SELECT CASE u.approval WHEN 'two' THEN 2 WHEN 'one' THEN 1 ELSE 0 END FROM units AS u WHERE u.id = posts.unit_id);
CREATE INDEX posts_wanted_idx ON posts (wanted_at) WHERE wanted_at IS NOT NULL;
