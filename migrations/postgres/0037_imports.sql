-- Everything that came out of one table, and whether it was undone since. made is how many posts or events.
CREATE TABLE imports (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    unit_id    TEXT   NOT NULL REFERENCES units (id),
    file_name  TEXT,
    sha256     TEXT   NOT NULL,
    row_count  BIGINT NOT NULL,
    made       BIGINT NOT NULL,
    created_by TEXT   NOT NULL REFERENCES people (id),
    created_at TIMESTAMPTZ NOT NULL,
    undone_by  TEXT REFERENCES people (id),
    undone_at  TIMESTAMPTZ
);
CREATE INDEX imports_unit_idx ON imports (unit_id, id);

-- What was made, in the order of the rows; of a post also where and when it was meant to go out.
CREATE TABLE import_items (
    import_id  TEXT   NOT NULL REFERENCES imports (id),
    number     BIGINT NOT NULL,
    title      TEXT   NOT NULL,
    post_id    TEXT REFERENCES posts (id),
    event_id   TEXT REFERENCES events (id),
    deliveries JSONB  NOT NULL,
    PRIMARY KEY (import_id, number)
);
