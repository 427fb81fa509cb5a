-- +goose Up
-- When a run came into the ledger; 0: not known, from before this was kept.
ALTER TABLE ledger_runs ADD COLUMN at BIGINT NOT NULL DEFAULT 0;
