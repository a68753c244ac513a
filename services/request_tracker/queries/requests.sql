-- name: positions
-- How far the projection is, for the answer made of the same snapshot.
SELECT topic, partition, next_offset, last_sequence, last_timestamp_ms, stopped
FROM reader_position
ORDER BY topic, partition;

-- name: list_requests
-- Requests, the newest first, with the sums of their counts; a coarse filter by phase, the status is derived after.
SELECT request.request, request.mode, request.name, request.service, request.mappings, request.reference,
       request.requested_by, request.requested_at, request.start_at,
       state.phase, state.paused, state.final_status, state.document,
       total.planned, total.migrated, total.failed, total.skipped, total.cancelled, total.excluded
FROM request
LEFT JOIN request_state AS state ON state.request = request.request
CROSS JOIN LATERAL (
    SELECT coalesce(sum(planned), 0)::bigint AS planned, coalesce(sum(migrated), 0)::bigint AS migrated,
           coalesce(sum(failed), 0)::bigint AS failed, coalesce(sum(skipped), 0)::bigint AS skipped,
           coalesce(sum(cancelled), 0)::bigint AS cancelled, coalesce(sum(excluded), 0)::bigint AS excluded
    FROM shard_count
    WHERE shard_count.request = request.request
) AS total
WHERE ($1::text IS NULL OR request.mode = $1)
  AND ($2::text[] IS NULL OR coalesce(state.phase, 'unknown') = ANY ($2))
  AND ($3::text[] IS NULL OR state.final_status IS NULL OR state.final_status = ANY ($3))
  AND ($4::text IS NULL OR request.service = $4)
  AND ($5::text IS NULL OR request.mappings @> jsonb_build_array(jsonb_build_object('from_plan', $5::text))
       OR request.mappings @> jsonb_build_array(jsonb_build_object('to_plan', $5::text)))
  AND ($6::text IS NULL OR EXISTS (
      SELECT FROM customer_count WHERE customer_count.customer = $6 AND customer_count.request = request.request))
  AND ($7::text IS NULL OR request.name ILIKE $7 OR request.description ILIKE $7 OR request.request ILIKE $7
       OR request.reference ILIKE $7)
  AND ($8::timestamptz IS NULL OR request.requested_at >= $8)
  AND ($9::timestamptz IS NULL OR request.requested_at < $9)
  AND ($10::timestamptz IS NULL OR (request.requested_at, request.request) < ($10, $11::text))
  AND ($12::text IS NULL OR request.reference = $12)
ORDER BY request.requested_at DESC, request.request DESC
LIMIT $13;

-- name: request
-- All about one request, from whichever topic has told of it, in one statement: one snapshot and one round trip.
SELECT wanted.request, request.mode, request.name, request.description, request.service, request.mappings,
       request.selection, request.generate_missing_packages, request.requested_by, request.reference, request.seen,
       request.start_at, request.requested_at, request.correlation,
       state.phase, state.paused, state.final_status, state.document,
       (SELECT coalesce(jsonb_agg(to_jsonb(shard_count) ORDER BY shard), '[]')
        FROM shard_count
        WHERE shard_count.request = wanted.request) AS shards,
       coalesce((state.document -> 'manifest' ->> 'customers')::bigint,
                (SELECT count(*) FROM customer_count WHERE customer_count.request = wanted.request)) AS customers,
       (SELECT coalesce(jsonb_object_agg(name.kind || '/' || name.key, name.name), '{}')
        FROM name
        WHERE (name.kind = 'service' AND name.key = request.service)
           OR (name.kind = 'plan' AND name.key IN (
               SELECT request.service || '/' || plan.value
               FROM jsonb_array_elements(request.mappings) AS mapping (value)
               CROSS JOIN jsonb_each_text(mapping.value) AS plan))) AS names,
       (SELECT coalesce(jsonb_agg(to_jsonb(told) ORDER BY at, topic, sequence NULLS FIRST, id), '[]')
        FROM (SELECT at, type, event_id AS id, topic, partition, record_offset AS "offset", sequence, summary
              FROM timeline
              WHERE timeline.request = wanted.request
              ORDER BY at
              LIMIT $2) AS told) AS timeline,
       (SELECT jsonb_agg(jsonb_build_array(topic, partition, next_offset, last_sequence, last_timestamp_ms, stopped)
                         ORDER BY topic, partition)
        FROM reader_position) AS positions,
       request.request IS NOT NULL OR state.request IS NOT NULL AS told_of
FROM (SELECT $1::text COLLATE "C" AS request) AS wanted
LEFT JOIN request ON request.request = wanted.request
LEFT JOIN request_state AS state ON state.request = wanted.request;

-- name: is_known
-- Whether anything has been read of the request.
SELECT EXISTS (SELECT FROM request WHERE request = $1)
    OR EXISTS (SELECT FROM request_state WHERE request = $1)
    OR EXISTS (SELECT FROM shard_count WHERE request = $1);

-- name: customers
-- The request's counts by customer, one page; only customers with an outcome of the given kind, if any.
SELECT customer_count.customer, name.name, planned, migrated, failed, skipped, cancelled, excluded
FROM customer_count
LEFT JOIN name ON name.kind = 'customer' AND name.key = customer_count.customer
WHERE request = $1 AND ($2::text IS NULL OR customer_count.customer > $2)
  AND CASE $3::text
          WHEN 'migrated' THEN migrated > 0
          WHEN 'failed' THEN failed > 0
          WHEN 'skipped' THEN skipped > 0
          WHEN 'cancelled' THEN cancelled > 0
          WHEN 'excluded' THEN excluded > 0
          WHEN 'pending' THEN planned > migrated + failed + skipped + cancelled
          ELSE TRUE
      END
ORDER BY customer_count.customer
LIMIT $4;

-- name: packages
-- The request's generated and failed packages, one page.
SELECT shard, sequence, customer, service, plan, generated, seat_limit, detail, at
FROM package
WHERE request = $1 AND ($2::smallint IS NULL OR (shard, sequence) > ($2, $3::bigint))
ORDER BY shard, sequence
LIMIT $4;

-- name: skipped_records
-- Records that said nothing that can be used.
SELECT topic, partition, reason, n FROM skipped_record ORDER BY topic, partition, reason;
