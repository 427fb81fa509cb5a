-- +goose Up
-- What ends with a guardianship that its ward's birth does not bear any more.
CREATE INDEX offers_guardianship ON offers (guardianship);
CREATE INDEX grants_guardianship ON grants (guardianship);
