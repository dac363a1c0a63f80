-- What is said together over a time. posts.campaign_id names one of these; older rows may name what never was one.
CREATE TABLE campaigns (
    id          TEXT NOT NULL PRIMARY KEY,
    unit_id     TEXT NOT NULL REFERENCES units (id),
    title       JSONB NOT NULL,
    first_day   TEXT NOT NULL,
    last_day    TEXT NOT NULL,
    time_zone   TEXT NOT NULL,
    message     TEXT NOT NULL,
    hashtags    JSONB NOT NULL,
    pillars     JSONB NOT NULL,
    guidance    TEXT NOT NULL,
    units       JSONB NOT NULL,
    accounts    JSONB NOT NULL,
    cloned_from TEXT REFERENCES campaigns (id),
    version     BIGINT NOT NULL,
    removed_at  TIMESTAMPTZ,
    created_by  TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX campaigns_unit_idx ON campaigns (unit_id, id);

CREATE INDEX posts_campaign_idx ON posts (campaign_id, id) WHERE campaign_id IS NOT NULL;
