-- name: share
-- Workers of a request work side by side. This queue is fair, which the row's own lock is not: whoever wants the
-- request alone is not overtaken by workers that come later. The limit frees what a stopped process holds where
-- idle_in_transaction_session_timeout doesn't look: between a statement's preparation and its execution.
SELECT set_config('transaction_timeout', '8s', true), pg_advisory_xact_lock_shared(7203002, hashtext($1));

-- name: claim
-- Whoever changes a request's state waits for the workers of this moment only.
SELECT set_config('transaction_timeout', '60s', true), pg_advisory_xact_lock(7203002, hashtext($1));
