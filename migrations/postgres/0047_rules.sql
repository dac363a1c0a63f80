-- When accounts may not speak: each rule covers the accounts of its unit and of those below.
CREATE TABLE rules (
    id             TEXT NOT NULL PRIMARY KEY,
    unit_id        TEXT NOT NULL REFERENCES units (id),
    name           JSONB NOT NULL,
    kind           JSONB NOT NULL,
    effect         TEXT NOT NULL,
    platforms      JSONB NOT NULL,
    account_ids    JSONB NOT NULL,
    classes        JSONB NOT NULL,
    except_classes JSONB NOT NULL,
    version        BIGINT NOT NULL,
    removed_at     TIMESTAMPTZ,
    created_by     TEXT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX rules_unit_idx ON rules (unit_id, id);
