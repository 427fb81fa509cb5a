-- +goose Up
-- What a post remembers from one check to the next: crossings, children of a
-- session, attempts. The name of the post is an HMAC; the rest is sealed under a
-- secret of this installation and holds hashes and times alone.
CREATE TABLE histories (
  post    BYTEA PRIMARY KEY,
  sealed  BYTEA NOT NULL,
  changed BIGINT NOT NULL
);

-- The policies that were asked, "ID/version" with spaces between them; the age
-- of the bundle in seconds, -1 for checks made before it was kept.
ALTER TABLE checks ADD COLUMN policies TEXT NOT NULL DEFAULT '';
ALTER TABLE checks ADD COLUMN bundle_age BIGINT NOT NULL DEFAULT -1;
