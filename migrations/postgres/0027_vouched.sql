-- What each person is to each account: by his roles in its unit and in those above, also what has ended.
CREATE VIEW duties AS
SELECT r.person_id AS person_id, a.id AS account_id, r.role AS role, r.ends_at AS ends_at
FROM accounts AS a
JOIN roles AS r ON r.unit_id IN (
        WITH RECURSIVE above (id) AS (
            SELECT a.unit_id
            UNION SELECT u.parent_id FROM above JOIN units AS u ON u.id = above.id)
        SELECT id FROM above WHERE id IS NOT NULL);

-- Who may schedule to which account, until when: the one place that says so. Whoever may everything has no end.
CREATE VIEW vouched AS
SELECT b.id AS person_id, a.id AS account_id, r.ends_at AS ends_at
FROM people AS b
CROSS JOIN accounts AS a
LEFT JOIN roles AS r ON r.person_id = b.id AND NOT b.administrator
 AND r.role IN ('administrator', 'publisher')
 AND r.unit_id IN (
        WITH RECURSIVE above (id) AS (
            SELECT a.unit_id
            UNION SELECT u.parent_id FROM above JOIN units AS u ON u.id = above.id)
        SELECT id FROM above WHERE id IS NOT NULL)
WHERE b.disabled_at IS NULL AND (b.administrator OR r.role IS NOT NULL);

-- Who has something scheduled to which account: found by jumping from one to the next.
CREATE INDEX deliveries_scheduler_idx ON deliveries (created_by, account_id) WHERE (state = 'scheduled') IS TRUE;
