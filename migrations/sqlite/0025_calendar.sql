-- What stands in the calendar besides deliveries. begins_at and ends_at are derived from what was said, for looking up.
CREATE TABLE events (
    id         TEXT NOT NULL PRIMARY KEY,
    unit_id    TEXT NOT NULL REFERENCES units (id),
    title      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    said_when  TEXT NOT NULL,
    time_zone  TEXT NOT NULL,
    country    TEXT,
    visibility TEXT NOT NULL,
    note       TEXT,
    begins_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    removed_at INTEGER,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX events_begins_idx ON events (begins_at, id) WHERE removed_at IS NULL;
CREATE INDEX events_unit_idx ON events (unit_id, begins_at);

CREATE INDEX deliveries_due_idx ON deliveries (due_at, id);
