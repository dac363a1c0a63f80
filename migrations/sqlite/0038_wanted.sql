-- Since when a post waits for approval of what it says; nothing once it has it or was refused. Only to find it by:
-- how it stands is asked of what people have said.
ALTER TABLE posts ADD COLUMN wanted_at INTEGER;
UPDATE posts SET wanted_at = submitted_at WHERE submitted_hash = content_hash AND removed_at IS NULL;
CREATE INDEX posts_wanted_idx ON posts (wanted_at) WHERE wanted_at IS NOT NULL;
