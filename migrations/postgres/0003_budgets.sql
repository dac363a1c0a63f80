-- The same step as for SQLite: instants are TIMESTAMPTZ, JSON is JSONB, booleans are BOOLEAN.

-- What keeps requests within what platforms allow and can bear, shared by all nodes. A scope is a
-- platform (`x`) or an account on it (`x/acc_…`).

-- A circuit that is not closed, or that has seen failures since the last good answer.
CREATE TABLE circuits (
    scope       TEXT    NOT NULL PRIMARY KEY,
    failures    BIGINT NOT NULL,
    trips       BIGINT NOT NULL,
    incident    BOOLEAN NOT NULL,
    code        TEXT,
    detail      TEXT,
    opened_at   TIMESTAMPTZ,
    open_until  TIMESTAMPTZ,
    probe_until TIMESTAMPTZ,
    seen        JSONB    NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);

-- What the newest answer said about a window; worth nothing after its end.
CREATE TABLE budgets (
    scope     TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    span_ms   BIGINT NOT NULL,
    most      BIGINT NOT NULL,
    remaining BIGINT NOT NULL,
    counted   BOOLEAN NOT NULL,
    resets_at TIMESTAMPTZ NOT NULL,
    seen_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (scope, name)
);

-- Creates that were guarded in a slice of time, and what they cost in millionths.
CREATE TABLE spending (
    scope   TEXT    NOT NULL,
    slice   TIMESTAMPTZ NOT NULL,
    creates BIGINT NOT NULL,
    cost    BIGINT NOT NULL,
    PRIMARY KEY (scope, slice)
);

CREATE INDEX attempts_account_idx ON attempts (account_id, started_at);
