-- The same step as for SQLite: corrections, other texts for posts that are out.
CREATE TABLE corrections (
    delivery_id  TEXT        NOT NULL REFERENCES deliveries (id),
    number       BIGINT      NOT NULL,
    account_id   TEXT        NOT NULL REFERENCES accounts (id),
    state        TEXT        NOT NULL,
    text         TEXT        NOT NULL,
    content_hash TEXT        NOT NULL,
    text_hash    TEXT        NOT NULL,
    reason       TEXT        NOT NULL,
    asked_by     TEXT        NOT NULL,
    asked_at     TIMESTAMPTZ NOT NULL,
    overwrite    TEXT,
    tries        BIGINT      NOT NULL,
    problem      JSONB,
    told_at      TIMESTAMPTZ,
    shown        TEXT,
    begun_at     TIMESTAMPTZ,
    open_since   TIMESTAMPTZ,
    node         TEXT,
    fence        BIGINT,
    ended_at     TIMESTAMPTZ,
    PRIMARY KEY (delivery_id, number)
);
CREATE INDEX corrections_text_idx ON corrections (account_id, text_hash);
