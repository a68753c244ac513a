-- name: ends
-- Where the ledger of shard $1 ends and how far the topic has it.
SELECT next_sequence, cursor FROM shard WHERE shard = $1;

-- name: move_cursor
-- The topic has everything before $2; no row: fenced out.
UPDATE shard SET cursor = $2 WHERE shard = $1 AND epoch = $3 AND owner = $4 RETURNING cursor;
