-- The same step as for SQLite: sign-ins that connect accounts.

-- Of the state that travels through browsers only the hash is here. verifier and sealed are ciphertexts,
-- forgotten as soon as nothing can come of them any more.
CREATE TABLE connections (
    id                 TEXT NOT NULL PRIMARY KEY,
    person_id          TEXT NOT NULL REFERENCES people (id),
    unit_id            TEXT NOT NULL REFERENCES units (id),
    platform           TEXT NOT NULL,
    account_id         TEXT REFERENCES accounts (id),
    expected_remote_id TEXT,
    wishes             JSONB NOT NULL,
    status             TEXT NOT NULL,
    state_hash         TEXT NOT NULL,
    verifier           BYTEA,
    sealed             BYTEA,
    granted            JSONB,
    chosen             JSONB NOT NULL,
    accounts           JSONB NOT NULL,
    approved_by        TEXT REFERENCES people (id),
    problem            TEXT,
    problem_detail     TEXT,
    version            BIGINT NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    updated_at         TIMESTAMPTZ NOT NULL,
    expires_at         TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX connections_state_key ON connections (state_hash);
CREATE INDEX connections_open_idx ON connections (expires_at)
    WHERE status IN ('waiting', 'exchanging', 'granted', 'chosen');
