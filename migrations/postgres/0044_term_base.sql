-- The term base: one concept with its official names. search is all of them as they are compared.
CREATE TABLE term_entries (
    id         TEXT    NOT NULL PRIMARY KEY,
    unit_id    TEXT    NOT NULL REFERENCES units (id),
    names      JSONB NOT NULL,
    search     TEXT    NOT NULL,
    note       TEXT    NOT NULL,
    match_case BOOLEAN NOT NULL,
    version    BIGINT NOT NULL,
    created_by TEXT    NOT NULL REFERENCES people (id),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX term_entries_unit_idx ON term_entries (unit_id, id);

-- Which entries a unit has, in one word that is another after each change: whoever remembers them sees by it
-- that he must read them again.
CREATE TABLE term_bases (
    unit_id TEXT NOT NULL PRIMARY KEY REFERENCES units (id),
    stamp   TEXT NOT NULL
);
