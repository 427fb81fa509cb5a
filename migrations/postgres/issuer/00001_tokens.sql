-- +goose Up
-- API tokens: only the SHA-256 of a 256-bit random secret is stored.
CREATE TABLE tokens (
  id      TEXT PRIMARY KEY,
  hash    BYTEA NOT NULL UNIQUE,
  name    TEXT NOT NULL,
  role    TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  revoked BIGINT NOT NULL DEFAULT 0
);
