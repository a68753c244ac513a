-- name: totals
-- What the selection amounts to: customers, each counted once whatever its plans, and users per mapping.
WITH selection AS MATERIALIZED (
    SELECT * FROM selection_of($1)
), by_customer AS (
    SELECT bool_or(in_scope) AS in_scope, bool_or(selected > 0) AS selected FROM selection GROUP BY customer
), by_mapping AS (
    SELECT from_plan, to_plan, count(*) AS matching_customers, sum(users)::bigint AS matching_users,
           count(*) FILTER (WHERE selected > 0) AS customers, sum(selected)::bigint AS users
    FROM selection
    GROUP BY from_plan, to_plan
)
SELECT (SELECT count(*) FROM by_customer) AS matching_customers,
       (SELECT count(*) FROM by_customer WHERE in_scope) AS in_scope,
       (SELECT count(*) FROM by_customer WHERE selected) AS customers,
       (SELECT coalesce(json_agg(row_to_json(m) ORDER BY from_plan), '[]') FROM by_mapping m) AS mappings;

-- name: listed_elsewhere
-- Users named one by one who are on no source plan: they are asked for, and the engine excludes them with a reason.
-- customers: those of which nobody else is selected.
WITH listed AS (
    SELECT count(*) FILTER (WHERE a.plan = ANY (d.from_plans)) AS matching,
           count(*) FILTER (WHERE (a.plan = ANY (d.from_plans)) IS NOT TRUE) AS elsewhere
    FROM draft d
    JOIN draft_user u ON u.draft = d.draft AND u.selected
    LEFT JOIN draft_customer x ON x.draft = d.draft AND x.customer = u.customer
    LEFT JOIN LATERAL (
        SELECT a.plan FROM assignment a
        WHERE a.customer = u.customer AND a.service = d.service AND a.user_id = u.user_id
        OFFSET 0
    ) a ON true
    WHERE d.draft = $1 AND coalesce(x.selected, d.customers_base) AND NOT coalesce(x.users_selected, d.users_base)
    GROUP BY u.customer
)
SELECT coalesce(sum(elsewhere), 0)::bigint AS users,
       count(*) FILTER (WHERE elsewhere > 0 AND matching = 0) AS customers
FROM listed;

-- name: capacity
-- Packages that are missing and packages without enough room, per destination.
SELECT to_plan, problem, count(*) AS customers, sum(needed)::bigint AS users
FROM capacity_of($1)
WHERE problem IS NOT NULL
GROUP BY to_plan, problem
ORDER BY to_plan, problem;

-- name: inactive_customers
-- Selected customers that are not active; the engine leaves their users out.
SELECT count(*) AS customers, coalesce(sum(s.users), 0)::bigint AS users
FROM (SELECT customer, sum(selected) AS users FROM selection_of($1) GROUP BY customer) s
JOIN customer c USING (customer)
WHERE s.users > 0 AND NOT c.active;

-- name: customers_page
-- Matching customers in order of their ids; $2 after, $3 search, $4 selected or not, $5 problem, $6 one source plan.
WITH capacity AS (
    SELECT customer, json_agg(json_build_object(
               'plan', to_plan, 'needed', needed, 'has_package', present, 'seat_limit', seat_limit, 'used', used,
               'problem', problem) ORDER BY to_plan) AS destinations,
           array_agg(problem) AS problems
    FROM capacity_of($1)
    GROUP BY customer
)
SELECT s.customer, c.name, c.active, s.in_scope, s.users, s.selected, s.sources,
       coalesce(k.destinations, '[]') AS destinations
FROM (
    SELECT customer, bool_or(in_scope) AS in_scope, sum(users)::bigint AS users, sum(selected)::bigint AS selected,
           json_agg(json_build_object('plan', from_plan, 'users', users, 'selected', selected) ORDER BY from_plan)
               AS sources
    FROM selection_of($1)
    WHERE ($2::text IS NULL OR customer > $2) AND ($6::text IS NULL OR from_plan = $6)
    GROUP BY customer
) s
JOIN customer c ON c.customer = s.customer
LEFT JOIN capacity k ON k.customer = s.customer
WHERE ($3::text IS NULL OR strpos(lower(c.name), lower($3)) > 0 OR strpos(lower(c.customer), lower($3)) > 0)
  AND ($4::boolean IS NULL OR s.in_scope = $4)
  AND ($5::text IS NULL OR $5 = ANY (k.problems))
