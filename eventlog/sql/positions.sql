-- name: ensure
-- Rows exist for topic $2[i], partition $3[i]; new ones start at offset $4[i].
INSERT INTO reader_position (reader, topic, partition, next_offset)
SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::bigint[])
ON CONFLICT (reader, topic, partition) DO NOTHING;

-- name: load
-- Stored positions of some partitions.
SELECT p.topic, p.partition, p.next_offset, p.last_sequence, p.last_id, p.last_timestamp_ms, p.stopped
FROM reader_position AS p
JOIN unnest($2::text[], $3::integer[]) AS wanted (topic, partition) USING (topic, partition)
WHERE p.reader = $1;

-- name: load_all
-- Stored positions of all partitions of a reader.
SELECT topic, partition, next_offset, last_sequence, last_id, last_timestamp_ms, stopped
FROM reader_position WHERE reader = $1 ORDER BY topic, partition;

-- name: compare_and_swap
-- Moves positions that are still where this reader thinks they are; returns which.
UPDATE reader_position AS p
SET next_offset = n.next_offset, last_sequence = n.last_sequence, last_id = n.last_id,
    last_timestamp_ms = n.last_timestamp_ms, stopped = n.stopped
FROM unnest(
    $2::text[], $3::integer[], $4::bigint[], $5::bigint[],
    $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::text[]
) AS n (
    topic, partition, held_offset, held_sequence,
    next_offset, last_sequence, last_id, last_timestamp_ms, stopped
)
WHERE p.reader = $1 AND p.topic = n.topic AND p.partition = n.partition
    AND p.next_offset = n.held_offset AND p.last_sequence = n.held_sequence AND p.stopped IS NULL
RETURNING p.topic, p.partition;

-- name: move
-- An operator sets a position and lets the reader go on.
UPDATE reader_position SET next_offset = $4, stopped = NULL
WHERE reader = $1 AND topic = $2 AND partition = $3
RETURNING next_offset;
