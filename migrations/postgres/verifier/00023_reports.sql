-- +goose Up
-- Who sent a check that was made on a device, and from which post; empty for
-- checks that the service made itself.
ALTER TABLE checks ADD COLUMN reporter TEXT NOT NULL DEFAULT '';
ALTER TABLE checks ADD COLUMN post TEXT NOT NULL DEFAULT '';

-- What a person decided otherwise than the machine, and what the second person
-- said to it: '', 'confirmed' or 'denied'.
CREATE TABLE overrides (
  check_id TEXT PRIMARY KEY,
  at       BIGINT NOT NULL,
  act      TEXT NOT NULL,
  reason   TEXT NOT NULL,
  second   TEXT NOT NULL,
  person   TEXT NOT NULL,
  answer   TEXT NOT NULL DEFAULT '',
  answerer TEXT NOT NULL DEFAULT '',
  answered BIGINT NOT NULL DEFAULT 0
);
