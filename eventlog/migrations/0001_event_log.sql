-- Who works on a shard, how far its ledger goes and how far the topic has it.
-- A shard is owned while its owner's row in member is alive; epoch grows by one with every change of hands,
-- and every write of an owner names it.
CREATE TABLE shard (
    shard integer PRIMARY KEY,
    owner text,
    epoch bigint NOT NULL DEFAULT 0,
    acquired_at timestamptz,
    next_sequence bigint NOT NULL DEFAULT 1 CHECK (next_sequence >= 1),
    cursor bigint NOT NULL DEFAULT 1 CHECK (cursor >= 1)
) WITH (fillfactor = 20);

-- Processes that share the shards; until is the database's clock.
CREATE TABLE member (
    owner text PRIMARY KEY,
    until timestamptz NOT NULL
) WITH (fillfactor = 20);

-- Everything that was ever said, in chunks: n events from first_sequence on, compressed together.
CREATE TABLE ledger (
    shard integer NOT NULL,
    first_sequence bigint NOT NULL,
    n integer NOT NULL CHECK (n > 0),
    events bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, first_sequence)
);
ALTER TABLE ledger ALTER COLUMN events SET STORAGE EXTERNAL;

-- How far a reader's effects go. last_sequence and last_id belong to topics whose writers count (0 and '' before
-- the first); stopped says why an operator has to look before the reader goes on.
CREATE TABLE reader_position (
    reader text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    last_sequence bigint NOT NULL DEFAULT 0,
    last_id text NOT NULL DEFAULT '',
    last_timestamp_ms bigint NOT NULL DEFAULT 0,
    stopped text,
    PRIMARY KEY (reader, topic, partition)
) WITH (fillfactor = 20);

-- Records that could not be read, with their original bytes; headers are a JSON array of pairs, name and
-- value in base64.
CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL,
    record_timestamp_ms bigint NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    published boolean NOT NULL DEFAULT false,
    replayed_at timestamptz,
    replayed_by text,
    UNIQUE (topic, partition, record_offset)
);
CREATE INDEX quarantine_unpublished ON quarantine (id) WHERE NOT published;
