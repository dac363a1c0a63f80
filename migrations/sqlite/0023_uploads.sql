-- Files that come in piece by piece. How much of one has come is the length of its file, not kept here.
CREATE TABLE uploads (
    id         TEXT    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL,
    size_bytes INTEGER NOT NULL,
    metadata   TEXT    NOT NULL,
    media_id   TEXT    REFERENCES media (id),
    problem    TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_person_idx ON uploads (person_id, expires_at);
CREATE INDEX uploads_expiry_idx ON uploads (expires_at);
