-- tried_at is when a call that can create something on the target was last
-- about to be made. blocked is what keeps an end from finishing until a person
-- helps; empty if nothing does.
ALTER TABLE accounts ADD COLUMN tried_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN blocked TEXT NOT NULL DEFAULT '';
