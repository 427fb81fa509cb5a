-- +goose Up
-- When a list was first seen to be over, and when its changes were deleted; 0:
-- not yet.
ALTER TABLE status_lists ADD COLUMN ended BIGINT NOT NULL DEFAULT 0;
ALTER TABLE status_lists ADD COLUMN retired BIGINT NOT NULL DEFAULT 0;

-- Who had what links a record to the ledger deleted, and why. Nothing here says
-- whose record it was.
CREATE TABLE erasures (
  id            INTEGER PRIMARY KEY,
  record_kind   TEXT NOT NULL,
  record        TEXT NOT NULL,
  reason        TEXT NOT NULL,
  commitments   BIGINT NOT NULL,
  caller_id     TEXT NOT NULL,
  caller_name   TEXT NOT NULL,
  caller_role   TEXT NOT NULL,
  approver_id   TEXT NOT NULL,
  approver_name TEXT NOT NULL,
  at            BIGINT NOT NULL
);
CREATE INDEX erasures_record ON erasures (record);
CREATE INDEX commitments_credential ON commitments (credential_id);
