-- name: server_answers
-- Cheapest proof that the server takes queries.
SELECT 1;

-- name: role_statement
-- A statement that makes a service's role, or sets its password anew: such statements take no parameters.
SELECT format(
    CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1)
         THEN 'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L'
         ELSE 'CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L' END,
    $1::text, $2::text);

-- name: database_exists
-- Whether a service's database is there already.
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1);

-- name: database_statement
-- A statement that makes a service's database, which belongs to its role.
SELECT format('CREATE DATABASE %I OWNER %I', $1::text, $2::text);

-- name: fence_statement
-- A statement that keeps every other role out of a database.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $1::text);
