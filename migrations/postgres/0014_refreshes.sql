-- The same step as for SQLite: refresh tokens that were presented to a platform.

-- One row for each version of a credential, written before the token leaves, so that none is presented
-- twice. Of the token only a hash is here: one that is handed in again under another version is known by it.
CREATE TABLE refreshes (
    token_hash   TEXT   NOT NULL PRIMARY KEY,
    account_id   TEXT   NOT NULL REFERENCES accounts (id),
    version      BIGINT NOT NULL,
    platform     TEXT   NOT NULL,
    node         TEXT,
    fence        BIGINT,
    outcome      TEXT   NOT NULL,
    detail       TEXT,
    presented_at TIMESTAMPTZ NOT NULL,
    ended_at     TIMESTAMPTZ
);
CREATE UNIQUE INDEX refreshes_version_key ON refreshes (account_id, version);
CREATE INDEX refreshes_lost_idx ON refreshes (platform, ended_at) WHERE outcome = 'lost';
CREATE INDEX refreshes_ended_idx ON refreshes (ended_at);
