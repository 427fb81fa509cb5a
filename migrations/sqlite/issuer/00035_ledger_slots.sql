-- +goose Up
-- The publication of the shelf whose changes of status the ledger took in last, or
-- is taking in: its time, and the commitments after slot_from and up to slot_to.
-- The time is 0 where each change is published by itself.
ALTER TABLE ledger ADD COLUMN slot BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN slot_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN slot_to BIGINT NOT NULL DEFAULT 0;
