-- After publishing: whether what is out still is, and taking it back.

-- For each span after which published deliveries are looked for: the audit entry up to which that was
-- arranged; moved by compare-and-set.
CREATE TABLE look_cursors (
    span_ms INTEGER NOT NULL PRIMARY KEY,
    seq     INTEGER NOT NULL
) STRICT;

-- Who wants a published delivery to be deleted at the platform, since when, why, and what stands in
-- the way.
ALTER TABLE deliveries ADD COLUMN recall TEXT;
