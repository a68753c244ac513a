-- The projection. Every row is fed by one partition of one topic only, so the order in which partitions are read
-- changes nothing; what belongs together is put together when it is read.

-- What a MigrationRequested says (migration.requests); the first one of a request counts.
CREATE TABLE request (
    request text COLLATE "C" PRIMARY KEY,
    event_id text NOT NULL,
    source text NOT NULL,
    correlation text,
    mode text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    service text COLLATE "C" NOT NULL,
    mappings jsonb NOT NULL,
    selection jsonb NOT NULL,
    generate_missing_packages boolean NOT NULL,
    requested_by text NOT NULL,
    reference text COLLATE "C",
    seen jsonb,
    start_at timestamptz,
    requested_at timestamptz NOT NULL
);
CREATE INDEX request_by_time ON request (requested_at DESC, request DESC);
CREATE INDEX request_by_reference ON request (reference) WHERE reference IS NOT NULL;

-- What the engine says of a whole request (its home shard).
CREATE TABLE request_state (
    request text COLLATE "C" PRIMARY KEY,
    shard smallint NOT NULL,
    phase text NOT NULL,
    phase_at timestamptz,
    paused boolean NOT NULL,
    final_status text,
    document jsonb NOT NULL
);
CREATE INDEX request_state_by_phase ON request_state (phase, final_status);

-- A request's counts in a shard; no row is shared by shards, sums are made when read.
CREATE TABLE shard_count (
    request text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    planned integer NOT NULL,
    migrated integer NOT NULL,
    failed integer NOT NULL,
    skipped integer NOT NULL,
    cancelled integer NOT NULL,
    excluded integer NOT NULL,
    batches integer NOT NULL,
    batches_finished integer NOT NULL,
    packages_generated integer NOT NULL,
    packages_failed integer NOT NULL,
    reasons jsonb NOT NULL,
    excluded_reasons jsonb NOT NULL,
    pace jsonb NOT NULL,
    first_outcome_us bigint,
    last_outcome_us bigint,
    PRIMARY KEY (request, shard),
    CHECK (planned >= migrated + failed + skipped + cancelled)
) WITH (fillfactor = 30);

-- A request's counts at a customer.
CREATE TABLE customer_count (
    request text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    planned integer NOT NULL,
    migrated integer NOT NULL,
    failed integer NOT NULL,
    skipped integer NOT NULL,
    cancelled integer NOT NULL,
    excluded integer NOT NULL,
    PRIMARY KEY (request, customer),
    CHECK (planned >= migrated + failed + skipped + cancelled)
) WITH (fillfactor = 70);
CREATE INDEX customer_count_by_customer ON customer_count (customer);

-- A batch: its users written once (one a line), one byte of outcome a user, and where the events are (packed runs).
CREATE TABLE batch (
    request text COLLATE "C" NOT NULL,
    batch integer NOT NULL,
    shard smallint NOT NULL,
    customer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    from_plan text COLLATE "C" NOT NULL,
    to_plan text COLLATE "C" NOT NULL,
    mode text NOT NULL,
    n integer NOT NULL,
    users text STORAGE EXTERNAL NOT NULL,
    first_user text COLLATE "C" NOT NULL,
    last_user text COLLATE "C" NOT NULL,
    planned_sequence bigint NOT NULL,
    planned_at timestamptz NOT NULL,
    attempt integer NOT NULL,
    migrated integer NOT NULL,
    failed integer NOT NULL,
    skipped integer NOT NULL,
    cancelled integer NOT NULL,
    outcome bytea NOT NULL,
    runs bytea NOT NULL,
    exceptions jsonb NOT NULL,
    reasons text[] NOT NULL,
    history jsonb NOT NULL,
    finished_sequence bigint,
    finished_at timestamptz,
    PRIMARY KEY (request, batch)
) WITH (fillfactor = 70);
-- A user's history: the batches of the customer whose range of users holds the user.
CREATE INDEX batch_by_user ON batch (customer, first_user);
CREATE INDEX batch_by_customer ON batch (request, customer, batch);

-- Users that a manifest leaves out, one a line.
CREATE TABLE exclusion (
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    request text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    n integer NOT NULL,
    users text STORAGE EXTERNAL NOT NULL,
    first_user text COLLATE "C" NOT NULL,
    last_user text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (shard, sequence)
);
CREATE INDEX exclusion_by_request ON exclusion (request, shard, sequence);
CREATE INDEX exclusion_by_user ON exclusion (customer, first_user);

-- Packages that were generated or could not be.
CREATE TABLE package (
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    request text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    generated boolean NOT NULL,
    seat_limit integer,
    detail text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (shard, sequence)
);
CREATE INDEX package_by_request ON package (request, shard, sequence);

-- Events about a request as a whole, from both topics.
CREATE TABLE timeline (
    request text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    partition smallint NOT NULL,
    sequence bigint,
    record_offset bigint NOT NULL,
    at timestamptz NOT NULL,
    type text NOT NULL,
    summary jsonb NOT NULL,
    PRIMARY KEY (request, topic, event_id)
);

-- Where a request's records are in Kafka: n of them from first_offset on. Not part of the dump.
CREATE TABLE span (
    topic text COLLATE "C" NOT NULL,
    partition smallint NOT NULL,
    first_offset bigint NOT NULL,
    first_sequence bigint,
    n integer NOT NULL,
    request text COLLATE "C" NOT NULL,
    first_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, first_offset)
);
CREATE INDEX span_by_request ON span (request, first_at, topic, partition, first_offset);
CREATE INDEX span_by_sequence ON span (partition, first_sequence) WHERE first_sequence IS NOT NULL;

-- How customers, services and plans are called (directory.events, which is compacted). Not part of the dump.
CREATE TABLE name (
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    name text NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (kind, key)
);

-- Records that said nothing that can be used, by reason. Not part of the dump.
CREATE TABLE skipped_record (
    topic text COLLATE "C" NOT NULL,
    partition smallint NOT NULL,
    reason text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (topic, partition, reason)
) WITH (fillfactor = 50);