ORDER BY s.customer
LIMIT $7;

-- name: customers_total
-- How many customers the same filters leave, and their users.
SELECT count(*) AS customers, coalesce(sum(s.users), 0)::bigint AS users,
       coalesce(sum(s.selected), 0)::bigint AS selected
FROM (
    SELECT customer, bool_or(in_scope) AS in_scope, sum(users) AS users, sum(selected) AS selected
    FROM selection_of($1)
    WHERE $5::text IS NULL OR from_plan = $5
    GROUP BY customer
) s
JOIN customer c ON c.customer = s.customer
WHERE ($2::text IS NULL OR strpos(lower(c.name), lower($2)) > 0 OR strpos(lower(c.customer), lower($2)) > 0)
  AND ($3::boolean IS NULL OR s.in_scope = $3)
  AND ($4::text IS NULL OR EXISTS (
      SELECT FROM capacity_of($1) k WHERE k.customer = s.customer AND k.problem = $4));

-- name: select_matching_customers
-- Select or clear all matching customers that a search finds.
INSERT INTO draft_customer AS x (draft, customer, selected)
SELECT DISTINCT $1, c.customer, $3::boolean
FROM selection_of($1) s
JOIN customer c ON c.customer = s.customer
WHERE strpos(lower(c.name), lower($2)) > 0 OR strpos(lower(c.customer), lower($2)) > 0
ON CONFLICT (draft, customer) DO UPDATE SET selected = excluded.selected;

-- name: clear_customers
-- Forget every customer's own check box.
UPDATE draft_customer SET selected = NULL WHERE draft = $1;

-- name: check_customers
-- Check boxes of single customers.
INSERT INTO draft_customer AS x (draft, customer, selected)
SELECT $1, c.customer, c.selected
FROM unnest($2::text[], $3::boolean[]) AS c (customer, selected)
ON CONFLICT (draft, customer) DO UPDATE SET selected = excluded.selected;

-- name: clear_users
-- Forget every check box of users.
WITH whole AS (UPDATE draft_customer SET users_selected = NULL WHERE draft = $1)
DELETE FROM draft_user WHERE draft = $1;

-- name: clear_users_of
-- Forget the check boxes of these customers' users.
DELETE FROM draft_user u
USING unnest($2::text[]) AS c (customer)
WHERE u.draft = $1 AND u.customer = c.customer;

-- name: check_users_of
-- All users of a customer or none of them.
INSERT INTO draft_customer AS x (draft, customer, users_selected)
SELECT $1, c.customer, c.selected
FROM unnest($2::text[], $3::boolean[]) AS c (customer, selected)
ON CONFLICT (draft, customer) DO UPDATE SET users_selected = excluded.users_selected;

-- name: check_users
-- Check boxes of single users.
INSERT INTO draft_user AS u (draft, customer, user_id, selected)
SELECT $1, i.customer, i.user_id, i.selected
FROM unnest($2::text[], $3::text[], $4::boolean[]) AS i (customer, user_id, selected)
ON CONFLICT (draft, customer, user_id) DO UPDATE SET selected = excluded.selected;

-- name: customer_choice
-- How a draft stands to one customer.
SELECT coalesce(x.selected, d.customers_base) AS in_scope, coalesce(x.users_selected, d.users_base) AS whole
FROM draft d
LEFT JOIN draft_customer x ON x.draft = d.draft AND x.customer = $2
WHERE d.draft = $1;

-- name: users_page
-- A customer's users on a source plan, with their own check boxes; $4 after, $5 search.
SELECT a.user_id, p.name, p.email, u.selected AS exception
FROM assignment a
LEFT JOIN person p ON p.customer = a.customer AND p.user_id = a.user_id
LEFT JOIN draft_user u ON u.draft = $1 AND u.customer = a.customer AND u.user_id = a.user_id
WHERE a.customer = $2 AND a.service = (SELECT service FROM draft WHERE draft = $1) AND a.plan = $3
  AND ($4::text IS NULL OR a.user_id > $4)
  AND ($5::text IS NULL OR strpos(lower(a.user_id), lower($5)) > 0 OR strpos(lower(p.name), lower($5)) > 0
       OR strpos(lower(p.email), lower($5)) > 0)
ORDER BY a.user_id
LIMIT $6;

