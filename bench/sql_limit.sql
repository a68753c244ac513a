-- What the hand-written SQL works on: the same columns as the engine's, and a row for each user's outcome.
CREATE TABLE assignment (
    customer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    plan text COLLATE "C",
    source_revision bigint NOT NULL,
    moved_revision bigint,
    PRIMARY KEY (customer, service, user_id)
) WITH (fillfactor = 80);

CREATE TABLE package (
    customer text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    used integer NOT NULL,
    PRIMARY KEY (customer, plan)
) WITH (fillfactor = 80);

CREATE TABLE outcome (
    request text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    service text COLLATE "C" NOT NULL,
    from_plan text COLLATE "C" NOT NULL,
    to_plan text COLLATE "C" NOT NULL,
    outcome text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request, customer, user_id, attempt)
);

CREATE FUNCTION fill(users integer, users_per_customer integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO assignment
    SELECT 'customer-' || n / users_per_customer, 'hosted-exchange', 'user-' || n, 'silver', 1
    FROM generate_series(0, users - 1) AS n;
    INSERT INTO package
    SELECT 'customer-' || n, 'gold', 0 FROM generate_series(0, (users - 1) / users_per_customer) AS n;
$$;
