-- The languages in which a post is wanted, whether or not somebody has written them yet.
ALTER TABLE posts ADD COLUMN wanted_languages JSONB NOT NULL DEFAULT '[]';

-- How far each variant is on its way from the source, who took it on, and what it was made from: source_hash is the
-- content_hash of the source as it was, made_from the revision in which the source had got it. One whose source says
-- something else by now is stale.
ALTER TABLE variants ADD COLUMN status TEXT NOT NULL DEFAULT 'draft';
ALTER TABLE variants ADD COLUMN made_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE variants ADD COLUMN source_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE variants ADD COLUMN translator TEXT;
ALTER TABLE variants ADD COLUMN editor TEXT;

-- What was made before its source got what it says now was made of something that is not known any more.
UPDATE variants SET made_from = revision, source_hash = COALESCE((
    SELECT s.content_hash FROM posts AS p
    JOIN variants AS s ON s.post_id = p.id AND s.language = p.source_language
    WHERE p.id = variants.post_id AND s.revision <= variants.revision), '');

-- What sources have said before they were changed: what variants were made from. Never removed.
CREATE TABLE former_sources (
    post_id      TEXT    NOT NULL REFERENCES posts (id),
    content_hash TEXT    NOT NULL,
    language     TEXT    NOT NULL,
    revision     BIGINT NOT NULL,
    content      JSONB    NOT NULL,
    replaced_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (post_id, content_hash)
);

-- Texts that nobody has proofed after a machine made them, or while somebody is at work on them: with the status that
-- they had. They stay, whatever becomes of the variant, until just this text is proofed.
CREATE TABLE unproofed (
    post_id      TEXT    NOT NULL REFERENCES posts (id),
    language     TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    PRIMARY KEY (post_id, language, content_hash)
);

-- The one place that says which deliveries carry such a text.
CREATE VIEW unproofed_deliveries AS
SELECT d.id AS delivery_id
FROM deliveries AS d
JOIN unproofed AS w ON w.post_id = d.post_id AND w.language = d.language AND w.content_hash = d.content_hash;

-- Which deliveries carry what their variant says now, while its source says something else than it was made from.
CREATE VIEW deliveries_of_stale_variants AS
SELECT d.id AS delivery_id
FROM deliveries AS d
JOIN posts AS p ON p.id = d.post_id
JOIN variants AS v ON v.post_id = d.post_id AND v.language = d.language AND v.content_hash = d.content_hash
JOIN variants AS s ON s.post_id = d.post_id AND s.language = p.source_language
WHERE v.source_hash <> s.content_hash;
