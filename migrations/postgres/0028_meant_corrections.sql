-- Whether a correction may say what the account has said elsewhere lately: asked again before it leaves.
ALTER TABLE corrections ADD COLUMN intended_repeat BOOLEAN NOT NULL DEFAULT FALSE;
