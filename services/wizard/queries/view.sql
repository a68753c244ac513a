-- name: lock_view
-- One fold at a time: folds of two topics meet at the same users and counts, and would lock each other out.
SELECT pg_advisory_xact_lock(hashtextextended('planshift.wizard.view', 0));

-- name: upsert_resellers
-- Newest word on each reseller.
INSERT INTO reseller AS r (reseller, revision, name, parent, active)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (reseller) DO UPDATE
SET revision = excluded.revision, name = excluded.name, parent = excluded.parent, active = excluded.active
WHERE (excluded.revision, excluded.name, coalesce(excluded.parent, ''), excluded.active)
    > (r.revision, r.name, coalesce(r.parent, ''), r.active);

-- name: upsert_customers
-- Newest word on each customer; of two with one revision a removal wins.
INSERT INTO customer AS c (customer, revision, removed, name, reseller, active)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::boolean[], $4::text[], $5::text[], $6::boolean[])
ON CONFLICT (customer) DO UPDATE
SET revision = excluded.revision, removed = excluded.removed, name = excluded.name, reseller = excluded.reseller,
    active = excluded.active
WHERE (excluded.revision, excluded.removed, excluded.name, excluded.reseller, excluded.active)
    > (c.revision, c.removed, c.name, c.reseller, c.active);

-- name: upsert_services
-- Newest word on each service.
INSERT INTO service AS s (service, revision, name, connector)
VALUES ($1, $2, $3, $4)
ON CONFLICT (service) DO UPDATE
SET revision = excluded.revision, name = excluded.name, connector = excluded.connector
WHERE (excluded.revision, excluded.name, excluded.connector) > (s.revision, s.name, s.connector);

-- name: upsert_plans
-- Newest word on each plan.
INSERT INTO plan AS p (service, plan, revision, name, active, default_seat_limit, features, quotas)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (service, plan) DO UPDATE
SET revision = excluded.revision, name = excluded.name, active = excluded.active,
    default_seat_limit = excluded.default_seat_limit, features = excluded.features, quotas = excluded.quotas
WHERE (excluded.revision, excluded.name, excluded.active, coalesce(excluded.default_seat_limit, -1),
       excluded.features, excluded.quotas)
    > (p.revision, p.name, p.active, coalesce(p.default_seat_limit, -1), p.features, p.quotas);

-- name: upsert_packages
-- Newest word of the source on each package; of two with one revision the one that gives more wins.
INSERT INTO package AS p (customer, service, plan, source_revision, source_present, source_seat_limit)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::integer[])
ORDER BY 1, 2, 3
ON CONFLICT (customer, service, plan) DO UPDATE
SET source_revision = excluded.source_revision, source_present = excluded.source_present,
    source_seat_limit = excluded.source_seat_limit
WHERE (excluded.source_revision, excluded.source_present, coalesce(excluded.source_seat_limit, -1))
    > (p.source_revision, p.source_present, coalesce(p.source_seat_limit, -1));

-- name: upsert_generated_packages
-- Newest word of the engine on each package.
INSERT INTO package AS p (customer, service, plan, made_revision, made_sequence, made_seat_limit)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[])
ORDER BY 1, 2, 3
ON CONFLICT (customer, service, plan) DO UPDATE
SET made_revision = excluded.made_revision, made_sequence = excluded.made_sequence,
    made_seat_limit = excluded.made_seat_limit
WHERE (excluded.made_revision, excluded.made_sequence) > (p.made_revision, p.made_sequence);

-- name: upsert_people
-- Newest word on each user's name and address.
INSERT INTO person AS p (customer, user_id, revision, name, email)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
ORDER BY 1, 2
ON CONFLICT (customer, user_id) DO UPDATE
SET revision = excluded.revision, name = excluded.name, email = excluded.email
WHERE (excluded.revision, excluded.name, coalesce(excluded.email, ''))
    > (p.revision, p.name, coalesce(p.email, ''));

-- name: remove_people
-- Removals of users, and what they hide: every assignment whose source's word is not newer.
WITH removed AS (
    INSERT INTO person_removal AS r (customer, user_id, revision)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
    ON CONFLICT (customer, user_id) DO UPDATE SET revision = excluded.revision
    WHERE excluded.revision > r.revision
    RETURNING customer, user_id, revision
), changed AS (
    UPDATE assignment a
    SET removed_revision = r.revision
    FROM removed r
    WHERE a.customer = r.customer AND a.user_id = r.user_id
    RETURNING a.service, a.customer, old.plan AS was, new.plan AS is_now
), difference AS (
    SELECT service, was AS plan, customer, count(*) AS users
    FROM changed
    WHERE was IS NOT NULL AND is_now IS NULL
    GROUP BY service, was, customer
)
UPDATE plan_count n
SET users = n.users - d.users
FROM difference d
WHERE n.service = d.service AND n.plan = d.plan AND n.customer = d.customer;

