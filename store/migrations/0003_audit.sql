-- Records are inserted without a place, so that writers never wait for each
-- other; one sealer gives them their places in the tree, in the order of their
-- IDs, which sort by when they were made.
CREATE TABLE audit_records (
    id       TEXT    PRIMARY KEY,
    at       BIGINT  NOT NULL,
    kind     TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    customer TEXT    NOT NULL,
    grant_id TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    data     TEXT    NOT NULL,
    salt     BYTEA,
    personal BYTEA   NOT NULL,
    erased   BOOLEAN NOT NULL,
    seq      BIGINT  NOT NULL
);

CREATE UNIQUE INDEX audit_records_seq ON audit_records (seq) WHERE seq >= 0;
CREATE INDEX audit_records_unsealed ON audit_records (id) WHERE seq < 0;
CREATE INDEX audit_records_grant ON audit_records (grant_id, id) WHERE grant_id <> '';

-- The hashes of the tree, 256 in a chunk.
CREATE TABLE audit_chunks (
    n      BIGINT PRIMARY KEY,
    hashes BYTEA  NOT NULL
);
