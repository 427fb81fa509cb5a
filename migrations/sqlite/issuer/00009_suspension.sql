-- +goose Up
-- When a suspension ends by itself because nobody confirmed it, 0 if it does
-- not. Those from before this was kept do not.
ALTER TABLE births ADD COLUMN suspended_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE guardianships ADD COLUMN suspended_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX births_suspended ON births (suspended_until) WHERE suspended_until > 0;
CREATE INDEX guardianships_suspended ON guardianships (suspended_until) WHERE suspended_until > 0;
