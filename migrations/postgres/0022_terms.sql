-- The same step as for SQLite: on what terms a file may be shown, and which files a delivery carries.
CREATE TABLE terms (
    sha256         TEXT    NOT NULL PRIMARY KEY,
    licence        TEXT,
    credit         TEXT,
    embargo_until  TIMESTAMPTZ,
    licensed_until TIMESTAMPTZ,
    updated_by     TEXT    NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL
);

CREATE TABLE delivery_files (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id),
    sha256      TEXT NOT NULL,
    PRIMARY KEY (delivery_id, sha256)
);
CREATE INDEX delivery_files_sha256_idx ON delivery_files (sha256);

INSERT INTO delivery_files (delivery_id, sha256)
SELECT d.id, m.value->>'sha256'
FROM deliveries AS d, jsonb_array_elements(d.content->'media') AS m (value)
UNION
SELECT d.id, m.value->>'sha256'
FROM deliveries AS d,
     jsonb_array_elements(COALESCE(d.content->'thread', '[]')) AS t (value),
     jsonb_array_elements(COALESCE(t.value->'media', '[]')) AS m (value);
