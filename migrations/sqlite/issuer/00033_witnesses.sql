-- +goose Up
-- Checkpoints of the ledger with the cosignatures that they have from witnesses:
-- the newest that has enough of them, and what is on the way after it.
CREATE TABLE ledger_cosigned (
  size       BIGINT PRIMARY KEY,
  checkpoint BLOB NOT NULL,
  enough     INTEGER NOT NULL,
  at         BIGINT NOT NULL
);

-- What each witness said last. size is what it cosigned, asked and cosigned are
-- times.
CREATE TABLE ledger_witnesses (
  name     TEXT PRIMARY KEY,
  size     BIGINT NOT NULL,
  asked    BIGINT NOT NULL,
  cosigned BIGINT NOT NULL,
  answer   TEXT NOT NULL
);

-- One replica at a time asks the witnesses. Two do no harm, so a term is enough.
CREATE TABLE ledger_gatherer (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  owner TEXT NOT NULL,
  until BIGINT NOT NULL
);
INSERT INTO ledger_gatherer (id, owner, until) VALUES (1, '', 0);
