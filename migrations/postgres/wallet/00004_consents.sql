-- +goose Up
-- Travel consents: those that a guardian gives and those that were shared with
-- a companion. find_key names what a repeated request must find again.
CREATE TABLE consents (
  id       TEXT PRIMARY KEY,
  guardian TEXT NOT NULL REFERENCES guardians (id),
  find_key BYTEA,
  sealed   BYTEA NOT NULL,
  created  BIGINT NOT NULL,
  UNIQUE (guardian, find_key)
);
CREATE INDEX consents_guardian ON consents (guardian);
