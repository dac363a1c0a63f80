-- Notes of people on a post, for themselves; they go to no platform. What was removed keeps its place and loses its text.
CREATE TABLE comments (
    id          TEXT    NOT NULL PRIMARY KEY,
    post_id     TEXT    NOT NULL REFERENCES posts (id),
    reply_to    TEXT    REFERENCES comments (id),
    language    TEXT,
    revision    INTEGER NOT NULL,
    text        TEXT    NOT NULL,
    mentions    TEXT    NOT NULL,
    resolved_at INTEGER,
    resolved_by TEXT    REFERENCES people (id),
    removed_at  INTEGER,
    removed_by  TEXT    REFERENCES people (id),
    version     INTEGER NOT NULL,
    created_by  TEXT    NOT NULL REFERENCES people (id),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX comments_post_idx ON comments (post_id, id);
