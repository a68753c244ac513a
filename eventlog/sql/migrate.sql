-- name: lock
-- One process at a time changes the schema; the number is arbitrary but fixed.
SELECT pg_advisory_xact_lock(7325911860013);

-- name: create_table
-- What has been applied; made here because no migration can record itself before this exists.
CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: applied
-- Names and checksums of all that was applied.
SELECT name, checksum FROM schema_migration;

-- name: record
-- One more was applied.
INSERT INTO schema_migration (name, checksum) VALUES ($1, $2);
