-- The same step as for SQLite: messages made of audit entries, notifications, webhooks, mail.

-- The audit entry up to which messages were made; moved by compare-and-set.
CREATE TABLE outbox_cursor (
    id  BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL
);
INSERT INTO outbox_cursor (id, seq) SELECT 1, seq FROM audit_head;

-- data is what webhooks are told, names is what people read besides.
CREATE TABLE outbox (
    id          TEXT    NOT NULL PRIMARY KEY,
    event       TEXT    NOT NULL,
    at          TIMESTAMPTZ NOT NULL,
    account_id  TEXT,
    data        JSONB   NOT NULL,
    names       JSONB   NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX outbox_created_idx ON outbox (created_at);

CREATE TABLE notifications (
    id         TEXT    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL REFERENCES people (id),
    message_id TEXT    NOT NULL,
    account_id TEXT,
    read_at    TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX notifications_message_key ON notifications (person_id, message_id);
CREATE INDEX notifications_person_idx ON notifications (person_id, id);
CREATE INDEX notifications_unread_idx ON notifications (person_id, id) WHERE read_at IS NULL;
CREATE INDEX notifications_created_idx ON notifications (created_at);

-- inbox and mail are the events that a person wants there; without a row the usual ones.
CREATE TABLE notification_settings (
    person_id  TEXT    NOT NULL PRIMARY KEY REFERENCES people (id),
    locale     TEXT    NOT NULL,
    inbox      JSONB   NOT NULL,
    mail       JSONB   NOT NULL,
    version    BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE mail_items (
    id         TEXT    NOT NULL PRIMARY KEY,
    person_id  TEXT    NOT NULL REFERENCES people (id),
    event      TEXT    NOT NULL,
    message_id TEXT    NOT NULL,
    outcome    TEXT,
    done_at    TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX mail_items_message_key ON mail_items (person_id, message_id);
CREATE INDEX mail_items_waiting_idx ON mail_items (person_id, event, id) WHERE outcome IS NULL;
CREATE INDEX mail_items_sent_idx ON mail_items (person_id, event, done_at) WHERE outcome = 'sent';
CREATE INDEX mail_items_created_idx ON mail_items (created_at);

CREATE TABLE webhooks (
    id               TEXT    NOT NULL PRIMARY KEY,
    url              TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    events           JSONB   NOT NULL,
    secret_version   BIGINT NOT NULL,
    key_id           TEXT    NOT NULL,
    sealed           BYTEA    NOT NULL,
    previous_key_id  TEXT,
    previous_sealed  BYTEA,
    previous_until   TIMESTAMPTZ,
    failing_since    TIMESTAMPTZ,
    succeeded_at     TIMESTAMPTZ,
    disabled_at      TIMESTAMPTZ,
    disabled_because TEXT,
    version          BIGINT NOT NULL,
    created_by       TEXT    NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL
);

CREATE TABLE webhook_tries (
    id         TEXT    NOT NULL PRIMARY KEY,
    webhook_id TEXT    NOT NULL REFERENCES webhooks (id),
    message_id TEXT    NOT NULL,
    event      TEXT    NOT NULL,
    number     BIGINT NOT NULL,
    outcome    TEXT    NOT NULL,
    status     BIGINT,
    detail     TEXT    NOT NULL,
    took_ms    BIGINT NOT NULL,
    next_at    TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX webhook_tries_webhook_idx ON webhook_tries (webhook_id, id);
CREATE INDEX webhook_tries_created_idx ON webhook_tries (created_at);

-- What is wrong with the service as a whole, while it is.
CREATE TABLE incidents (
    kind     TEXT    NOT NULL PRIMARY KEY,
    began_at TIMESTAMPTZ NOT NULL
);
