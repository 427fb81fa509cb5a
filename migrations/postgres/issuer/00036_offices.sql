-- +goose Up
-- What the ledger calls the office whose act a credential is; '' is not told.
ALTER TABLE credentials ADD COLUMN office TEXT NOT NULL DEFAULT '';
