-- +goose Up
-- A list that this authority publishes over a status list of another issuer,
-- which does not carry out what a court or an authority decided. address is that
-- list's; size covers the highest index; role is the one whose key signs, a
-- court's as soon as a court has a part in it; version is raised by every change.
CREATE TABLE override_lists (
  id      BIGINT PRIMARY KEY,
  address TEXT NOT NULL,
  purpose TEXT NOT NULL,
  role    TEXT NOT NULL,
  size    BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created BIGINT NOT NULL,
  UNIQUE (address, purpose)
);

-- One place on such a list. state is pendingApproval, active,
-- lifted, expired or denied; ends is when a suspension ends by itself, 0 if it
-- does not; confirmed is 1 if a second person or an order stands behind it.
-- caller_* is who ordered it.
CREATE TABLE overrides (
  id          TEXT PRIMARY KEY,
  list        BIGINT NOT NULL REFERENCES override_lists (id),
  idx         BIGINT NOT NULL,
  state       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  ends        BIGINT NOT NULL,
  confirmed   BIGINT NOT NULL,
  caller_id   TEXT NOT NULL,
  caller_name TEXT NOT NULL,
  caller_role TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL
);
CREATE UNIQUE INDEX overrides_living ON overrides (list, idx) WHERE state IN ('pendingApproval', 'active');
CREATE INDEX overrides_ends ON overrides (ends) WHERE ends > 0;

-- Who did what with an override, for the audit.
CREATE TABLE override_acts (
  id            INTEGER PRIMARY KEY,
  override      TEXT NOT NULL REFERENCES overrides (id),
  act           TEXT NOT NULL,
  reason        TEXT NOT NULL,
  caller_id     TEXT NOT NULL,
  caller_name   TEXT NOT NULL,
  caller_role   TEXT NOT NULL,
  approver_id   TEXT NOT NULL DEFAULT '',
  approver_name TEXT NOT NULL DEFAULT '',
  at            BIGINT NOT NULL
);
CREATE INDEX override_acts_override ON override_acts (override);
