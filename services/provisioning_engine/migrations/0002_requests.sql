-- Every event of migration.requests that was taken, by a digest of source and id, with a digest of its content.
CREATE TABLE seen_event (
    identity bytea PRIMARY KEY,
    content bytea NOT NULL
);

-- A request and where it stands. spec is the MigrationRequested without its lists, which selection_* hold.
-- Workers hold the row FOR SHARE while they work for it, whoever changes its state takes it FOR UPDATE.
CREATE TABLE request (
    request text COLLATE "C" PRIMARY KEY,
    home_shard smallint NOT NULL,
    state text NOT NULL,
    spec text NOT NULL,
    event_id text NOT NULL,
    said_at text NOT NULL,
    correlation text NOT NULL,
    traceparent text,
    received_at timestamptz NOT NULL DEFAULT now(),
    start_at timestamptz,
    manifest_hash text,
    planned bigint NOT NULL DEFAULT 0,
    ended_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX request_open ON request (home_shard) WHERE ended_at IS NULL;

CREATE TABLE selection_part (
    request text COLLATE "C" NOT NULL,
    part integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (request, part)
);

-- times counts how often an entry was listed; part (0 is the request itself) and position say where first.
CREATE TABLE selection_customer (
    request text COLLATE "C" NOT NULL,
    excluded boolean NOT NULL,
    customer text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    part integer NOT NULL,
    position integer NOT NULL,
    times integer NOT NULL,
    PRIMARY KEY (request, excluded, shard, customer)
);

CREATE TABLE selection_user (
    request text COLLATE "C" NOT NULL,
    excluded boolean NOT NULL,
    customer text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    part integer NOT NULL,
    position integer NOT NULL,
    times integer NOT NULL,
    PRIMARY KEY (request, excluded, shard, customer, user_id)
);

-- A request's part in one shard: how far its planning is, its counts, and the last sequence that speaks of it.
CREATE TABLE request_shard (
    request text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    planning_done boolean NOT NULL DEFAULT false,
    cursor_customer text COLLATE "C" NOT NULL DEFAULT '',
    cursor_user text COLLATE "C",
    next_batch integer NOT NULL DEFAULT 0,
    next_exclusion integer NOT NULL DEFAULT 0,
    customers bigint NOT NULL DEFAULT 0,
    planned bigint NOT NULL DEFAULT 0,
    excluded bigint NOT NULL DEFAULT 0,
    excluded_by_reason text NOT NULL DEFAULT '{}',
    packages text NOT NULL DEFAULT '{}',
    hash bytea NOT NULL DEFAULT '',
    planned_last_sequence bigint NOT NULL DEFAULT 0,
    open bigint NOT NULL DEFAULT 0,
    migrated bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    packages_generated bigint NOT NULL DEFAULT 0,
    last_sequence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (request, shard)
) WITH (fillfactor = 30);

-- A part of the manifest. users are separated by line feeds, in order; revision is the assignments', revisions
-- those of positions where it differs. state: previewed, planned, applying (a connector was called), finished.
CREATE TABLE batch (
    request text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    no integer NOT NULL,
    state text NOT NULL,
    attempt smallint NOT NULL DEFAULT 1,
    customer text COLLATE "C" NOT NULL,
    from_plan text COLLATE "C" NOT NULL,
    to_plan text COLLATE "C" NOT NULL,
    n integer NOT NULL CHECK (n > 0),
    users text NOT NULL,
    revision bigint NOT NULL,
    revisions text NOT NULL DEFAULT '{}',
    reserved integer NOT NULL,
    epoch bigint,
    migrated integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,
    cancelled integer NOT NULL DEFAULT 0,
    PRIMARY KEY (request, shard, no)
) WITH (fillfactor = 70);
ALTER TABLE batch ALTER COLUMN users SET STORAGE EXTERNAL;

-- Later words about a request, waiting for the owner of its home shard.
CREATE TABLE command (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request text COLLATE "C" NOT NULL,
    home_shard smallint NOT NULL,
    type text NOT NULL,
    body text NOT NULL,
    event_id text NOT NULL,
    done boolean NOT NULL DEFAULT false
);
CREATE INDEX command_open ON command (home_shard, id) WHERE NOT done;
