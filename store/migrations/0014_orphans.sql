-- Accounts that bear our mark and have no live grant, until that is dealt with.
CREATE TABLE orphans (
    target    TEXT   NOT NULL,
    mark      TEXT   NOT NULL,
    username  TEXT   NOT NULL,
    object_id TEXT   NOT NULL,
    seen      TEXT   NOT NULL, -- the last observation
    found_at  BIGINT NOT NULL,
    PRIMARY KEY (target, mark)
);
