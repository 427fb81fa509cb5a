-- +goose Up
-- Whose act a guardianship is: the role of the trust list whose key signs its
-- credentials, '' for one from before that was kept (row.signedAs) and for one
-- that nobody decided yet. Each credential says which role its key is of, so
-- that what a crash left reserved is signed as it was meant; '' is the
-- register's own.
ALTER TABLE guardianships ADD COLUMN signed_as TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN signed_as TEXT NOT NULL DEFAULT '';
