-- When a head of the audit was signed last.
ALTER TABLE self_audit ADD COLUMN signed_at TIMESTAMPTZ;
