-- Corrections: other texts for posts that are out, in order, kept for ever. begun_at: since then the post may say it.
-- open_since: since then a request for it may be under way whose end nobody knows. shown: what the post said instead.
CREATE TABLE corrections (
    delivery_id  TEXT    NOT NULL REFERENCES deliveries (id),
    number       INTEGER NOT NULL,
    account_id   TEXT    NOT NULL REFERENCES accounts (id),
    state        TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    text_hash    TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    asked_by     TEXT    NOT NULL,
    asked_at     INTEGER NOT NULL,
    overwrite    TEXT,
    tries        INTEGER NOT NULL,
    problem      TEXT,
    told_at      INTEGER,
    shown        TEXT,
    begun_at     INTEGER,
    open_since   INTEGER,
    node         TEXT,
    fence        INTEGER,
    ended_at     INTEGER,
    PRIMARY KEY (delivery_id, number)
) STRICT;
CREATE INDEX corrections_text_idx ON corrections (account_id, text_hash);
