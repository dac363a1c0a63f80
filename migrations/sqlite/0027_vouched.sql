-- What each person is to each account: by his roles in its unit and in those above, also what has ended.
CREATE VIEW duties AS
SELECT r.person_id AS person_id, a.id AS account_id, r.role AS role, r.ends_at AS ends_at
FROM accounts AS a
JOIN roles AS r ON r.unit_id IN (
        WITH RECURSIVE above (id) AS (
            SELECT a.unit_id
            UNION SELECT u.parent_id FROM above JOIN units AS u ON u.id = above.id)
        SELECT id FROM above WHERE id IS NOT NULL);

-- The deliveries whose scheduler may schedule there, until when: the one place that says so. Whoever may
-- everything has no end.
CREATE VIEW vouched AS
SELECT d.id AS delivery_id, r.ends_at AS ends_at
FROM deliveries AS d
JOIN people AS b ON b.id = substr(d.created_by, 1, 36)
JOIN accounts AS a ON a.id = d.account_id
LEFT JOIN roles AS r ON r.person_id = b.id AND NOT b.administrator
 AND r.role IN ('administrator', 'publisher')
 AND r.unit_id IN (
        WITH RECURSIVE above (id) AS (
            SELECT a.unit_id
            UNION SELECT u.parent_id FROM above JOIN units AS u ON u.id = above.id)
        SELECT id FROM above WHERE id IS NOT NULL)
WHERE b.disabled_at IS NULL AND (b.administrator OR r.role IS NOT NULL);
