-- +goose Up
-- The ledger: an append-only Merkle log of commitments. Whoever appends updates
-- this one row first, so that one replica appends at a time and another takes
-- over as soon as that one is gone. issued and acts are the last commitments that
-- are in it: of what is issued, and of changes of status, which wait for the list
-- to be published.
CREATE TABLE ledger (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  turn       BIGINT NOT NULL DEFAULT 0,
  size       BIGINT NOT NULL DEFAULT 0,
  issued     BIGINT NOT NULL DEFAULT 0,
  acts       BIGINT NOT NULL DEFAULT 0,
  checkpoint BLOB NOT NULL,
  at         BIGINT NOT NULL DEFAULT 0
);
INSERT INTO ledger (id, checkpoint) VALUES (1, '');

-- Hashes of the tree, 256 to a tile; what a tile holds never changes, the last of
-- a level grows.
CREATE TABLE ledger_tiles (
  level INTEGER NOT NULL,
  n     BIGINT NOT NULL,
  data  BLOB NOT NULL,
  PRIMARY KEY (level, n)
);

-- The entries, 256 to a bundle.
CREATE TABLE ledger_bundles (
  n    BIGINT PRIMARY KEY,
  data BLOB NOT NULL
);

-- Which commitments stand where: those of a run follow one another in the order of
-- their ids, beginning with the entry start.
CREATE TABLE ledger_runs (
  start  BIGINT PRIMARY KEY,
  acts   INTEGER NOT NULL,
  first  BIGINT NOT NULL,
  last   BIGINT NOT NULL
);
CREATE INDEX ledger_runs_first ON ledger_runs (acts, first);
