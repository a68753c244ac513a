-- The engine's directory: what sources report, as registers that the highest revision wins. Ties are decided by
-- content (see queries/directory.sql), so that the order of reading never matters.
CREATE TABLE reseller (
    reseller text COLLATE "C" PRIMARY KEY,
    parent text COLLATE "C",
    active boolean NOT NULL,
    revision bigint NOT NULL
);

CREATE TABLE customer (
    customer text COLLATE "C" PRIMARY KEY,
    shard smallint NOT NULL,
    reseller text COLLATE "C",
    active boolean NOT NULL,
    removed boolean NOT NULL,
    revision bigint NOT NULL
);

CREATE TABLE service (
    service text COLLATE "C" PRIMARY KEY,
    connector text NOT NULL,
    options text NOT NULL,
    revision bigint NOT NULL
);

CREATE TABLE plan (
    service text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    active boolean NOT NULL,
    default_seat_limit integer,
    revision bigint NOT NULL,
    PRIMARY KEY (service, plan)
);

-- provisioned and seat_limit are the effective ones: the generated package's if its base revision is not older
-- than the source's. A row without provisioned only counts: used = users whose effective plan this is,
-- reserved = seats that manifests hold.
CREATE TABLE package (
    customer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    provisioned boolean NOT NULL DEFAULT false,
    seat_limit integer,
    source_revision bigint NOT NULL DEFAULT -1,
    source_provisioned boolean NOT NULL DEFAULT false,
    source_seat_limit integer,
    generated_revision bigint,
    generated_seat_limit integer,
    generated_by text COLLATE "C",
    used bigint NOT NULL DEFAULT 0,
    reserved bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (customer, service, plan)
) WITH (fillfactor = 70);
-- The planner finds the customers that have users on a source plan through this, without a scan of the users.
CREATE INDEX package_by_plan ON package (shard, service, plan, customer);

-- plan is the effective one: none if the user was removed since, else the migration's if its base revision is not
-- older than the source's, else the source's. No index on plan, so that a migration is one heap write.
CREATE TABLE assignment (
    customer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    plan text COLLATE "C",
    source_plan text COLLATE "C",
    moved_plan text COLLATE "C",
    source_revision bigint NOT NULL,
    moved_revision bigint,
    removed_revision bigint,
    PRIMARY KEY (customer, service, user_id)
) WITH (fillfactor = 80);

-- Removals of users, also of those whose assignments are yet to be read.
CREATE TABLE user_removed (
    customer text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (customer, user_id)
);
