-- The same step as for SQLite: the parts of a post, each a delivery that follows another.
ALTER TABLE deliveries ADD COLUMN part BIGINT NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN parts BIGINT NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN follows TEXT REFERENCES deliveries (id);
ALTER TABLE deliveries ADD COLUMN root TEXT REFERENCES deliveries (id);
CREATE UNIQUE INDEX deliveries_follows_key ON deliveries (follows) WHERE follows IS NOT NULL;
CREATE INDEX deliveries_root_idx ON deliveries (root, part) WHERE root IS NOT NULL;
