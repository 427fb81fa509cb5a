-- +goose Up
-- Credentials that another system issued and a guardian imported. They stand
-- apart from credentials: what is shown at a border is read from there alone.
CREATE TABLE legacy_credentials (
  id       TEXT PRIMARY KEY,
  guardian TEXT NOT NULL REFERENCES guardians (id),
  body_key BYTEA NOT NULL,   -- of the credential itself
  sealed   BYTEA NOT NULL,
  created  BIGINT NOT NULL,
  UNIQUE (guardian, body_key)
);
