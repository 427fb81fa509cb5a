-- +goose Up
-- Words by which staff find a record: of the names on it in every script, its
-- numbers and its dates. A word is bytes, so that the beginnings of words are
-- found in one order on every engine. They are written after the record
-- (searchable 0: not yet), so that nobody who registers waits for them, and
-- deleted in the transaction that corrects or discards it. office is where a
-- birth was registered, for the counts per office.
CREATE TABLE search_words (
  word   BLOB NOT NULL,
  record TEXT NOT NULL,
  kind   TEXT NOT NULL,
  PRIMARY KEY (word, record)
) WITHOUT ROWID;
CREATE INDEX search_words_record ON search_words (record);

ALTER TABLE births ADD COLUMN searchable BIGINT NOT NULL DEFAULT 0;
ALTER TABLE births ADD COLUMN office TEXT NOT NULL DEFAULT '';
ALTER TABLE guardianships ADD COLUMN searchable BIGINT NOT NULL DEFAULT 0;
CREATE INDEX births_unsearchable ON births (created) WHERE searchable = 0;
CREATE INDEX guardianships_unsearchable ON guardianships (created) WHERE searchable = 0;
