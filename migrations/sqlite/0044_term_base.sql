-- The term base: one concept with its official names. search is all of them as they are compared.
CREATE TABLE term_entries (
    id         TEXT    NOT NULL PRIMARY KEY,
    unit_id    TEXT    NOT NULL REFERENCES units (id),
    names      TEXT    NOT NULL,
    search     TEXT    NOT NULL,
    note       TEXT    NOT NULL,
    match_case INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    created_by TEXT    NOT NULL REFERENCES people (id),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX term_entries_unit_idx ON term_entries (unit_id, id);

-- Which entries a unit has, in one word that is another after each change: whoever remembers them sees by it
-- that he must read them again.
CREATE TABLE term_bases (
    unit_id TEXT NOT NULL PRIMARY KEY REFERENCES units (id),
    stamp   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
