-- Secret addresses under which a person's calendar program reads the calendar as that person may see it. Only the hash of
-- what is in the address is kept. content is which entries, detail how much of them at most, locale the language of
-- our own words; accounts are the only ones that the token concerned by which it was made. etag and changed_at are what was
-- last given out, fetched_at when.
CREATE TABLE feeds (
    id         TEXT    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL REFERENCES people (id),
    name       TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    content    TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    locale     TEXT    NOT NULL,
    unit_id    TEXT REFERENCES units (id),
    account_id TEXT REFERENCES accounts (id),
    platform   TEXT,
    language   TEXT,
    accounts   JSONB,
    etag       TEXT,
    changed_at TIMESTAMPTZ,
    fetched_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX feeds_hash_key ON feeds (hash);
CREATE INDEX feeds_person_idx ON feeds (person_id, id);

-- What was removed stays in feeds for a while, so that those who have fetched it take it away.
CREATE INDEX events_removed_idx ON events (removed_at) WHERE removed_at IS NOT NULL;
