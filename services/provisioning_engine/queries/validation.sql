-- name: catalogue
-- The service's connector, if the service is known.
SELECT connector, options FROM service WHERE service = $1;

-- name: plans
-- Which of these plans the service has, and whether they are active.
SELECT plan, active FROM plan WHERE service = $1 AND plan = ANY ($2::text[]);

-- name: listed
-- How much was listed, and how many parts came that the request does not name.
SELECT
    (SELECT count(*) FROM selection_customer WHERE request = $1 AND NOT excluded) AS customers,
    (SELECT count(*) FROM selection_user WHERE request = $1 AND NOT excluded) AS users,
    (SELECT count(*) FROM selection_part WHERE request = $1 AND part > $2) AS surplus_parts;

-- name: parts_come
-- How many of a selection's parts came; asked again and again while a request waits for them.
SELECT count(*) FROM selection_part WHERE request = $1 AND part <= $2;

-- name: unknown_customers
-- Listed customers that the directory doesn't have.
SELECT l.part, l.position, l.excluded, l.customer, NULL AS user_id, count(*) OVER () AS total
FROM selection_customer AS l
LEFT JOIN customer AS c ON c.customer = l.customer AND NOT c.removed
WHERE l.request = $1 AND c.customer IS NULL
ORDER BY l.part, l.excluded, l.position LIMIT $2;

-- name: unknown_users
-- Listed users of whom the directory knows no plan of the service, at any time.
SELECT l.part, l.position, l.excluded, l.customer, l.user_id, count(*) OVER () AS total
FROM selection_user AS l
LEFT JOIN assignment AS a
    ON a.customer = l.customer AND a.service = $3 AND a.user_id = l.user_id AND a.source_revision >= 0
WHERE l.request = $1 AND a.user_id IS NULL
ORDER BY l.part, l.excluded, l.position LIMIT $2;

-- name: repeated_customers
-- Customers listed more than once.
SELECT part, position, excluded, customer, NULL AS user_id, count(*) OVER () AS total
FROM selection_customer WHERE request = $1 AND times > 1 ORDER BY part, excluded, position LIMIT $2;

-- name: repeated_users
-- Users listed more than once.
SELECT part, position, excluded, customer, user_id, count(*) OVER () AS total
FROM selection_user WHERE request = $1 AND times > 1 ORDER BY part, excluded, position LIMIT $2;

-- name: contradictory_customers
-- Customers both listed and excluded.
SELECT l.part, l.position, l.excluded, l.customer, NULL AS user_id, count(*) OVER () AS total
FROM selection_customer AS l
JOIN selection_customer AS e ON e.request = l.request AND e.excluded AND e.customer = l.customer
WHERE l.request = $1 AND NOT l.excluded ORDER BY l.part, l.position LIMIT $2;

-- name: contradictory_users
-- Users listed who are excluded as well, or whose customer is not in scope.
SELECT l.part, l.position, l.excluded, l.customer, l.user_id, count(*) OVER () AS total
FROM selection_user AS l
WHERE l.request = $1 AND NOT l.excluded AND (
    EXISTS (
        SELECT FROM selection_user AS e
        WHERE e.request = $1 AND e.excluded AND e.customer = l.customer AND e.user_id = l.user_id)
    OR EXISTS (SELECT FROM selection_customer AS e WHERE e.request = $1 AND e.excluded AND e.customer = l.customer)
    OR (EXISTS (SELECT FROM selection_customer WHERE request = $1 AND NOT excluded)
        AND NOT EXISTS (
            SELECT FROM selection_customer AS c
            WHERE c.request = $1 AND NOT c.excluded AND c.customer = l.customer)))
ORDER BY l.part, l.position LIMIT $2;

-- name: positions
-- How far the directory was read.
SELECT partition, next_offset FROM reader_position WHERE reader = $1 AND topic = $2;
