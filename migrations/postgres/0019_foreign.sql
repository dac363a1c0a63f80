-- Posts on our accounts that did not come from here.

-- Up to which instant each account was read through for them, by our time. began_at is where that begins: what
-- is older was there before the account was connected.
CREATE TABLE foreign_reads (
    account_id TEXT    NOT NULL PRIMARY KEY REFERENCES accounts (id),
    began_at   TIMESTAMPTZ NOT NULL,
    mark       TIMESTAMPTZ NOT NULL,
    read_at    TIMESTAMPTZ
);

-- What was found. An open one may be of a delivery whose outcome is not known yet, and is shown to nobody. What
-- becomes a delivery's is left out of lists by its remote id.
CREATE TABLE foreign_posts (
    id           TEXT    NOT NULL PRIMARY KEY,
    account_id   TEXT    NOT NULL REFERENCES accounts (id),
    remote_id    TEXT    NOT NULL,
    permalink    TEXT,
    published_at TIMESTAMPTZ NOT NULL,
    text         TEXT    NOT NULL,
    seen_at      TIMESTAMPTZ NOT NULL,
    status       TEXT    NOT NULL,
    explained_by TEXT    REFERENCES people (id),
    explained_at TIMESTAMPTZ,
    note         TEXT
);
CREATE UNIQUE INDEX foreign_posts_remote_key ON foreign_posts (account_id, remote_id);
CREATE INDEX foreign_posts_open_idx ON foreign_posts (account_id, id) WHERE status = 'open';
CREATE INDEX foreign_posts_new_idx ON foreign_posts (account_id, id) WHERE status = 'new';
