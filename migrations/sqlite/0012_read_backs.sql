-- The accounts of a database that came back: while nothing is sent, each is read from before its state on.
-- What it shows may be what is still to be sent, and the rest is known nowhere else. since is the instant
-- from which on it is read, begun_at that of the quarantine; posts is what it shows and nobody here knows, and
-- not_known how many that are.
CREATE TABLE read_backs (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    begun_at   INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    read_at    INTEGER,
    tries      INTEGER NOT NULL DEFAULT 0,
    problem    TEXT,
    posts      TEXT,
    not_known  INTEGER NOT NULL DEFAULT 0
) STRICT;