-- name: upsert_assignments
-- Newest word of the source on each assignment, and the counts' differences; of two with one revision the greater plan
-- wins, and any plan over none.
WITH changed AS (
    INSERT INTO assignment AS a (customer, service, user_id, source_plan, source_revision, removed_revision)
    SELECT i.customer, i.service, i.user_id, i.plan, i.revision, coalesce(r.revision, -1)
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
        AS i (customer, service, user_id, plan, revision)
    LEFT JOIN person_removal r ON r.customer = i.customer AND r.user_id = i.user_id
    ORDER BY 1, 2, 3
    ON CONFLICT (customer, service, user_id) DO UPDATE
    SET source_plan = excluded.source_plan, source_revision = excluded.source_revision,
        removed_revision = greatest(a.removed_revision, excluded.removed_revision)
    WHERE (excluded.source_revision, coalesce(excluded.source_plan, ''))
        > (a.source_revision, coalesce(a.source_plan, ''))
    RETURNING a.service, a.customer, old.plan AS was, new.plan AS is_now
), difference AS (
    SELECT c.service, v.plan, c.customer, sum(v.users)::bigint AS users
    FROM changed c, LATERAL (VALUES (c.was, -1), (c.is_now, 1)) AS v (plan, users)
    WHERE c.was IS DISTINCT FROM c.is_now AND v.plan IS NOT NULL
    GROUP BY c.service, v.plan, c.customer
    HAVING sum(v.users) <> 0
)
INSERT INTO plan_count AS n (service, plan, customer, users)
SELECT * FROM difference
ON CONFLICT (service, plan, customer) DO UPDATE SET users = n.users + excluded.users;

-- name: open_batches
-- Users of batches that were planned; a batch that was read before stays as it is.
INSERT INTO open_batch (request, batch, customer, service, to_plan, revision, users, revisions)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (request, batch) DO NOTHING;

-- name: finish_batches
-- The migrated users of all finished batches of a fold at once, and the counts' differences. $1 to $3: request, batch
-- and sequence of each; $4, $5: who did not migrate (number of the batch in $1, from 1, and position); $6 to $8: number,
-- position and revision where it isn't the plan's any more.
WITH finished AS (
    SELECT f.number, f.sequence, b.customer, b.service, b.to_plan, b.revision, b.users, b.revisions, b.open_positions
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS f (request, batch, sequence, number)
    JOIN open_batch b ON b.request = f.request AND b.batch = f.batch
), moved AS (
    SELECT f.customer, f.service, u.user_id, f.to_plan, f.sequence,
           coalesce(o.revision, u.revision, f.revision) AS revision
    FROM finished f
    CROSS JOIN LATERAL unnest(f.users, f.revisions) WITH ORDINALITY AS u (user_id, revision, number)
    LEFT JOIN unnest($6::bigint[], $7::bigint[], $8::bigint[]) AS o (number, position, revision)
        ON o.number = f.number AND o.position = u.number - 1
    WHERE (f.open_positions IS NULL OR u.number - 1 = ANY (f.open_positions))
      AND NOT EXISTS (
          SELECT FROM unnest($4::bigint[], $5::bigint[]) AS x (number, position)
          WHERE x.number = f.number AND x.position = u.number - 1)
), latest AS (
    SELECT DISTINCT ON (customer, service, user_id) *
    FROM moved
    ORDER BY customer, service, user_id, revision DESC, sequence DESC
), changed AS (
    INSERT INTO assignment AS a (customer, service, user_id, moved_plan, moved_revision, moved_sequence)
    SELECT customer, service, user_id, to_plan, revision, sequence FROM latest
    ON CONFLICT (customer, service, user_id) DO UPDATE
    SET moved_plan = excluded.moved_plan, moved_revision = excluded.moved_revision,
        moved_sequence = excluded.moved_sequence
    WHERE (excluded.moved_revision, excluded.moved_sequence) > (a.moved_revision, a.moved_sequence)
    RETURNING a.service, a.customer, old.plan AS was, new.plan AS is_now
), difference AS (
    SELECT c.service, v.plan, c.customer, sum(v.users)::bigint AS users
    FROM (
        SELECT service, customer, was, is_now, count(*) AS users
        FROM changed
        WHERE was IS DISTINCT FROM is_now
        GROUP BY service, customer, was, is_now
    ) c, LATERAL (VALUES (c.was, -c.users), (c.is_now, c.users)) AS v (plan, users)
    WHERE v.plan IS NOT NULL
    GROUP BY c.service, v.plan, c.customer
)
INSERT INTO plan_count AS n (service, plan, customer, users)
SELECT * FROM difference
ON CONFLICT (service, plan, customer) DO UPDATE SET users = n.users + excluded.users;

-- name: close_batches
-- Forget batches of which nothing can be tried again.
DELETE FROM open_batch b
USING unnest($1::text[], $2::bigint[]) AS f (request, batch)
WHERE b.request = f.request AND b.batch = f.batch;

-- name: reopen_batch
-- Only these positions are tried again in the batch's next attempt.
UPDATE open_batch SET open_positions = $3 WHERE request = $1 AND batch = $2;
