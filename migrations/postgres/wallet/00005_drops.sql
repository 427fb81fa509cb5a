-- +goose Up
-- Sealed messages between wallets. The server never has the secret that opens
-- one: it is in the fragment of a link. access is the SHA-256 of what a reader
-- must send, which follows from that secret.
CREATE TABLE drops (
  id       TEXT PRIMARY KEY,
  guardian TEXT NOT NULL REFERENCES guardians (id),
  kind     BIGINT NOT NULL,   -- 1 for whoever comes first, 2 for one key, 3 for several to write in
  access   BYTEA NOT NULL,
  reader   BYTEA,              -- kind 2: SHA-256 of id and the key that may read
  taken    BYTEA,              -- kind 1: SHA-256 of what the first reader called itself
  version  BIGINT NOT NULL,   -- counted up by every writer
  content  BYTEA NOT NULL,
  expires  BIGINT NOT NULL,
  created  BIGINT NOT NULL
);
CREATE INDEX drops_guardian ON drops (guardian);
CREATE INDEX drops_expires ON drops (expires);
