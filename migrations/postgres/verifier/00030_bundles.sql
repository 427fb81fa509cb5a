-- +goose Up
-- Bundles stay for a while with their bytes, so that posts fetch what changed
-- since theirs. manifest identifies a bundle (SHA-256 of what the hub signed),
-- digest its file; both in hexadecimal. Bundles of the form before cannot be
-- opened any more: what a check names stays known without them.
ALTER TABLE bundles ADD COLUMN manifest TEXT NOT NULL DEFAULT '';
ALTER TABLE bundles ADD COLUMN digest TEXT NOT NULL DEFAULT '';
UPDATE bundles SET body = NULL;
CREATE INDEX bundles_sequence ON bundles (sequence);
CREATE INDEX bundles_manifest ON bundles (manifest);
