-- name: limit_time
-- Frees what a stopped process holds, also where idle_in_transaction_session_timeout doesn't look.
SELECT set_config('transaction_timeout', '60s', true);

-- name: note_event
-- Remembers an event of migration.requests; no row: one of this source and id was here before.
INSERT INTO seen_event (identity, content) VALUES ($1, $2) ON CONFLICT (identity) DO NOTHING RETURNING identity;

-- name: noted_content
-- The digest of what came with this identity before.
SELECT content FROM seen_event WHERE identity = $1;

-- name: add_request
-- A new request; no row: its id is taken.
INSERT INTO request (request, home_shard, state, spec, event_id, said_at, correlation, traceparent)
VALUES ($1, $2, 'received', $3, $4, $5, $6, $7)
ON CONFLICT (request) DO NOTHING RETURNING request;

-- name: request_state
-- Where a request stands; nobody judges it before this part of its selection is written.
SELECT state FROM request WHERE request = $1 FOR SHARE;

-- name: add_part
-- A part of a selection; no row: this part was here before.
INSERT INTO selection_part (request, part, content) VALUES ($1, $2, $3)
ON CONFLICT (request, part) DO NOTHING RETURNING part;

-- name: add_customers
-- Listed customers; who is listed again is counted.
INSERT INTO selection_customer AS t (request, excluded, customer, shard, part, position, times)
SELECT $1, $2, l.customer, min(l.shard), $3, min(l.ord) - 1, count(*)
FROM unnest($4::text[], $5::smallint[]) WITH ORDINALITY AS l (customer, shard, ord)
GROUP BY l.customer
ON CONFLICT (request, excluded, shard, customer) DO UPDATE SET times = t.times + EXCLUDED.times;

-- name: add_users
-- Listed users; who is listed again is counted.
INSERT INTO selection_user AS t (request, excluded, customer, user_id, shard, part, position, times)
SELECT $1, $2, l.customer, l.user_id, min(l.shard), $3, min(l.ord) - 1, count(*)
FROM unnest($4::text[], $5::text[], $6::smallint[]) WITH ORDINALITY AS l (customer, user_id, shard, ord)
GROUP BY l.customer, l.user_id
ON CONFLICT (request, excluded, shard, customer, user_id) DO UPDATE SET times = t.times + EXCLUDED.times;

-- name: add_command
-- A later word, for the owner of the request's home shard.
INSERT INTO command (request, home_shard, type, body, event_id) VALUES ($1, $2, $3, $4, $5);

-- name: tell
-- A hint that something is to be done; sent with the commit.
SELECT pg_notify('planshift_engine', '');
