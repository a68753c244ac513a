-- name: hold_request
-- A worker holds the request's row while it works; who changes its state waits until it has committed.
SELECT state, now() AS now, (SELECT next_sequence FROM shard WHERE shard = $2) AS next_sequence
FROM request WHERE request = $1 FOR SHARE;

-- name: next_batches
-- The next open batches of a shard after number $3, up to $4 users (but at least one batch).
SELECT no, customer, from_plan, to_plan, attempt, users, revision, revisions, reserved, state
FROM (
    SELECT *, sum(n) OVER (ORDER BY no) AS together, n AS own
    FROM (
        SELECT * FROM batch
        WHERE request = $1 AND shard = $2 AND no > $3 AND state IN ('planned', 'applying')
        ORDER BY no LIMIT 500
    ) AS candidates
) AS counted
WHERE together <= $4 OR together = own
ORDER BY no;

-- name: packages_now
-- The destinations of batches, and whether their customers are active.
SELECT w.customer, w.plan,
    coalesce(c.active AND NOT c.removed, false) AS customer_active,
    coalesce(p.provisioned, false) AS provisioned,
    p.seat_limit,
    coalesce(p.used, 0) AS used,
    coalesce(p.reserved, 0) AS reserved,
    coalesce(p.source_revision, -1) AS source_revision
FROM unnest($2::text[], $3::text[]) AS w (customer, plan)
LEFT JOIN customer AS c ON c.customer = w.customer
LEFT JOIN package AS p ON p.customer = w.customer AND p.service = $1 AND p.plan = w.plan;

-- name: default_limits
-- What a generated package of these plans gets.
SELECT plan, default_seat_limit FROM plan WHERE service = $1 AND plan = ANY ($2::text[]);

-- name: generate_packages
-- Packages that migrations need; a source's newer word would win.
INSERT INTO package AS t (
    customer, service, plan, shard, provisioned, seat_limit, generated_revision, generated_seat_limit, generated_by
)
SELECT g.customer, $1, g.plan, $2, true, g.seat_limit, g.revision, g.seat_limit, $3
FROM unnest($4::text[], $5::text[], $6::integer[], $7::bigint[]) AS g (customer, plan, seat_limit, revision)
ORDER BY 1, 3
ON CONFLICT (customer, service, plan) DO UPDATE
SET generated_revision = EXCLUDED.generated_revision,
    generated_seat_limit = EXCLUDED.generated_seat_limit,
    generated_by = EXCLUDED.generated_by,
    provisioned = EXCLUDED.generated_revision >= t.source_revision OR t.source_provisioned,
    seat_limit = CASE
        WHEN EXCLUDED.generated_revision >= t.source_revision THEN EXCLUDED.generated_seat_limit
        ELSE t.source_seat_limit
    END;

-- name: move_batches
-- Moves everybody of these batches who is still on the source plan; who isn't returned had changed.
WITH wanted AS MATERIALIZED (
    SELECT b.no, b.customer, b.from_plan, b.to_plan, b.revision AS planned_revision, u.user_id, u.ord - 1 AS position
    FROM batch AS b, unnest(string_to_array(b.users, E'\n')) WITH ORDINALITY AS u (user_id, ord)
    WHERE b.request = $1 AND b.shard = $2 AND b.no = ANY ($3::integer[])
), moved AS (
    UPDATE assignment AS a
    SET plan = w.to_plan, moved_plan = w.to_plan, moved_revision = a.source_revision
    FROM wanted AS w
    WHERE a.customer = w.customer AND a.service = $4 AND a.user_id = w.user_id AND a.plan = w.from_plan
    RETURNING w.no, w.position, a.source_revision, w.planned_revision
)
SELECT no,
    array_agg(position::integer) AS positions,
    array_agg(position::integer) FILTER (WHERE source_revision <> planned_revision) AS other_positions,
    array_agg(source_revision) FILTER (WHERE source_revision <> planned_revision) AS other_revisions
FROM moved GROUP BY no;

-- name: move_users
-- The same for single users, where something speaks against others of their batches.
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest($2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
        AS w (no, position, customer, user_id, from_plan, to_plan, planned_revision)
), moved AS (
    UPDATE assignment AS a
    SET plan = w.to_plan, moved_plan = w.to_plan, moved_revision = a.source_revision
    FROM wanted AS w
    WHERE a.customer = w.customer AND a.service = $1 AND a.user_id = w.user_id AND a.plan = w.from_plan
    RETURNING w.no, w.position, a.source_revision, w.planned_revision
)
SELECT no,
    array_agg(position) AS positions,
    array_agg(position) FILTER (WHERE source_revision <> planned_revision) AS other_positions,
    array_agg(source_revision) FILTER (WHERE source_revision <> planned_revision) AS other_revisions
FROM moved GROUP BY no;

-- name: removed_users
-- Which of the users that did not move are gone.
SELECT w.customer, w.user_id FROM unnest($2::text[], $3::text[]) AS w (customer, user_id)
LEFT JOIN assignment AS a ON a.customer = w.customer AND a.service = $1 AND a.user_id = w.user_id
WHERE a.user_id IS NULL OR a.removed_revision >= a.source_revision;

-- name: settle
-- The packages' counts, the batches' ends and the shard's counts, one update for each package and transaction.
WITH packages AS (
    UPDATE package AS p SET used = p.used + d.used, reserved = p.reserved + d.reserved
    FROM unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS d (customer, plan, used, reserved)
    WHERE p.customer = d.customer AND p.service = $3 AND p.plan = d.plan
), batches AS (
    UPDATE batch AS b
    SET state = 'finished', migrated = d.migrated, failed = d.failed, skipped = d.skipped, reserved = 0
    FROM unnest($8::integer[], $9::integer[], $10::integer[], $11::integer[]) AS d (no, migrated, failed, skipped)
    WHERE b.request = $1 AND b.shard = $2 AND b.no = d.no
)
UPDATE request_shard
SET open = open - $12, migrated = migrated + $13, failed = failed + $14, skipped = skipped + $15,
    packages_generated = packages_generated + $16, last_sequence = $17
WHERE request = $1 AND shard = $2
RETURNING open;

-- name: mark_applying
-- The intent: a connector is about to be called for these batches.
UPDATE batch SET state = 'applying', epoch = $4
WHERE request = $1 AND shard = $2 AND no = ANY ($3::integer[]) AND state IN ('planned', 'applying')
    AND EXISTS (SELECT FROM shard AS s WHERE s.shard = $2 AND s.epoch = $4)
RETURNING no;

-- name: tell
-- A hint to the other processes that something is to be done.
SELECT pg_notify('planshift_engine', '');
