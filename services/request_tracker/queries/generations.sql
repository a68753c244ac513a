-- name: create_table
-- Which schemas hold a projection, which one answers, and how far a new one is.
CREATE TABLE IF NOT EXISTS public.projection_generation (
    number integer PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('current', 'building', 'failed', 'former')),
    records bigint NOT NULL DEFAULT 0,
    of_records bigint NOT NULL DEFAULT 0,
    detail text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    heard_at timestamptz NOT NULL DEFAULT now()
);

-- name: create_index
-- Only one answers.
CREATE UNIQUE INDEX IF NOT EXISTS projection_generation_current
    ON public.projection_generation (state) WHERE state = 'current';

-- name: lock
-- One process at a time changes which generations there are; the number is arbitrary but fixed.
SELECT pg_advisory_xact_lock(7325911860021);

-- name: current
-- The generation that answers.
SELECT number FROM public.projection_generation WHERE state = 'current';

-- name: insert
-- A new generation behind all that ever were.
INSERT INTO public.projection_generation (number, state)
SELECT coalesce(max(number), 0) + 1, $1 FROM public.projection_generation
RETURNING number;

-- name: building
-- A rebuild that was heard of lately, so that nobody starts a second one beside it.
SELECT number
FROM public.projection_generation
WHERE state = 'building' AND heard_at > now() - interval '15 seconds';

-- name: fail_dead
-- Rebuilds that died without a word.
UPDATE public.projection_generation
SET state = 'failed', detail = 'the rebuild died', finished_at = now()
WHERE state = 'building' AND heard_at <= now() - interval '15 seconds';

-- name: progress
-- How far a rebuild is.
UPDATE public.projection_generation
SET records = $2, of_records = $3, heard_at = now()
WHERE number = $1;

-- name: fail
-- A rebuild ended without success.
UPDATE public.projection_generation
SET state = 'failed', detail = $2, finished_at = now()
WHERE number = $1 AND state = 'building';

-- name: retire
-- The generation that has answered until now.
UPDATE public.projection_generation
SET state = 'former', finished_at = now()
WHERE state = 'current';

-- name: promote
-- The generation that answers from now on; no row when it was given up in the meantime.
UPDATE public.projection_generation
SET state = 'current', records = $2, of_records = $2, finished_at = now(), heard_at = now()
WHERE number = $1 AND state = 'building'
RETURNING number;

-- name: disposable
-- Generations whose schema nobody needs any more.
SELECT number FROM public.projection_generation WHERE state IN ('former', 'failed');

-- name: latest
-- The last rebuild, or the first generation.
SELECT number, state, records, of_records, detail, started_at, finished_at
FROM public.projection_generation
ORDER BY number DESC
LIMIT 1;

-- name: adopt_positions
-- The rebuilt projection's readers go on as the service's readers.
UPDATE reader_position SET reader = $2 WHERE reader = $1;

-- name: positions
-- How far a generation's readers are.
SELECT topic, partition, next_offset FROM reader_position;
