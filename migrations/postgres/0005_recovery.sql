-- While quarantined_at is set nothing is sent: the database came back from a backup, and what it
-- says may be older than what the platforms have. state_of is the instant of the backup.
ALTER TABLE installation ADD COLUMN quarantined_at TIMESTAMPTZ;
ALTER TABLE installation ADD COLUMN quarantine_reason TEXT;
ALTER TABLE installation ADD COLUMN state_of TIMESTAMPTZ;

-- How often the process ended, or the work panicked, while the job was at work.
ALTER TABLE jobs ADD COLUMN losses BIGINT NOT NULL DEFAULT 0;
