-- The schema step that a process knows.
ALTER TABLE nodes ADD COLUMN schema_step BIGINT NOT NULL DEFAULT 0;

-- How the clock of its machine stands: steps that were seen, why it is not trusted, and the step up to
-- which a person has confirmed it.
ALTER TABLE nodes ADD COLUMN clock_step BIGINT NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN clock_doubt TEXT;
ALTER TABLE nodes ADD COLUMN clock_detail TEXT;
ALTER TABLE nodes ADD COLUMN clock_confirmed BIGINT;

-- The server that this database was used on last, and the timeline of its log: another one means that a
-- replica was promoted, or that the database was brought back, and that the last commits may be lost.
ALTER TABLE installation ADD COLUMN server TEXT;
CREATE VIEW this_server AS
SELECT s.system_identifier::TEXT || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS word
FROM pg_control_system() AS s;

-- The law of the zone has changed since the wall-clock time of a delivery was resolved: what it means now.
-- Until a person gives it a time again it is not sent.
ALTER TABLE deliveries ADD COLUMN zone_change JSONB;
