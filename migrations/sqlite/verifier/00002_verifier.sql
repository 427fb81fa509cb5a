-- +goose Up
-- The verifier keeps no name, no childRef and no nonce: what must be found
-- again is stored as an HMAC under a secret of this installation.

-- One row. bundles counts those that came into force; trust is the newest
-- signed trust list that was seen. clock is the latest time of which this
-- installation knows: of the last bundle, of issuers that answered over TLS, or
-- of a check since then.
CREATE TABLE post (
  id             BIGINT PRIMARY KEY,
  bundles        BIGINT NOT NULL,
  trust_sequence BIGINT NOT NULL,
  trust          TEXT NOT NULL,
  clock          BIGINT NOT NULL
);
INSERT INTO post (id, bundles, trust_sequence, trust, clock) VALUES (1, 0, 0, '', 0);

-- High-water marks of each hub key: sequence numbers given out and taken in.
CREATE TABLE hubs (
  id        TEXT PRIMARY KEY,
  reserved  BIGINT NOT NULL,
  published BIGINT NOT NULL
);

-- Bundles in the order in which they came into force. The body of old ones is
-- dropped; what a check names stays known.
CREATE TABLE bundles (
  pos      BIGINT PRIMARY KEY,
  id       TEXT NOT NULL UNIQUE,
  hub      TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  created  BIGINT NOT NULL,
  body     BLOB
);

-- The last good status lists, by address.
CREATE TABLE lists (
  url        TEXT PRIMARY KEY,
  issuer     TEXT NOT NULL,
  valid_from BIGINT NOT NULL,
  credential TEXT NOT NULL
);

-- The age of the newest list of each address that a bundle in force held: no
-- later bundle may bring an older one.
CREATE TABLE ages (
  issuer     TEXT NOT NULL,
  url        TEXT NOT NULL,
  valid_from BIGINT NOT NULL,
  PRIMARY KEY (issuer, url)
);

CREATE TABLE checks (
  id         TEXT PRIMARY KEY,
  at         BIGINT NOT NULL,
  colour     TEXT NOT NULL,
  codes      TEXT NOT NULL,
  bundle     TEXT NOT NULL,
  status_age BIGINT NOT NULL
);
CREATE INDEX checks_at ON checks (at, id);

-- Nonces of presentations, until they expire.
CREATE TABLE nonces (
  hash    BLOB PRIMARY KEY,
  session BLOB NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX nonces_expires ON nonces (expires);

-- Nonces that this verifier asked for.
CREATE TABLE challenges (
  hash    BLOB PRIMARY KEY,
  expires BIGINT NOT NULL
);
CREATE INDEX challenges_expires ON challenges (expires);
