-- Who is signed in at a screen. Only the hash of what his browser has is kept. seen_at is when he was last there, to
-- the minute; proved_at when he has last shown that it is he; a row stays for a while after its end as a record.
CREATE TABLE sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL REFERENCES people (id),
    hash       TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    proved_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sessions_hash_key ON sessions (hash);
CREATE INDEX sessions_person_idx ON sessions (person_id, address, created_at);
CREATE INDEX sessions_ends_idx ON sessions (ends_at);

-- Links by which people choose their password, each once. Only the hash of what is in the link is kept.
CREATE TABLE invitations (
    hash      TEXT    NOT NULL PRIMARY KEY,
    person_id TEXT    NOT NULL REFERENCES people (id),
    made_by   TEXT    NOT NULL,
    made_at   INTEGER NOT NULL,
    ends_at   INTEGER NOT NULL,
    used_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_person_idx ON invitations (person_id);
CREATE INDEX invitations_ends_idx ON invitations (ends_at);

-- Wrong passwords in a row, by the hash of the address that was named, whether anybody has it or not.
CREATE TABLE guesses (
    hash      TEXT    NOT NULL PRIMARY KEY,
    failures  INTEGER NOT NULL,
    failed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX guesses_failed_idx ON guesses (failed_at);
