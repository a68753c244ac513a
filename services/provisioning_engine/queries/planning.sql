-- name: hold_shard
-- How far the planning of a request is in a shard; the request's row is held until the step commits, and the
-- shard's part of it is this step's alone.
SELECT r.state, now() AS now, s.planning_done, s.cursor_customer, s.cursor_user, s.next_batch, s.next_exclusion,
    s.hash, s.excluded_by_reason, s.packages,
    (SELECT next_sequence FROM shard WHERE shard = $2) AS next_sequence
FROM request AS r JOIN request_shard AS s ON s.request = r.request
WHERE r.request = $1 AND s.shard = $2
FOR SHARE OF r FOR UPDATE OF s;

-- name: lists
-- Which lists a request has.
SELECT
    EXISTS (SELECT FROM selection_customer WHERE request = $1 AND NOT excluded) AS customers,
    EXISTS (SELECT FROM selection_customer WHERE request = $1 AND excluded) AS excluded_customers,
    EXISTS (SELECT FROM selection_user WHERE request = $1 AND NOT excluded) AS users,
    EXISTS (SELECT FROM selection_user WHERE request = $1 AND excluded) AS excluded_users;

-- name: customers_with_users
-- The next customers (after $5) with users on a source plan, and how many; found through packages, not users.
SELECT customer, sum(used)::bigint AS users
FROM unnest($4::text[]) AS source (plan)
CROSS JOIN LATERAL (
    SELECT p.customer, p.used FROM package AS p
    WHERE p.shard = $2 AND p.service = $3 AND p.plan = source.plan AND p.customer > $5 AND p.used > 0
        AND (NOT $6::boolean OR EXISTS (
            SELECT FROM selection_customer AS l
            WHERE l.request = $1 AND NOT l.excluded AND l.shard = $2 AND l.customer = p.customer))
        AND (NOT $7::boolean OR NOT EXISTS (
            SELECT FROM selection_customer AS l
            WHERE l.request = $1 AND l.excluded AND l.shard = $2 AND l.customer = p.customer))
    ORDER BY p.customer
    LIMIT $8
) AS found
GROUP BY customer
ORDER BY customer
LIMIT $8;

-- name: users_on_plans
-- Users of these customers on source plans, in groups; $6 limits them where one customer is read in pages.
SELECT customer, plan, false AS removed,
    string_agg(user_id, E'\n' ORDER BY user_id) AS users,
    array_agg(source_revision ORDER BY user_id) AS revisions
FROM (
    SELECT a.customer, a.plan, a.user_id, a.source_revision FROM assignment AS a
    WHERE a.service = $3 AND a.customer = ANY ($4::text[]) AND a.user_id > $5 AND a.plan = ANY ($7::text[])
        AND (NOT $8::boolean OR NOT EXISTS (
            SELECT FROM selection_user AS l
            WHERE l.request = $1 AND l.excluded AND l.shard = $2 AND l.customer = a.customer AND l.user_id = a.user_id))
    ORDER BY a.customer, a.user_id
    LIMIT $6
) AS page
GROUP BY customer, plan
ORDER BY customer, plan;

-- name: listed_users
-- The next listed users after ($4, $5), with where they are now.
SELECT customer, plan, removed,
    string_agg(user_id, E'\n' ORDER BY user_id) AS users,
    array_agg(revision ORDER BY user_id) AS revisions
FROM (
    SELECT l.customer, l.user_id, a.plan,
        coalesce(a.removed_revision >= a.source_revision, false) AS removed,
        coalesce(a.source_revision, 0) AS revision
    FROM selection_user AS l
    LEFT JOIN assignment AS a ON a.customer = l.customer AND a.service = $3 AND a.user_id = l.user_id
    WHERE l.request = $1 AND NOT l.excluded AND l.shard = $2 AND (l.customer, l.user_id) > ($4, $5)
    ORDER BY l.customer, l.user_id
    LIMIT $6
) AS page
GROUP BY customer, plan, removed
ORDER BY customer, plan NULLS LAST, removed;

-- name: rooms
-- Destination packages of these customers.
SELECT customer, plan, provisioned, seat_limit, used + reserved AS taken FROM package
WHERE customer = ANY ($1::text[]) AND service = $2 AND plan = ANY ($3::text[]);

-- name: active_customers
-- Which of these customers may be worked for.
SELECT customer FROM customer WHERE customer = ANY ($1::text[]) AND active AND NOT removed;

-- name: planned_before
-- What earlier parts of this request put into a customer's packages; needed only for a customer read in pages.
SELECT to_plan, sum(n)::bigint AS users FROM batch
WHERE request = $1 AND shard = $2 AND customer = $3
GROUP BY to_plan;

-- name: add_batches
-- Batches of the manifest.
INSERT INTO batch (request, shard, state, no, customer, from_plan, to_plan, n, users, revision, revisions, reserved)
SELECT $1, $2, $3, b.* FROM unnest(
    $4::integer[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::text[], $10::bigint[], $11::text[],
    $12::integer[]
) AS b;

-- name: reserve
-- Seats that the manifest promises; a package that is to be generated gets its row now.
INSERT INTO package AS t (customer, service, plan, shard, reserved)
SELECT r.customer, $1, r.plan, $2, r.seats
FROM unnest($3::text[], $4::text[], $5::bigint[]) AS r (customer, plan, seats)
ORDER BY 1, 3
ON CONFLICT (customer, service, plan) DO UPDATE SET reserved = t.reserved + EXCLUDED.reserved;

-- name: still_owner
-- Fences a step that appends nothing: no row if somebody else owns the shard by now.
SELECT true FROM shard WHERE shard = $1 AND epoch = $2 AND owner = $3 FOR SHARE;

-- name: advance
-- The planning of this shard is further now.
UPDATE request_shard
SET planning_done = $3, cursor_customer = $4, cursor_user = $5, next_batch = $6, next_exclusion = $7, hash = $8,
    excluded_by_reason = $9, packages = $10,
    customers = customers + $11, planned = planned + $12, excluded = excluded + $13, open = open + $14,
    planned_last_sequence = coalesce($15, planned_last_sequence), last_sequence = coalesce($15, last_sequence)
WHERE request = $1 AND shard = $2;
