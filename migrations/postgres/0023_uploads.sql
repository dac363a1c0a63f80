-- The same step as for SQLite: files that come in piece by piece.
CREATE TABLE uploads (
    id         TEXT    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL,
    size_bytes BIGINT  NOT NULL,
    metadata   TEXT    NOT NULL,
    media_id   TEXT    REFERENCES media (id),
    problem    TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX uploads_person_idx ON uploads (person_id, expires_at);
CREATE INDEX uploads_expiry_idx ON uploads (expires_at);
