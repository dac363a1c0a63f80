-- A hold stops what it covers. stands_until is its end: NULL while nobody knows, ends_at from the
-- beginning when it has one, the instant of the lift once it is lifted. seq grows with every hold,
-- so that a process can say "all up to here are known to me".
CREATE TABLE holds (
    id             TEXT    NOT NULL PRIMARY KEY,
    seq            BIGINT NOT NULL,
    platform       TEXT,
    unit_id        TEXT    REFERENCES units (id),
    account_id     TEXT    REFERENCES accounts (id),
    campaign_id    TEXT,
    class          TEXT,
    except_classes JSONB    NOT NULL,
    reason         TEXT    NOT NULL,
    ends_at        TIMESTAMPTZ,
    stands_until   TIMESTAMPTZ,
    lift_needs     BIGINT NOT NULL,
    lifts          JSONB    NOT NULL,
    lifted_at      TIMESTAMPTZ,
    version        BIGINT NOT NULL,
    created_by     TEXT    NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX holds_seq_key ON holds (seq);
CREATE INDEX holds_until_idx ON holds (stands_until);

-- hold_id names the hold that has caught a delivery, until a person has reviewed it; released_at is
-- when a person let it go on.
ALTER TABLE deliveries ADD COLUMN hold_id TEXT REFERENCES holds (id);
ALTER TABLE deliveries ADD COLUMN released_at TIMESTAMPTZ;
CREATE INDEX deliveries_hold_idx ON deliveries (hold_id, due_at) WHERE hold_id IS NOT NULL;

-- The newest hold for which a process has taken back what it was about to send.
ALTER TABLE nodes ADD COLUMN holds_seen BIGINT NOT NULL DEFAULT 0;

-- Which hold covers which delivery: the one place that says so. A hold covers what was due before
-- its end, so that what was due while it stood does not go out when it is lifted.
CREATE VIEW hold_covers AS
SELECT d.id AS delivery_id, h.id AS hold_id, h.stands_until AS stands_until
FROM deliveries AS d
JOIN posts AS p ON p.id = d.post_id
JOIN accounts AS a ON a.id = d.account_id
JOIN holds AS h
  ON (h.stands_until IS NULL OR h.stands_until > d.due_at)
 AND (h.platform IS NULL OR h.platform = d.platform)
 AND (h.account_id IS NULL OR h.account_id = d.account_id)
 AND (h.campaign_id IS NULL OR h.campaign_id = p.campaign_id)
 AND (h.class IS NULL OR h.class = d.class)
 AND (h.unit_id IS NULL OR h.unit_id IN (
        WITH RECURSIVE above (id) AS (
            SELECT d.unit_id UNION SELECT a.unit_id
            UNION SELECT u.parent_id FROM above JOIN units AS u ON u.id = above.id)
        SELECT id FROM above WHERE id IS NOT NULL))
 AND NOT (h.except_classes @> to_jsonb(d.class));
