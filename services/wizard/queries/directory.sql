-- name: services
-- Every service, with how many users and customers it has.
SELECT s.service, s.name, s.connector ->> 'name' AS connector, s.revision,
       (SELECT count(*) FROM plan p WHERE p.service = s.service) AS plans,
       coalesce((SELECT sum(n.users) FROM plan_count n JOIN customer c USING (customer)
                 WHERE n.service = s.service AND NOT c.removed), 0)::bigint AS users
FROM service s
ORDER BY s.service;

-- name: service_known
-- Whether there is such a service.
SELECT EXISTS (SELECT FROM service WHERE service = $1);

-- name: plans
-- The plans of a service, with how many users and customers are on each and how many customers have its package.
SELECT p.plan, p.name, p.active, p.default_seat_limit, p.features, p.quotas, p.revision,
       coalesce(n.users, 0)::bigint AS users, coalesce(n.customers, 0) AS customers,
       (SELECT count(*) FROM package k JOIN customer c USING (customer)
        WHERE k.service = p.service AND k.plan = p.plan AND k.present AND NOT c.removed) AS packages
FROM plan p
LEFT JOIN (
    SELECT n.plan, sum(n.users) AS users, count(*) AS customers
    FROM plan_count n JOIN customer c USING (customer)
    WHERE n.service = $1 AND n.users > 0 AND NOT c.removed
    GROUP BY n.plan
) n ON n.plan = p.plan
WHERE p.service = $1
ORDER BY p.plan;

-- name: plan_states
-- The plans of a service and whether each is active.
SELECT plan, active FROM plan WHERE service = $1;

-- name: customers_page
-- Customers in order of their ids; $1 after, $2 search, $3 reseller, $4 active, $5 and $6 service and plan with users.
SELECT c.customer, c.name, c.reseller, c.active, c.revision
FROM customer c
WHERE NOT c.removed
  AND ($1::text IS NULL OR c.customer > $1)
  AND ($2::text IS NULL OR strpos(lower(c.name), lower($2)) > 0 OR strpos(lower(c.customer), lower($2)) > 0)
  AND ($3::text IS NULL OR c.reseller = $3)
  AND ($4::boolean IS NULL OR c.active = $4)
  AND ($5::text IS NULL OR EXISTS (
      SELECT FROM plan_count n
      WHERE n.customer = c.customer AND n.service = $5 AND n.users > 0 AND ($6::text IS NULL OR n.plan = $6)))
ORDER BY c.customer
LIMIT $7;

-- name: customers_total
-- How many customers the same filters leave.
SELECT count(*)
FROM customer c
WHERE NOT c.removed
  AND ($1::text IS NULL OR strpos(lower(c.name), lower($1)) > 0 OR strpos(lower(c.customer), lower($1)) > 0)
  AND ($2::text IS NULL OR c.reseller = $2)
  AND ($3::boolean IS NULL OR c.active = $3)
  AND ($4::text IS NULL OR EXISTS (
      SELECT FROM plan_count n
      WHERE n.customer = c.customer AND n.service = $4 AND n.users > 0 AND ($5::text IS NULL OR n.plan = $5)));

-- name: customer
-- One customer.
SELECT c.customer, c.name, c.reseller, r.name AS reseller_name, c.active, c.revision
FROM customer c
LEFT JOIN reseller r USING (reseller)
WHERE c.customer = $1 AND NOT c.removed;

-- name: packages_of
-- A customer's packages with their limits and how many users are on each plan, also plans with users and no package.
SELECT coalesce(k.service, n.service) AS service, coalesce(k.plan, n.plan) AS plan, p.name AS plan_name,
       k.plan IS NOT NULL AS has_package, k.seat_limit, coalesce(n.users, 0) AS used
FROM (SELECT * FROM package WHERE customer = $1 AND present) k
FULL JOIN (SELECT * FROM plan_count WHERE customer = $1 AND users > 0) n
    ON n.service = k.service AND n.plan = k.plan
LEFT JOIN plan p ON p.service = coalesce(k.service, n.service) AND p.plan = coalesce(k.plan, n.plan)
ORDER BY 1, 2;

-- name: users_page
-- A customer's users in order of their ids, with their plans; $2 after, $3 search, $4 and $5 service and plan.
SELECT i.user_id, p.name, p.email, coalesce(a.plans, '{}') AS plans
FROM (
    SELECT user_id FROM person WHERE customer = $1
    UNION
    SELECT user_id FROM assignment WHERE customer = $1 AND plan IS NOT NULL
) i
LEFT JOIN person p ON p.customer = $1 AND p.user_id = i.user_id
LEFT JOIN person_removal r ON r.customer = $1 AND r.user_id = i.user_id
LEFT JOIN LATERAL (
    SELECT json_object_agg(a.service, a.plan ORDER BY a.service) AS plans
    FROM assignment a
    WHERE a.customer = $1 AND a.user_id = i.user_id AND a.plan IS NOT NULL
) a ON true
WHERE ($2::text IS NULL OR i.user_id > $2)
  AND (a.plans IS NOT NULL OR p.revision > coalesce(r.revision, -1))
  AND ($3::text IS NULL OR strpos(lower(i.user_id), lower($3)) > 0 OR strpos(lower(p.name), lower($3)) > 0
       OR strpos(lower(p.email), lower($3)) > 0)
  AND ($4::text IS NULL OR (a.plans ->> $4) = coalesce($5, a.plans ->> $4))
