-- Notes of people on a post, for themselves; they go to no platform. What was removed keeps its place and loses its text.
CREATE TABLE comments (
    id          TEXT    NOT NULL PRIMARY KEY,
    post_id     TEXT    NOT NULL REFERENCES posts (id),
    reply_to    TEXT    REFERENCES comments (id),
    language    TEXT,
    revision    BIGINT NOT NULL,
    text        TEXT    NOT NULL,
    mentions    JSONB   NOT NULL,
    resolved_at TIMESTAMPTZ,
    resolved_by TEXT    REFERENCES people (id),
    removed_at  TIMESTAMPTZ,
    removed_by  TEXT    REFERENCES people (id),
    version     BIGINT NOT NULL,
    created_by  TEXT    NOT NULL REFERENCES people (id),
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX comments_post_idx ON comments (post_id, id);
