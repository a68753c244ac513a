-- name: put
-- Keeps a record; the same place a second time changes nothing.
INSERT INTO quarantine (topic, partition, record_offset, reason, detail, key, value, headers, record_timestamp_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (topic, partition, record_offset) DO NOTHING;

-- name: page
-- Records in order, from the one after $1 on.
SELECT * FROM quarantine WHERE id > $1 ORDER BY id LIMIT $2;

-- name: get
-- One record.
SELECT * FROM quarantine WHERE id = $1;

-- name: unpublished
-- The next records to publish.
SELECT * FROM quarantine WHERE NOT published ORDER BY id LIMIT $1;

-- name: mark_published
-- It was acknowledged by Kafka.
UPDATE quarantine SET published = true WHERE id = $1;

-- name: mark_replayed
-- Somebody sent it to its topic again.
UPDATE quarantine SET replayed_at = clock_timestamp(), replayed_by = $2 WHERE id = $1 RETURNING *;
