-- name: position
-- Positions that belong to the dump.
SELECT topic, partition, next_offset, last_sequence
FROM reader_position
WHERE reader = $1
ORDER BY topic COLLATE "C", partition;

-- name: request
-- Requests.
SELECT * FROM request ORDER BY request;

-- name: request_state
-- What the engine said.
SELECT * FROM request_state ORDER BY request;

-- name: shard_count
-- Counts by shard.
SELECT * FROM shard_count ORDER BY request, shard;

-- name: customer_count
-- Counts by customer.
SELECT * FROM customer_count ORDER BY request, customer;

-- name: batch
-- Batches with their users.
SELECT * FROM batch ORDER BY request, batch;

-- name: exclusion
-- Users left out.
SELECT * FROM exclusion ORDER BY shard, sequence;

-- name: package
-- Packages.
SELECT * FROM package ORDER BY shard, sequence;

-- name: timeline
-- Events about whole requests, without their offsets.
SELECT request, topic, event_id, partition, sequence, at, type, summary
FROM timeline
ORDER BY request, topic, event_id;
