-- Instants are INTEGER milliseconds since the epoch; JSON is TEXT; booleans are 0 or 1.

-- key_check is a sealed value that only the right key opens.
CREATE TABLE installation (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    generation  TEXT    NOT NULL,
    key_check   BLOB    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE units (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    parent_id  TEXT    REFERENCES units (id),
    country    TEXT,
    time_zone  TEXT    NOT NULL,
    languages  TEXT    NOT NULL,
    approval   TEXT    NOT NULL,
    opened_on  TEXT,
    closed_on  TEXT,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX units_parent_idx ON units (parent_id);

CREATE TABLE people (
    id            TEXT    NOT NULL PRIMARY KEY,
    email         TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    administrator INTEGER NOT NULL,
    password_hash TEXT,
    disabled_at   INTEGER,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX people_email_key ON people (email);

CREATE TABLE tokens (
    id           TEXT    NOT NULL PRIMARY KEY,
    person_id    TEXT    NOT NULL REFERENCES people (id),
    name         TEXT    NOT NULL,
    hash         TEXT    NOT NULL,
    prefix       TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    accounts     TEXT,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tokens_hash_key ON tokens (hash);
CREATE INDEX tokens_person_idx ON tokens (person_id);

CREATE TABLE accounts (
    id           TEXT    NOT NULL PRIMARY KEY,
    unit_id      TEXT    NOT NULL REFERENCES units (id),
    platform     TEXT    NOT NULL,
    remote_id    TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    handle       TEXT,
    languages    TEXT    NOT NULL,
    time_zone    TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    health       TEXT    NOT NULL,
    high_water   TEXT,
    blocked_until INTEGER,
    version      INTEGER NOT NULL,
    removed_at   INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX accounts_remote_key ON accounts (platform, remote_id) WHERE removed_at IS NULL;
CREATE INDEX accounts_unit_idx ON accounts (unit_id);

CREATE TABLE credentials (
    account_id TEXT    NOT NULL PRIMARY KEY REFERENCES accounts (id),
    kind       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    key_id     TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    refresh    BLOB,
    expires_at INTEGER,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE media (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    mime       TEXT    NOT NULL,
    width      INTEGER,
    height     INTEGER,
    duration_ms INTEGER,
    size_bytes INTEGER NOT NULL,
    sha256     TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    removed_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX media_sha256_idx ON media (sha256);

CREATE TABLE posts (
    id              TEXT    NOT NULL PRIMARY KEY,
    unit_id         TEXT    NOT NULL REFERENCES units (id),
    campaign_id     TEXT,
    title           TEXT    NOT NULL,
    class           TEXT    NOT NULL,
    source_language TEXT    NOT NULL,
    labels          TEXT    NOT NULL,
    revision        INTEGER NOT NULL,
    content_hash    TEXT    NOT NULL,
    created_by      TEXT    NOT NULL,
    removed_at      INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX posts_unit_idx ON posts (unit_id, id);

CREATE TABLE variants (
    id           TEXT    NOT NULL PRIMARY KEY,
    post_id      TEXT    NOT NULL REFERENCES posts (id),
    language     TEXT    NOT NULL,
    position     INTEGER NOT NULL,
    content      TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    revision     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX variants_post_language_key ON variants (post_id, language);

-- content is a copy of the variant as it was scheduled: what goes out is what was checked.
CREATE TABLE deliveries (
    id            TEXT    NOT NULL PRIMARY KEY,
    post_id       TEXT    NOT NULL REFERENCES posts (id),
    account_id    TEXT    NOT NULL REFERENCES accounts (id),
    unit_id       TEXT    NOT NULL REFERENCES units (id),
    platform      TEXT    NOT NULL,
    language      TEXT    NOT NULL,
    class         TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    state_since   INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    publish_by    INTEGER NOT NULL,
    civil         TEXT,
    settings      TEXT    NOT NULL,
    content       TEXT    NOT NULL,
    content_hash  TEXT    NOT NULL,
    text_hash     TEXT    NOT NULL,
    intended_repeat INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    doubts        INTEGER NOT NULL,
    refusals      INTEGER NOT NULL,
    remote_id     TEXT,
    permalink     TEXT,
    published_at  INTEGER,
    problem       TEXT,
    progress      TEXT,
    waits_for     TEXT,
    version       INTEGER NOT NULL,
    created_by    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX deliveries_publishing_key ON deliveries (account_id) WHERE state = 'publishing';
CREATE UNIQUE INDEX deliveries_remote_key ON deliveries (account_id, remote_id) WHERE remote_id IS NOT NULL;
CREATE INDEX deliveries_post_idx ON deliveries (post_id);
CREATE INDEX deliveries_account_due_idx ON deliveries (account_id, due_at);
CREATE INDEX deliveries_unit_due_idx ON deliveries (unit_id, due_at);
CREATE INDEX deliveries_state_due_idx ON deliveries (state, due_at);
CREATE INDEX deliveries_text_idx ON deliveries (account_id, text_hash);

CREATE TABLE attempts (
    id          TEXT    NOT NULL PRIMARY KEY,
    delivery_id TEXT    NOT NULL REFERENCES deliveries (id),
    account_id  TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    node        TEXT    NOT NULL,
    fence       INTEGER NOT NULL,
    fingerprint TEXT    NOT NULL,
    high_water  TEXT,
    started_at  INTEGER NOT NULL,
    sent_at     INTEGER,
    ended_at    INTEGER,
    outcome     TEXT    NOT NULL,
    reach       TEXT,
    detail      TEXT
) STRICT;
CREATE INDEX attempts_delivery_idx ON attempts (delivery_id, number);
CREATE UNIQUE INDEX attempts_open_key ON attempts (delivery_id) WHERE outcome = 'open';

CREATE TABLE jobs (
    id          TEXT    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    unique_key  TEXT    NOT NULL,
    slot        TEXT    NOT NULL,
    payload     TEXT    NOT NULL,
    priority    INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    due_at      INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    node        TEXT,
    fence       INTEGER NOT NULL,
    lease_until INTEGER,
    note        TEXT,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE UNIQUE INDEX jobs_unique_key ON jobs (unique_key) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_due_idx ON jobs (kind, due_at) WHERE state = 'queued';
CREATE INDEX jobs_lease_idx ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_finished_idx ON jobs (finished_at) WHERE state IN ('done', 'discarded');

CREATE TABLE nodes (
    id         TEXT    NOT NULL PRIMARY KEY,
    fence      INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    version    TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX nodes_fence_key ON nodes (fence);

CREATE TABLE idempotency (
    person_id   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    answer      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (person_id, key)
) STRICT;
CREATE INDEX idempotency_created_idx ON idempotency (created_at);

CREATE TABLE audit (
    seq        INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    hash       TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_subject_idx ON audit (subject, seq);

-- The newest link of the audit chain; locked by whoever appends.
CREATE TABLE audit_head (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL,
    hash TEXT    NOT NULL
) STRICT;
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');
