-- name: spans_newest_first
-- Where the request's records are, from a place on into the past.
SELECT topic, partition, first_offset, n, first_at
FROM span
WHERE request = $1
  AND ($2::timestamptz IS NULL OR (first_at, topic, partition, first_offset) <= ($2, $3::text, $4::smallint, $5::bigint))
ORDER BY first_at DESC, topic DESC, partition DESC, first_offset DESC
LIMIT $6;

-- name: spans_oldest_first
-- Where the request's records are, from a place on towards now.
SELECT topic, partition, first_offset, n, first_at
FROM span
WHERE request = $1
  AND ($2::timestamptz IS NULL OR (first_at, topic, partition, first_offset) >= ($2, $3::text, $4::smallint, $5::bigint))
ORDER BY first_at, topic, partition, first_offset
LIMIT $6;

-- name: place_of_sequence
-- The offset of a sequence of a shard.
SELECT first_offset + $2::bigint - first_sequence AS record_offset
FROM span
WHERE partition = $1 AND first_sequence <= $2 AND $2 < first_sequence + n
ORDER BY first_sequence DESC
LIMIT 1;
