-- +goose Up
-- The newest publication of the shelf. Whoever closes a slot holds the pen, so
-- nothing is in flight: changes, acts, issued and overrides are the last ids of
-- status_changes, of commitments to changes, of commitments and of
-- override_changes that are in it, lists is the last status list. slot is its
-- time. A slot from the future, which a mad clock closed, stays until it comes.
CREATE TABLE slots (
  slot      BIGINT PRIMARY KEY,
  changes   BIGINT NOT NULL,
  acts      BIGINT NOT NULL,
  issued    BIGINT NOT NULL,
  lists     BIGINT NOT NULL,
  overrides BIGINT NOT NULL
);

-- When what is issued was last looked at as a whole. What is reserved later is
-- not valid from before.
ALTER TABLE pen ADD COLUMN snapshot BIGINT NOT NULL DEFAULT 0;

-- A list is filled window by window of so many places; 0: the whole list is one,
-- in the way of lists from before.
ALTER TABLE status_lists ADD COLUMN span BIGINT NOT NULL DEFAULT 0;

CREATE INDEX commitments_acts ON commitments (id) WHERE kind NOT IN ('issued', 'reserved');

-- Every change of a place on an override list, in the transaction that made it,
-- with the role and the size that the list has then. idx is -1 where nothing but
-- these changed.
CREATE TABLE override_changes (
  id    INTEGER PRIMARY KEY,
  list  BIGINT NOT NULL REFERENCES override_lists (id),
  idx   BIGINT NOT NULL,
  value BIGINT NOT NULL,
  role  TEXT NOT NULL,
  size  BIGINT NOT NULL,
  at    BIGINT NOT NULL
);
CREATE INDEX override_changes_list ON override_changes (list, id);
INSERT INTO override_changes (list, idx, value, role, size, at) SELECT id, -1, 0, role, size, created FROM override_lists WHERE version > 0 ORDER BY id;
INSERT INTO override_changes (list, idx, value, role, size, at) SELECT l.id, o.idx, 1, l.role, l.size, o.changed
  FROM overrides AS o JOIN override_lists AS l ON l.id = o.list WHERE o.state = 'active' ORDER BY o.changed;

-- Which places of a list were given out, as of the commitment cut: what a restart
-- need not read again.
CREATE TABLE issued_sets (
  list BIGINT PRIMARY KEY REFERENCES status_lists (id),
  bits BLOB NOT NULL
);
CREATE TABLE issued_cut (
  id  INTEGER PRIMARY KEY CHECK (id = 1),
  cut BIGINT NOT NULL
);
INSERT INTO issued_cut (id, cut) VALUES (1, 0);
