-- When accounts may not speak: each rule covers the accounts of its unit and of those below.
CREATE TABLE rules (
    id             TEXT NOT NULL PRIMARY KEY,
    unit_id        TEXT NOT NULL REFERENCES units (id),
    name           TEXT NOT NULL,
    kind           TEXT NOT NULL,
    effect         TEXT NOT NULL,
    platforms      TEXT NOT NULL,
    account_ids    TEXT NOT NULL,
    classes        TEXT NOT NULL,
    except_classes TEXT NOT NULL,
    version        INTEGER NOT NULL,
    removed_at     INTEGER,
    created_by     TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX rules_unit_idx ON rules (unit_id, id);
