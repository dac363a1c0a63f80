-- Posts that go out again and again. What was due until settled_until is done with; look_at is when it is looked next.
CREATE TABLE series (
    id            TEXT NOT NULL PRIMARY KEY,
    unit_id       TEXT NOT NULL REFERENCES units (id),
    post_id       TEXT NOT NULL REFERENCES posts (id),
    recurrence    JSONB NOT NULL,
    accounts      JSONB NOT NULL,
    paused_at     TIMESTAMPTZ,
    stuck         JSONB NOT NULL,
    settled_until TIMESTAMPTZ NOT NULL,
    look_at       TIMESTAMPTZ NOT NULL,
    answers_by    TEXT NOT NULL,
    version       BIGINT NOT NULL,
    removed_at    TIMESTAMPTZ,
    created_by    TEXT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL
);
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
    due_at      TIMESTAMPTZ NOT NULL,
    delivery_id TEXT REFERENCES deliveries (id),
    PRIMARY KEY (series_id, account_id, wall)
);
CREATE INDEX occurrences_due_idx ON occurrences (series_id, due_at, account_id);
CREATE INDEX occurrences_delivery_idx ON occurrences (delivery_id);
