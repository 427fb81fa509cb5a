-- +goose Up
-- One row. A transaction that adds or changes records first updates it and so
-- has the register to itself until it commits, on every replica: two
-- registrations can never both miss each other's duplicate, and a copy can
-- never be reserved beside a revocation. Writers share transactions instead of
-- queueing one by one (group commit), so that the single row is no bottleneck.
CREATE TABLE pen (
  id BIGINT PRIMARY KEY,
  n  BIGINT NOT NULL
);
INSERT INTO pen (id, n) VALUES (1, 0);

-- The current version of each birth. ref is the childRef of the registration,
-- the join key; child_ref is the one minted for credentials. digest is the
-- SHA-256 of the JCS form of the registration as it first came: the identity of
-- an imported line (equal digests have equal refs, so ref finds it). state is issued, pendingApproval, held or discarded; a
-- discarded record keeps neither ref, digest nor content. status is valid,
-- suspended or revoked; suspended_by is the role that suspended it.
-- proposer_* is who registered this version, approver the second person ('' if
-- none was needed).
CREATE TABLE births (
  id            TEXT PRIMARY KEY,
  ref           TEXT UNIQUE,
  child_ref     TEXT NOT NULL,
  digest        BLOB,
  version       BIGINT NOT NULL,
  state         TEXT NOT NULL,
  rule          TEXT NOT NULL DEFAULT '',
  status        TEXT NOT NULL DEFAULT 'valid',
  suspended_by  TEXT NOT NULL DEFAULT '',
  record        BLOB NOT NULL,
  proposer_id   TEXT NOT NULL,
  proposer_name TEXT NOT NULL,
  proposer_role TEXT NOT NULL,
  approver      TEXT NOT NULL DEFAULT '',
  batch         TEXT NOT NULL DEFAULT '',
  created       BIGINT NOT NULL,
  changed       BIGINT NOT NULL
);
CREATE INDEX births_waiting ON births (state, created) WHERE state <> 'issued';

-- The current version of each guardianship; columns as in births, state also
-- notIssued. version is counted here, since the registration has none.
CREATE TABLE guardianships (
  id            TEXT PRIMARY KEY,
  birth         TEXT NOT NULL REFERENCES births (id),
  digest        BLOB UNIQUE,
  version       BIGINT NOT NULL,
  state         TEXT NOT NULL,
  rule          TEXT NOT NULL DEFAULT '',
  status        TEXT NOT NULL DEFAULT 'valid',
  suspended_by  TEXT NOT NULL DEFAULT '',
  record        BLOB NOT NULL,
  proposer_id   TEXT NOT NULL,
  proposer_name TEXT NOT NULL,
  proposer_role TEXT NOT NULL,
  approver      TEXT NOT NULL DEFAULT '',
  batch         TEXT NOT NULL DEFAULT '',
  created       BIGINT NOT NULL,
  changed       BIGINT NOT NULL
);
CREATE INDEX guardianships_birth ON guardianships (birth);
CREATE INDEX guardianships_waiting ON guardianships (state, created) WHERE state <> 'issued';

-- Search keys of persons (registration number, parents, child), as truncated
-- HMACs: equal keys make two births candidates for being duplicates. There is
-- no index by birth and no reference to it, because the keys spread over the
-- whole table and every index more is a page more to write per key.
CREATE TABLE dedup (
  hash  BLOB NOT NULL,
  birth TEXT NOT NULL,
  PRIMARY KEY (hash, birth)
) WITHOUT ROWID;

-- One list per credential type and quarter in which its credentials expire, and
-- another part when it is full. next is the first counter that nobody took;
-- the index of a counter is a keyed permutation of it. version is raised by
-- every change of a status, so that a published list can be recognised as old.
CREATE TABLE status_lists (
  id      BIGINT PRIMARY KEY,
  type    TEXT NOT NULL,
  quarter TEXT NOT NULL,
  part    BIGINT NOT NULL,
  size    BIGINT NOT NULL,
  next    BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created BIGINT NOT NULL,
  UNIQUE (type, quarter, part)
);

-- Every change of a bit, in the transaction that made it. purpose is
-- revocation or suspension, value 1 or 0.
CREATE TABLE status_changes (
  id      INTEGER PRIMARY KEY,
  list    BIGINT NOT NULL REFERENCES status_lists (id),
  idx     BIGINT NOT NULL,
  purpose TEXT NOT NULL,
  value   BIGINT NOT NULL,
  at      BIGINT NOT NULL
);
CREATE INDEX status_changes_list ON status_changes (list, id);

-- Every copy of a record. id is the UUID of the credential. payload holds the
-- exact bytes to sign while state is reserved; jwt the signed credential once it
-- is sealed. holder is the did:key of a holder's copy, '' on paper.
CREATE TABLE credentials (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  record      TEXT NOT NULL,
  version     BIGINT NOT NULL,
  type        TEXT NOT NULL,
  profile     TEXT NOT NULL,
  holder      TEXT NOT NULL,
  list        BIGINT NOT NULL REFERENCES status_lists (id),
  idx         BIGINT NOT NULL,
  payload     BLOB,
  jwt         TEXT NOT NULL DEFAULT '',
  state       TEXT NOT NULL,
  status      TEXT NOT NULL,
  valid_from  BIGINT NOT NULL,
  valid_until BIGINT NOT NULL,
  batch       TEXT NOT NULL DEFAULT '',
  created     BIGINT NOT NULL,
  UNIQUE (list, idx)
);
CREATE INDEX credentials_record ON credentials (record);
CREATE INDEX credentials_open ON credentials (created) WHERE state = 'reserved';
CREATE INDEX credentials_status ON credentials (list, status) WHERE status <> 'valid';

-- What the ledger will publish: a salted hash of each credential's unsigned
-- bytes, written when they are reserved. kind is issued.
CREATE TABLE commitments (
  id            INTEGER PRIMARY KEY,
  credential_id TEXT NOT NULL,
  kind          TEXT NOT NULL,
  salt          BLOB NOT NULL,
  hash          BLOB NOT NULL,
  created       BIGINT NOT NULL
);

-- Acts that wait for, or got, a second person. payload is what the act needs
-- (personal data) and is emptied by the decision; outcome is the answer.
CREATE TABLE approvals (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  record_kind   TEXT NOT NULL,
  record        TEXT NOT NULL,
  payload       BLOB NOT NULL,
  proposer_id   TEXT NOT NULL,
  proposer_name TEXT NOT NULL,
  proposer_role TEXT NOT NULL,
  created       BIGINT NOT NULL,
  state         TEXT NOT NULL,
  decider_id    TEXT NOT NULL DEFAULT '',
  decider_name  TEXT NOT NULL DEFAULT '',
  decided       BIGINT NOT NULL DEFAULT 0,
  outcome       BLOB
);
CREATE INDEX approvals_pending ON approvals (created) WHERE state = 'pending';
CREATE INDEX approvals_record ON approvals (record);

-- Answers to acts with an Idempotency-Key: same caller, key and request, same
-- answer. key_hash is over the caller and the key.
CREATE TABLE idempotency (
  key_hash BLOB PRIMARY KEY,
  request  BLOB NOT NULL,
  response BLOB NOT NULL,
  created  BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created);

-- One row per bulk import: who ran it and who approved it.
CREATE TABLE batches (
  id       TEXT PRIMARY KEY,
  operator TEXT NOT NULL,
  approver TEXT NOT NULL,
  at       BIGINT NOT NULL,
  created  BIGINT NOT NULL
);