ORDER BY i.user_id
LIMIT $6;

-- name: position
-- How far the view is in each partition of a topic.
SELECT partition, next_offset, last_timestamp_ms FROM reader_position WHERE reader = $1 AND topic = $2;

-- name: totals
-- How much the view holds.
SELECT (SELECT count(*) FROM reseller) AS resellers,
       (SELECT count(*) FROM customer WHERE NOT removed) AS customers,
       (SELECT count(*) FROM service) AS services,
       (SELECT count(*) FROM plan) AS plans,
       (SELECT count(*) FROM package WHERE present) AS packages,
       coalesce((SELECT sum(n.users) FROM plan_count n JOIN customer c USING (customer) WHERE NOT c.removed), 0)::bigint
           AS assignments;

-- name: export_resellers
-- Merged state of resellers, one page of lines as the importer reads them; $1 is the place after which it begins.
SELECT ARRAY[r.reseller] AS place, row_to_json(r)::text AS line
FROM (SELECT 'reseller' AS kind, reseller, name, parent, active, revision FROM reseller) r
WHERE $1::text[] IS NULL OR r.reseller > $1[1]
ORDER BY r.reseller
LIMIT $2;

-- name: export_customers
-- Merged state of customers.
SELECT ARRAY[r.customer] AS place, row_to_json(r)::text AS line
FROM (SELECT 'customer' AS kind, customer, reseller, name, active, revision FROM customer WHERE NOT removed) r
WHERE $1::text[] IS NULL OR r.customer > $1[1]
ORDER BY r.customer
LIMIT $2;

-- name: export_services
-- Merged state of services.
SELECT ARRAY[r.service] AS place, row_to_json(r)::text AS line
FROM (
    SELECT 'service' AS kind, service, name, connector ->> 'name' AS connector, connector -> 'options' AS options,
           revision
    FROM service
) r
WHERE $1::text[] IS NULL OR r.service > $1[1]
ORDER BY r.service
LIMIT $2;

-- name: export_plans
-- Merged state of plans.
SELECT ARRAY[r.service, r.plan] AS place, row_to_json(r)::text AS line
FROM (
    SELECT 'plan' AS kind, service, plan, name, features, quotas, default_seat_limit, active, revision FROM plan
) r
WHERE $1::text[] IS NULL OR (r.service, r.plan) > ($1[1], $1[2])
ORDER BY r.service, r.plan
LIMIT $2;

-- name: export_packages
-- Merged state of packages, generated ones included.
SELECT ARRAY[r.customer, r.service, r.plan] AS place, row_to_json(r)::text AS line
FROM (
    SELECT 'package' AS kind, k.customer, k.service, k.plan, k.seat_limit,
           greatest(k.source_revision, k.made_revision) AS revision
    FROM package k
    JOIN customer c ON c.customer = k.customer AND NOT c.removed
    WHERE k.present
) r
WHERE $1::text[] IS NULL OR (r.customer, r.service, r.plan) > ($1[1], $1[2], $1[3])
ORDER BY r.customer, r.service, r.plan
LIMIT $2;

-- name: export_users
-- Merged state of users.
SELECT ARRAY[r.customer, r."user"] AS place, row_to_json(r)::text AS line
FROM (
    SELECT 'user' AS kind, p.customer, p.user_id AS "user", p.name, p.email, p.revision
    FROM person p
    JOIN customer c ON c.customer = p.customer AND NOT c.removed
    LEFT JOIN person_removal r ON r.customer = p.customer AND r.user_id = p.user_id
    WHERE p.revision > coalesce(r.revision, -1)
) r
WHERE $1::text[] IS NULL OR (r.customer, r."user") > ($1[1], $1[2])
ORDER BY r.customer, r."user"
LIMIT $2;

-- name: export_assignments
-- Merged state of assignments: the plan that each user is on, after migrations.
SELECT ARRAY[r.customer, r.service, r."user"] AS place, row_to_json(r)::text AS line
FROM (
    SELECT 'assignment' AS kind, a.customer, a.user_id AS "user", a.service, a.plan,
           greatest(a.source_revision, a.moved_revision) AS revision
    FROM assignment a
    JOIN customer c ON c.customer = a.customer AND NOT c.removed
    WHERE a.plan IS NOT NULL
) r
WHERE $1::text[] IS NULL OR (r.customer, r.service, r."user") > ($1[1], $1[2], $1[3])
ORDER BY r.customer, r.service, r."user"
LIMIT $2;
