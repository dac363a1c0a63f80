-- Posts that go out again and again. What was due until settled_until is done with; look_at is when it is looked next.
CREATE TABLE series (
    id            TEXT NOT NULL PRIMARY KEY,
    unit_id       TEXT NOT NULL REFERENCES units (id),
    post_id       TEXT NOT NULL REFERENCES posts (id),
    recurrence    TEXT NOT NULL,
    accounts      TEXT NOT NULL,
    paused_at     INTEGER,
    stuck         TEXT NOT NULL,
    settled_until INTEGER NOT NULL,
    look_at       INTEGER NOT NULL,
    answers_by    TEXT NOT NULL,
    version       INTEGER NOT NULL,
    removed_at    INTEGER,
    created_by    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX series_look_idx ON series (look_at, id) WHERE removed_at IS NULL AND paused_at IS NULL;
CREATE INDEX series_unit_idx ON series (unit_id, id);
CREATE INDEX series_post_idx ON series (post_id);

-- What was made of a series, once for each account and time of the wall, or missed. A law that moves the clocks
-- does not make it twice, since what the wall shows stays the same.
CREATE TABLE occurrences (
    series_id   TEXT NOT NULL REFERENCES series (id),
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    wall        TEXT NOT NULL,
    zone        TEXT NOT NULL,
    due_at      INTEGER NOT NULL,
    delivery_id TEXT REFERENCES deliveries (id),
    PRIMARY KEY (series_id, account_id, wall)
) STRICT;
CREATE INDEX occurrences_due_idx ON occurrences (series_id, due_at, account_id);
CREATE INDEX occurrences_delivery_idx ON occurrences (delivery_id);
