-- name: load
-- A request, for whoever works for it.
SELECT request, home_shard, spec, event_id, correlation, traceparent FROM request WHERE request = $1;

-- name: hold
-- The request for whoever changes its state: waits until the workers' transactions have ended.
SELECT state, spec, event_id, said_at, start_at, manifest_hash, planned, now() AS now,
    received_at + make_interval(secs => $2) < now() AS overdue,
    (SELECT next_sequence FROM shard WHERE shard = request.home_shard) AS next_sequence
FROM request WHERE request = $1 FOR UPDATE;

-- name: change
-- The request's new state; $6: it has come to its end.
UPDATE request
SET state = $2, manifest_hash = coalesce($3, manifest_hash), planned = coalesce($4, planned),
    start_at = coalesce($5, start_at), ended_at = CASE WHEN $6 THEN now() END
WHERE request = $1;

-- name: open_shards
-- A request's part in every shard, before its planning.
INSERT INTO request_shard (request, shard) SELECT $1, generate_series(0, $2 - 1);

-- name: shards
-- A request's parts, for adding them up.
SELECT shard, planning_done, next_batch, customers, planned, excluded, excluded_by_reason, packages, hash,
    planned_last_sequence, open, migrated, failed, skipped, cancelled, packages_generated, last_sequence
FROM request_shard WHERE request = $1 ORDER BY shard;

-- name: tell
-- A hint to the other processes that something is to be done.
SELECT pg_notify('planshift_engine', '');

-- name: release_reservations
-- A request that ends before it starts: the seats that its manifest held are free again.
WITH held AS (
    UPDATE batch SET state = 'finished', reserved = 0 WHERE request = $1 AND state = 'planned'
    RETURNING customer, to_plan, n
), seats AS (
    SELECT customer, to_plan, sum(n) AS n FROM held GROUP BY customer, to_plan ORDER BY customer, to_plan
)
UPDATE package AS p SET reserved = p.reserved - s.n
FROM seats AS s WHERE p.customer = s.customer AND p.service = $2 AND p.plan = s.to_plan;

-- name: close_shards
-- A request that ends before it starts has nothing open.
UPDATE request_shard SET open = 0 WHERE request = $1;

-- name: next_command
-- The oldest later word about this request that nobody answered.
SELECT id, type, body, event_id FROM command WHERE request = $1 AND NOT done ORDER BY id LIMIT 1 FOR UPDATE;

-- name: command_done
-- The word was answered.
UPDATE command SET done = true WHERE id = $1;

-- name: unknown_next_sequence
-- For a word about a request that never came.
SELECT next_sequence, now() AS now FROM shard WHERE shard = $1;

-- name: work
-- What there is to do in these shards: kind, request, shard, and the users of the whole request where they are known.
-- Kinds: command, judge, freeze, start, finish, plan, run.
SELECT DISTINCT 'command' AS kind, c.request, c.home_shard AS shard, 0::bigint AS users
FROM command AS c WHERE NOT c.done AND c.home_shard = ANY ($1::integer[])
UNION ALL
SELECT 'judge', r.request, r.home_shard, 0 FROM request AS r
WHERE r.ended_at IS NULL AND r.home_shard = ANY ($1::integer[]) AND r.state = 'received'
UNION ALL
SELECT 'freeze', r.request, r.home_shard, 0 FROM request AS r
WHERE r.ended_at IS NULL AND r.home_shard = ANY ($1::integer[]) AND r.state = 'planning'
    AND NOT EXISTS (SELECT FROM request_shard AS s WHERE s.request = r.request AND NOT s.planning_done)
UNION ALL
SELECT 'start', r.request, r.home_shard, 0 FROM request AS r
WHERE r.ended_at IS NULL AND r.home_shard = ANY ($1::integer[]) AND r.state = 'pending-start' AND r.start_at <= now()
UNION ALL
SELECT 'finish', r.request, r.home_shard, 0 FROM request AS r
WHERE r.ended_at IS NULL AND r.home_shard = ANY ($1::integer[]) AND r.state = 'running'
    AND NOT EXISTS (SELECT FROM request_shard AS s WHERE s.request = r.request AND s.open > 0)
UNION ALL
SELECT 'plan', s.request, s.shard, 0 FROM request AS r JOIN request_shard AS s ON s.request = r.request
WHERE r.ended_at IS NULL AND r.state = 'planning' AND NOT s.planning_done AND s.shard = ANY ($1::integer[])
UNION ALL
SELECT 'run', s.request, s.shard, r.planned FROM request AS r JOIN request_shard AS s ON s.request = r.request
WHERE r.ended_at IS NULL AND r.state = 'running' AND s.open > 0 AND s.shard = ANY ($1::integer[]);
