-- On what terms a file may be shown. They are the content's: handing the same file in again changes nothing.
CREATE TABLE terms (
    sha256         TEXT    NOT NULL PRIMARY KEY,
    licence        TEXT,
    credit         TEXT,
    embargo_until  INTEGER,
    licensed_until INTEGER,
    updated_by     TEXT    NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

-- Which files a delivery carries, in any of its parts: the guard asks here on what terms.
CREATE TABLE delivery_files (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id),
    sha256      TEXT NOT NULL,
    PRIMARY KEY (delivery_id, sha256)
) STRICT;
CREATE INDEX delivery_files_sha256_idx ON delivery_files (sha256);

INSERT INTO delivery_files (delivery_id, sha256)
SELECT d.id, m.value->>'sha256' FROM deliveries AS d, json_each(d.content, '$.media') AS m
UNION
SELECT d.id, m.value->>'sha256'
FROM deliveries AS d, json_each(d.content, '$.thread') AS t, json_each(t.value, '$.media') AS m;
