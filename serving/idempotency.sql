-- name: lock_key
-- Hold the key until the transaction ends; false when another transaction works under it at this moment.
SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0));

-- name: stored_answer
-- The answer that was given under this key before.
SELECT body_hash, status, headers, body FROM idempotency WHERE caller = $1 AND route = $2 AND key = $3;

-- name: store_answer
-- Keep the answer; it commits together with the effect.
INSERT INTO idempotency (caller, route, key, body_hash, status, headers, body) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: forget_answers
-- Drop answers that are older than any sensible repetition.
DELETE FROM idempotency WHERE stored_at < now() - $1::interval;
