-- What only videos have: how they are coded, how fast the pictures follow each other.
ALTER TABLE media ADD COLUMN video TEXT;
