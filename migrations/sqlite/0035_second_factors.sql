-- The app on a person's phone: its secret, sealed. confirmed_at is when its first code was right; before that it asks
-- nobody for anything. version counts replacements and is bound into the seal. last_step is the newest half minute whose
-- code was used: none is used twice.
CREATE TABLE second_factors (
    person_id    TEXT    NOT NULL PRIMARY KEY REFERENCES people (id),
    version      INTEGER NOT NULL,
    key_id       TEXT    NOT NULL,
    sealed       BLOB    NOT NULL,
    made_at      INTEGER NOT NULL,
    confirmed_at INTEGER,
    last_step    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Codes on paper for when the phone is lost, each good once. Only their hashes are kept.
CREATE TABLE recovery_codes (
    hash      TEXT    NOT NULL PRIMARY KEY,
    person_id TEXT    NOT NULL REFERENCES people (id),
    made_at   INTEGER NOT NULL,
    used_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX recovery_codes_person_idx ON recovery_codes (person_id);
