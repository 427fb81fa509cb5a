-- +goose Up
-- What is public is committed to once: keys, trust lists, accreditations.
CREATE UNIQUE INDEX commitments_facts ON commitments (kind, hash) WHERE kind IN ('key', 'trust', 'accreditation');
