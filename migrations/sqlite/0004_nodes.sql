-- The schema step that a process knows.
ALTER TABLE nodes ADD COLUMN schema_step INTEGER NOT NULL DEFAULT 0;

-- How the clock of its machine stands: steps that were seen, why it is not trusted, and the step up to
-- which a person has confirmed it.
ALTER TABLE nodes ADD COLUMN clock_step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN clock_doubt TEXT;
ALTER TABLE nodes ADD COLUMN clock_detail TEXT;
ALTER TABLE nodes ADD COLUMN clock_confirmed INTEGER;
