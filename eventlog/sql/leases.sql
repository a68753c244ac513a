-- name: renew
-- This process lives, by the database's clock, for $2 seconds more.
INSERT INTO member (owner, until) VALUES ($1, clock_timestamp() + $2 * interval '1 second')
ON CONFLICT (owner) DO UPDATE SET until = excluded.until;

-- name: forget_dead
-- Members that died long ago; their shards are free already.
DELETE FROM member WHERE until < clock_timestamp() - interval '1 minute';

-- name: live_members
-- Who lives now.
SELECT owner FROM member WHERE until >= clock_timestamp() ORDER BY owner;

-- name: owned
-- What the database says that this process owns.
SELECT shard, epoch FROM shard WHERE owner = $1 ORDER BY shard;

-- name: claim
-- Takes up to $2 shards that nobody owns, whose owner is dead, or which this process owned before it gave up
-- hope (not among $3, those it works on), except $4. A row that a stopped owner has locked is skipped until the
-- server ends its transaction.
WITH free AS (
    SELECT s.shard FROM shard AS s
    WHERE (
        s.owner IS NULL
        OR (s.owner = $1 AND s.shard <> ALL ($3::integer[]))
        OR NOT EXISTS (
            SELECT FROM member AS m WHERE m.owner = s.owner AND m.until >= clock_timestamp()
        )
    ) AND s.shard <> ALL ($4::integer[])
    ORDER BY s.shard
    LIMIT $2
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE shard SET owner = $1, epoch = epoch + 1, acquired_at = clock_timestamp()
FROM free WHERE shard.shard = free.shard
RETURNING shard.shard, shard.epoch;

-- name: give_up
-- The shard is free, unless somebody has taken it already.
UPDATE shard SET owner = NULL WHERE shard = $1 AND owner = $2 AND epoch = $3;

-- name: disown
-- Frees what this process owns by its name only: everything but the shards $2.
UPDATE shard SET owner = NULL WHERE owner = $1 AND shard <> ALL ($2::integer[]) RETURNING shard;

-- name: leave
-- This process is gone.
DELETE FROM member WHERE owner = $1;
