-- name: batches
-- Batches of a request that may hold wanted users, from a batch on; a batch's outcomes are checked one by one after.
SELECT request, batch, shard, customer, service, from_plan, to_plan, users, outcome, runs, exceptions, history
FROM batch
WHERE request = $1 AND batch >= $2
  AND ($3::text IS NULL OR customer = $3)
  AND ($4::text IS NULL OR $4 = ANY (reasons))
  AND ($5::boolean AND migrated > 0 OR $6::boolean AND failed > 0 OR $7::boolean AND skipped > 0
       OR $8::boolean AND cancelled > 0 OR $9::boolean AND n > migrated + failed + skipped + cancelled)
ORDER BY batch
LIMIT $10;

-- name: exclusions
-- Users left out of a request, one page of groups.
SELECT shard, sequence, customer, reason, users, at
FROM exclusion
WHERE request = $1 AND (shard, sequence) >= ($2, $3)
  AND ($4::text IS NULL OR customer = $4)
  AND ($5::text IS NULL OR reason = $5)
ORDER BY shard, sequence
LIMIT $6;

-- name: batches_of_user
-- Batches of a customer whose range of users holds a user, the newest first.
SELECT batch.request, batch, shard, customer, batch.service, from_plan, to_plan, users, outcome, runs, exceptions,
       history, batch.mode, planned_sequence, planned_at, request.name
FROM batch
LEFT JOIN request ON request.request = batch.request
WHERE customer = $1 AND first_user <= $2 AND last_user >= $2
  AND ($3::bigint IS NULL OR planned_sequence < $3)
ORDER BY planned_sequence DESC
LIMIT $4;

-- name: exclusions_of_user
-- Exclusions of a customer whose range of users holds a user, the newest first.
SELECT exclusion.request, shard, sequence, customer, reason, users, at, request.name, request.mode
FROM exclusion
LEFT JOIN request ON request.request = exclusion.request
WHERE customer = $1 AND first_user <= $2 AND last_user >= $2
  AND ($3::bigint IS NULL OR sequence < $3)
ORDER BY sequence DESC
LIMIT $4;
