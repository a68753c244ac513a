-- Lists of a hundred thousand users come in one call: no check of each row against its draft (the janitor forgets
-- what belongs to no open draft), and the exceptions lead to the assignments, never the other way round, whatever the
-- planner guesses of a list that it has no statistics of (that is what OFFSET 0 is for).
ALTER TABLE draft_user DROP CONSTRAINT draft_user_draft_fkey;

CREATE OR REPLACE FUNCTION selection_of(the_draft text)
RETURNS TABLE (
    customer text, from_plan text, to_plan text, users bigint, in_scope boolean, whole boolean, selected bigint
)
LANGUAGE sql STABLE AS $$
    WITH chosen AS (
        SELECT * FROM draft d WHERE d.draft = the_draft
    ), mapping AS (
        SELECT d.service, m.from_plan, m.to_plan, d.customers_base, d.users_base
        FROM chosen d, unnest(d.from_plans, d.to_plans) AS m (from_plan, to_plan)
    ), excepted AS (
        SELECT u.customer, a.plan,
               count(*) FILTER (WHERE u.selected) AS listed_in, count(*) FILTER (WHERE NOT u.selected) AS listed_out
        FROM chosen d
        JOIN draft_user u ON u.draft = d.draft
        CROSS JOIN LATERAL (
            SELECT a.plan FROM assignment a
            WHERE a.customer = u.customer AND a.service = d.service AND a.user_id = u.user_id
            OFFSET 0
        ) a
        WHERE a.plan = ANY (d.from_plans)
        GROUP BY u.customer, a.plan
    ), counted AS (
        SELECT c.customer, m.from_plan, m.to_plan, n.users,
               coalesce(x.selected, m.customers_base) AS in_scope, coalesce(x.users_selected, m.users_base) AS whole
        FROM mapping m
        JOIN plan_count n ON n.service = m.service AND n.plan = m.from_plan AND n.users > 0
        JOIN customer c ON c.customer = n.customer AND NOT c.removed
        LEFT JOIN draft_customer x ON x.draft = the_draft AND x.customer = n.customer
    )
    SELECT n.customer, n.from_plan, n.to_plan, n.users, n.in_scope, n.whole,
           CASE WHEN NOT n.in_scope THEN 0
                WHEN n.whole THEN n.users - coalesce(e.listed_out, 0)
                ELSE coalesce(e.listed_in, 0) END
    FROM counted n
    LEFT JOIN excepted e ON e.customer = n.customer AND e.plan = n.from_plan
$$;
