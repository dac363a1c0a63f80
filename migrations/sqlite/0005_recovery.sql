-- While quarantined_at is set nothing is sent: the database came back from a backup, and what it
-- says may be older than what the platforms have. state_of is the instant of the backup.
ALTER TABLE installation ADD COLUMN quarantined_at INTEGER;
ALTER TABLE installation ADD COLUMN quarantine_reason TEXT;
ALTER TABLE installation ADD COLUMN state_of INTEGER;

-- How often the process ended, or the work panicked, while the job was at work.
ALTER TABLE jobs ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
