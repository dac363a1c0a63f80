-- What is said together over a time. posts.campaign_id names one of these; older rows may name what never was one.
CREATE TABLE campaigns (
    id          TEXT NOT NULL PRIMARY KEY,
    unit_id     TEXT NOT NULL REFERENCES units (id),
    title       TEXT NOT NULL,
    first_day   TEXT NOT NULL,
    last_day    TEXT NOT NULL,
    time_zone   TEXT NOT NULL,
    message     TEXT NOT NULL,
    hashtags    TEXT NOT NULL,
    pillars     TEXT NOT NULL,
    guidance    TEXT NOT NULL,
    units       TEXT NOT NULL,
    accounts    TEXT NOT NULL,
    cloned_from TEXT REFERENCES campaigns (id),
    version     INTEGER NOT NULL,
    removed_at  INTEGER,
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX campaigns_unit_idx ON campaigns (unit_id, id);

CREATE INDEX posts_campaign_idx ON posts (campaign_id, id) WHERE campaign_id IS NOT NULL;
