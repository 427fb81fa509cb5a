-- +goose Up
-- The guardians' wallets. Every BYTEA named sealed holds XChaCha20-Poly1305 under
-- the guardian's own data key; every *_key is an HMAC under a key derived from
-- it. What stays readable says only how many rows a guardian has and when a row
-- was made.
CREATE TABLE guardians (
  id      TEXT PRIMARY KEY,
  key_id  TEXT NOT NULL,     -- names this data key; a wallet made anew has another
  wrap_id TEXT NOT NULL,     -- names the service key that wraps it
  wrapped BYTEA NOT NULL,
  version BIGINT NOT NULL,   -- counted up by every writer: the lock of the wallet
  created BIGINT NOT NULL
);
CREATE INDEX guardians_wrap ON guardians (wrap_id);

CREATE TABLE holder_keys (
  id       TEXT PRIMARY KEY,
  guardian TEXT NOT NULL REFERENCES guardians (id),
  sealed   BYTEA NOT NULL,
  created  BIGINT NOT NULL
);
CREATE INDEX holder_keys_guardian ON holder_keys (guardian);

-- One redeemed offer, open until its credentials are stored.
CREATE TABLE grants (
  id        TEXT PRIMARY KEY,
  guardian  TEXT NOT NULL REFERENCES guardians (id),
  offer_key BYTEA NOT NULL,   -- of issuer and code
  uri_key   BYTEA,            -- of the address it was fetched from, if it was
  state     BIGINT NOT NULL,  -- 0 open, 1 done
  sealed    BYTEA NOT NULL,
  created   BIGINT NOT NULL,
  UNIQUE (guardian, offer_key),
  UNIQUE (guardian, uri_key)
);

CREATE TABLE children (
  id       TEXT PRIMARY KEY,
  guardian TEXT NOT NULL REFERENCES guardians (id),
  created  BIGINT NOT NULL
);
CREATE INDEX children_guardian ON children (guardian);

-- Which child a childRef of an issuer means; an epoch adds a row.
CREATE TABLE child_refs (
  guardian TEXT NOT NULL REFERENCES guardians (id),
  ref_key  BYTEA NOT NULL,
  child    TEXT NOT NULL REFERENCES children (id),
  PRIMARY KEY (guardian, ref_key)
);
CREATE INDEX child_refs_child ON child_refs (child);

CREATE TABLE credentials (
  id       TEXT PRIMARY KEY,
  guardian TEXT NOT NULL REFERENCES guardians (id),
  grant_id TEXT NOT NULL REFERENCES grants (id),
  child    TEXT NOT NULL REFERENCES children (id),
  urn_key  BYTEA NOT NULL,
  sealed   BYTEA NOT NULL,
  created  BIGINT NOT NULL,
  UNIQUE (guardian, urn_key)
);
CREATE INDEX credentials_grant ON credentials (grant_id);
CREATE INDEX credentials_child ON credentials (child);
