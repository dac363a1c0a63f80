-- The beats of a process and the length of the lease that each of them gives: whether it lives is told by
-- beats that go on, never by comparing its wall clock with another one. Without a beat there is no lease.
ALTER TABLE nodes ADD COLUMN beats BIGINT NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN lease_ms BIGINT NOT NULL DEFAULT 0;
-- A process of the version before does not beat, and may be at work while this runs.
UPDATE nodes SET lease_ms = 300000;

-- Every new fence is larger than this: raised when the history of the database was cut off, so that none is
-- given that a process of the lost history has.
ALTER TABLE installation ADD COLUMN fence_floor BIGINT NOT NULL DEFAULT 0;

-- Somebody wants to take an attempt back that another process has guarded: 'asked', and 'leaving' when that
-- one has answered that it is too late.
ALTER TABLE attempts ADD COLUMN recall TEXT;
CREATE INDEX attempts_recall_idx ON attempts (node) WHERE recall = 'asked';
