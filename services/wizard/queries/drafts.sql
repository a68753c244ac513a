-- name: insert_draft
-- A new draft, with nothing chosen.
INSERT INTO draft (draft, caller) VALUES ($1, $2) RETURNING *;

-- name: insert_asked
-- A draft that comes with everything chosen, from one call.
INSERT INTO draft (draft, caller, options_chosen, all_customers, all_users, generate_missing_packages, service,
                   from_plans, to_plans, customers_base, users_base, name, description)
VALUES ($1, $2, true, $3, $4, $5, $6, $7, $8, $9, $4, $10, $11)
RETURNING *;

-- name: draft
-- One draft.
SELECT * FROM draft WHERE draft = $1;

-- name: lock_draft
-- One draft, for changing it.
SELECT * FROM draft WHERE draft = $1 FOR UPDATE;

-- name: drafts_page
-- A caller's open drafts, the latest change first.
SELECT * FROM draft
WHERE caller = $1 AND state = 'open' AND ($2::timestamptz IS NULL OR (updated_at, draft) < ($2, $3::text))
ORDER BY updated_at DESC, draft DESC
LIMIT $4;

-- name: touch
-- Another version of the draft, although the row itself says nothing new.
UPDATE draft SET version = version + 1, updated_at = now() WHERE draft = $1 RETURNING *;

-- name: set_options
-- The options of step 2; the bases of the selection follow them.
UPDATE draft
SET options_chosen = true, all_customers = $2, all_users = $3, generate_missing_packages = $4,
    customers_base = $2, users_base = $3, version = version + 1, updated_at = now()
WHERE draft = $1
RETURNING *;

-- name: set_service
-- The service of step 3; mappings of another service go.
UPDATE draft
SET from_plans = CASE WHEN service = $2 THEN from_plans ELSE '{}' END,
    to_plans = CASE WHEN service = $2 THEN to_plans ELSE '{}' END,
    service = $2, version = version + 1, updated_at = now()
WHERE draft = $1
RETURNING *;

-- name: set_mappings
-- The mappings of steps 4 and 5.
UPDATE draft SET from_plans = $2, to_plans = $3, version = version + 1, updated_at = now()
WHERE draft = $1
RETURNING *;

-- name: set_details
-- Name and description of step 8.
UPDATE draft SET name = $2, description = $3, version = version + 1, updated_at = now()
WHERE draft = $1
RETURNING *;

-- name: set_customers_base
-- Whether customers without an exception are in.
UPDATE draft SET customers_base = $2 WHERE draft = $1;

-- name: set_users_base
-- Whether users without an exception are in.
UPDATE draft SET users_base = $2 WHERE draft = $1;

-- name: end_draft
-- The draft became a request.
UPDATE draft
SET state = 'finished', request = $2, version = version + 1, updated_at = now()
WHERE draft = $1 AND state = 'open'
RETURNING *;

-- name: discard_draft
-- The draft is given up; its exceptions go with it.
WITH gone AS (DELETE FROM draft_customer WHERE draft = $1), gone_too AS (DELETE FROM draft_user WHERE draft = $1)
UPDATE draft SET state = 'discarded', version = version + 1, updated_at = now()
WHERE draft = $1 AND state = 'open';

-- name: forget_exceptions
-- Exceptions that belong to no open draft: a request has its lists in the ledger.
WITH gone AS (
    DELETE FROM draft_customer x
    WHERE NOT EXISTS (SELECT FROM draft d WHERE d.draft = x.draft AND d.state = 'open')
)
DELETE FROM draft_user x
WHERE NOT EXISTS (SELECT FROM draft d WHERE d.draft = x.draft AND d.state = 'open');

-- name: forget_old
-- Drafts that nobody has touched for 90 days.
DELETE FROM draft WHERE updated_at < now() - interval '90 days';

-- name: insert_request
-- What was asked; null if the caller has used the reference before.
INSERT INTO request (request, caller, reference, mode, name, service, users, customers, requested_by, requested_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (caller, reference) DO NOTHING
RETURNING request;

-- name: request
-- What was asked under this id.
SELECT * FROM request WHERE request = $1;

-- name: request_by_reference
-- What a caller asked under its own reference.
SELECT * FROM request WHERE caller = $1 AND reference = $2;

-- name: requests_page
-- What a caller asked, the latest first.
SELECT * FROM request
WHERE caller = $1 AND ($2::text IS NULL OR request < $2)
ORDER BY request DESC
LIMIT $3;
