-- +goose Up
-- People who sign in to the pages. Of every secret only the SHA-256 is stored.
CREATE TABLE accounts (
  id           TEXT PRIMARY KEY,      -- random; of a guardian also the id of the wallet
  role         TEXT NOT NULL,
  name         TEXT UNIQUE,           -- of staff: a second person has another name; guardians have none
  created      BIGINT NOT NULL,
  disabled     BIGINT NOT NULL DEFAULT 0,
  oidc_issuer  TEXT,                  -- the sign-in of an organisation, if one was joined with it
  oidc_subject TEXT,
  UNIQUE (oidc_issuer, oidc_subject)
);

CREATE TABLE passkeys (
  id            TEXT PRIMARY KEY,
  account       TEXT NOT NULL REFERENCES accounts (id),
  credential_id BYTEA NOT NULL UNIQUE,
  record        BYTEA NOT NULL,           -- public key, counter and flags, as JSON
  label         TEXT NOT NULL,
  created       BIGINT NOT NULL,
  used          BIGINT NOT NULL
);
CREATE INDEX passkeys_account ON passkeys (account);

-- An invitation names the account that it opens, before there is one, or the
-- account that it adds a device to.
CREATE TABLE invitations (
  id      TEXT PRIMARY KEY,
  hash    BYTEA NOT NULL UNIQUE,
  account TEXT NOT NULL,
  device  BIGINT NOT NULL,            -- 1: another device of an account that there is
  role    TEXT NOT NULL,
  name    TEXT,
  by_id   TEXT NOT NULL,              -- who made it; empty is the command line
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  used    BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sessions (
  hash    BYTEA PRIMARY KEY,
  id      TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL REFERENCES accounts (id),
  device  TEXT NOT NULL,
  passkey TEXT NOT NULL,              -- id of the passkey that opened it; empty is an organisation's sign-in
  created BIGINT NOT NULL,
  seen    BIGINT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);

-- What must be remembered between the two halves of a sign-in.
CREATE TABLE ceremonies (
  visit   BYTEA NOT NULL,
  kind    TEXT NOT NULL,
  data    BYTEA NOT NULL,
  expires BIGINT NOT NULL,
  PRIMARY KEY (visit, kind)
);
CREATE INDEX ceremonies_expires ON ceremonies (expires);

-- A token of an account acts as that account; others act as themselves.
ALTER TABLE tokens ADD COLUMN account TEXT NOT NULL DEFAULT '';
