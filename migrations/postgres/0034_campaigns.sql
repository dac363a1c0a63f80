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

-- A post that is offered to other units: what they may change, when it should go out, until when they should answer.
CREATE TABLE kits (
    id          TEXT NOT NULL PRIMARY KEY,
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    post_id     TEXT NOT NULL REFERENCES posts (id),
    fields       JSONB NOT NULL,
    local       JSONB,
    answer_by   TIMESTAMPTZ,
    created_by  TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX kits_campaign_idx ON kits (campaign_id, id);
CREATE INDEX kits_post_idx ON kits (post_id);

-- What one unit was offered and has made of it. post_id is its copy; base is what the offered post (source_id) said, by
-- language, in the revision that the copy was made of or follows.
CREATE TABLE offers (
    id            TEXT NOT NULL PRIMARY KEY,
    kit_id        TEXT NOT NULL REFERENCES kits (id),
    source_id     TEXT NOT NULL REFERENCES posts (id),
    unit_id       TEXT NOT NULL REFERENCES units (id),
    state         TEXT NOT NULL,
    post_id       TEXT REFERENCES posts (id),
    base_revision BIGINT,
    base          JSONB,
    reason        TEXT,
    answered_by   TEXT,
    answered_at   TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX offers_unit_key ON offers (source_id, unit_id);
CREATE INDEX offers_post_idx ON offers (post_id) WHERE post_id IS NOT NULL;
CREATE INDEX offers_kit_idx ON offers (kit_id, id);
CREATE INDEX offers_of_unit_idx ON offers (unit_id, id);
