-- +goose Up
-- Places in the status lists that guardians reserved for travel consents which
-- they sign themselves. Nothing of the journey is known here. id names the place
-- in the commitments; request is a hash of holder and jti, so that a request
-- that is repeated gets the same place; record is the guardianship and holder
-- the did:key that may withdraw. status is as in credentials and follows the
-- guardianship's; withdrawn is when the guardian withdrew, 0 if not.
CREATE TABLE consent_places (
  id          TEXT PRIMARY KEY,
  request     BYTEA NOT NULL UNIQUE,
  record      TEXT NOT NULL REFERENCES guardianships (id),
  holder      TEXT NOT NULL,
  list        BIGINT NOT NULL REFERENCES status_lists (id),
  idx         BIGINT NOT NULL,
  status      TEXT NOT NULL,
  valid_until BIGINT NOT NULL,
  withdrawn   BIGINT NOT NULL DEFAULT 0,
  created     BIGINT NOT NULL,
  UNIQUE (list, idx)
);
CREATE INDEX consent_places_record ON consent_places (record, created);

-- Consents that this office witnessed. payload holds the exact bytes to sign
-- while state is reserved, jwt the signed credential once it is sealed; both are
-- emptied a month later (state is then gone): it is the guardians' document, and
-- this row, which names nobody but who witnessed, is for the audit. role decides
-- the key that signs; digest is the salted hash of the trip digest; signed and
-- quorum say how many guardians agreed and how many must.
CREATE TABLE witnessed (
  id          TEXT PRIMARY KEY,
  role        TEXT NOT NULL,
  salt        BYTEA NOT NULL,
  digest      BYTEA NOT NULL,
  reference   TEXT NOT NULL,
  signed      BIGINT NOT NULL,
  quorum      BIGINT NOT NULL,
  payload     BYTEA,
  jwt         TEXT NOT NULL DEFAULT '',
  state       TEXT NOT NULL,
  valid_from  BIGINT NOT NULL,
  valid_until BIGINT NOT NULL,
  caller_id   TEXT NOT NULL,
  caller_name TEXT NOT NULL,
  created     BIGINT NOT NULL
);
CREATE INDEX witnessed_kept ON witnessed (created) WHERE state <> 'gone';
