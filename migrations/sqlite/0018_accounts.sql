-- How accounts stand, for years.

-- What its platform said about an account's access when it was asked last. Deliveries that are due until
-- day_until have had their question of a day before, those until hour_until that of an hour before. refusals
-- counts how often in a row the credential of this version was refused. trouble is why the last question, at
-- tried_at, said nothing.
CREATE TABLE account_probes (
    account_id          TEXT    NOT NULL PRIMARY KEY REFERENCES accounts (id),
    version             INTEGER NOT NULL,
    tried_at            INTEGER NOT NULL,
    asked_at            INTEGER,
    next_at             INTEGER NOT NULL,
    day_until           INTEGER NOT NULL,
    hour_until          INTEGER NOT NULL,
    verdict             TEXT    NOT NULL,
    detail              TEXT,
    trouble             TEXT,
    refusals            INTEGER NOT NULL,
    fit_at              INTEGER,
    scopes              TEXT,
    missing             TEXT,
    expires_at          INTEGER,
    data_access_ends_at INTEGER
) STRICT;

-- What people were told of an account beforehand, once each over all nodes: of which end or delivery, and how
-- many days or hours before it.
CREATE TABLE account_warnings (
    account_id TEXT    NOT NULL REFERENCES accounts (id),
    subject    TEXT    NOT NULL,
    stage      INTEGER NOT NULL,
    told_at    INTEGER NOT NULL,
    PRIMARY KEY (account_id, subject, stage)
) STRICT;
CREATE INDEX account_warnings_told_idx ON account_warnings (told_at);

-- Who has attested last that an account's owners sign in with a second factor at the platform. The audit has
-- those before.
CREATE TABLE account_attestations (
    account_id  TEXT    NOT NULL PRIMARY KEY REFERENCES accounts (id),
    attested_by TEXT    NOT NULL REFERENCES people (id),
    attested_at INTEGER NOT NULL,
    note        TEXT    NOT NULL
) STRICT;

-- The last version of a credential whose access token was refused before its end, and that was thereupon to be
-- refreshed at once.
ALTER TABLE credentials ADD COLUMN refused_version INTEGER;
