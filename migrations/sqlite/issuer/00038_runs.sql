-- +goose Up
-- Search keys of the newest births, which dedup does not have yet: a run for each
-- transaction. id is the order of the runs; first is 1 where those before were
-- sorted into dedup and deleted, and keys what was left of them. keys is, for each,
-- 10 bytes of the key, the length of the birth's id in one byte, and the id.
CREATE TABLE dedup_runs (
  id    INTEGER PRIMARY KEY,
  first BIGINT NOT NULL,
  keys  BLOB NOT NULL
);

-- A credential and the commitment to it are of the same moment; commitments of
-- other kinds are few. So issuing writes to the end of an index, not all over it.
DROP INDEX commitments_credential;
CREATE INDEX commitments_credential ON commitments (credential_id) WHERE kind <> 'issued';
CREATE INDEX commitments_created ON commitments (created) WHERE kind = 'issued';
