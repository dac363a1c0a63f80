-- What people are to units, and to all units below them. One that has ended stays as a record.
CREATE TABLE roles (
    person_id TEXT        NOT NULL REFERENCES people (id),
    unit_id   TEXT        NOT NULL REFERENCES units (id),
    role      TEXT        NOT NULL,
    ends_at   TIMESTAMPTZ,
    given_by  TEXT        NOT NULL,
    given_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (person_id, unit_id, role)
);
CREATE INDEX roles_unit_idx ON roles (unit_id);

ALTER TABLE people ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE people ADD COLUMN updated_at TIMESTAMPTZ;
