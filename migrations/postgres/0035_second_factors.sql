-- The app on a person's phone: its secret, sealed. confirmed_at is when its first code was right; before that it asks
-- nobody for anything. version counts replacements and is bound into the seal. last_step is the newest half minute whose
-- code was used: none is used twice.
CREATE TABLE second_factors (
    person_id    TEXT    NOT NULL PRIMARY KEY REFERENCES people (id),
    version      BIGINT  NOT NULL,
    key_id       TEXT    NOT NULL,
    sealed       BYTEA   NOT NULL,
    made_at      TIMESTAMPTZ NOT NULL,
    confirmed_at TIMESTAMPTZ,
    last_step    BIGINT  NOT NULL DEFAULT 0
);

-- Codes on paper for when the phone is lost, each good once. Only their hashes are kept.
CREATE TABLE recovery_codes (
    hash      TEXT    NOT NULL PRIMARY KEY,
    person_id TEXT    NOT NULL REFERENCES people (id),
    made_at   TIMESTAMPTZ NOT NULL,
    used_at   TIMESTAMPTZ
);
CREATE INDEX recovery_codes_person_idx ON recovery_codes (person_id);
