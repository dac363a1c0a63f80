-- What keeps requests within what platforms allow and can bear, shared by all nodes. A scope is a
-- platform (`x`) or an account on it (`x/acc_…`).

-- A circuit that is not closed, or that has seen failures since the last good answer.
CREATE TABLE circuits (
    scope       TEXT    NOT NULL PRIMARY KEY,
    failures    INTEGER NOT NULL,
    trips       INTEGER NOT NULL,
    incident    INTEGER NOT NULL,
    code        TEXT,
    detail      TEXT,
    opened_at   INTEGER,
    open_until  INTEGER,
    probe_until INTEGER,
    seen        TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- What the newest answer said about a window; worth nothing after its end.
CREATE TABLE budgets (
    scope     TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    span_ms   INTEGER NOT NULL,
    most      INTEGER NOT NULL,
    remaining INTEGER NOT NULL,
    counted   INTEGER NOT NULL,
    resets_at INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT;

-- Creates that were guarded in a slice of time, and what they cost in millionths.
CREATE TABLE spending (
    scope   TEXT    NOT NULL,
    slice   INTEGER NOT NULL,
    creates INTEGER NOT NULL,
    cost    INTEGER NOT NULL,
    PRIMARY KEY (scope, slice)
) STRICT;

CREATE INDEX attempts_account_idx ON attempts (account_id, started_at);
