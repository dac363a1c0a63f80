-- What follows from what happened: messages made of audit entries, notifications, webhooks, mail.

-- The audit entry up to which messages were made; moved by compare-and-set.
CREATE TABLE outbox_cursor (
    id  INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_cursor (id, seq) SELECT 1, seq FROM audit_head;

-- data is what webhooks are told, names is what people read besides.
CREATE TABLE outbox (
    id          TEXT    NOT NULL PRIMARY KEY,
    event       TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    account_id  TEXT,
    data        TEXT    NOT NULL,
    names       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_created_idx ON outbox (created_at);

CREATE TABLE notifications (
    id         TEXT    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL REFERENCES people (id),
    message_id TEXT    NOT NULL,
    account_id TEXT,
    read_at    INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX notifications_message_key ON notifications (person_id, message_id);
CREATE INDEX notifications_person_idx ON notifications (person_id, id);
CREATE INDEX notifications_unread_idx ON notifications (person_id, id) WHERE read_at IS NULL;
CREATE INDEX notifications_created_idx ON notifications (created_at);

-- inbox and mail are the events that a person wants there; without a row the usual ones.
CREATE TABLE notification_settings (
    person_id  TEXT    NOT NULL PRIMARY KEY REFERENCES people (id),
    locale     TEXT    NOT NULL,
    inbox      TEXT    NOT NULL,
    mail       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE mail_items (
    id         TEXT    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL REFERENCES people (id),
    event      TEXT    NOT NULL,
    message_id TEXT    NOT NULL,
    outcome    TEXT,
    done_at    INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX mail_items_message_key ON mail_items (person_id, message_id);
CREATE INDEX mail_items_waiting_idx ON mail_items (person_id, event, id) WHERE outcome IS NULL;
CREATE INDEX mail_items_sent_idx ON mail_items (person_id, event, done_at) WHERE outcome = 'sent';
CREATE INDEX mail_items_created_idx ON mail_items (created_at);

CREATE TABLE webhooks (
    id               TEXT    NOT NULL PRIMARY KEY,
    url              TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    events           TEXT    NOT NULL,
    secret_version   INTEGER NOT NULL,
    key_id           TEXT    NOT NULL,
    sealed           BLOB    NOT NULL,
    previous_key_id  TEXT,
    previous_sealed  BLOB,
    previous_until   INTEGER,
    failing_since    INTEGER,
    succeeded_at     INTEGER,
    disabled_at      INTEGER,
    disabled_because TEXT,
    version          INTEGER NOT NULL,
    created_by       TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE webhook_tries (
    id         TEXT    NOT NULL PRIMARY KEY,
    webhook_id TEXT    NOT NULL REFERENCES webhooks (id),
    message_id TEXT    NOT NULL,
    event      TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,
    status     INTEGER,
    detail     TEXT    NOT NULL,
    took_ms    INTEGER NOT NULL,
    next_at    INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_tries_webhook_idx ON webhook_tries (webhook_id, id);
CREATE INDEX webhook_tries_created_idx ON webhook_tries (created_at);

-- What is wrong with the service as a whole, while it is.
CREATE TABLE incidents (
    kind     TEXT    NOT NULL PRIMARY KEY,
    began_at INTEGER NOT NULL
) STRICT;