-- name: users_total
-- How many users the same search leaves.
SELECT count(*)
FROM assignment a
LEFT JOIN person p ON p.customer = a.customer AND p.user_id = a.user_id
WHERE a.customer = $2 AND a.service = (SELECT service FROM draft WHERE draft = $1) AND a.plan = $3
  AND ($4::text IS NULL OR strpos(lower(a.user_id), lower($4)) > 0 OR strpos(lower(p.name), lower($4)) > 0
       OR strpos(lower(p.email), lower($4)) > 0);

-- name: unknown_customers
-- Those of the customers that the view doesn't know, or that are removed.
SELECT i.customer
FROM unnest($1::text[]) AS i (customer)
LEFT JOIN customer c ON c.customer = i.customer AND NOT c.removed
WHERE c.customer IS NULL;

-- name: unknown_users
-- Those of the users (by their number in the lists, from 0) that their customers don't have.
SELECT (i.number - 1)::integer AS number
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (customer, user_id, number)
LEFT JOIN person p ON p.customer = i.customer AND p.user_id = i.user_id
LEFT JOIN person_removal r ON r.customer = i.customer AND r.user_id = i.user_id
WHERE p.revision IS NULL OR p.revision <= r.revision;

-- name: assigned_users
-- Those of the users who are on a plan although no record has named them; $3 are the services.
SELECT (i.number - 1)::integer AS number
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (customer, user_id, number)
WHERE EXISTS (
    SELECT FROM assignment a
    WHERE a.customer = i.customer AND a.service = ANY ($3::text[]) AND a.user_id = i.user_id AND a.plan IS NOT NULL);

-- name: owners_of
-- Other customers that have users of these ids; reads every user, for error messages only.
SELECT user_id, min(customer) AS customer FROM person WHERE user_id = ANY ($1::text[]) GROUP BY user_id;

-- name: has_whole_customers
-- Whether any customer in scope has its users in unless excepted: then the event says "all users" and lists who isn't.
SELECT (d.customers_base AND d.users_base) OR EXISTS (
    SELECT FROM draft_customer x
    WHERE x.draft = d.draft AND coalesce(x.selected, d.customers_base) AND coalesce(x.users_selected, d.users_base))
FROM draft d
WHERE d.draft = $1;

-- name: listed_customers
-- Customers with an exception; $2 true: those in scope with anybody selected, false: the others.
SELECT c.customer
FROM draft d
CROSS JOIN LATERAL (
    SELECT customer FROM draft_customer WHERE draft = d.draft
    UNION
    SELECT customer FROM draft_user WHERE draft = d.draft AND selected
) c
LEFT JOIN draft_customer x ON x.draft = d.draft AND x.customer = c.customer
WHERE d.draft = $1
  AND $2 = (coalesce(x.selected, d.customers_base) AND (coalesce(x.users_selected, d.users_base) OR EXISTS (
      SELECT FROM draft_user u WHERE u.draft = d.draft AND u.customer = c.customer AND u.selected)))
ORDER BY c.customer;

-- name: listed_users
-- Users selected one by one, of customers in scope.
SELECT u.customer, u.user_id
FROM draft d
JOIN draft_user u ON u.draft = d.draft AND u.selected
LEFT JOIN draft_customer x ON x.draft = d.draft AND x.customer = u.customer
WHERE d.draft = $1 AND coalesce(x.selected, d.customers_base)
ORDER BY u.customer, u.user_id;

-- name: excluded_users
-- Users to leave out where "all users" is said: cleared check boxes, and of customers of which only some were picked
-- all the others on a source plan.
SELECT u.customer, u.user_id
FROM draft d
JOIN draft_user u ON u.draft = d.draft AND NOT u.selected
LEFT JOIN draft_customer x ON x.draft = d.draft AND x.customer = u.customer
WHERE d.draft = $1 AND coalesce(x.selected, d.customers_base) AND coalesce(x.users_selected, d.users_base)
UNION ALL
SELECT a.customer, a.user_id
FROM draft d
CROSS JOIN LATERAL (SELECT DISTINCT customer FROM draft_user WHERE draft = d.draft AND selected) c
LEFT JOIN draft_customer x ON x.draft = d.draft AND x.customer = c.customer
JOIN assignment a ON a.customer = c.customer AND a.service = d.service AND a.plan = ANY (d.from_plans)
LEFT JOIN draft_user u ON u.draft = d.draft AND u.customer = a.customer AND u.user_id = a.user_id
WHERE d.draft = $1 AND coalesce(x.selected, d.customers_base) AND NOT coalesce(x.users_selected, d.users_base)
  AND u.selected IS NOT TRUE;
