-- Refresh tokens that were presented to a platform: one row for each version of a credential, written before
-- the token leaves, so that none is presented twice. Of the token only a hash is here: one that is handed in
-- again under another version is known by it. Where nothing was presented, or the platform has given the same
-- token again, another word stands there.
CREATE TABLE refreshes (
    token_hash   TEXT    NOT NULL PRIMARY KEY,
    account_id   TEXT    NOT NULL REFERENCES accounts (id),
    version      INTEGER NOT NULL,
    platform     TEXT    NOT NULL,
    node         TEXT,
    fence        INTEGER,
    outcome      TEXT    NOT NULL,
    detail       TEXT,
    presented_at INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT;
CREATE UNIQUE INDEX refreshes_version_key ON refreshes (account_id, version);
CREATE INDEX refreshes_lost_idx ON refreshes (platform, ended_at) WHERE outcome = 'lost';
CREATE INDEX refreshes_ended_idx ON refreshes (ended_at);
