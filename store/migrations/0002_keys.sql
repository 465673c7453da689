-- One key for each customer, wrapped by a key that is not in the database.
CREATE TABLE data_keys (
    id         TEXT   PRIMARY KEY,
    customer   TEXT   NOT NULL UNIQUE, -- empty for what belongs to none
    wrapped_by TEXT   NOT NULL,
    wrapped    BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);
