-- The schema step that a process knows.
ALTER TABLE nodes ADD COLUMN schema_step BIGINT NOT NULL DEFAULT 0;
