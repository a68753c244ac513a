-- name: create
-- What the topic says last of each entity, and how far it was read.
CREATE TABLE IF NOT EXISTS entity (
    key TEXT PRIMARY KEY,
    digest INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    present INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position (
    partition INTEGER PRIMARY KEY,
    next_offset INTEGER NOT NULL,
    last_timestamp INTEGER NOT NULL
);

-- name: clear
-- Forgets everything, when the topic turns out to be another one.
DELETE FROM entity;
DELETE FROM position;

-- name: positions
-- How far each partition was read, and the time of the record before that place.
SELECT partition, next_offset, last_timestamp FROM position

-- name: advance
-- Notes how far a partition was read.
INSERT INTO position (partition, next_offset, last_timestamp) VALUES (?, ?, ?)
ON CONFLICT (partition) DO UPDATE SET next_offset = excluded.next_offset, last_timestamp = excluded.last_timestamp

-- name: state
-- Takes what a record says of an entity, unless a newer one was seen.
INSERT INTO entity (key, digest, revision, present) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE
SET digest = excluded.digest, revision = excluded.revision, present = excluded.present
WHERE excluded.revision >= entity.revision

-- name: forget_assignments
-- A removed user's assignments go with it, but for newer ones; what brings one back has to be newer than the removal.
UPDATE entity SET present = 0, revision = ?3 WHERE key > ?1 AND key < ?2 AND revision <= ?3

-- name: find
-- What is known of these entities, given as a JSON list of keys.
SELECT e.key, e.digest, e.revision, e.present
FROM json_each(?) AS k JOIN entity AS e ON e.key = k.value

-- name: find_present
-- Which of these entities are there.
SELECT e.key FROM json_each(?) AS k JOIN entity AS e ON e.key = k.value WHERE e.present

-- name: present_keys
-- Everything of one kind that is there.
SELECT key FROM entity WHERE key > ? AND key < ? AND present

-- name: is_empty
-- Whether nothing is known.
SELECT NOT EXISTS (SELECT 1 FROM entity)
