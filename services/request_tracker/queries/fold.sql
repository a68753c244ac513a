-- name: load_batches
-- Batches that a fold changes, without their users.
SELECT request, batch, shard, customer, service, from_plan, to_plan, mode, n, first_user, last_user,
       planned_sequence, planned_at, attempt, migrated, failed, skipped, cancelled, outcome, runs, exceptions,
       history, finished_sequence, finished_at
FROM batch
JOIN unnest($1::text[], $2::integer[]) AS wanted (request, batch) USING (request, batch);

-- name: load_shards
-- Counts per shard that a fold changes.
SELECT request, shard, planned, migrated, failed, skipped, cancelled, excluded, batches, batches_finished,
       packages_generated, packages_failed, reasons, excluded_reasons, pace, first_outcome_us, last_outcome_us
FROM shard_count
JOIN unnest($1::text[], $2::smallint[]) AS wanted (request, shard) USING (request, shard);

-- name: load_customers
-- Counts per customer that a fold changes.
SELECT request, customer, shard, planned, migrated, failed, skipped, cancelled, excluded
FROM customer_count
JOIN unnest($1::text[], $2::text[]) AS wanted (request, customer) USING (request, customer);

-- name: load_states
-- States of requests that a fold changes.
SELECT request, shard, phase, phase_at, paused, final_status, document
FROM request_state
WHERE request = ANY ($1::text[]);

-- name: insert_batches
-- New batches, with whatever happened to them in the same fold.
INSERT INTO batch (request, batch, shard, customer, service, from_plan, to_plan, mode, n, users, first_user,
                   last_user, planned_sequence, planned_at, attempt, migrated, failed, skipped, cancelled, outcome,
                   runs, exceptions, reasons, history, finished_sequence, finished_at)
SELECT request, batch, shard, customer, service, from_plan, to_plan, mode, n, users, first_user, last_user,
       planned_sequence, planned_at, attempt, migrated, failed, skipped, cancelled, outcome, runs, exceptions,
       coalesce(string_to_array(nullif(reasons, ''), ' '), '{}'), history, finished_sequence, finished_at
FROM unnest($1::text[], $2::integer[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::integer[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::timestamptz[],
            $15::integer[], $16::integer[], $17::integer[], $18::integer[], $19::integer[], $20::bytea[],
            $21::bytea[], $22::jsonb[], $23::text[], $24::jsonb[], $25::bigint[], $26::timestamptz[])
     AS new (request, batch, shard, customer, service, from_plan, to_plan, mode, n, users, first_user, last_user,
             planned_sequence, planned_at, attempt, migrated, failed, skipped, cancelled, outcome, runs, exceptions,
             reasons, history, finished_sequence, finished_at);

-- name: update_batches
-- What changed of batches; the users stay where they are.
UPDATE batch
SET attempt = new.attempt, migrated = new.migrated, failed = new.failed, skipped = new.skipped,
    cancelled = new.cancelled, outcome = new.outcome, runs = new.runs, exceptions = new.exceptions,
    reasons = coalesce(string_to_array(nullif(new.reasons, ''), ' '), '{}'), history = new.history,
    finished_sequence = new.finished_sequence, finished_at = new.finished_at
FROM unnest($1::text[], $2::integer[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
            $8::bytea[], $9::bytea[], $10::jsonb[], $11::text[], $12::jsonb[], $13::bigint[], $14::timestamptz[])
     AS new (request, batch, attempt, migrated, failed, skipped, cancelled, outcome, runs, exceptions, reasons,
             history, finished_sequence, finished_at)
WHERE batch.request = new.request AND batch.batch = new.batch;

-- name: save_shards
-- Counts per shard, new or changed.
INSERT INTO shard_count (request, shard, planned, migrated, failed, skipped, cancelled, excluded, batches,
                         batches_finished, packages_generated, packages_failed, reasons, excluded_reasons, pace,
                         first_outcome_us, last_outcome_us)
SELECT *
FROM unnest($1::text[], $2::smallint[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
            $8::integer[], $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::jsonb[],
            $14::jsonb[], $15::jsonb[], $16::bigint[], $17::bigint[])
ON CONFLICT (request, shard) DO UPDATE
SET planned = excluded.planned, migrated = excluded.migrated, failed = excluded.failed, skipped = excluded.skipped,
    cancelled = excluded.cancelled, excluded = excluded.excluded, batches = excluded.batches,
    batches_finished = excluded.batches_finished, packages_generated = excluded.packages_generated,
    packages_failed = excluded.packages_failed, reasons = excluded.reasons,
    excluded_reasons = excluded.excluded_reasons, pace = excluded.pace,
    first_outcome_us = excluded.first_outcome_us, last_outcome_us = excluded.last_outcome_us;

-- name: save_customers
-- Counts per customer, new or changed.
INSERT INTO customer_count (request, customer, shard, planned, migrated, failed, skipped, cancelled, excluded)
SELECT *
FROM unnest($1::text[], $2::text[], $3::smallint[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
            $8::integer[], $9::integer[])
ON CONFLICT (request, customer) DO UPDATE
SET planned = excluded.planned, migrated = excluded.migrated, failed = excluded.failed, skipped = excluded.skipped,
    cancelled = excluded.cancelled, excluded = excluded.excluded;

-- name: save_states
-- States of requests, new or changed.
INSERT INTO request_state (request, shard, phase, phase_at, paused, final_status, document)
SELECT *
FROM unnest($1::text[], $2::smallint[], $3::text[], $4::timestamptz[], $5::boolean[], $6::text[], $7::jsonb[])
ON CONFLICT (request) DO UPDATE
SET phase = excluded.phase, phase_at = excluded.phase_at, paused = excluded.paused,
    final_status = excluded.final_status, document = excluded.document;

-- name: insert_requests
-- Requests; the first event of a request counts.
INSERT INTO request (request, event_id, source, correlation, mode, name, description, service, mappings, selection,
                     generate_missing_packages, requested_by, reference, seen, start_at, requested_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (request) DO NOTHING;

-- name: insert_timeline
-- Events about whole requests; an event that comes again changes nothing.
INSERT INTO timeline (request, topic, event_id, partition, sequence, record_offset, at, type, summary)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (request, topic, event_id) DO NOTHING;

-- name: insert_exclusions
-- Users left out.
INSERT INTO exclusion (shard, sequence, request, customer, reason, n, users, first_user, last_user, at)
SELECT *
FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[],
            $8::text[], $9::text[], $10::timestamptz[]);

-- name: insert_packages
-- Packages that were generated or not.
INSERT INTO package (shard, sequence, request, customer, service, plan, generated, seat_limit, detail, at)
SELECT *
FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
            $8::integer[], $9::text[], $10::timestamptz[]);

-- name: insert_spans
-- Where records are.
INSERT INTO span (topic, partition, request, first_offset, first_sequence, n, first_at)
SELECT *
FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[], $7::timestamptz[]);

-- name: save_names
-- Names, where the revision is newer.
INSERT INTO name (kind, key, name, revision)
SELECT DISTINCT ON (kind, key) kind, key, name, revision
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS new (kind, key, name, revision)
ORDER BY kind, key, revision DESC
ON CONFLICT (kind, key) DO UPDATE
SET name = excluded.name, revision = excluded.revision
WHERE name.revision < excluded.revision;

-- name: count_skipped
-- Records that said nothing.
INSERT INTO skipped_record (topic, partition, reason, n)
SELECT *
FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[])
ON CONFLICT (topic, partition, reason) DO UPDATE
SET n = skipped_record.n + excluded.n;
