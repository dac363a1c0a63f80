-- The parts of a post: a thread and a first comment follow what is said first. Each part is a delivery of its
-- own, which goes under the post of the one that it follows. root is the first part, for all others.
ALTER TABLE deliveries ADD COLUMN part INTEGER NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN parts INTEGER NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN follows TEXT REFERENCES deliveries (id);
ALTER TABLE deliveries ADD COLUMN root TEXT REFERENCES deliveries (id);
CREATE UNIQUE INDEX deliveries_follows_key ON deliveries (follows) WHERE follows IS NOT NULL;
CREATE INDEX deliveries_root_idx ON deliveries (root, part) WHERE root IS NOT NULL;
