-- patience is how long the end of a grant may take before that is a fault; 0
-- means what is usual.
ALTER TABLE grants ADD COLUMN patience BIGINT NOT NULL DEFAULT 0;
