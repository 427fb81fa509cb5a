-- +goose Up
-- Consents that a guardian is still writing down, and what the guardian's wallet
-- did, for the guardian to read. Both are sealed and end with the wallet.
CREATE TABLE journeys (
  id       TEXT PRIMARY KEY,
  guardian TEXT NOT NULL REFERENCES guardians (id),
  sealed   BLOB NOT NULL,
  changed  BIGINT NOT NULL
);
CREATE INDEX journeys_guardian ON journeys (guardian);
CREATE TABLE acts (
  id       TEXT PRIMARY KEY,
  guardian TEXT NOT NULL REFERENCES guardians (id),
  sealed   BLOB NOT NULL,
  done     BIGINT NOT NULL
);
CREATE INDEX acts_guardian ON acts (guardian, done);
