-- +goose Up
-- Who revoked, suspended or reinstated which record, and why: for the audit,
-- never published. act is revoked, suspended or reinstated; reason is one of a
-- closed list; approver is the second person of a revocation. A guardianship
-- that falls with its birth has a row of its own, with that birth in cause.
CREATE TABLE status_acts (
  id            INTEGER PRIMARY KEY,
  record_kind   TEXT NOT NULL,
  record        TEXT NOT NULL,
  act           TEXT NOT NULL,
  reason        TEXT NOT NULL,
  cause         TEXT NOT NULL DEFAULT '',
  caller_id     TEXT NOT NULL,
  caller_name   TEXT NOT NULL,
  caller_role   TEXT NOT NULL,
  approver_id   TEXT NOT NULL DEFAULT '',
  approver_name TEXT NOT NULL DEFAULT '',
  at            BIGINT NOT NULL
);
CREATE INDEX status_acts_record ON status_acts (record);
