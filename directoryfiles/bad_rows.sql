-- name: create
-- One line for each thing that is wrong.
CREATE TABLE problem (row INTEGER NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL)

-- name: insert
-- Notes one thing that is wrong with a row.
INSERT INTO problem (row, line, reason) VALUES (?, ?, ?)

-- name: count
-- Counts the rows with which something is wrong.
SELECT count(DISTINCT row) FROM problem

-- name: all
-- Everything that is wrong, by row, in the order in which it was found.
SELECT row, line, reason FROM problem ORDER BY row, rowid
