-- Sign-ins that connect accounts: who began one, how far it has come, and what is sealed until its end.

-- Of the state that travels through browsers only the hash is here. verifier and sealed are ciphertexts,
-- forgotten as soon as nothing can come of them any more.
CREATE TABLE connections (
    id                 TEXT NOT NULL PRIMARY KEY,
    person_id          TEXT NOT NULL REFERENCES people (id),
    unit_id            TEXT NOT NULL REFERENCES units (id),
    platform           TEXT NOT NULL,
    account_id         TEXT REFERENCES accounts (id),
    expected_remote_id TEXT,
    wishes             TEXT NOT NULL,
    status             TEXT NOT NULL,
    state_hash         TEXT NOT NULL,
    verifier           BLOB,
    sealed             BLOB,
    granted            TEXT,
    chosen             TEXT NOT NULL,
    accounts           TEXT NOT NULL,
    approved_by        TEXT REFERENCES people (id),
    problem            TEXT,
    problem_detail     TEXT,
    version            INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX connections_state_key ON connections (state_hash);
CREATE INDEX connections_open_idx ON connections (expires_at)
    WHERE status IN ('waiting', 'exchanging', 'granted', 'chosen');
