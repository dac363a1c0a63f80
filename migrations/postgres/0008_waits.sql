-- What waits for something that is shown. What goes out in the ordinary way never comes here.
CREATE INDEX deliveries_waits_idx ON deliveries (due_at, id) WHERE waits_for IS NOT NULL;
