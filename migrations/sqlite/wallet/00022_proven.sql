-- +goose Up
-- When somebody last proved to be who they are: acts that cannot be taken back
-- ask for it anew.
ALTER TABLE sessions ADD COLUMN proven BIGINT NOT NULL DEFAULT 0;
