-- +goose Up
-- The places that each issuer has ever called revoked on a list of its own, as a set
-- of internal/status: none of them is valid again, whatever a younger list says.
-- They stay when the list goes, so that nobody takes it away for a while to bring it
-- back without them. seen is when a list of that name was last read.
CREATE TABLE revoked (
  issuer TEXT NOT NULL,
  url    TEXT NOT NULL,
  seen   BIGINT NOT NULL,
  places BLOB NOT NULL,
  PRIMARY KEY (issuer, url)
);
