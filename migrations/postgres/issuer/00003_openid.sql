-- +goose Up
-- An offer to a guardian. Its code and PIN are derived from id with a secret
-- of the key ring and stored nowhere: code is the HMAC of the code, to find
-- the offer by. tries counts wrong PINs; redeemed is when the code was used, 0
-- if it was not. configs are the credential configurations offered, with a
-- space between.
CREATE TABLE offers (
  id           TEXT PRIMARY KEY,
  code         BYTEA NOT NULL UNIQUE,
  guardianship TEXT NOT NULL,
  configs      TEXT NOT NULL,
  maker        TEXT NOT NULL,
  idem         BYTEA UNIQUE,
  created      BIGINT NOT NULL,
  expires      BIGINT NOT NULL,
  tries        BIGINT NOT NULL DEFAULT 0,
  redeemed     BIGINT NOT NULL DEFAULT 0
);

-- What a redeemed offer allows. dpop is the thumbprint (RFC 7638) of the key
-- that its tokens are bound to, '' for plain bearer tokens; holder is the
-- did:key that was proven first, '' until then; refresh is the HMAC of the
-- refresh token, which only bound grants have.
CREATE TABLE grants (
  id           TEXT PRIMARY KEY,
  offer        TEXT NOT NULL UNIQUE REFERENCES offers (id),
  guardianship TEXT NOT NULL,
  dpop         TEXT NOT NULL,
  holder       TEXT NOT NULL DEFAULT '',
  refresh      BYTEA UNIQUE,
  created      BIGINT NOT NULL,
  expires      BIGINT NOT NULL
);

CREATE TABLE access_tokens (
  hash     BYTEA PRIMARY KEY,
  grant_id TEXT NOT NULL REFERENCES grants (id),
  expires  BIGINT NOT NULL
);
CREATE INDEX access_tokens_expires ON access_tokens (expires);

-- DPoP proofs that were used, until they would be too old anyway.
CREATE TABLE dpop_proofs (
  hash    BYTEA PRIMARY KEY,
  expires BIGINT NOT NULL
);
CREATE INDEX dpop_proofs_expires ON dpop_proofs (expires);
