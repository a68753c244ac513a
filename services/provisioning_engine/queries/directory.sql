-- name: limit_time
-- Frees what a stopped process holds, also where idle_in_transaction_session_timeout doesn't look.
SELECT set_config('transaction_timeout', '60s', true);

-- name: lock_shared
-- Folds of assignments run side by side …
SELECT pg_advisory_xact_lock_shared(7203001);

-- name: lock_exclusive
-- … but not beside a fold of removals: each must see the other's rows.
SELECT pg_advisory_xact_lock(7203001);

-- name: resellers
-- Newer revisions win, equal ones by content.
INSERT INTO reseller AS t (reseller, revision, active, parent)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::boolean[], $4::text[])
ORDER BY 1
ON CONFLICT (reseller) DO UPDATE SET revision = EXCLUDED.revision, active = EXCLUDED.active, parent = EXCLUDED.parent
WHERE (EXCLUDED.revision, EXCLUDED.active, coalesce(EXCLUDED.parent, '')) > (t.revision, t.active, coalesce(t.parent, ''));

-- name: customers
-- A removal is a state of the customer: a later registration brings it back with what it had.
INSERT INTO customer AS t (customer, revision, removed, active, reseller, shard)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::boolean[], $4::boolean[], $5::text[], $6::smallint[])
ORDER BY 1
ON CONFLICT (customer) DO UPDATE
SET revision = EXCLUDED.revision, removed = EXCLUDED.removed, active = EXCLUDED.active, reseller = EXCLUDED.reseller
WHERE (EXCLUDED.revision, EXCLUDED.removed, EXCLUDED.active, coalesce(EXCLUDED.reseller, ''))
    > (t.revision, t.removed, t.active, coalesce(t.reseller, ''));

-- name: services
-- The connector and its options, as JSON with sorted names.
INSERT INTO service AS t (service, revision, connector, options)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
ORDER BY 1
ON CONFLICT (service) DO UPDATE
SET revision = EXCLUDED.revision, connector = EXCLUDED.connector, options = EXCLUDED.options
WHERE (EXCLUDED.revision, EXCLUDED.connector COLLATE "C", EXCLUDED.options COLLATE "C")
    > (t.revision, t.connector COLLATE "C", t.options COLLATE "C");

-- name: plans
-- A user plan's activity and the limit of packages generated for it.
INSERT INTO plan AS t (service, plan, revision, active, default_seat_limit)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::integer[])
ORDER BY 1, 2
ON CONFLICT (service, plan) DO UPDATE
SET revision = EXCLUDED.revision, active = EXCLUDED.active, default_seat_limit = EXCLUDED.default_seat_limit
WHERE (EXCLUDED.revision, EXCLUDED.active, coalesce(EXCLUDED.default_seat_limit, -1))
    > (t.revision, t.active, coalesce(t.default_seat_limit, -1));

-- name: packages
-- The source's register; what is effective follows from it and from the generated one.
INSERT INTO package AS t (
    customer, service, plan, source_revision, source_provisioned, source_seat_limit, shard, provisioned, seat_limit
)
SELECT i.*, i.source_provisioned, i.source_seat_limit
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::integer[], $7::smallint[])
    AS i (customer, service, plan, source_revision, source_provisioned, source_seat_limit, shard)
ORDER BY 1, 2, 3
ON CONFLICT (customer, service, plan) DO UPDATE
SET source_revision = EXCLUDED.source_revision,
    source_provisioned = EXCLUDED.source_provisioned,
    source_seat_limit = EXCLUDED.source_seat_limit,
    provisioned = t.generated_revision IS NOT NULL AND t.generated_revision >= EXCLUDED.source_revision
        OR EXCLUDED.source_provisioned,
    seat_limit = CASE
        WHEN t.generated_revision >= EXCLUDED.source_revision THEN t.generated_seat_limit
        ELSE EXCLUDED.source_seat_limit
    END
