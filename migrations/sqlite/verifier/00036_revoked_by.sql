-- +goose Up
-- What was ever revoked, by the key that said so: what a key says from its cut-off on
-- is let go. kid is '' for what was kept before keys were noted; it stays.
CREATE TABLE revoked_by (
  issuer TEXT NOT NULL,
  url    TEXT NOT NULL,
  kid    TEXT NOT NULL,
  seen   BIGINT NOT NULL,
  places BLOB NOT NULL,
  PRIMARY KEY (issuer, url, kid)
);
INSERT INTO revoked_by (issuer, url, kid, seen, places) SELECT issuer, url, '', seen, places FROM revoked;
DROP TABLE revoked;
ALTER TABLE revoked_by RENAME TO revoked;

-- When a key said first of which places that they are revoked: places that the list
-- dated valid_from, which was read at, added to what lists of the same key had
-- before. Whoever signs a list dates it: only at is the hub's own time.
CREATE TABLE revoked_when (
  issuer     TEXT NOT NULL,
  url        TEXT NOT NULL,
  kid        TEXT NOT NULL,
  valid_from BIGINT NOT NULL,
  at         BIGINT NOT NULL,
  places     BLOB NOT NULL,
  PRIMARY KEY (issuer, url, kid, valid_from, at)
);
