-- What waits for something that is shown. What goes out in the ordinary way never comes here.
CREATE INDEX deliveries_waits_idx ON deliveries (due_at, id) WHERE waits_for IS NOT NULL;

-- How far people were told of what waits for them: the step of the ladder, counted from since.
CREATE TABLE reminders (
    subject TEXT        NOT NULL PRIMARY KEY,
    since   TIMESTAMPTZ NOT NULL,
    step    BIGINT      NOT NULL,
    told_at TIMESTAMPTZ NOT NULL,
    renews  BOOLEAN     NOT NULL
);
