-- The wizard's own view of the directory. Identifiers are ASCII and compared byte by byte (collation "C").

CREATE TABLE reseller (
    reseller text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    parent text COLLATE "C",
    active boolean NOT NULL
);

-- A removed customer keeps its row as a register; name and reseller are then empty.
CREATE TABLE customer (
    customer text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    removed boolean NOT NULL,
    name text COLLATE "C" NOT NULL,
    reseller text COLLATE "C" NOT NULL,
    active boolean NOT NULL
);

CREATE TABLE service (
    service text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    connector jsonb NOT NULL
);

CREATE TABLE plan (
    service text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    active boolean NOT NULL,
    default_seat_limit integer,
    features jsonb NOT NULL,
    quotas jsonb NOT NULL,
    PRIMARY KEY (service, plan)
);

-- Two registers: what the source says (revision -1: nothing yet), and what the engine has generated.
CREATE TABLE package (
    customer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    source_revision bigint NOT NULL DEFAULT -1,
    source_present boolean NOT NULL DEFAULT false,
    source_seat_limit integer,
    made_revision bigint NOT NULL DEFAULT -1,
    made_sequence bigint NOT NULL DEFAULT 0,
    made_seat_limit integer,
    present boolean NOT NULL GENERATED ALWAYS AS (made_revision >= source_revision OR source_present) STORED,
    seat_limit integer GENERATED ALWAYS AS (
        CASE WHEN made_revision >= source_revision THEN made_seat_limit ELSE source_seat_limit END
    ) STORED,
    PRIMARY KEY (customer, service, plan)
) WITH (fillfactor = 90);

CREATE TABLE person (
    customer text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    email text COLLATE "C",
    PRIMARY KEY (customer, user_id)
) WITH (fillfactor = 95);

-- Apart from person, because removals are few and every fold of assignments looks here.
CREATE TABLE person_removal (
    customer text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (customer, user_id)
);

-- One user on one plan of one service. Two registers (the source's and the migrations'), the removal of the user,
-- and what is visible of them: the migration's plan if its revision is not older, else the source's; none where the
-- source has said nothing, has unassigned, or has removed the user since. No index on a plan, so that updates stay
-- inside their page.
CREATE TABLE assignment (
    customer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    source_revision bigint NOT NULL DEFAULT -1,
    moved_revision bigint NOT NULL DEFAULT -1,
    moved_sequence bigint NOT NULL DEFAULT 0,
    removed_revision bigint NOT NULL DEFAULT -1,
    source_plan text COLLATE "C",
    moved_plan text COLLATE "C",
    plan text COLLATE "C" GENERATED ALWAYS AS (
        CASE WHEN source_plan IS NULL OR source_revision <= removed_revision THEN NULL
             WHEN moved_revision >= source_revision THEN moved_plan
             ELSE source_plan END
    ) STORED,
    PRIMARY KEY (customer, service, user_id)
) WITH (fillfactor = 80);

-- How many users are visible on a plan, per customer: kept by differences, so that no total scans the assignments.
CREATE TABLE plan_count (
    service text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    users bigint NOT NULL,
    PRIMARY KEY (service, plan, customer)
) WITH (fillfactor = 70);
CREATE INDEX plan_count_by_customer ON plan_count (customer, service);

-- Batches of migrations whose end isn't known yet, or of which some users may be tried again (open_positions).
-- revisions is null where all users have the batch's.
CREATE TABLE open_batch (
    request text COLLATE "C" NOT NULL,
    batch bigint NOT NULL,
    customer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    to_plan text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    users text[] COLLATE "C" NOT NULL,
    revisions bigint[],
    open_positions integer[],
    PRIMARY KEY (request, batch)
);
ALTER TABLE open_batch ALTER COLUMN users SET STORAGE EXTERNAL;
ALTER TABLE open_batch ALTER COLUMN revisions SET STORAGE EXTERNAL;
