-- A person's choices on the way through the steps. Null where nothing was chosen yet; to_plans has a null for a
-- source plan without a destination. customers_base and users_base: whether those without a row of their own are in.
CREATE TABLE draft (
    draft text COLLATE "C" PRIMARY KEY,
    caller text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'finished', 'discarded')),
    version bigint NOT NULL DEFAULT 1,
    options_chosen boolean NOT NULL DEFAULT false,
    all_customers boolean NOT NULL DEFAULT false,
    all_users boolean NOT NULL DEFAULT false,
    generate_missing_packages boolean NOT NULL DEFAULT false,
    service text COLLATE "C",
    from_plans text[] COLLATE "C" NOT NULL DEFAULT '{}',
    to_plans text[] COLLATE "C" NOT NULL DEFAULT '{}',
    customers_base boolean NOT NULL DEFAULT false,
    users_base boolean NOT NULL DEFAULT false,
    name text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    request text COLLATE "C",
    CHECK (cardinality(from_plans) = cardinality(to_plans)),
    CHECK ((state = 'finished') = (request IS NOT NULL))
);
CREATE INDEX draft_by_caller ON draft (caller, updated_at DESC) WHERE state = 'open';

-- Exceptions for a customer: whether it is in, and whether its users without a row of their own are.
CREATE TABLE draft_customer (
    draft text COLLATE "C" NOT NULL REFERENCES draft ON DELETE CASCADE,
    customer text COLLATE "C" NOT NULL,
    selected boolean,
    users_selected boolean,
    PRIMARY KEY (draft, customer)
);

-- Exceptions for a user.
CREATE TABLE draft_user (
    draft text COLLATE "C" NOT NULL REFERENCES draft ON DELETE CASCADE,
    customer text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    selected boolean NOT NULL,
    PRIMARY KEY (draft, customer, user_id)
);

-- What was asked of the engine through this service; a caller's reference finds it after an unknown answer.
CREATE TABLE request (
    request text COLLATE "C" PRIMARY KEY,
    caller text NOT NULL,
    reference text COLLATE "C",
    mode text NOT NULL,
    name text NOT NULL,
    service text COLLATE "C" NOT NULL,
    users bigint NOT NULL,
    customers bigint NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    UNIQUE (caller, reference)
);

-- The selection of a draft per customer and source plan, from the counts and the exceptions alone: it never looks at
-- users who are no exception. in_scope: the customer is selected. whole: its users are in unless excepted.
CREATE FUNCTION selection_of(the_draft text)
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
        SELECT a.customer, a.plan,
               count(*) FILTER (WHERE u.selected) AS listed_in, count(*) FILTER (WHERE NOT u.selected) AS listed_out
        FROM chosen d
        JOIN draft_user u ON u.draft = d.draft
        JOIN assignment a ON a.customer = u.customer AND a.service = d.service AND a.user_id = u.user_id
        WHERE a.plan = ANY (d.from_plans)
        GROUP BY a.customer, a.plan
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

-- Per customer and destination of a draft: seats needed, and what the package has. problem is null,
-- 'package-missing' or 'seat-limit'. A generated package is made large enough, so a missing one has no limit here.
CREATE FUNCTION capacity_of(the_draft text)
RETURNS TABLE (
    customer text, to_plan text, needed bigint, present boolean, seat_limit integer, used bigint, problem text
)
LANGUAGE sql STABLE AS $$
    WITH needed AS (
        SELECT s.customer, s.to_plan, sum(s.selected)::bigint AS needed
        FROM selection_of(the_draft) s
        WHERE s.to_plan IS NOT NULL
        GROUP BY s.customer, s.to_plan
    )
    SELECT n.customer, n.to_plan, n.needed, coalesce(p.present, false), p.seat_limit, coalesce(u.users, 0),
           CASE WHEN n.needed = 0 THEN NULL
                WHEN NOT coalesce(p.present, false) THEN 'package-missing'
                WHEN coalesce(u.users, 0) + n.needed > p.seat_limit THEN 'seat-limit' END
    FROM needed n
    JOIN draft d ON d.draft = the_draft
    LEFT JOIN package p ON p.customer = n.customer AND p.service = d.service AND p.plan = n.to_plan
    LEFT JOIN plan_count u ON u.service = d.service AND u.plan = n.to_plan AND u.customer = n.customer
$$;
