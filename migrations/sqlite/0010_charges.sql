-- What the create of an attempt was charged, in millionths of a US dollar, to be given back when it was not made.
ALTER TABLE attempts ADD COLUMN cost INTEGER;

-- Only what is still under way: what was asked for is looked at several times a second, for years.
DROP INDEX attempts_recall_idx;
CREATE INDEX attempts_recall_idx ON attempts (node) WHERE recall = 'asked' AND outcome = 'open';

-- When a process last said that it is configured for this span: nodes may be configured differently.
ALTER TABLE look_cursors ADD COLUMN wanted_at INTEGER;
