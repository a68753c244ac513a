-- name: ensure_shards
-- Shards 0 to $1 - 1 exist.
INSERT INTO shard (shard) SELECT generate_series(0, $1::integer - 1) ON CONFLICT (shard) DO NOTHING;

-- name: take_as_owner
-- Takes $2 sequences of shard $1 for the owner who holds it with epoch $3; no row: fenced out.
UPDATE shard SET next_sequence = next_sequence + $2
WHERE shard = $1 AND epoch = $3 AND owner = $4
RETURNING next_sequence - $2;

-- name: take
-- Takes $2 sequences of shard $1; the row's lock puts several writers in order until they commit.
UPDATE shard SET next_sequence = next_sequence + $2 WHERE shard = $1 RETURNING next_sequence - $2;

-- name: store
-- One chunk of events.
INSERT INTO ledger (shard, first_sequence, n, events) VALUES ($1, $2, $3, $4);

-- name: next_sequence
-- The sequence that the shard gives out next.
SELECT next_sequence FROM shard WHERE shard = $1;

-- name: read
-- Chunks from the one that contains sequence $2 on, at most $3 of them, none that begins with $4 or later.
SELECT first_sequence, events FROM ledger
WHERE shard = $1 AND first_sequence < $4 AND first_sequence >= coalesce(
    (SELECT max(first_sequence) FROM ledger WHERE shard = $1 AND first_sequence <= $2), $2)
ORDER BY first_sequence
LIMIT $3;
