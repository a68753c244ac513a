-- name: quarantine_page
-- The newest records in quarantine, before id $2.
SELECT id, topic, partition, record_offset AS "offset", reason, detail, seen_at, replayed_at, replayed_by
FROM quarantine
WHERE ($1::text IS NULL OR reason = $1) AND ($2::bigint IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3;

-- name: quarantine_id
-- A record by its place.
SELECT id FROM quarantine WHERE topic = $1 AND partition = $2 AND record_offset = $3;

-- name: positions
-- How far the engine has read a topic.
SELECT partition, next_offset FROM reader_position WHERE topic = $1 ORDER BY partition;

-- name: customer
-- A customer as the engine sees it.
SELECT customer, shard, reseller, active, removed, revision FROM customer WHERE customer = $1;

-- name: packages
-- A customer's packages that it has, or that have users.
SELECT service, plan, provisioned, seat_limit, used, reserved, generated_by FROM package
WHERE customer = $1 AND (provisioned OR used > 0 OR reserved > 0) ORDER BY service, plan;

-- name: assignments
-- A customer's users and their plans.
SELECT service, user_id AS "user", plan, source_revision, moved_revision FROM assignment
WHERE customer = $1 AND plan IS NOT NULL AND (user_id, service) > ($2, $3) ORDER BY user_id, service LIMIT $4;
