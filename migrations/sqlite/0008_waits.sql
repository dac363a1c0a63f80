-- What waits for something that is shown. What goes out in the ordinary way never comes here.
CREATE INDEX deliveries_waits_idx ON deliveries (due_at, id) WHERE waits_for IS NOT NULL;

-- How far people were told of what waits for them: the step of the ladder, counted from since.
CREATE TABLE reminders (
    subject TEXT    NOT NULL PRIMARY KEY,
    since   INTEGER NOT NULL,
    step    INTEGER NOT NULL,
    told_at INTEGER NOT NULL,
    renews  INTEGER NOT NULL
) STRICT;

-- How far the service itself has verified the audit, and the broken promises that it has found.
CREATE TABLE self_audit (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq     INTEGER NOT NULL,
    hash    TEXT    NOT NULL,
    at      INTEGER,
    checked INTEGER NOT NULL
) STRICT;
INSERT INTO self_audit (id, seq, hash, at, checked) VALUES (1, 0, '', NULL, 0);
CREATE TABLE violations (
    invariant TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    detail    TEXT    NOT NULL,
    found_at  INTEGER NOT NULL,
    PRIMARY KEY (invariant, subject)
) STRICT;

-- When a process has ended in order; one that has not may have been killed by what it was about to do.
ALTER TABLE nodes ADD COLUMN stopped_at INTEGER;