WHERE (EXCLUDED.source_revision, EXCLUDED.source_provisioned, coalesce(EXCLUDED.source_seat_limit, -1))
    > (t.source_revision, t.source_provisioned, coalesce(t.source_seat_limit, -1));

-- name: assignments
-- The source's register of users; used of the packages follows in the same statement.
WITH changed AS (
    INSERT INTO assignment AS t (customer, service, user_id, source_revision, source_plan, removed_revision, plan)
    SELECT i.*, r.revision, CASE WHEN r.revision >= i.source_revision THEN NULL ELSE i.source_plan END
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
        AS i (customer, service, user_id, source_revision, source_plan)
    LEFT JOIN user_removed AS r ON r.customer = i.customer AND r.user_id = i.user_id
    ORDER BY 1, 2, 3
    ON CONFLICT (customer, service, user_id) DO UPDATE
    SET source_revision = EXCLUDED.source_revision,
        source_plan = EXCLUDED.source_plan,
        removed_revision = EXCLUDED.removed_revision,
        plan = CASE
            WHEN EXCLUDED.removed_revision >= EXCLUDED.source_revision THEN NULL
            WHEN t.moved_revision >= EXCLUDED.source_revision THEN t.moved_plan
            ELSE EXCLUDED.source_plan
        END
    WHERE (EXCLUDED.source_revision, coalesce(EXCLUDED.source_plan, ''))
        > (t.source_revision, coalesce(t.source_plan, ''))
    RETURNING t.customer, t.service, old.plan AS old_plan, new.plan AS new_plan
), delta AS (
    SELECT customer, service, plan, sum(change) AS change
    FROM (
        SELECT customer, service, old_plan AS plan, -1 AS change FROM changed
        WHERE old_plan IS NOT NULL AND old_plan IS DISTINCT FROM new_plan
        UNION ALL
        SELECT customer, service, new_plan, 1 FROM changed
        WHERE new_plan IS NOT NULL AND old_plan IS DISTINCT FROM new_plan
    ) AS single
    GROUP BY customer, service, plan
)
INSERT INTO package AS t (customer, service, plan, shard, used)
SELECT d.customer, d.service, d.plan, s.shard, d.change
FROM delta AS d
JOIN unnest($6::text[], $7::smallint[]) AS s (customer, shard) ON s.customer = d.customer
WHERE d.change <> 0
ORDER BY 1, 2, 3
ON CONFLICT (customer, service, plan) DO UPDATE SET used = t.used + EXCLUDED.used;

-- name: removals
-- Removed users: the register for assignments yet to come …
INSERT INTO user_removed AS t (customer, user_id, revision)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
ORDER BY 1, 2
ON CONFLICT (customer, user_id) DO UPDATE SET revision = EXCLUDED.revision WHERE EXCLUDED.revision > t.revision;

-- name: removed_assignments
-- … and those that are there: of every service of which the customer has a package row, and so anybody on a plan.
WITH changed AS (
    UPDATE assignment AS t
    SET removed_revision = i.revision,
        plan = CASE WHEN i.revision >= t.source_revision THEN NULL ELSE t.plan END
    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS i (customer, user_id, revision)
    JOIN LATERAL (SELECT DISTINCT p.service FROM package AS p WHERE p.customer = i.customer) AS s ON true
    WHERE t.customer = i.customer AND t.service = s.service AND t.user_id = i.user_id
        AND (t.removed_revision IS NULL OR t.removed_revision < i.revision)
    RETURNING t.customer, t.service, old.plan AS old_plan, new.plan AS new_plan
)
UPDATE package AS t SET used = t.used - d.change
FROM (
    SELECT customer, service, old_plan, count(*) AS change FROM changed
    WHERE old_plan IS NOT NULL AND new_plan IS NULL
    GROUP BY customer, service, old_plan
) AS d
WHERE t.customer = d.customer AND t.service = d.service AND t.plan = d.old_plan;
