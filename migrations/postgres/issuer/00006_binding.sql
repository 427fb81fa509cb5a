-- +goose Up
-- One row: whose register this is. did is the issuer's; index_print and
-- dedup_print are fingerprints of the secrets that decide the places in status
-- lists and the search keys. With others the register would give one place
-- twice and miss its duplicates.
CREATE TABLE binding (
  id          BIGINT PRIMARY KEY,
  did         TEXT NOT NULL,
  index_print BYTEA NOT NULL,
  dedup_print BYTEA NOT NULL,
  created     BIGINT NOT NULL
);
